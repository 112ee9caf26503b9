/* A spool and a store on a disk that forgets what was not synced, through power cuts at any write, killed
 * processes, full disks, failed writes and failed syncs: whatever was said to be committed is there, nothing
 * is there by half, no position is given to a second frame, and a cursor never says more or less than what
 * stands beside it.
 *
 * A million steps by default, of which one in twenty is made, because one costs as much time as twenty of other
 * tests; property-run.h says how to ask for more, or for the same again. */
#include "store-testing.h"

#include "core/random.h"
#include "power-cut-vfs.h"
#include "property-run.h"
#include "store/group-commit.h"
#include "store/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t n_steps = 1000 * 1000;
enum { STEPS_FOR_ONE = 20 };
static uint64_t seed;

/* --- what both have in common --- */

/* What went wrong first; empty as long as all holds. */
typedef struct Verdict {
    char text[640];
} Verdict;

#define broken(verdict, ...)                                                                                 \
    ((verdict)->text[0] == '\0' ? (void)snprintf((verdict)->text, sizeof(verdict)->text, __VA_ARGS__)        \
                                : (void)0)

static bool holds(const Verdict *verdict) {
    return verdict->text[0] == '\0';
}

/* Something goes wrong soon, or at once. */
static void disturb(Random *random) {
    static const DiskFault faults[] = {DISK_CUT,  DISK_CUT,         DISK_CUT,
                                       DISK_FULL, DISK_WRITE_FAILS, DISK_SYNC_FAILS};
    uint64_t kind = random_below(random, 8);
    if (kind == 0)
        disk_cut();
    else if (kind == 1)
        disk_kill();
    else
        disk_fail_at(faults[kind - 2], 1 + (unsigned)random_below(random, kind == 7 ? 3 : 12));
}

/* The power goes (again) while a file is being opened. */
static void disturb_opening(Random *random) {
    if (random_below(random, 4) == 0)
        disk_fail_at(DISK_CUT, 1 + (unsigned)random_below(random, 20));
}

/* The machine comes up. */
static void begin_life(Random *random) {
    disk_start();
    disk_fail_at(DISK_CUT, 0);
    disturb_opening(random);
}

/* --- a spool --- */

enum { READERS = 2, POSITIONS_MAX = 1 << 22, FRAME_MAX = 3000 };

static const char *const readers[] = {"primary", "replica", NULL};

typedef struct SpoolWorld {
    Random random;
    Verdict verdict;
    Problem problem;
    Spool *spool;
    Intake
        intake; /* one frame arrives for each that is appended, so its cursor is always the last position */
    uint64_t stream;
    uint64_t durable; /* a commit said that everything up to here is */
    uint64_t tried;   /* and one that failed, or was cut off, may have got to here */
    uint64_t ack_min[READERS], ack_max[READERS]; /* what a reader's cursor may be in the file */
    uint32_t life, *life_of;                     /* in which life the frame at a position was appended last */
} SpoolWorld;

/* Of its position and its life alone. */
static size_t make_frame(uint64_t position, uint32_t life, char *ret) {
    int n = snprintf(ret, FRAME_MAX, "%" PRIu64 " of life %" PRIu32 " ", position, life);
    size_t size = (size_t)n + (position * 31 + life * 17) % 97 * (position % 7 == 0 ? 29 : 5);
    memset(ret + n, 'a' + (int)(position % 26), size - (size_t)n);
    return size;
}

static void check_frame(SpoolWorld *world, uint64_t position) {
    char expected[FRAME_MAX];
    const char *frame = NULL;
    size_t size = 0, expected_size = make_frame(position, world->life_of[position], expected);
    int r = spool_read(world->spool, position, &frame, &size, &world->problem);
    if (r == -EIO || disk_is_dead())
        return; /* an error that is under way, or the file is closed because of one */
    if (r != 1)
        broken(&world->verdict, "the frame at %" PRIu64 " is not there: %d, %s", position, r,
               world->problem.text);
    else if (size != expected_size || memcmp(frame, expected, size) != 0)
        broken(&world->verdict, "the frame at %" PRIu64 " is another one: %.40s", position, frame);
}

