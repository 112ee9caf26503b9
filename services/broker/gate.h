/* What the broker makes of a frame: is it an event, and does it say who made it. One path for every mode and
 * thread. Knows no link. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "wire/endpoints.h"
#include "wire/event.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest frame that gate_add_identity() may make: an event of the largest size is refused when nothing
 * fits beside it. */
#define GATE_FRAME_MAX_BYTES EVENT_MAX_BYTES

typedef struct Gate Gate;

/* One per thread. */
int gate_new(Gate **ret);
Gate *gate_free(Gate *gate);
DEFINE_FREEP(Gate, gate_free)

/* 0: the frame is an event to be forwarded as it is, or, with *ret_needs_identity, by gate_add_identity().
 * -EBADMSG: refused. */
int gate_judge(Gate *gate, const void *frame, size_t size, bool *ret_needs_identity, Refusal *ret_refusal,
               Problem *problem);

/* When the reading of the event that gate_judge() passed last was taken, if it says so. */
bool gate_captured(const Gate *gate, Wall *ret);

/* Whether the frame that gate_judge() passed last is a simulator's tick, which no sensor measured. */
bool gate_is_tick(const Gate *gate);

/* Writes an event that gate_judge() passed to `buffer` (GATE_FRAME_MAX_BYTES) with `identity`, and `now` as
 * its capture time unless it has one. Its other bytes stay as they were where that is possible. Returns the
 * size, or -EMSGSIZE when it is too large then. */
int gate_add_identity(const void *frame, size_t size, const EventIdentity *identity, Wall now, char *buffer,
                      Problem *problem);
