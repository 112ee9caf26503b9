/* A bucket of places per hash, a window of bits per life. */
#include "core/dedup.h"

#include <stdbool.h>
#include <string.h>

void dedup_init(Dedup *dedup, DedupProducer *places, unsigned n_buckets) {
    *dedup = (Dedup){.places = places, .n_buckets = n_buckets};
    memset(places, 0, sizeof *places * n_buckets * DEDUP_BUCKET_PRODUCERS);
}

/* --- numbers of one life --- */

static uint64_t *word_of(DedupLife *life, uint64_t number) {
    return &life->seen[number % DEDUP_WINDOW_NUMBERS / 64];
}

static uint64_t bit_of(uint64_t number) {
    return UINT64_C(1) << (number % 64);
}

static void life_begin(DedupLife *life, int64_t epoch, uint64_t lowest, uint64_t newest) {
    memset(life, 0, sizeof *life);
    life->epoch = epoch;
    life->lowest = lowest;
    life->newest = newest;
    *word_of(life, newest) |= bit_of(newest);
}

/* The window moves up to `number`: the bits of the numbers in between, which did not come, are those of older
 * ones. */
static DedupAnswer life_advance(DedupLife *life, uint64_t number) {
    uint64_t n_missing = number - life->newest - 1;
    if (n_missing >= DEDUP_WINDOW_NUMBERS)
        memset(life->seen, 0, sizeof life->seen);
    else
        for (uint64_t skipped = life->newest + 1; skipped < number; skipped++)
            *word_of(life, skipped) &= ~bit_of(skipped);
    life->newest = number;
    *word_of(life, number) |= bit_of(number);
    return (DedupAnswer){n_missing == 0 ? DEDUP_NEW : DEDUP_GAP, n_missing};
}

static DedupAnswer life_judge(DedupLife *life, uint64_t number) {
    if (number > life->newest)
        return life_advance(life, number);
    if (number < life->lowest || life->newest - number >= DEDUP_WINDOW_NUMBERS)
        return (DedupAnswer){DEDUP_OLD, 0};
    if (*word_of(life, number) & bit_of(number))
        return (DedupAnswer){DEDUP_REPEAT, 0};
    *word_of(life, number) |= bit_of(number);
    return (DedupAnswer){DEDUP_LATE, 0};
}

/* --- lives of one producer --- */

/* A life that nobody heard of yet: 1 is the number it begins with, unless the producer itself is a
 * stranger. */
static DedupAnswer producer_is_born_again(DedupProducer *producer, int64_t epoch, uint64_t sequence) {
    bool is_stranger = producer->n_lives == 0;
    producer->lives[1] = producer->lives[0];
    life_begin(&producer->lives[0], epoch, is_stranger ? sequence : 1, sequence);
    producer->n_lives = is_stranger ? 1 : DEDUP_LIVES;
    if (is_stranger || sequence <= 1)
        return (DedupAnswer){DEDUP_NEW, 0};
    return (DedupAnswer){DEDUP_GAP, sequence - 1};
}

static DedupAnswer producer_judge(DedupProducer *producer, int64_t epoch, uint64_t sequence) {
    for (unsigned i = 0; i < producer->n_lives; i++)
        if (producer->lives[i].epoch == epoch)
            return life_judge(&producer->lives[i], sequence);
    if (producer->n_lives > 0 && epoch < producer->lives[0].epoch)
        return (DedupAnswer){DEDUP_OLD, 0};
    return producer_is_born_again(producer, epoch, sequence);
}

/* --- the table --- */

/* FNV-1a */
static uint32_t hash_of(const char *name) {
    uint32_t hash = UINT32_C(2166136261);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
    return hash;
}

/* The producer's place: its own, else an empty one of its bucket, else that of the one not heard for
 * longest. */
static DedupProducer *place_of(Dedup *dedup, const char *name) {
    DedupProducer *bucket = &dedup->places[hash_of(name) % dedup->n_buckets * DEDUP_BUCKET_PRODUCERS];
    DedupProducer *oldest = bucket;
    for (unsigned i = 0; i < DEDUP_BUCKET_PRODUCERS; i++) {
        if (strcmp(bucket[i].name, name) == 0)
            return &bucket[i];
        if (bucket[i].last_heard < oldest->last_heard) /* an empty place was heard at 0 */
            oldest = &bucket[i];
    }
    if (oldest->name[0] != '\0')
        dedup->n_forgotten++;
    memset(oldest, 0, sizeof *oldest);
    strncpy(oldest->name, name, sizeof oldest->name - 1);
    return oldest;
}

DedupAnswer dedup_judge(Dedup *dedup, const char *producer, int64_t epoch, uint64_t sequence) {
    DedupProducer *place = place_of(dedup, producer);
    place->last_heard = ++dedup->clock;
    return producer_judge(place, epoch, sequence);
}
