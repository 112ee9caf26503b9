/* The links of the city as a table, made from endpoints.def. It opens nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EVENT_MAX_BYTES (16 * 1024)   /* one sensor event, topic included; above it: refused and counted */
#define EVENT_DEPTH_MAX 10            /* of the 15 that readers follow, 5 are for what an event travels in */
#define FRAME_MAX_BYTES (64 * 1024)   /* any frame; a larger one cuts the connection before it costs memory */
#define REPLY_MAX_BYTES (1024 * 1024) /* a reply, as the asking side accepts it */

typedef enum EndpointId {
#define ENDPOINT(ID, ...) ENDPOINT_##ID,
#include "wire/endpoints.def"
#undef ENDPOINT
    ENDPOINT_COUNT
} EndpointId;

/* ZeroMQ patterns by name; common/shell/link.c translates them to socket types. */
typedef enum WirePattern { WIRE_XPUB, WIRE_SUB, WIRE_PUSH, WIRE_PULL, WIRE_ROUTER, WIRE_DEALER } WirePattern;

typedef struct Endpoint {
    const char *name;   /* also the FileDescriptorName= of its socket unit */
    const char *binder; /* systemd unit name without ".service" */
    unsigned machine;   /* 1, 2 or 3: on which pcN the binder runs */
    uint16_t port;      /* TCP */
    WirePattern bind_pattern;
    WirePattern connect_pattern;
    int high_water_mark; /* messages, each side */
    const char *purpose;
} Endpoint;

extern const Endpoint endpoints[ENDPOINT_COUNT];

const char *wire_pattern_name(WirePattern pattern);

/* The table as text, one link a line, for --print-endpoints. */
void endpoints_print(FILE *out);
