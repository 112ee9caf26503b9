/* When to commit, what to say when that fails, and when to open the file again. Knows nothing of links:
 * stopping the flow of records is the handler's. The subtle thing: after an input/output error both
 * connections are closed and the kept records are written anew through fresh ones, because what a connection
 * believes about a file after a failed write or fsync is not to be trusted. */
#include "database.h"

#include "disk-watch.h"
#include "shell/journal.h"
#include "store/db.h"
#include "store/group-commit.h"
#include "store/records.h"
#include "store/retention.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
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

struct Database {
    Service *service;
    StoreRole role;
    DatabaseHandlers handlers;
    void *userdata;
    char path[PATH_MAX];

    sqlite3 *db;
    RecordWriter *writer;
    Reader *reader;
    GroupCommit *group;
    bool is_to_reopen;
    bool is_in_trouble;
    Mono trouble_since;
    Problem trouble;

    Timer *commit_timer, *tick_timer;
    TurnTaker *retention;
    RetentionRule rule;
    uint64_t safe_until;
    DiskWatch disk;

    Metric *stored[RECORD_TABLE_COUNT], *repeats, *commits, *failures, *deleted;
    Metric *waiting, *can_commit;
    GroupCommitCounts counted;
};

/* --- opening and closing --- */

static void close_file(Database *database) {
    if (database->group)
        group_commit_set_writer(database->group, NULL);
    database->reader = reader_free(database->reader);
    database->writer = record_writer_free(database->writer);
    database->db = db_close(database->db);
}

static int open_file(Database *database, Problem *problem) {
    int r = db_open(database->path, &database->db, problem);
    if (r >= 0)
        r = record_writer_new(database->db, &database->writer, problem);
    if (r >= 0)
        r = reader_new(database->path, &database->reader, problem);
    if (r < 0) {
        close_file(database);
        return r;
    }
    group_commit_set_writer(database->group, database->writer);
    return 0;
}

/* What is damaged is kept for people to look at; the store goes on with an empty file. */
static int open_at_start(Database *database, Problem *problem) {
    char aside[PATH_MAX];
    Problem damage;
    int r = open_file(database, &damage);
    if (r != -EUCLEAN)
        return r < 0 ? problem_set(problem, r, "%s: %s", database->path, damage.text) : 0;
    r = db_set_aside(database->path, service_wall(database->service), aside, sizeof aside, problem);
    if (r < 0)
        return r;
    JournalField fields[2];
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", store_role_words[database->role]);
    (void)snprintf(fields[1], sizeof fields[1], "DATABASE_ASIDE=%.140s", aside);
    journal_event(JOURNAL_DATABASE_ASIDE, fields, ARRAY_LEN(fields),
                  "%s is damaged (%s): moved to %s, the %s store begins with an empty file", database->path,
                  damage.text, aside, store_role_words[database->role]);
    return open_file(database, problem);
}

/* --- telling --- */

static void tell_trouble(Database *database, const char *why) {
    size_t n_waiting = group_commit_rows_waiting(database->group);
    JournalField field[1];
    (void)snprintf(field[0], sizeof field[0], "STORE=%s", store_role_words[database->role]);
    journal_event(JOURNAL_STORE_TROUBLE, field, 1,
                  "The %s store cannot commit: %s. %zu records are kept in memory, no more are taken.",
                  store_role_words[database->role], why, n_waiting);
}

static void tell_recovery(Database *database, Mono now, int n_rows) {
    JournalField field[1];
    (void)snprintf(field[0], sizeof field[0], "STORE=%s", store_role_words[database->role]);
    journal_event(JOURNAL_STORE_COMMITS, field, 1,
                  "The %s store commits again after %.1f s; %d records that were kept are stored",
                  store_role_words[database->role], (double)mono_between(database->trouble_since, now) / 1e6,
                  n_rows);
}

static void tell_status(Database *database) {
    const char *role = store_role_words[database->role];
    if (database->is_in_trouble)
        service_status(database->service, "%s: cannot commit (%s), %zu records wait", role,
                       database->trouble.text, group_commit_rows_waiting(database->group));
    else
        service_status(database->service, "%s: %" PRId64 " events stored, %.1f GB of disk free%s", role,
                       record_writer_totals(database->writer)->sensor_events,
                       (double)database->disk.free_bytes / 1e9,
                       database->disk.has_alarm ? " (disk alarm)" : "");
}

