/* What the subscribers of one publisher want: a set of prefixes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TOPIC_MAX_BYTES 128
#define TOPICS_MAX      256 /* a stranger may subscribe to anything; this bounds what it costs us to know */

typedef struct Topic {
    size_t size;
    char bytes[TOPIC_MAX_BYTES];
} Topic;

typedef struct TopicSet {
    Topic *topics;
    size_t n;
} TopicSet;

/* Adds a prefix; adding it again changes nothing. A full set gives up its longest prefix for a shorter one,
 * so that no stranger's topics keep out those of the city, which are short. -E2BIG when it is too long,
 * -ENOSPC when the set is full of prefixes that are not longer, -ENOMEM. */
int topic_set_add(TopicSet *set, const void *prefix, size_t size);

void topic_set_remove(TopicSet *set, const void *prefix, size_t size);

/* Whether one of the prefixes begins `data`. Cost: linear in the number of prefixes. */
bool topic_set_matches(const TopicSet *set, const void *data, size_t size);

void topic_set_clear(TopicSet *set);
