/* Opening a database. Knows SQLite and the schema's steps, not what is in the tables.
 *
 * The subtle part is telling a damaged file from a file that cannot be opened now: the first is moved aside
 * for good, the second is tried again. Only SQLITE_CORRUPT, SQLITE_NOTADB and a failed check are damage. */
#include "store/db.h"

#include "base/macro.h"
#include "store/hash.h"
#include "store/row-sum.h"
#include "store/row-walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
    int result;
    int error;
} error_table[] = {
    {SQLITE_FULL, -ENOSPC},     {SQLITE_READONLY, -EROFS},  {SQLITE_BUSY, -EBUSY},
    {SQLITE_LOCKED, -EBUSY},    {SQLITE_CORRUPT, -EUCLEAN}, {SQLITE_NOTADB, -EUCLEAN},
    {SQLITE_NOMEM, -ENOMEM},    {SQLITE_CANTOPEN, -EACCES}, {SQLITE_CONSTRAINT, -EINVAL},
    {SQLITE_INTERRUPT, -EINTR}, {SQLITE_MISMATCH, -EINVAL}, {SQLITE_TOOBIG, -EINVAL},
};

static int errno_of(int code) {
    for (size_t i = 0; i < ARRAY_LEN(error_table); i++)
        if (error_table[i].result == (code & 0xFF))
            return error_table[i].error;
    return -EIO;
}

/* What the system said of a read, a write or a sync: ": No space left on device", or "". */
static const char *system_words(sqlite3 *db, int code, char *buffer, size_t size) {
    int error = db && (code & 0xFF) == SQLITE_IOERR ? sqlite3_system_errno(db) : 0;
    (void)snprintf(buffer, size, "%s%s", error ? ": " : "", error ? strerror(error) : "");
    return buffer;
}

int db_error(sqlite3 *db, const char *what, Problem *problem) {
    char words[80];
    int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    return problem_set(problem, errno_of(code), "%s: %s%s (SQLite code %d)", what,
                       db ? sqlite3_errmsg(db) : "out of memory", system_words(db, code, words, sizeof words),
                       code);
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, Problem *problem) {
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
        return db_error(db, sql, problem);
    return 0;
}

int db_finish(sqlite3 *db, sqlite3_stmt *statement, const char *what, Problem *problem) {
    int r = sqlite3_step(statement) == SQLITE_DONE ? 0 : db_error(db, what, problem);
    sqlite3_reset(statement);
    return r;
}

int db_run(sqlite3 *db, const char *sql, Problem *problem) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    char what[80];
    (void)snprintf(what, sizeof what, "%.*s", (int)strcspn(sql, "\n"), sql);
    return db_error(db, what, problem);
}

int db_read_integer(sqlite3 *db, const char *sql, int64_t *ret, Problem *problem) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_error(db, sql, problem);
    int rc = sqlite3_step(statement);
    int r = 0;
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    else
        r = rc == SQLITE_DONE ? -ENODATA : db_error(db, sql, problem);
    sqlite3_finalize(statement);
    return r;
}

/* One step and its number, or nothing of it. */
static int apply_step(sqlite3 *db, const SchemaStep *step, Problem *problem) {
    char finish[64];
    (void)snprintf(finish, sizeof finish, "PRAGMA user_version = %d; COMMIT", step->version);
    int r = db_run(db, "BEGIN IMMEDIATE", problem);
    if (r < 0)
        return r;
    if (sqlite3_exec(db, step->sql, NULL, NULL, NULL) != SQLITE_OK)
        r = db_error(db, step->name, problem);
    if (r >= 0)
        r = db_run(db, finish, problem);
    if (r < 0 && !sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

int db_migrate(sqlite3 *db, const Schema *schema, int version, Problem *problem) {
    int64_t current = 0;
    int r = db_read_integer(db, "PRAGMA user_version", &current, problem);
    if (r >= 0 && current > (int64_t)schema->n_steps)
        return problem_set(
            problem, -EINVAL,
            "the database has schema version %lld, this program knows %zu: install the newer program, "
            "or move the file away",
            (long long)current, schema->n_steps);
    for (size_t i = 0; r >= 0 && i < schema->n_steps && schema->steps[i].version <= version; i++)
        if (schema->steps[i].version > current)
            r = apply_step(db, &schema->steps[i], problem);
    return r;
}

/* --- checking --- */

static void suspect_path(const char *path, char ret[static PATH_MAX]) {
    (void)snprintf(ret, PATH_MAX, "%s.suspect", path);
}

void db_mark_suspect(const char *path) {
    char name[PATH_MAX];
    suspect_path(path, name);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
}

static bool is_suspect(const char *path) {
    char name[PATH_MAX];
    suspect_path(path, name);
    return access(name, F_OK) == 0;
}

static void clear_suspect(const char *path) {
    char name[PATH_MAX];
    suspect_path(path, name);
    (void)unlink(name);
}

/* The whole file. A damaged page is a row of the answer, not an error. */
static int check_all(sqlite3 *db, Problem *problem) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK)
        return db_error(db, "check", problem);
    int r = 0;
    const char *answer = NULL;
    if (sqlite3_step(statement) != SQLITE_ROW)
        r = db_error(db, "check", problem);
    else if (answer = (const char *)sqlite3_column_text(statement, 0), !answer || strcmp(answer, "ok") != 0)
        r = problem_set(problem, -EUCLEAN, "check: %s", answer ? answer : "no answer");
    sqlite3_finalize(statement);
    return r;
}