static void spool_check_all(SpoolWorld *world) {
    Spool *spool = world->spool;
    uint64_t last = spool_last(spool);
    if (world->stream != 0 && spool_stream(spool) != world->stream)
        broken(&world->verdict, "another stream");
    if (last < world->durable || last > world->tried)
        broken(&world->verdict, "committed up to %" PRIu64 ", tried up to %" PRIu64 ", found up to %" PRIu64,
               world->durable, world->tried, last);
    for (unsigned i = 0; i < READERS; i++)
        if (spool_acknowledged(spool, i) < world->ack_min[i] ||
            spool_acknowledged(spool, i) > world->ack_max[i])
            broken(&world->verdict, "reader %u is at %" PRIu64 ", expected %" PRIu64 " to %" PRIu64, i,
                   spool_acknowledged(spool, i), world->ack_min[i], world->ack_max[i]);
    const IntakeCursor *cursor = intake_newest(&world->intake);
    if ((cursor ? cursor->committed : 0) != last)
        broken(&world->verdict, "%" PRIu64 " frames, and the link's cursor at %" PRIu64, last,
               cursor ? cursor->committed : 0);
    for (uint64_t p = spool_oldest(spool); p <= last && holds(&world->verdict); p++)
        check_frame(world, p);
}

/* What is in the file now is what is known. */
static void spool_note_all(SpoolWorld *world) {
    world->stream = spool_stream(world->spool);
    world->durable = world->tried = spool_last(world->spool);
    for (unsigned i = 0; i < READERS; i++)
        world->ack_min[i] = world->ack_max[i] = spool_acknowledged(world->spool, i);
    world->life++;
}

static void spool_begin_life(SpoolWorld *world) {
    const SpoolLimits limits = {.max_bytes = 100000, .memory_bytes = 4000};
    world->spool = spool_free(world->spool);
    do {
        begin_life(&world->random);
        intake_init(&world->intake);
        int r = spool_open("power-cut/spool.db", readers, &limits, &world->spool, &world->problem);
        if (r >= 0)
            r = spool_add_intake(world->spool, "link", &world->intake, &world->problem);
        if (r < 0) {
            world->spool = spool_free(world->spool);
            if (!disk_is_dead())
                broken(&world->verdict, "cannot be opened: %s", world->problem.text);
        }
    } while (!world->spool && holds(&world->verdict));
    if (!world->spool)
        return;
    spool_check_all(world);
    spool_note_all(world);
}

static void spool_step_append(SpoolWorld *world) {
    char frame[FRAME_MAX];
    for (uint64_t n = 1 + random_below(&world->random, 12); n > 0; n--) {
        uint64_t position = spool_last(world->spool) + 1;
        if (position >= POSITIONS_MAX)
            return;
        size_t size = make_frame(position, world->life, frame);
        if (spool_append(world->spool, frame, size) < 0)
            return; /* full */
        world->life_of[position] = world->life;
        Hop hop = {.stream = 5, .epoch = 1, .position = position, .oldest = 1};
        if (intake_judge(&world->intake, &hop).verdict != INTAKE_ACCEPT)
            broken(&world->verdict, "position %" PRIu64 " is not the next one of the link", position);
    }
}

static void spool_step_commit(SpoolWorld *world) {
    world->tried = spool_last(world->spool);
    int r = spool_commit(world->spool, &world->problem);
    if (r == -EIO && !disk_is_dead()) {
        disturb_opening(&world->random);
        r = spool_reopen(world->spool, &world->problem) < 0 ? -EIO
                                                            : spool_commit(world->spool, &world->problem);
    }
    if (r >= 0) {
        world->durable = world->tried;
        for (unsigned i = 0; i < READERS; i++)
            world->ack_min[i] = world->ack_max[i] = spool_acknowledged(world->spool, i);
    } else if (r != -EIO && r != -ENOSPC) {
        broken(&world->verdict, "commit: %s", world->problem.text);
    }
}

