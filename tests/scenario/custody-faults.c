/* What befalls the city: drawn at random, each for a while; several at once when they come fast. */
#include "custody-world.h"

#include <string.h>

enum {
    COPY_MS = 60 * 1000,
    SHORT_MIN_MS = 100,
    SHORT_MAX_MS = 5000,
    LONG_MIN_MS = 20 * 1000,
    LONG_MAX_MS = 60 * 1000,
    QUIET_MS = 30 * 1000,
};

static uint64_t random_ms(void) {
    bool is_long = random_below(&world.random, 10) == 0;
    return (uint64_t)random_integer(&world.random, is_long ? LONG_MIN_MS : SHORT_MIN_MS,
                                    is_long ? LONG_MAX_MS : SHORT_MAX_MS);
}

static void later(uint64_t *until_ms) {
    uint64_t new_ms = world.now_ms + random_ms();
    if (new_ms > *until_ms)
        *until_ms = new_ms;
}

static NodeId random_node(void) {
    return (NodeId)random_below(&world.random, NODES);
}

/* --- processes and machines --- */

void node_crash(NodeId id, uint64_t down_ms) {
    Node *node = &world.nodes[id];
    uint64_t returns_ms = world.now_ms + down_ms;
    if (returns_ms > node->returns_ms)
        node->returns_ms = returns_ms;
    if (!node->is_up)
        return;
    disk_crash(id);
    node->is_up = false;
    node->stalled_until_ms = 0;
    world.verdict.n_crashes++;
    for (HopId i = 0; i < HOPS; i++) {
        CustodyHop *hop = &world.hops[i];
        if (hop->reader == id) {
            line_clear(&hop->data);
            line_replace(&hop->acks, &world.random);
            if (random_below(&world.random, 2) == 0) /* its writer may notice, or not */
                outflow_reader_is_there(&hop->flow, false);
        } else if (hop->writer == id) {
            line_clear(&hop->acks);
            line_replace(&hop->data, &world.random);
        }
    }
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        if (id == ANALYTICS || id == store_node((StoreRole)role))
            line_clear(&world.beats[role]);
}

void node_start(NodeId id) {
    Node *node = &world.nodes[id];
    node->is_up = true;
    node->epoch++;
    for (HopId i = 0; i < HOPS; i++) {
        CustodyHop *hop = &world.hops[i];
        if (hop->reader == id)
            hop_reader_begins(hop, id <= ANALYTICS ? &world.spools[id].cursors
                                                   : &world.stores[store_role(id)].cursors);
        else if (hop->writer == id) {
            line_clear(&hop->acks); /* nobody was there to queue them for */
            hop_writer_begins(hop);
        } else
            continue;
        hop_connect(hop);
    }
    if (id == ANALYTICS)
        stores_begin_watching();
}

static void crash_a_node(void) {
    node_crash(random_node(), random_ms());
}

static void crash_a_machine(void) {
    static const NodeId machines[][2] = {{SENSOR, BROKER}, {ANALYTICS, REPLICA}, {PRIMARY, PRIMARY}};
    uint64_t machine = random_below(&world.random, 3), down_ms = random_ms();
    node_crash(machines[machine][0], down_ms);
    node_crash(machines[machine][1], down_ms);
}

static void stall_a_node(void) {
    world.verdict.n_stalls++;
    later(&world.nodes[random_node()].stalled_until_ms);
}

static void slow_a_disk(void) {
    later(&world.nodes[random_node()].slow_until_ms);
}

static void fill_a_disk(void) {
    later(&world.nodes[BROKER + random_below(&world.random, NODES - BROKER)].refuses_until_ms);
}

/* --- links --- */

static void cut_a_hop(void) {
    CustodyHop *hop = &world.hops[random_below(&world.random, HOPS)];
    uint64_t ways = random_integer(&world.random, 1, 3);
    world.verdict.n_cuts++;
    hop->data.is_cut |= (ways & 1) != 0;
    hop->acks.is_cut |= (ways & 2) != 0;
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        if (hop == &world.hops[store_hop((StoreRole)role)])
            world.beats[role].is_cut |= hop->acks.is_cut;
    later(&hop->heals_ms);
}

static void heal_hop(CustodyHop *hop) {
    bool was_cut = hop->data.is_cut || hop->acks.is_cut;
    hop->data.is_cut = hop->acks.is_cut = false;
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        if (hop == &world.hops[store_hop((StoreRole)role)])
            world.beats[role].is_cut = false;
    if (was_cut && random_below(&world.random, 2) == 0)
        hop_connect(hop); /* else the old connection goes on */
}

static void lose_on_a_hop(void) {
    CustodyHop *hop = &world.hops[random_below(&world.random, HOPS)];
    hop->data.loss = hop->acks.loss = 0.2;
    later(&hop->loses_until_ms);
}