/* Its summary and its newest events, which is where an interrupted write would be. */
const DbKind db_traffic = {
    .schema = &traffic_schema,
    .samples = (const char *const[]){"SELECT sum(length(event_data)) FROM "
                                     "(SELECT event_data FROM sensor_events ORDER BY id DESC LIMIT 10000)",
                                     "SELECT sensor_events FROM totals", NULL},
    .check_rows = row_walk_whole,
    .read_whole_bytes = 16 << 20,
    .after_doubt = "UPDATE totals SET needs_refill = 1",
};

/* For a file too large to read at every start, and what the check of the pages does not look at in a small
 * one. */
static int check_samples(sqlite3 *db, const DbKind *kind, Problem *problem) {
    int64_t ignored;
    for (const char *const *sample = kind->samples; *sample; sample++) {
        int r = db_read_integer(db, *sample, &ignored, problem);
        if (r == -ENODATA)
            return problem_set(problem, -EUCLEAN, "check: there must be a row of '%s'", *sample);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_large(const char *path, const DbKind *kind) {
    struct stat status;
    return stat(path, &status) == 0 && status.st_size > kind->read_whole_bytes;
}

/* --- opening --- */

/* Nobody asks SQLite how much memory it has, and counting that takes a lock for each piece that it allocates, thirty for
 * a stored row: 2,900 of its 35,500 instructions. A process that has used SQLite before goes on counting. */
static void stop_counting_memory(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Debian's SQLite overwrites what is deleted: nothing here is secret, and a spool deletes as much as it takes. */
#define TUNING "PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF"

static int open_connection(const char *path, int flags, sqlite3 **ret, Problem *problem) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, stop_counting_memory);
    int rc = sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return db_error(*ret, path, problem);
    if (event_hash_register(*ret) != SQLITE_OK || row_sum_register(*ret) != SQLITE_OK)
        return db_error(*ret, path, problem);
    return db_run(*ret, TUNING, problem);
}

/* SQLite's files take less than 128 KiB at once and say of more that the disk is full. */
enum { LOG_BLOCK_BYTES = 64 << 10 };

/* Writes the log's own bytes over themselves and syncs them. */
static int rewrite_log(sqlite3_file *log) {
    const sqlite3_io_methods *methods = log->pMethods;
    sqlite3_int64 size = 0;
    char *block = malloc(LOG_BLOCK_BYTES);
    int rc = block ? methods->xFileSize(log, &size) : SQLITE_NOMEM;
    for (sqlite3_int64 at = 0; rc == SQLITE_OK && at < size; at += LOG_BLOCK_BYTES) {
        int n = size - at < LOG_BLOCK_BYTES ? (int)(size - at) : LOG_BLOCK_BYTES;
        rc = methods->xRead(log, block, n, at);
        if (rc == SQLITE_OK)
            rc = methods->xWrite(log, block, n, at);
    }
    if (rc == SQLITE_OK && size > 0)
        rc = methods->xSync(log, SQLITE_SYNC_NORMAL);
    free(block);
    return rc;
}

/* Makes durable what the log holds. A process that was killed between writing a commit and syncing it, or
 * whose sync failed, leaves a commit that the next one reads but that no disk holds: it would be answered for
 * and lost with the power, and with it what is written behind it. After a failed sync the kernel believes
 * that the pages are clean; another sync would write nothing, and a checkpoint would bring the file ahead of
 * the log. Hence the rewriting, and until it is done no checkpoint, not even that of closing. A file that
 * cannot be written now may still be asked; its first commit says what is wrong. */
static int settle_log(sqlite3 *db, const char *path, Problem *problem) {
    sqlite3_file *log = NULL;
    int r = db_run(db, "BEGIN IMMEDIATE", problem);
    if (r == -EROFS)
        return 0;
    if (r < 0)
        return r;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc == SQLITE_OK && log && log->pMethods)
        rc = rewrite_log(log);
    if (rc != SQLITE_OK)
        r = problem_set(problem, errno_of(rc), "%s-wal: %s (SQLite code %d)", path, sqlite3_errstr(rc), rc);
    (void)db_run(db, "ROLLBACK", NULL);
    return r;
}

