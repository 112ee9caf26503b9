/* The frames lie one behind the other in blocks, and an index that doubles when it is full says where each
 * one is: nothing is moved when the ring grows, so that a borrowed frame stays where it is and no push takes
 * long. A block goes when the last frame in it has gone; one is kept, because a ring in a steady state needs
 * the next one soon. */
#include "store/frame-ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 128 << 10, INDEX_FIRST = 256 };

typedef struct Block {
    struct Block *next;
    uint64_t newest; /* position of the last frame in it */
    size_t used, size;
    char bytes[];
} Block;

typedef struct Entry {
    const char *frame;
    size_t size;
} Entry;

struct FrameRing {
    Entry *index; /* `capacity` of them, a power of two; the frame at position p is at p modulo that */
    size_t capacity, count;
    uint64_t first;
    size_t bytes;
    Block *oldest, *newest, *spare;
};

int frame_ring_new(FrameRing **ret) {
    FrameRing *ring = calloc(1, sizeof *ring);
    if (!ring)
        return -ENOMEM;
    *ret = ring;
    return 0;
}

FrameRing *frame_ring_free(FrameRing *ring) {
    if (!ring)
        return NULL;
    while (ring->oldest) {
        Block *next = ring->oldest->next;
        free(ring->oldest);
        ring->oldest = next;
    }
    free(ring->spare);
    free(ring->index);
    free(ring);
    return NULL;
}

static Entry *entry_at(const FrameRing *ring, uint64_t position) {
    return &ring->index[position & (ring->capacity - 1)];
}

/* --- putting in --- */

static int grow_index(FrameRing *ring) {
    if (ring->count < ring->capacity)
        return 0;
    FrameRing grown = *ring;
    grown.capacity = ring->capacity ? ring->capacity * 2 : INDEX_FIRST;
    grown.index = malloc(grown.capacity * sizeof *grown.index);
    if (!grown.index)
        return -ENOMEM;
    for (uint64_t p = ring->first; p < ring->first + ring->count; p++)
        *entry_at(&grown, p) = *entry_at(ring, p);
    free(ring->index);
    *ring = grown;
    return 0;
}

/* The newest block, with room for `size` bytes. */
static Block *block_for(FrameRing *ring, size_t size) {
    if (ring->newest && ring->newest->size - ring->newest->used >= size)
        return ring->newest;
    Block *block = ring->spare;
    if (block && block->size >= size) {
        ring->spare = NULL;
    } else {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = malloc(sizeof *block + room);
        if (!block)
            return NULL;
        block->size = room;
    }
    block->next = NULL;
    block->used = 0;
    if (ring->newest)
        ring->newest->next = block;
    else
        ring->oldest = block;
    ring->newest = block;
    return block;
}

int frame_ring_push(FrameRing *ring, uint64_t position, const void *frame, size_t size) {
    Block *block = grow_index(ring) < 0 ? NULL : block_for(ring, size);
    if (!block)
        return -ENOMEM;
    if (ring->count == 0)
        ring->first = position;
    char *to = block->bytes + block->used;
    memcpy(to, frame, size);
    block->used += size;
    block->newest = ring->first + ring->count;
    *entry_at(ring, block->newest) = (Entry){.frame = to, .size = size};
    ring->count++;
    ring->bytes += size;
    return 0;
}

/* --- taking out --- */

static void drop_block(FrameRing *ring) {
    Block *block = ring->oldest;
    ring->oldest = block->next;
    if (!ring->oldest)
        ring->newest = NULL;
    if (!ring->spare && block->size == BLOCK_BYTES)
        ring->spare = block;
    else
        free(block);
}

void frame_ring_drop(FrameRing *ring, uint64_t position) {
    while (ring->count > 0 && ring->first <= position) {
        ring->bytes -= entry_at(ring, ring->first)->size;
        ring->first++;
        ring->count--;
        if (ring->oldest->newest < ring->first)
            drop_block(ring);
    }
}

/* --- asking --- */

const char *frame_ring_at(const FrameRing *ring, uint64_t position, size_t *ret_size) {
    if (position < ring->first || position - ring->first >= ring->count)
        return NULL;
    const Entry *entry = entry_at(ring, position);
    *ret_size = entry->size;
    return entry->frame;
}

bool frame_ring_is_empty(const FrameRing *ring) {
    return ring->count == 0;
}

uint64_t frame_ring_first(const FrameRing *ring) {
    return ring->first;
}

size_t frame_ring_count(const FrameRing *ring) {
    return ring->count;
}

size_t frame_ring_bytes(const FrameRing *ring) {
    return ring->bytes;
}
