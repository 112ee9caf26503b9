/* When to commit, what follows from a failure, and when to open the file again. Knows nothing of links:
 * stopping the flow of records and acknowledging them is the handlers'.
 *
 * Two subtle things. After an input/output error both connections are closed and the kept records are
 * written anew through fresh ones, because what a connection believes about a file after a failed write or
 * fsync is not to be trusted. And a commit counts only while the file is still the one that the next
 * process will open: SQLite goes on happily with a file that somebody deleted. */
#include "database-private.h"
#include "shell/fault-point.h"
#include "shell/journal.h"
#include "store/commit-rest.h"
#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DATABASE_NAME "traffic.db"

enum {
    KEPT_MAX_BYTES = 64 << 20, /* more than a full link holds: it is paused long before */
    RETENTION_ROWS = 100,      /* of each table a turn: about a millisecond */
};
#define TICK_USEC            USEC_PER_SEC
#define PROBE_USEC           USEC_PER_SEC /* an idle store proves this often that it can commit */
#define ATTEMPT_OVERDUE_USEC (10 * USEC_PER_SEC)

/* --- trouble --- */

static void enter_trouble(Database *database, const Problem *why) {
    if (database->is_in_trouble)
        return;
    database->is_in_trouble = true;
    database->trouble = *why;
    database_tell_trouble(database, why->text);
    database->handlers.on_flow(false, database->userdata);
}

static void leave_trouble(Database *database, Mono now, int n_rows) {
    if (!database->is_in_trouble)
        return;
    database->is_in_trouble = false;
    database_tell_recovery(database, now, n_rows);
    database->handlers.on_flow(true, database->userdata);
}

/* The process ends: the next one reads the whole file, and moves it aside if need be. */
static int find_damage(Database *database, const Problem *why) {
    database->damage = -EUCLEAN;
    db_mark_suspect(database->path);
    enter_trouble(database, why);
    return -EUCLEAN;
}

/* What the kind of trouble asks for. */
static int doubt_connection(Database *database, int error, const Problem *why) {
    if (error == -EUCLEAN)
        return find_damage(database, why);
    database->is_to_reopen = database->is_to_reopen || commit_trouble_wants_reopening(error);
    return 0;
}

static int follow_failure(Database *database, int error, const Problem *why) {
    int r = doubt_connection(database, error, why);
    enter_trouble(database, why);
    return r;
}

/* --- committing --- */

static int reopen(Database *database, Problem *problem) {
    database->handlers.on_closing(database->userdata);
    database_close_file(database, true);
    int r = database_open_file(database, problem);
    if (r >= 0)
        database->is_to_reopen = false;
    return r;
}

static void arm(Database *database) {
    Mono deadline = group_commit_deadline(database->group);
    if (mono_is_never(deadline))
        timer_clear(database->commit_timer);
    else
        timer_set(database->commit_timer, deadline);
}

/* A transaction is on the disk: what it held may be answered for, if the disk's file is still where it is
 * looked for. */
static int follow_commit(Database *database, bool had_something, Mono now, int n_rows) {
    Problem why = {0};
    if (!db_place_holds(database->path, &database->place, &why))
        return find_damage(database, &why);
    leave_trouble(database, now, n_rows);
    if (had_something) {
        fault_point(FAULT_AFTER_COMMIT);
        reading_age_reach(&database->age, UINT64_MAX); /* a commit leaves nothing waiting */
        database->handlers.on_committed(database->userdata);
    }
    return 0;
}

/* Only damage is an error here: everything else is waited out. */
static int commit(Database *database) {
    Problem why = {0}, failure = {0};
    Mono now = service_now(database->service);
    bool has_something = group_commit_is_pending(database->group);
    int opened = database->damage;
    if (opened >= 0 && database->is_to_reopen)
        opened = reopen(database, &why);
    if (opened == -EUCLEAN)
        return database->damage < 0 ? opened : find_damage(database, &why);
    if (opened >= 0 && has_something)
        fault_point(FAULT_BEFORE_COMMIT);
    Mono begun = service_clock();
    int r = group_commit_run(database->group, now, service_wall(database->service), &failure);
    group_commit_rest(database->group, commit_rest_until(begun, service_clock()));
    if (r >= 0)
        r = follow_commit(database, has_something, now, r);
    else
        r = follow_failure(database, r, opened < 0 ? &why : &failure);
    arm(database);
    return r;
}