/* --- disks --- */

/* An empty file for a store whose peer can fill it. */
static void replace_a_disk(void) {
    StoreRole role = (StoreRole)random_below(&world.random, STORE_ROLE_COUNT);
    Store *store = &world.stores[role];
    if (!world.scenario.with_replaced_disks || world.stores[0].needs_refill ||
        world.stores[1].needs_refill_on_disk || world.stores[0].needs_refill_on_disk ||
        world.stores[1].needs_refill)
        return;
    node_crash(store_node(role), random_ms());
    memset(store, 0, sizeof *store);
    store->needs_refill = store->needs_refill_on_disk = true;
    world.verdict.n_disks++;
}

static bool is_in_both_stores(uint32_t event) {
    return world.stores[STORE_ROLE_PRIMARY].has[event] && world.stores[STORE_ROLE_REPLICA].has[event];
}

/* Where else an event is that this spool had on its disk. */
static bool is_elsewhere(NodeId id, uint32_t event) {
    return id == BROKER ? world.n_taken[event][ANALYTICS] > 0 : is_in_both_stores(event);
}

/* Whether every reader has what this spool ever sent: then a copy that lacks two frames or more cannot pass
 * for it. */
static bool is_read_to_its_end(NodeId id) {
    bool is_read = true;
    for (HopId i = 0; i < HOPS; i++) {
        const CustodyHop *hop = &world.hops[i];
        const IntakeCursor *newest = intake_newest(&hop->intake);
        if (hop->writer == id)
            is_read &= world.nodes[hop->reader].is_up && newest &&
                       newest->stream == world.spools[id].disk.stream &&
                       newest->committed == world.spools[id].disk.last;
    }
    return is_read;
}

/* A copy of a spool comes back. What was written to it since and is nowhere else died with the disk; of
 * nothing else may be lost. A person does this, and looks whether the others run: only then it can be told
 * from the spool itself (core/outflow.h). */
static void put_back_a_spool(void) {
    NodeId id = random_below(&world.random, 2) == 0 ? BROKER : ANALYTICS;
    Spool *spool = &world.spools[id], *copy = &world.copies[id];
    if (!world.scenario.with_older_copies || copy->disk.stream != spool->disk.stream ||
        copy->disk.last + 2 > spool->disk.last || !is_read_to_its_end(id))
        return;
    faults_heal();
    world.next_fault_ms = world.now_ms + QUIET_MS;
    node_crash(id, SHORT_MAX_MS);
    for (uint64_t position = copy->disk.last + 1; position <= spool->disk.last; position++) {
        uint32_t event = spool->rows[position % SPOOL_ROWS];
        if (position > spool->deleted && !is_elsewhere(id, event))
            world.is_excused[event] = true;
    }
    *spool = *copy;
    spool->memory = spool->disk;
    spool->late_cursors = spool->cursors;
    world.verdict.n_disks++;
}

static void copy_spools(void) {
    if (world.now_ms < world.copied_ms)
        return;
    world.copied_ms = world.now_ms + COPY_MS;
    for (NodeId id = BROKER; id <= ANALYTICS; id++)
        world.copies[id] = world.spools[id];
}

/* --- when --- */

static void (*const faults[])(void) = {
    crash_a_node, crash_a_node, crash_a_machine, stall_a_node,   slow_a_disk,      fill_a_disk,
    cut_a_hop,    cut_a_hop,    lose_on_a_hop,   replace_a_disk, put_back_a_spool,
};

static void what_ends_ends(bool all) {
    for (NodeId id = 0; id < NODES; id++)
        if (!world.nodes[id].is_up && (all || world.now_ms >= world.nodes[id].returns_ms))
            node_start(id);
    for (HopId i = 0; i < HOPS; i++) {
        CustodyHop *hop = &world.hops[i];
        if (all || world.now_ms >= hop->heals_ms)
            heal_hop(hop);
        if (all || world.now_ms >= hop->loses_until_ms)
            hop->data.loss = hop->acks.loss = 0;
    }
}

void faults_step(void) {
    what_ends_ends(false);
    if (world.scenario.with_older_copies)
        copy_spools();
    if (world.scenario.mean_fault_ms == 0 || world.now_ms < world.next_fault_ms)
        return;
    world.next_fault_ms = world.now_ms + random_below(&world.random, 2 * world.scenario.mean_fault_ms) + 1;
    faults[random_below(&world.random, sizeof faults / sizeof *faults)]();
}

void faults_heal(void) {
    for (NodeId id = 0; id < NODES; id++) {
        Node *node = &world.nodes[id];
        node->stalled_until_ms = node->slow_until_ms = node->refuses_until_ms = 0;
    }
    what_ends_ends(true);
}
