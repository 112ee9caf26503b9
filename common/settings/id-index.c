/* An open-addressing hash table that is at most half full, so probing always meets an empty slot and stays
 * short. Ids come from the city file, which the administrator wrote: no defence against chosen collisions is
 * needed. */
#include "settings/id-index.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct Slot {
    const char *id; /* NULL is empty */
    size_t place;
} Slot;

struct IdIndex {
    size_t mask; /* number of slots, a power of two, less one */
    Slot slots[];
};

IdIndex *id_index_new(size_t capacity) {
    size_t n_slots = 4;
    while (n_slots < capacity * 2)
        n_slots *= 2;
    IdIndex *index = calloc(1, sizeof *index + n_slots * sizeof index->slots[0]);
    if (index)
        index->mask = n_slots - 1;
    return index;
}

IdIndex *id_index_free(IdIndex *index) {
    free(index);
    return NULL;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static size_t hash_of(const char *id) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
    return (size_t)hash;
}

/* The slot that holds the id, or the empty one where it would stand. */
static size_t slot_of(const IdIndex *index, const char *id) {
    size_t at = hash_of(id) & index->mask;
    while (index->slots[at].id && strcmp(index->slots[at].id, id) != 0)
        at = (at + 1) & index->mask;
    return at;
}

int id_index_add(IdIndex *index, const char *id, size_t place) {
    Slot *slot = &index->slots[slot_of(index, id)];
    if (slot->id)
        return -EEXIST;
    *slot = (Slot){id, place};
    return 0;
}

size_t id_index_find(const IdIndex *index, const char *id) {
    if (!index)
        return ID_INDEX_NONE;
    const Slot *slot = &index->slots[slot_of(index, id)];
    return slot->id ? slot->place : ID_INDEX_NONE;
}