/* Mostly forwards; a reader that lost its disk goes back. */
static void spool_step_acknowledge(SpoolWorld *world) {
    unsigned reader = (unsigned)random_below(&world->random, READERS);
    uint64_t from = random_below(&world->random, 50) ? spool_acknowledged(world->spool, reader) : 0;
    uint64_t position = from + random_below(&world->random, spool_committed(world->spool) - from + 1);
    spool_acknowledge(world->spool, reader, position);
    position = spool_acknowledged(world->spool, reader);
    if (position < world->ack_min[reader])
        world->ack_min[reader] = position;
    if (position > world->ack_max[reader])
        world->ack_max[reader] = position;
}

static void spool_step_read(SpoolWorld *world) {
    const char *frame;
    size_t size;
    uint64_t oldest = spool_oldest(world->spool), committed = spool_committed(world->spool);
    if (oldest <= committed) {
        uint64_t first = oldest + random_below(&world->random, committed - oldest + 1);
        for (uint64_t p = first; p <= committed && p < first + 5; p++)
            check_frame(world, p);
    }
    if (committed > world->durable ||
        spool_read(world->spool, committed + 1, &frame, &size, &world->problem) == 1)
        broken(&world->verdict, "readable beyond what was committed: %" PRIu64, world->durable);
}

static void spool_step(SpoolWorld *world, uint64_t calm) {
    uint64_t choice = random_below(&world->random, 20);
    if (choice < 7)
        spool_step_append(world);
    else if (choice < 12)
        spool_step_commit(world);
    else if (choice < 16)
        spool_step_acknowledge(world);
    else
        spool_step_read(world);
    if (random_below(&world->random, calm) == 0 && !disk_fault_is_waiting())
        disturb(&world->random);
    if (random_below(&world->random, calm) == 0) /* an orderly restart; what is pending is given up */
        world->spool = spool_free(world->spool);
    if (disk_is_dead() || !world->spool)
        spool_begin_life(world);
}

static Verdict run_spool(uint64_t run_seed, uint64_t steps, bool ignores_syncs) {
    static SpoolWorld world;
    world = (SpoolWorld){.random = random_seeded(run_seed, 1)};
    world.life_of = calloc(POSITIONS_MAX, sizeof *world.life_of);
    assert_non_null(world.life_of);
    disk_install(run_seed);
    disk_ignore_syncs(ignores_syncs);
    spool_begin_life(&world);
    uint64_t calm = 20;
    for (uint64_t i = 0; i < steps && holds(&world.verdict); i++) {
        if (i % 10000 == 0) /* now short lives, now some that are long enough for the log to come round */
            calm = random_below(&world.random, 2) ? 20 : 4000;
        spool_step(&world, calm);
    }
    spool_free(world.spool);
    disk_uninstall();
    free(world.life_of);
    return world.verdict;
}

/* --- a store --- */

typedef struct StoreWorld {
    Random random;
    Verdict verdict;
    Problem problem;
    TestFile file; /* its decoder */
    sqlite3 *db;
    RecordWriter *writer;
    Intake intake;
    IntakeTable *cursors;
    GroupCommit *group;
    uint64_t now_usec;
    uint64_t durable, tried; /* of the events that arrived: number n came at position n and is event n */
    uint64_t sent;
} StoreWorld;

static void store_close(StoreWorld *world) {
    if (world->group)
        group_commit_set_writer(world->group, NULL, NULL);
    if (world->cursors)
        (void)intake_table_set_db(world->cursors, NULL, NULL);
    world->writer = record_writer_free(world->writer);
    world->db = db_close(world->db);
}

