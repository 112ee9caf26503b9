/* An open-addressing hash table of pointers, at most half full, so probing always meets an empty slot. */
#include "settings/value-pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_AT_FIRST = 16 };

typedef struct Slot {
    void *value; /* NULL is empty */
    uint64_t hash;
} Slot;

struct ValuePool {
    size_t value_size, n_values;
    size_t n_slots; /* a power of two */
    Slot *slots;
};

ValuePool *value_pool_new(size_t value_size) {
    ValuePool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->value_size = value_size;
    pool->n_slots = SLOTS_AT_FIRST;
    pool->slots = calloc(pool->n_slots, sizeof *pool->slots);
    return pool->slots ? pool : value_pool_free(pool);
}

ValuePool *value_pool_free(ValuePool *pool) {
    if (!pool)
        return NULL;
    for (size_t i = 0; pool->slots && i < pool->n_slots; i++)
        free(pool->slots[i].value);
    free(pool->slots);
    free(pool);
    return NULL;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash_of(const void *value, size_t size) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *byte = value, *end = byte + size; byte < end; byte++)
        hash = (hash ^ *byte) * UINT64_C(0x100000001b3);
    return hash;
}

/* The slot that holds the value, or the empty one where it would stand. */
static Slot *slot_of(const ValuePool *pool, const void *value, uint64_t hash) {
    size_t at = (size_t)hash & (pool->n_slots - 1);
    while (pool->slots[at].value &&
           (pool->slots[at].hash != hash || memcmp(pool->slots[at].value, value, pool->value_size) != 0))
        at = (at + 1) & (pool->n_slots - 1);
    return &pool->slots[at];
}

static bool grow(ValuePool *pool) {
    ValuePool larger = *pool;
    larger.n_slots *= 2;
    larger.slots = calloc(larger.n_slots, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < pool->n_slots; i++)
        if (pool->slots[i].value)
            *slot_of(&larger, pool->slots[i].value, pool->slots[i].hash) = pool->slots[i];
    free(pool->slots);
    *pool = larger;
    return true;
}

const void *value_pool_put(ValuePool *pool, const void *value) {
    uint64_t hash = hash_of(value, pool->value_size);
    Slot *slot = slot_of(pool, value, hash);
    if (slot->value)
        return slot->value;
    if ((pool->n_values + 1) * 2 > pool->n_slots) {
        if (!grow(pool))
            return NULL;
        slot = slot_of(pool, value, hash);
    }
    void *kept = malloc(pool->value_size);
    if (!kept)
        return NULL;
    memcpy(kept, value, pool->value_size);
    *slot = (Slot){kept, hash};
    pool->n_values++;
    return kept;
}