static int commit_when_due(Database *database) {
    bool has_more = zhub_is_busy(service_hub(database->service));
    bool is_due = group_commit_is_due(database->group, service_now(database->service), has_more);
    return is_due ? commit(database) : database->damage;
}

/* While there is more to read the end of a turn commits, and this only when no such end comes. */
static int on_commit_timer(Timer *timer, Mono now, void *userdata) {
    Database *database = userdata;
    if (group_commit_is_pending(database->group))
        timer_set(timer, mono_after(now, ZHUB_BUSY_USEC));
    return commit_when_due(database);
}

int database_end_batch(Database *database) {
    return commit_when_due(database);
}

/* --- taking --- */

Intake *database_intake(Database *database) {
    return &database->intake;
}

int database_make_room(Database *database, size_t size, Problem *problem) {
    return group_commit_make_room(database->group, size, problem);
}

void database_touch(Database *database) {
    bool was_pending = group_commit_is_pending(database->group);
    group_commit_touch(database->group, service_now(database->service));
    if (!was_pending)
        arm(database);
}

void database_want_refill(Database *database) {
    if (group_commit_want_refill(database->group))
        database_tell_refill(database, false);
}

static void follow_age(Database *database, const Message *record) {
    const SensorEventRecord *event = &record->SENSOR_EVENT_RECORD;
    if (record->tag == MESSAGE_SENSOR_EVENT_RECORD && message_has(event, SensorEventRecord, captured_usec))
        reading_age_follow(&database->age, group_commit_rows_waiting(database->group),
                           (Wall){(uint64_t)event->captured_usec});
}

int database_add(Database *database, const char *frame, size_t size, const Message *record,
                 Problem *problem) {
    bool was_pending = group_commit_is_pending(database->group);
    int r = group_commit_add(database->group, frame, size, record, service_wall(database->service),
                             service_now(database->service), problem);
    if (r < 0)
        return r;
    follow_age(database, record);
    if (!group_commit_can_commit(database->group) && !database->is_in_trouble) {
        const CommitTrouble *trouble = group_commit_trouble(database->group);
        r = follow_failure(database, trouble->error, &trouble->why);
        arm(database);
    } else if (!was_pending) {
        arm(database);
    }
    return r;
}

int database_refill(Database *database, JsonText records, bool is_last, RefillMayTakeFn may_take,
                    void *userdata, RefillCounts *ret, Problem *problem) {
    RefillSpec spec = {.records = records,
                       .is_last = is_last,
                       .arrival = service_wall(database->service),
                       .may_take = may_take,
                       .userdata = userdata};
    Problem why = {0};
    if (!database_connection_at_rest(database))
        return problem_set(problem, -EAGAIN, "cannot commit: %s", database->trouble.text);
    fault_point(FAULT_BEFORE_COMMIT);
    int r = refill_take(database->writer, database->refill_decoder, &spec, ret, &why);
    *problem = why;
    if (r == -EINVAL || r == -ENOMEM)
        return r;
    if (r >= 0 && !db_place_holds(database->path, &database->place, problem))
        r = -EUCLEAN;
    if (r < 0) {
        (void)doubt_connection(database, r, problem);
        (void)commit(database); /* what is wrong, an attempt of its own shows and tells */
        return r;
    }
    fault_point(FAULT_AFTER_COMMIT);
    metric_add(database->refilled, (uint64_t)ret->n_taken);
    if (is_last)
        database_tell_refill(database, true);
    return 0;
}

/* --- every second --- */

static int on_tick(Timer *timer, Mono now, void *userdata) {
    Database *database = userdata;
    Problem why = {0};
    int r = database->damage;
    if (r >= 0 && database_follow_check(database, &why) < 0)
        r = find_damage(database, &why);
    bool is_idle = !group_commit_is_pending(database->group) && !database->is_in_trouble;
    if (r >= 0 && is_idle && mono_between(group_commit_last_commit(database->group), now) >= PROBE_USEC)
        r = commit(database);
    disk_watch_look(&database->disk);
    database_tell_status(database);
    database_count(database);
    if (database->rule.keep_rows > 0 || database->rule.keep_usec > 0)
        turn_taker_wake(database->retention);
    timer_set(timer, mono_after(now, TICK_USEC));
    return r;
}

