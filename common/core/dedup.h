/* Which events were seen before? Producers number what they send; this remembers, per producer and life of it
 * (epoch), which numbers came, in a table of fixed size that the caller provides.
 *
 * Knows nothing of what the events say. A verdict is about the number alone, so one table serves every kind
 * of event. Forgetting is safe: the least recently heard producer makes room for a new one, and an event too
 * old to be judged is called so instead of being taken for a repetition, because a store that inserts by
 * identity can still tell and nothing may be lost here. */
#pragma once

#include <stdint.h>

enum {
    DEDUP_WINDOW_NUMBERS =
        1024, /* how far behind the newest number one can still tell a late event from a repeated one */
    DEDUP_PRODUCER_BYTES = 64, /* with the NUL */
    DEDUP_LIVES =
        2, /* the present life of a producer and the one before: events of both may still be under way */
    DEDUP_BUCKET_PRODUCERS = 8,
};

typedef enum DedupVerdict {
    DEDUP_NEW,    /* the next number, or the first one heard of this producer */
    DEDUP_GAP,    /* new, and numbers before it never came */
    DEDUP_LATE,   /* fills an earlier gap: newer events were seen already */
    DEDUP_REPEAT, /* seen before */
    DEDUP_OLD,    /* before everything that is remembered: nobody can tell here */
} DedupVerdict;

typedef struct DedupAnswer {
    DedupVerdict verdict;
    uint64_t n_missing; /* GAP: how many numbers are missing just before this one */
} DedupAnswer;

typedef struct DedupLife {
    int64_t epoch;
    uint64_t lowest; /* the first number heard; what lies before it is OLD */
    uint64_t newest;
    /* Bit (n mod window) of each number in (newest - window, newest] */
    uint64_t seen[DEDUP_WINDOW_NUMBERS / 64];
} DedupLife;

typedef struct DedupProducer {
    char name[DEDUP_PRODUCER_BYTES]; /* "" is an empty place */
    uint64_t last_heard;             /* of Dedup.clock, for making room */
    unsigned n_lives;
    DedupLife lives[DEDUP_LIVES]; /* the present one first */
} DedupProducer;

typedef struct Dedup {
    DedupProducer *places; /* the caller's */
    unsigned n_buckets;
    uint64_t clock;       /* counts questions: only an order */
    uint64_t n_forgotten; /* producers that had to make room */
} Dedup;

/* `places`: n_buckets * DEDUP_BUCKET_PRODUCERS of them, the caller's, outliving the table; cleared here.
 * n_buckets >= 1. */
void dedup_init(Dedup *dedup, DedupProducer *places, unsigned n_buckets);

/* Judges the event `sequence` of this life of `producer` (a name that is not empty and fits
 * DEDUP_PRODUCER_BYTES) and remembers it. A producer's numbers begin at 1 in each life, so the first number
 * of a new life of a known producer tells of a gap when it is greater; of a producer never heard before
 * nothing is known, and its first event is NEW whatever its number. */
DedupAnswer dedup_judge(Dedup *dedup, const char *producer, int64_t epoch, uint64_t sequence);
