/* One direction of a connection between two processes, as unkind as TCP and ZeroMQ may be: it delays, stands
 * still while it is cut, drops by chance, and loses the end of what was under way when the connection is
 * replaced. What is left of the old connection then arrives among the frames of the new one; within a
 * connection order is kept. */
#pragma once

#include "base/hop.h"
#include "core/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_PACKETS = 512 };

/* A frame of data, an acknowledgement (`hop` says stream, position and epoch), or a heartbeat. */
typedef struct Packet {
    uint64_t due_ms;
    Hop hop;
    uint32_t event;                /* data: what the frame says */
    bool asks;                     /* acknowledgement */
    bool can_commit, needs_refill; /* heartbeat */
} Packet;

typedef struct Pipe {
    Packet packets[LINE_PACKETS];
    size_t first, n;
} Pipe;

typedef struct Line {
    Pipe present, former; /* connections */
    double loss;
    bool is_cut;
} Line;

/* False: it is full. A packet that is lost by chance was sent all the same. */
bool line_send(Line *line, Random *random, uint64_t now_ms, const Packet *packet);

/* The next packet that has arrived. */
bool line_receive(Line *line, Random *random, uint64_t now_ms, Packet *ret);

/* A new connection takes the place of the present one. */
void line_replace(Line *line, Random *random);

/* Who would have received is gone, and everything under way with it. */
void line_clear(Line *line);
