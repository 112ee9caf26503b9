/* Readings that the broker has not committed yet: in memory, by position, sent in order and sent again until
 * they are acknowledged. Its limit is [custody] sensor_frames; what happens there is the sensor's.
 *
 * To a broker of the first implementation ([protocol] broker = v0) what the link has taken counts as
 * acknowledged, and one reading waits at most. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "shell/link.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ReadingQueue ReadingQueue;

typedef struct ReadingQueueSpec {
    Link *link; /* the kind's own; whose on_writable is reading_queue_on_writable() */
    /* More is acknowledged than before. May be called within reading_queue_push(). Returns nothing: whatever
     * has to follow is done later. */
    void (*on_acknowledged)(void *userdata);
    void *userdata;
} ReadingQueueSpec;

int reading_queue_new(Service *service, const ReadingQueueSpec *spec, ReadingQueue **ret, Problem *problem);
ReadingQueue *reading_queue_free(ReadingQueue *queue); /* what is in it is gone */
DEFINE_FREEP(ReadingQueue, reading_queue_free)

/* Puts a frame behind the others, also behind the limit: who pushes asks first. It is sent when this turn of the
 * loop has ended. 0 or -ENOMEM. */
int reading_queue_push(ReadingQueue *queue, const void *frame, size_t size, uint64_t *ret_position);

bool reading_queue_is_full(const ReadingQueue *queue);
size_t reading_queue_count(const ReadingQueue *queue);
uint64_t reading_queue_acknowledged(const ReadingQueue *queue); /* everything up to this position */

void reading_queue_reader_is_there(ReadingQueue *queue, bool is_there);
int reading_queue_on_writable(ReadingQueue *queue);
