/* The packets of a relay socket: one reading (or tick) in, one answer out. relay.c describes them. Knows
 * no socket. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "wire/endpoints.h"
#include "wire/messages.h"

#define RELAY_ID_MAX_BYTES     63
#define RELAY_PACKET_MAX_BYTES EVENT_MAX_BYTES

/* A client's id as JSON text, to be given back as it came; "null" when it could not be read. */
typedef struct RelayId {
    char json[RELAY_ID_MAX_BYTES * 6 + 3]; /* every byte as \u00XX, quotes and a NUL */
} RelayId;

typedef struct RelayPacket {
    RelayId id;
    Message event; /* of the kind, or a simulator's tick */
} RelayPacket;

typedef struct RelayAnswer {
    size_t size;
    char text[1536];
} RelayAnswer;

typedef struct RelayParser RelayParser;

int relay_parser_new(RelayParser **ret);
RelayParser *relay_parser_free(RelayParser *parser);
DEFINE_FREEP(RelayParser, relay_parser_free)

/* One packet of `size` bytes as it was received; more than RELAY_PACKET_MAX_BYTES (of which only those are
 * there) is refused. A reading without a time is of `now`. 0, or -EBADMSG: refused, then only ret->id is
 * written. */
int relay_parse(RelayParser *parser, SensorKind kind, const char *packet, size_t size, Wall now,
                RelayPacket *ret, Refusal *ret_refusal, Problem *problem);

void relay_answer_ack(RelayAnswer *ret, const RelayId *id);
void relay_answer_refused(RelayAnswer *ret, const RelayId *id, const Problem *problem);
