/* What the files of the model share, and nobody else: processes, disks, hops, and the truth. */
#pragma once

#include "core/failover.h"
#include "core/intake.h"
#include "core/outflow.h"
#include "custody-line.h"
#include "custody-model.h"

enum {
    STEP_MS = 5,
    EVENTS_MAX = 1 << 18,
    SPOOL_ROWS = 1 << 14,
    MEMORY_ROWS = 2000, /* of a sensor; also what a spool holds uncommitted */
    WINDOW = 64,
    RESEND_MS = 1000,
    RESEND_MAX_MS = 8000,
    HELLO_MS = 1000,
    BEAT_MS = 100,
    SUSPECT_MS = 300,
    DEAD_MS = 600,
    DWELL_MS = 2000,
    RETURN_BEATS = 5,
};

typedef enum NodeId { SENSOR, BROKER, ANALYTICS, PRIMARY, REPLICA, NODES } NodeId;
typedef enum HopId { TO_BROKER, TO_ANALYTICS, TO_PRIMARY, TO_REPLICA, HOPS } HopId;

typedef struct Node {
    bool is_up;
    int64_t epoch; /* of its life; kept apart from its disk */
    uint64_t returns_ms, stalled_until_ms, slow_until_ms, refuses_until_ms;
    bool is_committing;
    uint64_t busy_until_ms, retry_ms;
} Node;

/* As a database holds them: one place for each of the table's. */
typedef struct SavedCursors {
    IntakeCursor of[INTAKE_STREAMS];
} SavedCursors;

typedef struct SpoolState {
    uint64_t stream, last, acknowledged[STORE_ROLE_COUNT];
} SpoolState;

/* A queue that is committed; the sensor's is always, and dies with it. */
typedef struct Spool {
    SpoolState disk, memory;
    uint64_t deleted; /* everything up to here has left the disk */
    SavedCursors cursors, late_cursors;
    uint32_t rows[SPOOL_ROWS];
    unsigned n_readers;
    bool is_dirty;
    uint64_t n_commits;
} Spool;

typedef struct Store {
    uint32_t rows[EVENTS_MAX];
    size_t n, n_on_disk; /* of rows */
    bool has[EVENTS_MAX];
    SavedCursors cursors, late_cursors;
    bool needs_refill, needs_refill_on_disk, is_dirty;
} Store;

typedef struct SentAs {
    uint64_t stream, position;
    uint32_t event;
} SentAs;

typedef struct CustodyHop {
    NodeId writer, reader;
    unsigned reader_number; /* of the writer's spool */
    bool lets_drop;
    Line data, acks;
    Outflow flow;  /* the writer's memory */
    Intake intake; /* the reader's */
    uint64_t hello_ms, heals_ms, loses_until_ms;
    SentAs sent_as[SPOOL_ROWS]; /* the truth */
} CustodyHop;

/* What analytics does for a store with a new disk. */
typedef struct Filling {
    enum { FILLING_NOT, FILLING_WAITS, FILLING_COPIES } stage;
    int64_t life;       /* of the store */
    uint64_t n_commits; /* of the outbox, when its cursor went back */
    size_t next;        /* row of the peer */
} Filling;

typedef struct CustodyWorld {
    CustodyScenario scenario;
    CustodyVerdict verdict;
    Random random;
    uint64_t now_ms;

    Node nodes[NODES];
    CustodyHop hops[HOPS];
    Spool spools[ANALYTICS + 1], copies[ANALYTICS + 1];
    uint64_t copied_ms;
    Store stores[STORE_ROLE_COUNT];

    Line beats[STORE_ROLE_COUNT];
    uint64_t beat_ms[STORE_ROLE_COUNT], tick_ms, query_ms;
    Failover failover;
    Filling fillings[STORE_ROLE_COUNT];

    double events_due;
    uint64_t next_fault_ms;

    /* The truth. */
    bool is_acknowledged[EVENTS_MAX], is_excused[EVENTS_MAX];
    uint8_t n_taken[EVENTS_MAX][ANALYTICS + 1]; /* rows of it that a spool committed */
    uint64_t clear_since_ms[STORE_ROLE_COUNT];  /* nothing has kept its beats away */
    uint64_t able_ms[STORE_ROLE_COUNT];         /* when it could last have answered */
    uint64_t watching_since_ms;                 /* analytics runs without a stall of its own */
} CustodyWorld;

extern CustodyWorld world;

static inline Mono model_now(void) {
    return (Mono){world.now_ms * USEC_PER_MSEC};
}

static inline NodeId store_node(StoreRole role) {
    return role == STORE_ROLE_PRIMARY ? PRIMARY : REPLICA;
}

static inline StoreRole store_role(NodeId node) {
    return node == PRIMARY ? STORE_ROLE_PRIMARY : STORE_ROLE_REPLICA;
}

static inline HopId store_hop(StoreRole role) {
    return role == STORE_ROLE_PRIMARY ? TO_PRIMARY : TO_REPLICA;
}

/* Takes its turn now: up, not stopped, not within a commit. */
static inline bool node_runs(NodeId id) {
    const Node *node = &world.nodes[id];
    return node->is_up && world.now_ms >= node->stalled_until_ms && !node->is_committing;
}

uint64_t model_new_stream(void);

/* --- custody-disk.c: commits, and what a crash leaves --- */

uint64_t spool_oldest(const Spool *spool);
bool spool_is_full(const Spool *spool);
void spool_append(Spool *spool, uint32_t event);
void store_take(Store *store, uint32_t event);

/* Whether its disk can be told from what it has in memory. */
bool disk_is_dirty(NodeId id);
void disk_begin_commit(NodeId id);
/* True when a commit ended in this step. */
bool disk_end_commit(NodeId id);
/* Memory is gone; what the disk holds takes its place. */
void disk_crash(NodeId id);

/* --- custody-hop.c: the two ends of a hop --- */

void hop_connect(CustodyHop *hop);
void hop_writer_begins(CustodyHop *hop);
void hop_reader_begins(CustodyHop *hop, const SavedCursors *cursors);
void hop_write(CustodyHop *hop); /* hears and sends */
/* A frame that is to be taken. */
bool hop_read(CustodyHop *hop, uint32_t *ret_event);
void hop_tell(CustodyHop *hop);        /* what is owed */
void hop_cursor_back(CustodyHop *hop); /* to the oldest row there is */

/* --- custody-faults.c --- */

void faults_step(void);
void faults_heal(void);
void node_crash(NodeId id, uint64_t down_ms);
void node_start(NodeId id);

/* --- custody-stores.c: heartbeats, failover, filling; and whether they keep their promises --- */

void stores_begin_watching(void);
void stores_beat(StoreRole role);
void stores_watch(void);
void stores_judge(void);
