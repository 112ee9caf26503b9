/* A commit takes its time, and its process stands still meanwhile; when that dies then, the commit may have
 * happened or not, as a whole. */
#include "custody-world.h"

#include <string.h>

enum { COMMIT_MIN_MS = 1, COMMIT_MAX_MS = 12, SLOW_MIN_MS = 200, SLOW_MAX_MS = 900, RETRY_MS = 200 };

/* --- rows --- */

uint64_t spool_oldest(const Spool *spool) {
    uint64_t behind = spool->memory.acknowledged[0];
    for (unsigned i = 1; i < spool->n_readers; i++)
        if (spool->memory.acknowledged[i] < behind)
            behind = spool->memory.acknowledged[i];
    return (behind > spool->deleted ? behind : spool->deleted) + 1;
}

bool spool_is_full(const Spool *spool) {
    return spool->memory.last - spool->deleted >= SPOOL_ROWS ||
           spool->memory.last - spool->disk.last >= MEMORY_ROWS;
}

void spool_append(Spool *spool, uint32_t event) {
    spool->rows[++spool->memory.last % SPOOL_ROWS] = event;
    spool->is_dirty = true;
}

void store_take(Store *store, uint32_t event) {
    store->is_dirty = true;
    if (store->has[event])
        return;
    store->has[event] = true;
    store->rows[store->n++] = event;
}

/* --- commits --- */

static CustodyHop *hop_into(NodeId id) {
    for (HopId i = 0; i < HOPS; i++)
        if (world.hops[i].reader == id)
            return &world.hops[i];
    return NULL;
}

static void save_cursors(SavedCursors *disk, SavedCursors *late, const Intake *intake) {
    SavedCursors now = *disk;
    for (const IntakeCursor *cursor = NULL; (cursor = intake_next_dirty(intake, cursor));)
        now.of[cursor - intake->cursors] = *cursor;
    *disk = world.scenario.broken == BREAK_CURSOR_APART ? *late : now;
    *late = now;
}

static void commit_spool(Spool *spool, NodeId id) {
    for (uint64_t position = spool->disk.last + 1; position <= spool->memory.last; position++)
        if (++world.n_taken[spool->rows[position % SPOOL_ROWS]][id] > 1)
            world.verdict.n_duplicate++;
    spool->disk = spool->memory;
    uint64_t passed = spool_oldest(spool) - 1;
    if (world.scenario.broken == BREAK_DELETE_AFTER_ONE)
        for (unsigned i = 0; i < spool->n_readers; i++)
            passed = spool->disk.acknowledged[i] > passed ? spool->disk.acknowledged[i] : passed;
    spool->deleted = passed;
    spool->is_dirty = false;
    spool->n_commits++;
    if (id != SENSOR)
        save_cursors(&spool->cursors, &spool->late_cursors, &hop_into(id)->intake);
}

static void commit_store(Store *store, NodeId id) {
    store->n_on_disk = store->n;
    store->needs_refill_on_disk = store->needs_refill;
    store->is_dirty = false;
    save_cursors(&store->cursors, &store->late_cursors, &hop_into(id)->intake);
}

static void commit(NodeId id) {
    if (id <= ANALYTICS)
        commit_spool(&world.spools[id], id);
    else
        commit_store(&world.stores[store_role(id)], id);
    if (id != SENSOR)
        intake_committed(&hop_into(id)->intake);
}

/* --- what a store that cannot commit, or a process that died, has left --- */

static void store_forget_uncommitted(Store *store) {
    while (store->n > store->n_on_disk)
        store->has[store->rows[--store->n]] = false;
    store->needs_refill = store->needs_refill_on_disk;
    store->is_dirty = false;
}

/* A spool keeps what is pending and tries again; a store rolls back and lets it be sent again. */
static void refuse_commit(NodeId id) {
    world.nodes[id].retry_ms = world.now_ms + RETRY_MS;
    if (id <= ANALYTICS)
        return;
    store_forget_uncommitted(&world.stores[store_role(id)]);
    intake_rolled_back(&hop_into(id)->intake);
}

bool disk_is_dirty(NodeId id) {
    return id <= ANALYTICS ? world.spools[id].is_dirty : world.stores[store_role(id)].is_dirty;
}

void disk_begin_commit(NodeId id) {
    Node *node = &world.nodes[id];
    if (world.now_ms < node->retry_ms)
        return;
    bool is_slow = world.now_ms < node->slow_until_ms;
    node->is_committing = true;
    node->busy_until_ms =
        world.now_ms + (uint64_t)random_integer(&world.random, is_slow ? SLOW_MIN_MS : COMMIT_MIN_MS,
                                                is_slow ? SLOW_MAX_MS : COMMIT_MAX_MS);
}

bool disk_end_commit(NodeId id) {
    Node *node = &world.nodes[id];
    if (!node->is_committing || world.now_ms < node->busy_until_ms)
        return false;
    node->is_committing = false;
    if (world.now_ms < node->refuses_until_ms) {
        refuse_commit(id);
        return false;
    }
    commit(id);
    return true;
}

static void sensor_forgets(Spool *spool) {
    memset(spool, 0, sizeof *spool);
    spool->n_readers = 1;
    spool->memory.stream = spool->disk.stream = model_new_stream();
}

void disk_crash(NodeId id) {
    Node *node = &world.nodes[id];
    if (node->is_committing && random_below(&world.random, 2) == 0 && world.now_ms >= node->refuses_until_ms)
        commit(id);
    node->is_committing = false;
    node->retry_ms = 0;
    if (id == SENSOR) {
        sensor_forgets(&world.spools[id]);
    } else if (id <= ANALYTICS) {
        Spool *spool = &world.spools[id];
        spool->memory = spool->disk;
        spool->late_cursors = spool->cursors;
        spool->is_dirty = false;
    } else {
        Store *store = &world.stores[store_role(id)];
        store_forget_uncommitted(store);
        store->late_cursors = store->cursors;
    }
}