int db_open_kind(const char *path, const DbKind *kind, sqlite3 **ret, Problem *problem) {
    scoped(db_close_in_doubtp) sqlite3 *db = NULL;
    int r = open_connection(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, problem);
    if (r >= 0)
        r = db_run(
            db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 8388608",
            problem);
    bool is_to_read_all = is_suspect(path) || !is_large(path, kind);
    if (r >= 0 && is_to_read_all)
        r = check_all(db, problem);
    if (r >= 0)
        r = settle_log(db, path, problem);
    if (r >= 0)
        r = db_migrate(db, kind->schema, (int)kind->schema->n_steps, problem);
    if (r >= 0)
        r = check_samples(db, kind, problem);
    if (r >= 0 && is_to_read_all && kind->check_rows)
        r = kind->check_rows(db, problem);
    if (r >= 0 && kind->after_doubt && is_suspect(path))
        r = db_run(db, kind->after_doubt, problem);
    if (r < 0)
        return r;
    clear_suspect(path);
    *ret = take(db);
    return !is_to_read_all;
}

int db_open(const char *path, sqlite3 **ret, Problem *problem) {
    return db_open_kind(path, &db_traffic, ret, problem);
}

int db_open_reader(const char *path, sqlite3 **ret, Problem *problem) {
    scoped(db_closep) sqlite3 *db = NULL;
    int r = open_connection(path, SQLITE_OPEN_READONLY, &db, problem);
    if (r >= 0 && sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
        r = db_error(db, path, problem);
    if (r >= 0)
        r = db_run(db, "PRAGMA query_only = ON", problem);
    if (r >= 0)
        *ret = take(db);
    return r;
}

sqlite3 *db_close_in_doubt(sqlite3 *db) {
    if (db)
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return db_close(db);
}

sqlite3 *db_close(sqlite3 *db) {
    (void)sqlite3_close(db);
    return NULL;
}

int db_name_beside(const char *path, const char *suffix, char ret[static PATH_MAX], Problem *problem) {
    return snprintf(ret, PATH_MAX, "%s%s", path, suffix) < PATH_MAX
               ? 0
               : problem_set(problem, -ENAMETOOLONG, "%s: the name is too long", path);
}

int db_name_aside(const char *path, const char *suffix, Wall now, char ret[static PATH_MAX],
                  Problem *problem) {
    time_t seconds = (time_t)(now.usec / USEC_PER_SEC);
    struct tm utc;
    char stamp[32], ending[64];
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &utc));
    (void)snprintf(ending, sizeof ending, ".corrupt-%s%s", stamp, suffix);
    return db_name_beside(path, ending, ret, problem);
}

int db_set_aside(const char *path, Wall now, char *ret_name, size_t ret_size, Problem *problem) {
    /* the file itself last: done when it is gone */
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    char from[PATH_MAX], to[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        int r = db_name_beside(path, suffixes[i], from, problem);
        if (r >= 0)
            r = db_name_aside(path, suffixes[i], now, to, problem);
        if (r < 0)
            return r;
        if (rename(from, to) < 0 && errno != ENOENT)
            return problem_set(problem, -errno, "%s: cannot be moved to %s: %m", from, to);
    }
    (void)snprintf(ret_name, ret_size, "%s", to);
    clear_suspect(path);
    return 0;
}
