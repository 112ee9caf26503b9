/* The loops of the five processes, the sensor's client, and the verdict. */
#include "custody-world.h"

#include <string.h>

enum { HEALING_MAX_MS = 30 * 60 * 1000, SILENCE_PERIOD_MS = 60 * 1000, TALK_MS = 5 * 1000 };

CustodyWorld world;

uint64_t model_new_stream(void) {
    return random_next(&world.random) | 1;
}

/* --- the processes --- */

static void sensor_turn(void) {
    Spool *spool = &world.spools[SENSOR];
    world.events_due += world.scenario.events_per_sec * STEP_MS / 1000;
    bool is_silent = world.scenario.with_silences && world.now_ms % SILENCE_PERIOD_MS > TALK_MS;
    if (world.now_ms > world.scenario.hours_ms || is_silent)
        world.events_due = 0;
    for (; world.events_due >= 1; world.events_due--)
        if (spool->memory.last - spool->memory.acknowledged[0] < MEMORY_ROWS &&
            world.verdict.n_events < EVENTS_MAX)
            spool_append(spool, (uint32_t)world.verdict.n_events++);
    spool->disk = spool->memory; /* what is in its memory may be sent */
    spool->deleted = spool->memory.acknowledged[0];
    hop_write(&world.hops[TO_BROKER]);
}

static void read_into_spool(NodeId id, CustodyHop *hop) {
    uint32_t event;
    while (!spool_is_full(&world.spools[id]) && hop_read(hop, &event))
        spool_append(&world.spools[id], event);
    hop_tell(hop);
}

static void broker_turn(void) {
    read_into_spool(BROKER, &world.hops[TO_BROKER]);
    hop_write(&world.hops[TO_ANALYTICS]);
}

static void analytics_turn(void) {
    stores_watch();
    read_into_spool(ANALYTICS, &world.hops[TO_ANALYTICS]);
    hop_write(&world.hops[TO_PRIMARY]);
    hop_write(&world.hops[TO_REPLICA]);
}

static void store_turn(StoreRole role) {
    CustodyHop *hop = &world.hops[store_hop(role)];
    Store *store = &world.stores[role];
    uint32_t event;
    stores_beat(role);
    while (hop_read(hop, &event)) {
        world.verdict.n_duplicate += store->has[event];
        store_take(store, event);
    }
    hop_tell(hop);
}

static void turn(NodeId id) {
    if (disk_end_commit(id) && id != SENSOR && !node_runs(id))
        return;
    if (!node_runs(id))
        return;
    if (id == SENSOR)
        sensor_turn();
    else if (id == BROKER)
        broker_turn();
    else if (id == ANALYTICS)
        analytics_turn();
    else
        store_turn(store_role(id));
    if (id != SENSOR && disk_is_dirty(id))
        disk_begin_commit(id);
}

static void step(void) {
    world.now_ms += STEP_MS;
    for (NodeId id = 0; id < NODES; id++)
        turn(id);
    stores_judge();
}

/* --- the beginning --- */

static void make_hop(HopId id, NodeId writer, NodeId reader, unsigned number, bool lets_drop) {
    CustodyHop *hop = &world.hops[id];
    hop->writer = writer;
    hop->reader = reader;
    hop->reader_number = number;
    hop->lets_drop = lets_drop;
}

static void make_world(const CustodyScenario *scenario, uint64_t seed) {
    memset(&world, 0, sizeof world);
    world.scenario = *scenario;
    world.random = random_seeded(seed, 0);
    make_hop(TO_BROKER, SENSOR, BROKER, 0, true);
    make_hop(TO_ANALYTICS, BROKER, ANALYTICS, 0, true);
    make_hop(TO_PRIMARY, ANALYTICS, PRIMARY, STORE_ROLE_PRIMARY, false);
    make_hop(TO_REPLICA, ANALYTICS, REPLICA, STORE_ROLE_REPLICA, false);
    for (NodeId id = SENSOR; id <= ANALYTICS; id++) {
        Spool *spool = &world.spools[id];
        spool->n_readers = id == ANALYTICS ? STORE_ROLE_COUNT : 1;
        spool->disk.stream = spool->memory.stream = model_new_stream();
        world.copies[id] = *spool;
    }
    for (NodeId id = 0; id < NODES; id++)
        node_start(id);
}

/* --- the end --- */

static uint64_t spool_backlog(const Spool *spool) {
    return spool->memory.last + 1 - spool_oldest(spool);
}

static uint64_t backlog(void) {
    uint64_t backlog = 0;
    for (NodeId id = SENSOR; id <= ANALYTICS; id++)
        backlog += spool_backlog(&world.spools[id]);
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        backlog +=
            world.stores[role].needs_refill_on_disk + (world.stores[role].n - world.stores[role].n_on_disk);
    return backlog;
}

static bool is_stored(StoreRole role, uint32_t event) {
    const Store *store = &world.stores[role];
    for (size_t i = store->n_on_disk; i < store->n; i++)
        if (store->rows[i] == event)
            return false;
    return store->has[event];
}

static void judge(void) {
    for (uint32_t event = 0; event < world.verdict.n_events; event++) {
        if (!world.is_acknowledged[event])
            continue;
        bool is_safe = is_stored(STORE_ROLE_PRIMARY, event) && is_stored(STORE_ROLE_REPLICA, event);
        if (!is_safe && world.is_excused[event])
            world.verdict.n_excused++;
        else if (!is_safe)
            world.verdict.n_lost++;
    }
    world.verdict.n_backlog = backlog();
}

CustodyVerdict custody_run(const CustodyScenario *scenario, uint64_t seed) {
    make_world(scenario, seed);
    while (world.now_ms < scenario->hours_ms) {
        faults_step();
        step();
    }
    faults_heal();
    uint64_t healed_ms = world.now_ms;
    do
        step();
    while (backlog() > 0 && world.now_ms < healed_ms + HEALING_MAX_MS);
    world.verdict.healed_in_ms = world.now_ms - healed_ms;
    judge();
    return world.verdict;
}