static int store_open(StoreWorld *world) {
    Problem *problem = &world->problem;
    int r = db_open("power-cut/traffic.db", &world->db, problem);
    if (r >= 0)
        r = record_writer_new(world->db, &world->writer, problem);
    if (r >= 0)
        r = world->cursors ? intake_table_set_db(world->cursors, world->db, problem)
                           : intake_table_new(world->db, "link", &world->intake, &world->cursors, problem);
    if (r >= 0)
        group_commit_set_writer(world->group, world->writer, world->cursors);
    else
        store_close(world);
    return r;
}

static void store_end_life(StoreWorld *world) {
    store_close(world);
    world->cursors = intake_table_free(world->cursors);
    world->group = group_commit_free(world->group);
}

static uint64_t ask(StoreWorld *world, const char *sql) {
    int64_t value = -1;
    if (db_read_integer(world->db, sql, &value, &world->problem) < 0)
        broken(&world->verdict, "%s: %s", sql, world->problem.text);
    return (uint64_t)value;
}

static void store_check_all(StoreWorld *world) {
    const IntakeCursor *cursor = intake_newest(&world->intake);
    uint64_t committed = cursor ? cursor->committed : 0;
    if (committed < world->durable || committed > world->tried)
        broken(&world->verdict,
               "committed up to %" PRIu64 ", tried up to %" PRIu64 ", the cursor says %" PRIu64,
               world->durable, world->tried, committed);
    uint64_t n = ask(world, "SELECT count(*) FROM sensor_events");
    uint64_t n_identities = ask(world, "SELECT count(DISTINCT seq) FROM sensor_events");
    uint64_t last = ask(world, "SELECT coalesce(max(seq), 0) FROM sensor_events");
    uint64_t total = ask(world, "SELECT sensor_events FROM totals");
    if (n != committed || n_identities != committed || last != committed || total != committed)
        broken(&world->verdict,
               "cursor at %" PRIu64 ", %" PRIu64 " events, %" PRIu64 " of them different, up to %" PRIu64
               ", counted %" PRIu64,
               committed, n, n_identities, last, total);
    world->durable = world->tried = world->sent = committed;
}

static void store_begin_life(StoreWorld *world) {
    const GroupCommitLimits limits = {.max_rows = 50, .max_wait_usec = 1000, .max_kept_bytes = 1 << 20};
    int r;
    store_end_life(world);
    do {
        begin_life(&world->random);
        intake_init(&world->intake);
        assert_int_equal(group_commit_new(&limits, &world->intake, &world->group), 0);
        r = store_open(world);
        if (r < 0) {
            if (!disk_is_dead())
                broken(&world->verdict, "cannot be opened: %s", world->problem.text);
            store_end_life(world);
        }
    } while (r < 0 && holds(&world->verdict));
    if (r >= 0)
        store_check_all(world);
}

/* The next event, or one that was sent before. */
static void store_step_arrive(StoreWorld *world) {
    uint64_t n = world->sent + 1;
    if (random_below(&world->random, 10) == 0)
        n -= random_below(&world->random, n < 5 ? n : 5);
    Hop hop = {.stream = 9, .epoch = 1, .position = n, .oldest = 1};
    TestRecord record = test_event(&world->file, (int)n);
    if (group_commit_make_room(world->group, record.size, &world->problem) < 0)
        return;
    IntakeVerdict verdict = intake_judge(&world->intake, &hop).verdict;
    if (verdict != (n <= world->sent ? INTAKE_REPEAT : INTAKE_ACCEPT))
        broken(&world->verdict, "event %" PRIu64 " after %" PRIu64 ": verdict %d", n, world->sent,
               (int)verdict);
    if (verdict != INTAKE_ACCEPT)
        return;
    world->sent = n;
    int r = group_commit_add(world->group, record.frame, record.size, &record.message, NOON,
                             (Mono){world->now_usec}, &world->problem);
    if (r < 0)
        broken(&world->verdict, "event %" PRIu64 " is refused: %s", n, world->problem.text);
}

