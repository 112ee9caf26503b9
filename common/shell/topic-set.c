/* A handful of prefixes in an array; a city's publisher has one to three. Knows no socket. */
#include "shell/topic-set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static Topic *find(const TopicSet *set, const void *prefix, size_t size) {
    for (size_t i = 0; i < set->n; i++)
        if (set->topics[i].size == size && memcmp(set->topics[i].bytes, prefix, size) == 0)
            return &set->topics[i];
    return NULL;
}

static void put(Topic *topic, const void *prefix, size_t size) {
    topic->size = size;
    memcpy(topic->bytes, prefix, size);
}

static int replace_longest(TopicSet *set, const void *prefix, size_t size) {
    Topic *longest = &set->topics[0];
    for (size_t i = 1; i < set->n; i++)
        if (set->topics[i].size > longest->size)
            longest = &set->topics[i];
    if (size >= longest->size)
        return -ENOSPC;
    put(longest, prefix, size);
    return 0;
}

int topic_set_add(TopicSet *set, const void *prefix, size_t size) {
    if (size > TOPIC_MAX_BYTES)
        return -E2BIG;
    if (find(set, prefix, size))
        return 0;
    if (set->n == TOPICS_MAX)
        return replace_longest(set, prefix, size);

    Topic *grown = realloc(set->topics, (set->n + 1) * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    set->topics = grown;
    put(&grown[set->n++], prefix, size);
    return 0;
}

void topic_set_remove(TopicSet *set, const void *prefix, size_t size) {
    Topic *topic = find(set, prefix, size);
    if (topic)
        *topic = set->topics[--set->n];
}

bool topic_set_matches(const TopicSet *set, const void *data, size_t size) {
    for (size_t i = 0; i < set->n; i++)
        if (set->topics[i].size <= size && memcmp(set->topics[i].bytes, data, set->topics[i].size) == 0)
            return true;
    return false;
}

void topic_set_clear(TopicSet *set) {
    free(set->topics);
    *set = (TopicSet){0};
}