/* Woken every second; goes on while there is something to delete. Not while a large file is read beside the
 * loop, which counts on every row that it began with. A file at its limit is above it for so long by what comes
 * in; the check does not follow what comes in, so that it ends, and neither does it wait for anybody. */
static int take_retention_turn(void *userdata) {
    Database *database = userdata;
    Problem problem = {0};
    if (database->check || !database_connection_at_rest(database))
        return database->damage;
    int n_deleted = retention_step(database->writer, &database->rule, database->safe_until,
                                   service_wall(database->service), RETENTION_ROWS, &problem);
    if (n_deleted < 0) {
        journal_note(LOG_WARNING, "The %s store could not delete old records: %s",
                     store_role_words[database->role], problem.text);
        return doubt_connection(database, n_deleted, &problem);
    }
    metric_add(database->deleted, (uint64_t)n_deleted);
    return n_deleted > 0;
}

/* Something waits and nobody tries to commit it: the loop has lost its timer, and a restart is better than
 * waiting on. */
static bool is_attempting(void *userdata, Mono now, Problem *problem) {
    const Database *database = userdata;
    uint64_t age_usec = mono_between(group_commit_last_attempt(database->group), now);
    bool holds = !group_commit_is_pending(database->group) || age_usec < ATTEMPT_OVERDUE_USEC;
    if (!holds)
        problem_set(problem, -ETIME, "%zu records wait and the last attempt to commit is %.1f s old",
                    group_commit_rows_waiting(database->group), (double)age_usec / 1e6);
    return holds;
}

/* --- making and ending --- */

static int make_timers(Database *database, Turns *turns) {
    int r = timer_new(database->service, on_commit_timer, database, &database->commit_timer);
    if (r >= 0)
        r = timer_new(database->service, on_tick, database, &database->tick_timer);
    if (r >= 0)
        r = turn_taker_new(turns, take_retention_turn, database, &database->retention);
    if (r >= 0)
        timer_set(database->tick_timer, service_now(database->service));
    return r;
}

static int set_path(Database *database, Problem *problem) {
    const char *directory = service_state_dir(database->service);
    if (directory[0] == '\0')
        return problem_set(problem, -EINVAL, "expected a directory for the database: give --state-dir DIR");
    int n = snprintf(database->path, sizeof database->path, "%s/" DATABASE_NAME, directory);
    return n < (int)sizeof database->path
               ? 0
               : problem_set(problem, -EINVAL, "--state-dir: the name is too long");
}

static GroupCommitLimits limits_of(const Settings *settings) {
    return (GroupCommitLimits){.max_rows = (size_t)settings->store_commit_rows,
                               .max_wait_usec = usec_from_sec(settings->store_commit_sec),
                               .max_kept_bytes = KEPT_MAX_BYTES};
}

static int make_parts(Database *database, Turns *turns, Problem *problem) {
    GroupCommitLimits limits = limits_of(service_settings(database->service));
    int r = set_path(database, problem);
    if (r >= 0)
        r = group_commit_new(&limits, &database->intake, &database->group);
    if (r >= 0)
        r = decoder_new(&database->refill_decoder);
    if (r >= 0)
        r = make_timers(database, turns);
    if (r >= 0)
        r = health_add(service_health(database->service), "commits", is_attempting, database);
    return r;
}

/* The first proof that it can commit. What cannot be opened now is no reason to end: alive, the store can
 * say so. */
static int open_at_start(Database *database, Problem *problem) {
    service_will_read(database->path);
    int r = database_open_file(database, problem);
    if (r == -EINVAL || r == -ENOMEM)
        return r;
    database->is_to_reopen = r < 0;
    r = commit(database);
    return r < 0 ? problem_set(problem, r, "%s: damaged", database->path) : 0;
}

