/* Of each feed the next reading is looked at before it is handed out. What a reading borrows from its feed stays valid
 * until then, because that feed is asked again only afterwards. */
#include "merged-feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Side {
    Feed *feed;
    bool has_reading, has_ended;
    Reading reading;
} Side;

typedef struct MergedFeed {
    Feed feed;
    Side sides[2];
} MergedFeed;

static FeedResult merged_next(Feed *base, Reading *ret) {
    MergedFeed *feed = (MergedFeed *)base;
    Side *next = NULL;
    for (size_t i = 0; i < ARRAY_LEN(feed->sides); i++) {
        Side *side = &feed->sides[i];
        if (!side->has_reading && !side->has_ended) {
            FeedResult result = side->feed->type->next(side->feed, &side->reading);
            if (result == FEED_PASSED)
                return FEED_PASSED;
            side->has_reading = result == FEED_READING;
            side->has_ended = result == FEED_ENDED;
        }
        if (side->has_reading && (!next || side->reading.position_usec < next->reading.position_usec))
            next = side;
    }
    if (!next)
        return FEED_ENDED;
    next->has_reading = false;
    *ret = next->reading;
    return FEED_READING;
}

static void merged_describe(const Feed *base, char *buffer, size_t size) {
    const MergedFeed *feed = (const MergedFeed *)base;
    feed->sides[0].feed->type->describe(feed->sides[0].feed, buffer, size);
    size_t used = strlen(buffer);
    if (used + sizeof ", " < size) {
        memcpy(buffer + used, ", ", sizeof ", ");
        feed->sides[1].feed->type->describe(feed->sides[1].feed, buffer + used + 2, size - used - 2);
    }
}

static Feed *merged_free(Feed *base) {
    MergedFeed *feed = (MergedFeed *)base;
    if (feed) {
        for (size_t i = 0; i < ARRAY_LEN(feed->sides); i++)
            if (feed->sides[i].feed)
                feed->sides[i].feed->type->free(feed->sides[i].feed);
        free(feed);
    }
    return NULL;
}

static const FeedType merged_feed = {.next = merged_next, .describe = merged_describe, .free = merged_free};

int merged_feed_new(Feed *first, Feed *second, Feed **ret) {
    if (!second) {
        *ret = first;
        return 0;
    }
    MergedFeed *feed = calloc(1, sizeof *feed);
    if (!feed) {
        first->type->free(first);
        second->type->free(second);
        return -ENOMEM;
    }
    feed->feed = *first;
    feed->feed.type = &merged_feed;
    feed->sides[0].feed = first;
    feed->sides[1].feed = second;
    *ret = &feed->feed;
    return 0;
}