static void count(Database *database) {
    const GroupCommitCounts *now = group_commit_counts(database->group);
    GroupCommitCounts *before = &database->counted;
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        metric_add(database->stored[i], now->stored[i] - before->stored[i]);
    metric_add(database->repeats, now->repeats - before->repeats);
    metric_add(database->commits, now->commits - before->commits);
    metric_add(database->failures, now->failures - before->failures);
    *before = *now;
    metric_set(database->waiting, (double)group_commit_rows_waiting(database->group));
    metric_set(database->can_commit, !database->is_in_trouble);
}

/* --- committing --- */

/* Both edges, and what the kind of trouble asks for. Damage ends the process: the start moves the file
 * aside. */
static int follow_trouble(Database *database, const Problem *why) {
    int error = group_commit_error(database->group);
    if (error == -EUCLEAN) {
        db_mark_suspect(database->path);
        return error;
    }
    /* After a failed write or fsync nothing that the connection believes about the file is trusted. */
    if (error == -EIO || error == -EROFS)
        database->is_to_reopen = true;
    if (!database->is_in_trouble) {
        database->is_in_trouble = true;
        database->trouble_since = service_now(database->service);
        database->trouble = *why;
        tell_trouble(database, why->text);
        database->handlers.on_flow(false, database->userdata);
    }
    return 0;
}

static void follow_success(Database *database, Mono now, int n_rows) {
    if (!database->is_in_trouble)
        return;
    database->is_in_trouble = false;
    tell_recovery(database, now, n_rows);
    database->handlers.on_flow(true, database->userdata);
}

