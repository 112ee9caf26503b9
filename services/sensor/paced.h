/* Sources that make their own readings on a timeline: made up or recorded. They say what comes next and where
 * it stands on the timeline; this module waits until it is due at the chosen pace, gives it its time and
 * publishes it. */
#pragma once

#include "source.h"

#include "base/time.h"

typedef struct Reading {
    Message event;
    uint64_t position_usec; /* on the timeline, never decreasing */
} Reading;

typedef enum FeedResult {
    FEED_READING, /* *ret is the next reading */
    FEED_PASSED,  /* something was passed over; ask again */
    FEED_ENDED,   /* there is no more, now and later */
} FeedResult;

typedef struct Feed Feed;

typedef struct FeedType {
    FeedResult (*next)(Feed *feed, Reading *ret);
    void (*describe)(const Feed *feed, char *buffer, size_t size);
    Feed *(*free)(Feed *feed); /* accepts NULL, returns NULL */
} FeedType;

struct Feed {
    const FeedType *type;
    /* Time zero of the timeline; 0: the moment when it starts to run. */
    Wall base;
    /* A reading that is made up while the timeline runs is taken at that moment: a pause moves time zero. A
     * recording keeps it. */
    bool is_live;
};

/* Takes `feed` over, also on error. `type` is the source's table entry; its functions are those below. */
int paced_new(Sensor *sensor, const SourceType *type, Feed *feed, Source **ret);
Source *paced_free(Source *source);
int paced_run(Source *source, Mono now);
void paced_hold(Source *source, Mono now);
void paced_describe(const Source *source, char *buffer, size_t size);
