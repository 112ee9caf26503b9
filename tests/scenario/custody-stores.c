/* Analytics' watch over the stores: their heartbeats, who answers queries, and what it does for one that has
 * a new disk. Beside it the judge, who knows which store could answer in truth. */
#include "custody-world.h"

enum {
    QUERY_MS = 200,
    LATE_MS = DEAD_MS + 4 * BEAT_MS,
    SURELY_ALIVE_MS = DWELL_MS + (RETURN_BEATS + 4) * BEAT_MS + DEAD_MS,
    ROWS_PER_STEP = 50,
};

/* --- watching --- */

void stores_begin_watching(void) {
    static const FailoverTimes times = {.beat_usec = BEAT_MS * USEC_PER_MSEC,
                                        .suspect_usec = SUSPECT_MS * USEC_PER_MSEC,
                                        .dead_usec = DEAD_MS * USEC_PER_MSEC,
                                        .return_beats = RETURN_BEATS,
                                        .dwell_usec = DWELL_MS * USEC_PER_MSEC};
    failover_init(&world.failover, &times, model_now());
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        world.fillings[role] = (Filling){0};
}

void stores_beat(StoreRole role) {
    const Node *node = &world.nodes[store_node(role)];
    if (world.now_ms < world.beat_ms[role])
        return;
    world.beat_ms[role] = world.now_ms + BEAT_MS;
    Packet beat = {.hop.epoch = node->epoch,
                   .can_commit = world.now_ms >= node->refuses_until_ms,
                   .needs_refill = world.stores[role].needs_refill};
    (void)line_send(&world.beats[role], &world.random, world.now_ms, &beat);
}

static void note_change(const FailoverChange *change) {
    if (!change->has_changed || change->after != STORE_DEAD)
        return;
    world.verdict.n_deaths++;
    uint64_t clear_since_ms = world.clear_since_ms[change->role];
    if (world.now_ms > clear_since_ms + LATE_MS)
        world.verdict.n_false_deaths++;
}

/* --- filling a store with a new disk from its peer --- */

/* First the outbox's cursor goes back to the oldest row, durably, so that no row can be deleted that the
 * peer gets after it was copied; then the peer's rows are copied. */
static void begin_filling(StoreRole role, int64_t life) {
    Filling *filling = &world.fillings[role];
    if (filling->stage != FILLING_NOT && filling->life == life)
        return;
    *filling = (Filling){.stage = FILLING_COPIES, .life = life};
    if (world.scenario.broken == BREAK_KEEP_CURSOR)
        return;
    hop_cursor_back(&world.hops[store_hop(role)]);
    filling->stage = FILLING_WAITS;
    filling->n_commits = world.spools[ANALYTICS].n_commits;
}

static bool is_reached(StoreRole role) {
    return node_runs(store_node(role)) && !world.beats[role].is_cut;
}

static void copy_rows(StoreRole role, Filling *filling) {
    Store *store = &world.stores[role];
    const Store *peer = &world.stores[1 - role];
    for (int i = 0; i < ROWS_PER_STEP && filling->next < peer->n_on_disk; i++)
        store_take(store, peer->rows[filling->next++]);
    if (filling->next < peer->n_on_disk)
        return;
    store->needs_refill = false;
    store->is_dirty = true;
    filling->stage = FILLING_NOT;
    world.verdict.n_filled++;
}

static void fill(StoreRole role) {
    Filling *filling = &world.fillings[role];
    if (filling->stage == FILLING_WAITS && world.spools[ANALYTICS].n_commits > filling->n_commits)
        filling->stage = FILLING_COPIES;
    if (filling->stage != FILLING_COPIES || !is_reached(role) || !is_reached((StoreRole)(1 - role)))
        return;
    if (filling->life != world.nodes[store_node(role)].epoch ||
        world.now_ms < world.nodes[store_node(role)].refuses_until_ms)
        *filling = (Filling){0}; /* its next heartbeat begins it again */
    else
        copy_rows(role, filling);
}

void stores_watch(void) {
    for (int role = 0; role < STORE_ROLE_COUNT; role++) {
        Packet beat;
        while (line_receive(&world.beats[role], &world.random, world.now_ms, &beat)) {
            FailoverChange change =
                failover_beat(&world.failover, (StoreRole)role, beat.can_commit, model_now());
            note_change(&change);
            if (beat.needs_refill)
                begin_filling((StoreRole)role, beat.hop.epoch);
        }
        fill((StoreRole)role);
    }
    if (world.now_ms < world.tick_ms)
        return;
    world.tick_ms = world.now_ms + BEAT_MS;
    FailoverChanges changes = failover_tick(&world.failover, model_now());
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        note_change(&changes.of[role]);
}

/* --- the judge --- */

static bool is_kept_away(StoreRole role) {
    const Node *node = &world.nodes[store_node(role)];
    bool is_slow = node->is_committing && world.now_ms < node->slow_until_ms;
    return !node->is_up || world.now_ms < node->stalled_until_ms || is_slow ||
           world.now_ms < node->refuses_until_ms || world.beats[role].is_cut || world.beats[role].loss > 0;
}

static bool is_watching(void) {
    const Node *node = &world.nodes[ANALYTICS];
    return node->is_up && world.now_ms >= node->stalled_until_ms &&
           (!node->is_committing || world.now_ms >= node->slow_until_ms);
}

static bool is_surely_alive(StoreRole role) {
    return world.now_ms > world.clear_since_ms[role] + SURELY_ALIVE_MS;
}

/* A store that could not have answered for so long that analytics, which was awake, must know; only the
 * other way round nothing is promised, for a heartbeat may be on its way. */
static bool is_surely_dead(StoreRole role) {
    uint64_t heard_ms = world.failover.stores[role].last_good.usec / USEC_PER_MSEC;
    uint64_t since_ms = world.able_ms[role] > heard_ms ? world.able_ms[role] : heard_ms;
    return world.now_ms > since_ms + LATE_MS && world.now_ms > world.watching_since_ms + LATE_MS;
}

static void judge_query(void) {
    StoreRole role = STORE_ROLE_PRIMARY;
    bool is_answered = failover_answering(&world.failover, &role);
    if (world.scenario.broken == BREAK_BELIEVE_DEAD_STORES)
        role = STORE_ROLE_PRIMARY, is_answered = true;
    if (is_answered && is_surely_dead(role) && is_surely_alive((StoreRole)(1 - role)))
        world.verdict.n_wrong_answers++;
    if (!is_answered && world.now_ms > world.watching_since_ms + SURELY_ALIVE_MS &&
        (is_surely_alive(STORE_ROLE_PRIMARY) || is_surely_alive(STORE_ROLE_REPLICA)))
        world.verdict.n_no_answers++;
}

void stores_judge(void) {
    for (int role = 0; role < STORE_ROLE_COUNT; role++) {
        bool is_away = is_kept_away((StoreRole)role);
        if (is_away || !is_watching())
            world.clear_since_ms[role] = world.now_ms;
        if (!is_away)
            world.able_ms[role] = world.now_ms;
    }
    if (!is_watching())
        world.watching_since_ms = world.now_ms;
    else if (node_runs(ANALYTICS) && world.now_ms >= world.query_ms) {
        world.query_ms = world.now_ms + QUERY_MS;
        judge_query();
    }
}