static int reopen(Database *database, Problem *problem) {
    database->handlers.on_closing(database->userdata);
    close_file(database);
    int r = open_file(database, problem);
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

/* Only damage is an error here: everything else is waited out. */
static int commit(Database *database) {
    Problem problem = {0};
    Mono now = service_now(database->service);
    if (database->is_to_reopen) {
        int r = reopen(database, &problem);
        if (r == -EUCLEAN) {
            db_mark_suspect(database->path);
            return problem_set(&database->trouble, r, "%s", problem.text);
        }
    }
    int r = group_commit_run(database->group, now, service_wall(database->service), &problem);
    if (r >= 0)
        follow_success(database, now, r);
    else
        r = follow_trouble(database, &problem);
    arm(database);
    return r < 0 ? r : 0;
}

static int commit_when_due(Database *database) {
    return group_commit_is_due(database->group, service_now(database->service)) ? commit(database) : 0;
}

static int on_commit_timer(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    return commit_when_due(userdata);
}

int database_end_batch(Database *database) {
    return commit_when_due(database);
}

int database_add(Database *database, const char *frame, size_t size, const Message *record,
                 Problem *problem) {
    bool was_empty = group_commit_rows_waiting(database->group) == 0;
    int r = group_commit_add(database->group, frame, size, record, service_wall(database->service),
                             service_now(database->service), problem);
    if (r < 0)
        return r;
    if (!group_commit_can_commit(database->group) && !database->is_in_trouble) {
        Problem why;
        problem_set(&why, 0, "%s", group_commit_trouble(database->group));
        r = follow_trouble(database, &why);
        arm(database);
    } else if (was_empty) {
        arm(database);
    }
    return r;
}

/* --- every second --- */

static int on_tick(Timer *timer, Mono now, void *userdata) {
    Database *database = userdata;
    int r = 0;
    bool is_idle = group_commit_rows_waiting(database->group) == 0 && !database->is_in_trouble;
    if (is_idle && mono_between(group_commit_last_commit(database->group), now) >= PROBE_USEC)
        r = commit(database);
    disk_watch_look(&database->disk);
    tell_status(database);
    count(database);
    turn_taker_wake(database->retention);
    timer_set(timer, mono_after(now, TICK_USEC));
    return r;
}

/* Woken every second; goes on while there is something to delete. */
static int take_retention_turn(void *userdata) {
    Database *database = userdata;
    Problem problem = {0};
    if (!database_connection_at_rest(database))
        return 0;
    int n_deleted = retention_step(database->writer, &database->rule, database->safe_until,
                                   service_wall(database->service), RETENTION_ROWS, &problem);
    if (n_deleted < 0) {
        journal_note(LOG_WARNING, "The %s store could not delete old records: %s",
                     store_role_words[database->role], problem.text);
        return 0;
    }
    metric_add(database->deleted, (uint64_t)n_deleted);
    return n_deleted > 0;
}

/* Records wait and nobody tries to commit them: the loop has lost its timer, and a restart is better than
 * waiting on. */
static bool is_attempting(void *userdata, Mono now, Problem *problem) {
    const Database *database = userdata;
    uint64_t age_usec = mono_between(group_commit_last_attempt(database->group), now);
    bool holds = group_commit_rows_waiting(database->group) == 0 || age_usec < ATTEMPT_OVERDUE_USEC;
    if (!holds)
        problem_set(problem, -ETIME, "%zu records wait and the last attempt to commit is %.1f s old",
                    group_commit_rows_waiting(database->group), (double)age_usec / 1e6);
    return holds;
}

/* --- making and ending --- */

static void make_metrics(Database *database) {
    static const char *const table_labels[RECORD_TABLE_COUNT] = {
        "table=\"sensor_events\"", "table=\"congestion_history\"", "table=\"semaphore_states\"",
        "table=\"priority_actions\""};
    Metrics *metrics = service_metrics(database->service);
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        database->stored[i] =
            metrics_counter(metrics, "traffic_store_records_total", "Records committed.", table_labels[i]);
    database->repeats =
        metrics_counter(metrics, "traffic_store_repeats_total", "Records that were stored already.", "");
    database->commits =
        metrics_counter(metrics, "traffic_store_commits_total", "Transactions committed.", "");
    database->failures =
        metrics_counter(metrics, "traffic_store_commit_failures_total", "Transactions that failed.", "");
    database->deleted =
        metrics_counter(metrics, "traffic_store_deleted_total", "Records that retention deleted.", "");
    database->waiting =
        metrics_gauge(metrics, "traffic_store_records_waiting", "Records not committed yet.", "");
    database->can_commit =
        metrics_gauge(metrics, "traffic_store_can_commit", "1 while the store can commit.", "");
}

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

int database_new(Service *service, StoreRole role, Turns *turns, const DatabaseHandlers *handlers,
                 void *userdata, Database **ret, Problem *problem) {
    const Settings *settings = service_settings(service);
    scoped(database_freep) Database *database = calloc(1, sizeof *database);
    if (!database)
        return problem_set(problem, -ENOMEM, "out of memory");
    database->service = service;
    database->role = role;
    database->handlers = *handlers;
    database->userdata = userdata;
    database->rule = (RetentionRule){.keep_rows = settings->store_keep_rows,
                                     .keep_usec = usec_from_sec(settings->store_keep_days * 86400)};
    GroupCommitLimits limits = limits_of(settings);
    int r = set_path(database, problem);
    if (r >= 0)
        r = group_commit_new(&limits, &database->group);
    if (r >= 0)
        r = open_at_start(database, problem);
    if (r >= 0)
        r = make_timers(database, turns);
    if (r >= 0)
        r = health_add(service_health(service), "commits", is_attempting, database);
    if (r < 0)
        return r;
    make_metrics(database);
    disk_watch_init(&database->disk, service, role);
    disk_watch_look(&database->disk);
    r = commit(database); /* the first proof that it can */
    if (r < 0)
        return problem_set(problem, r, "%s: damaged", database->path);
    *ret = take(database);
    return 0;
}

Database *database_free(Database *database) {
    if (!database)
        return NULL;
    Problem problem = {0};
    size_t n_waiting = database->group ? group_commit_rows_waiting(database->group) : 0;
    if (n_waiting > 0 && group_commit_run(database->group, service_now(database->service),
                                          service_wall(database->service), &problem) < 0)
        journal_event(JOURNAL_LOST, NULL, 0,
                      "The %s store ends with %zu records that it could not commit: %s",
                      store_role_words[database->role], n_waiting, problem.text);
    if (database->waiting)
        count(database);
    timer_free(database->commit_timer);
    timer_free(database->tick_timer);
    turn_taker_free(database->retention);
    close_file(database);
    group_commit_free(database->group);
    free(database);
    return NULL;
}

/* --- asking --- */

Reader *database_reader(Database *database) {
    return database->reader;
}

sqlite3 *database_connection_at_rest(Database *database) {
    if (database->is_in_trouble || !database->writer)
        return NULL;
    if (group_commit_rows_waiting(database->group) > 0 && (commit(database) < 0 || database->is_in_trouble))
        return NULL;
    return database->db;
}

void database_set_safe_until(Database *database, int64_t safe_until) {
    database->safe_until = (uint64_t)safe_until;
}

DatabaseState database_state(const Database *database) {
    static const StoreTotals nothing;
    const StoreTotals *totals = database->writer ? record_writer_totals(database->writer) : &nothing;
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
    };
}