int database_new(Service *service, StoreRole role, EndpointId link, Turns *turns,
                 const DatabaseHandlers *handlers, void *userdata, Database **ret, Problem *problem) {
    const Settings *settings = service_settings(service);
    scoped(database_freep) Database *database = calloc(1, sizeof *database);
    if (!database)
        return problem_set(problem, -ENOMEM, "out of memory");
    database->service = service;
    database->role = role;
    database->link = endpoints[link].name;
    database->handlers = *handlers;
    database->userdata = userdata;
    database->rule = (RetentionRule){.keep_rows = settings->store_keep_rows,
                                     .keep_usec = usec_from_sec(settings->store_keep_days * 86400)};
    intake_init(&database->intake);
    database_make_metrics(database);
    int r = make_parts(database, turns, problem);
    if (r < 0)
        return r;
    disk_watch_init(&database->disk, service, role);
    disk_watch_look(&database->disk);
    r = open_at_start(database, problem);
    if (r >= 0)
        *ret = take(database);
    return r;
}

/* What cannot be written any more; what came under custody was not acknowledged and comes again. After a
 * failure that may be a cursor without its record. */
static void commit_at_end(Database *database) {
    Problem problem = database->trouble;
    size_t n_waiting = group_commit_rows_waiting(database->group);
    if (!group_commit_is_pending(database->group))
        return;
    int r = database->damage;
    if (r >= 0 && service_has_failed(database->service))
        r = problem_set(&problem, -ECANCELED, "it failed in the middle of its work");
    if (r >= 0)
        r = group_commit_run(database->group, service_now(database->service), service_wall(database->service),
                             &problem);
    if (r < 0)
        journal_event(
            JOURNAL_LOST, NULL, 0,
            "The %s store ends with %zu records that it could not commit: %s. Those under custody were "
            "not acknowledged and will come again.",
            store_role_words[database->role], n_waiting, problem.text);
}

Database *database_free(Database *database) {
    if (!database)
        return NULL;
    Problem ignored;
    if (database->group)
        commit_at_end(database);
    if (database->group && database->tick_timer)
        database_count(database);
    timer_free(database->commit_timer);
    timer_free(database->tick_timer);
    turn_taker_free(database->retention);
    database->check = file_check_free(database->check);
    bool has_lost_place = database->db && !db_place_holds(database->path, &database->place, &ignored);
    database_close_file(database, database->is_to_reopen ||
                                      (database->group && !group_commit_can_commit(database->group)));
    if (has_lost_place)
        database_leave_place(database);
    intake_table_free(database->cursors);
    group_commit_free(database->group);
    decoder_free(database->refill_decoder);
    free(database);
    return NULL;
}

/* --- asking --- */

Reader *database_reader(Database *database) {
    return database->reader;
}

void database_reading_failed(Database *database, int error, const Problem *problem) {
    if (error == -EUCLEAN && database->damage >= 0)
        (void)find_damage(database, problem);
}

sqlite3 *database_connection_at_rest(Database *database) {
    if (database->is_in_trouble || !database->writer)
        return NULL;
    if (group_commit_is_pending(database->group) && (commit(database) < 0 || database->is_in_trouble))
        return NULL;
    return database->db;
}

void database_set_safe_until(Database *database, int64_t safe_until) {
    database->safe_until = (uint64_t)safe_until;
}

DatabaseState database_state(const Database *database) {
    const StoreTotals *totals = database->writer ? record_writer_totals(database->writer) : &database->known;
    struct stat file = {0};
    (void)stat(database->path, &file);
    return (DatabaseState){
        .can_commit = !database->is_in_trouble,
        .trouble = database->is_in_trouble ? database->trouble.text : "",
        .commit_age_usec =
            mono_between(group_commit_last_commit(database->group), service_now(database->service)),
        .rows_waiting = group_commit_rows_waiting(database->group),
        .disk_free_bytes = database->disk.free_bytes,
        .committed_until = totals->committed_us,
        .n_records = totals->sensor_events + totals->congestion_records + totals->semaphore_changes +
                     totals->priority_actions,
        .event_set = totals->event_set,
        .file_bytes = file.st_size,
        .needs_refill = totals->needs_refill,
    };
}