static void store_step_commit(StoreWorld *world) {
    world->now_usec += 1000;
    world->tried = world->sent;
    int r = group_commit_run(world->group, (Mono){world->now_usec}, NOON, &world->problem);
    if (r == -EIO && !disk_is_dead()) {
        disturb_opening(&world->random);
        store_close(world);
        r = store_open(world);
        if (r >= 0)
            r = group_commit_run(world->group, (Mono){world->now_usec}, NOON, &world->problem);
    }
    if (r >= 0)
        world->durable = world->sent;
    else if (r != -EIO && r != -ENOSPC && r != -EAGAIN && !disk_is_dead())
        broken(&world->verdict, "commit: %d, %s", r, world->problem.text);
    if (!world->db) /* it could not be opened again: the next attempt may */
        (void)store_open(world);
}

static void store_step(StoreWorld *world, uint64_t calm) {
    uint64_t choice = random_below(&world->random, 20);
    if (choice < 15)
        store_step_arrive(world);
    else
        store_step_commit(world);
    if (random_below(&world->random, calm) == 0 && !disk_fault_is_waiting())
        disturb(&world->random);
    bool restarts = random_below(&world->random, calm) == 0;
    if (disk_is_dead() || restarts)
        store_begin_life(world);
}

static Verdict run_store(uint64_t run_seed, uint64_t steps, bool ignores_syncs) {
    static StoreWorld world;
    world = (StoreWorld){.random = random_seeded(run_seed, 2)};
    assert_int_equal(decoder_new(&world.file.decoder), 0);
    disk_install(run_seed);
    disk_ignore_syncs(ignores_syncs);
    store_begin_life(&world);
    uint64_t calm = 40;
    for (uint64_t i = 0; i < steps && holds(&world.verdict); i++) {
        if (i % 10000 == 0)
            calm = random_below(&world.random, 2) ? 40 : 4000;
        store_step(&world, calm);
    }
    store_end_life(&world);
    disk_uninstall();
    decoder_free(world.file.decoder);
    return world.verdict;
}

/* --- the tests --- */

/* A new world now and then: a file that grew for long is slow to check and shows nothing new. */
enum { STEPS_OF_A_WORLD = 20000 };

static void run_worlds(Verdict (*run)(uint64_t, uint64_t, bool), uint64_t steps) {
    for (uint64_t done = 0, i = 0; done < steps / STEPS_FOR_ONE; done += STEPS_OF_A_WORLD, i++) {
        Verdict verdict = run(seed + i, STEPS_OF_A_WORLD, false);
        if (!holds(&verdict))
            fail_msg("seed %" PRIu64 ": %s", seed + i, verdict.text);
    }
}

static void spool_survives_whatever_happens_to_its_disk(void **state) {
    (void)state;
    run_worlds(run_spool, n_steps);
}

static void store_survives_whatever_happens_to_its_disk(void **state) {
    (void)state;
    run_worlds(run_store, n_steps);
}

/* Now and then a world has no cut at a moment that matters. */
enum { LYING_WORLDS = 5 };

static bool is_found_out(Verdict (*run)(uint64_t, uint64_t, bool)) {
    for (uint64_t i = 0; i < LYING_WORLDS; i++) {
        Verdict verdict = run(seed + i, STEPS_OF_A_WORLD, true);
        if (!holds(&verdict))
            return true;
    }
    return false;
}

/* The checks above can fail: on a disk that only says that it synced, they do. */
static void disk_that_does_not_sync_is_found_out(void **state) {
    (void)state;
    assert_true(is_found_out(run_spool));
    assert_true(is_found_out(run_store));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spool_survives_whatever_happens_to_its_disk),
        cmocka_unit_test(store_survives_whatever_happens_to_its_disk),
        cmocka_unit_test(disk_that_does_not_sync_is_found_out),
    };
    property_begin(&n_steps, &seed);
    return cmocka_run_group_tests_name("power cuts", tests, NULL, NULL);
}
