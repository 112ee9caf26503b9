/* Frames in memory by position: a ring that begins at one position and ends at another, without gaps. A
 * sensor keeps in it what the broker has not committed; a spool what is not on disk yet, and the newest of
 * what is. */
#pragma once

#include "base/macro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FrameRing FrameRing;

int frame_ring_new(FrameRing **ret);
FrameRing *frame_ring_free(FrameRing *ring);
DEFINE_FREEP(FrameRing, frame_ring_free)

/* Copies a frame to the end; the first one of an empty ring gets `position`, later ones the next each. 0 or
 * -ENOMEM. */
int frame_ring_push(FrameRing *ring, uint64_t position, const void *frame, size_t size);

/* The frame at `position`, borrowed until the ring changes; NULL when it is not here. */
const char *frame_ring_at(const FrameRing *ring, uint64_t position, size_t *ret_size);

/* Forgets everything up to `position`. */
void frame_ring_drop(FrameRing *ring, uint64_t position);

bool frame_ring_is_empty(const FrameRing *ring);
uint64_t frame_ring_first(const FrameRing *ring); /* only of one that is not empty */
size_t frame_ring_count(const FrameRing *ring);
size_t frame_ring_bytes(const FrameRing *ring); /* of the frames themselves */
