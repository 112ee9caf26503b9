/* The text of a Hop: one more member at the very end of a frame's JSON object,
 *
 *     camara {"sensor_id":"CAM-A1", ... ,"hop":"9f0c61d2a7b3e845.1763660000000000.1234.1200"}
 *
 * stream (16 hexadecimal digits), epoch, position and oldest (decimal). Peers of the first implementation
 * ignore it. A frame without it, in exactly this form (no needless 0, no space, numbers that
 * hop_is_possible()) and place, is not under custody. Nothing is decoded here: both ways cost a few dozen
 * nanoseconds whatever the frame holds. */
#pragma once

#include "base/hop.h"

#include <stdbool.h>
#include <stddef.h>

#define HOP_TEXT_MAX_BYTES 96 /* what hop_put() adds at most */

/* Writes `frame`, which ends with the brace of its object, to `buffer` with the hop added, a possible one.
 * Returns the size, or -EMSGSIZE when that is more than `buffer_size`, or -EBADMSG when the frame does not
 * end with a brace. */
int hop_put(const char *frame, size_t size, const Hop *hop, char *buffer, size_t buffer_size);

/* Whether the frame carries a hop. Then *ret is it and *ret_size the size up to which the frame's own text
 * goes, without the closing brace: the reader puts that back (hop_take()). */
bool hop_find(const char *frame, size_t size, Hop *ret, size_t *ret_size);

/* hop_find(), and the frame as it was before hop_put() in `buffer` of at least `size` bytes; *ret_size is
 * its size. False: no hop, the buffer is untouched. */
bool hop_take(const char *frame, size_t size, Hop *ret, char *buffer, size_t *ret_size);

/* A stream as an acknowledgement names it: never 0. */
#define HOP_STREAM_TEXT_SIZE 17
void hop_stream_text(uint64_t stream, char ret[static HOP_STREAM_TEXT_SIZE]);
bool hop_stream_parse(const char *text, uint64_t *ret);
