/* A spool's statements. The rows are checked here and not by SQLite: the check of its pages does not see a
 * bit that flipped inside a frame, nor a row that is missing in the middle. */
#include "store/spool-file.h"

#include "store/db.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 512 << 10 };

typedef enum StatementId {
    BEGIN,
    COMMIT,
    ROLLBACK,
    INSERT,
    ODOMETER,
    DELETE,
    SAVE_HEAD,
    SAVE_READER,
    READ,
    STATEMENT_COUNT,
} StatementId;

static const char *const statement_sql[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [INSERT] = "INSERT INTO frames (position, odometer, checksum, frame) VALUES (?1, ?2, ?3, ?4)",
    [ODOMETER] = "SELECT odometer FROM frames WHERE position = ?1",
    [DELETE] = "DELETE FROM frames WHERE position <= ?1",
    [SAVE_HEAD] = "UPDATE head SET stream = ?1, last = ?2 WHERE only_row = 1",
    [SAVE_READER] = "UPDATE readers SET acknowledged = ?2 WHERE name = ?1",
    [READ] = "SELECT position, checksum, frame FROM frames WHERE position >= ?1 ORDER BY position LIMIT ?2",
};

struct SpoolFile {
    sqlite3 *db;
    bool has_failed; /* to write: see db_close_in_doubt() */
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

static const DbKind db_spool = {
    .schema = &spool_schema,
    .samples = (const char *const[]){"SELECT last FROM head", NULL},
    .read_whole_bytes = 1 << 30,
};

uint32_t spool_checksum(const void *frame, size_t size) {
    return libdeflate_crc32(0, frame, size);
}

/* --- transactions --- */

static int finish(SpoolFile *file, StatementId id, Problem *problem) {
    return db_finish(file->db, file->statements[id], statement_sql[id], problem);
}

int spool_file_begin(SpoolFile *file, Problem *problem) {
    return finish(file, BEGIN, problem);
}

int spool_file_commit(SpoolFile *file, Problem *problem) {
    return finish(file, COMMIT, problem);
}

void spool_file_rollback(SpoolFile *file) {
    file->has_failed = true;
    if (!sqlite3_get_autocommit(file->db)) /* SQLite may have rolled back by itself */
        (void)finish(file, ROLLBACK, NULL);
}

/* --- writing --- */

int spool_file_insert(SpoolFile *file, uint64_t position, uint64_t odometer, const void *frame, size_t size,
                      Problem *problem) {
    sqlite3_stmt *insert = file->statements[INSERT];
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)position);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)odometer);
    sqlite3_bind_int64(insert, 3, spool_checksum(frame, size));
    sqlite3_bind_blob64(insert, 4, frame, size, SQLITE_STATIC);
    return finish(file, INSERT, problem);
}

int spool_file_odometer(SpoolFile *file, uint64_t position, uint64_t *ret, Problem *problem) {
    sqlite3_stmt *odometer = file->statements[ODOMETER];
    sqlite3_bind_int64(odometer, 1, (sqlite3_int64)position);
    int rc = sqlite3_step(odometer);
    if (rc == SQLITE_ROW)
        *ret = (uint64_t)sqlite3_column_int64(odometer, 0);
    sqlite3_reset(odometer);
    if (rc == SQLITE_DONE)
        return problem_set(problem, -EUCLEAN, "the frame at position %llu is gone",
                           (unsigned long long)position);
    return rc == SQLITE_ROW ? 0 : db_error(file->db, statement_sql[ODOMETER], problem);
}

int spool_file_delete(SpoolFile *file, uint64_t until, Problem *problem) {
    sqlite3_bind_int64(file->statements[DELETE], 1, (sqlite3_int64)until);
    return finish(file, DELETE, problem);
}

int spool_file_save_head(SpoolFile *file, uint64_t stream, uint64_t last, Problem *problem) {
    sqlite3_bind_int64(file->statements[SAVE_HEAD], 1, (sqlite3_int64)stream);
    sqlite3_bind_int64(file->statements[SAVE_HEAD], 2, (sqlite3_int64)last);
    return finish(file, SAVE_HEAD, problem);
}

int spool_file_save_reader(SpoolFile *file, const char *name, uint64_t acknowledged, Problem *problem) {
    sqlite3_bind_text(file->statements[SAVE_READER], 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(file->statements[SAVE_READER], 2, (sqlite3_int64)acknowledged);
    return finish(file, SAVE_READER, problem);
}

/* --- reading --- */

static int push_row(sqlite3_stmt *row, uint64_t position, FrameRing *page, Problem *problem) {
    const void *frame = sqlite3_column_blob(row, 2);
    size_t size = (size_t)sqlite3_column_bytes(row, 2);
    if ((uint64_t)sqlite3_column_int64(row, 0) != position ||
        sqlite3_column_int64(row, 1) != spool_checksum(frame, size))
        return problem_set(problem, -EUCLEAN, "the frame at position %llu is gone or damaged",
                           (unsigned long long)position);
    return frame_ring_push(page, position, frame ? frame : "", size) < 0
               ? problem_set(problem, -ENOMEM, "out of memory")
               : 0;
}

int spool_file_read(SpoolFile *file, uint64_t position, size_t n_max, FrameRing *page, Problem *problem) {
    sqlite3_stmt *read = file->statements[READ];
    sqlite3_bind_int64(read, 1, (sqlite3_int64)position);
    sqlite3_bind_int64(read, 2, (sqlite3_int64)n_max);
    int r = 0, rc = SQLITE_DONE;
    while (r >= 0 && frame_ring_bytes(page) < PAGE_BYTES && (rc = sqlite3_step(read)) == SQLITE_ROW)
        r = push_row(read, position++, page, problem);
    if (r >= 0 && rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = db_error(file->db, statement_sql[READ], problem);
    if (r >= 0 && frame_ring_is_empty(page))
        r = problem_set(problem, -EUCLEAN, "the frame at position %llu is gone",
                        (unsigned long long)position);
    sqlite3_reset(read);
    if (r < 0)
        frame_ring_drop(page, UINT64_MAX);
    return r;
}

/* --- what is in it when it is opened --- */

static int load_head(sqlite3 *db, SpoolHead *head, Problem *problem) {
    int64_t stream = 0, last = 0;
    int r = db_read_integer(db, "SELECT stream FROM head", &stream, problem);
    if (r >= 0)
        r = db_read_integer(db, "SELECT last FROM head", &last, problem);
    if (r >= 0 && (stream == 0 || last < 0))
        r = problem_set(problem, -EUCLEAN, "check: stream %lld, last position %lld", (long long)stream,
                        (long long)last);
    if (r < 0)
        return r;
    *head = (SpoolHead){.stream = (uint64_t)stream, .first = (uint64_t)last + 1, .last = (uint64_t)last};
    return 0;
}

/* The next row behind `next`, its own position or the first one of all. */
static bool fits(sqlite3_stmt *row, SpoolHead *head, uint64_t *next) {
    const void *frame = sqlite3_column_blob(row, 3);
    size_t size = (size_t)sqlite3_column_bytes(row, 3);
    uint64_t position = (uint64_t)sqlite3_column_int64(row, 0);
    uint64_t odometer = (uint64_t)sqlite3_column_int64(row, 1);
    if (*next == 0) {
        head->first = *next = position;
        head->odometer_before = head->odometer = odometer - size;
    }
    bool is_good = position == (*next)++ && odometer == head->odometer + size &&
                   sqlite3_column_int64(row, 2) == spool_checksum(frame, size);
    head->odometer = odometer;
    return is_good;
}

static int check_rows(sqlite3 *db, SpoolHead *head, Problem *problem) {
    static const char sql[] = "SELECT position, odometer, checksum, frame FROM frames ORDER BY position";
    sqlite3_stmt *rows;
    uint64_t next = 0;
    bool is_good = true;
    int rc, r = db_prepare(db, sql, &rows, problem);
    if (r < 0)
        return r;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW && is_good)
        is_good = fits(rows, head, &next);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = db_error(db, sql, problem);
    else if (!is_good || (next != 0 && next != head->last + 1))
        r = problem_set(
            problem, -EUCLEAN, "check: frames %llu to %llu expected, what is before %llu is gone or damaged",
            (unsigned long long)head->first, (unsigned long long)head->last, (unsigned long long)next);
    sqlite3_finalize(rows);
    return r;
}

/* How far it is; -ENOENT when it is new to the file. */
static int load_reader(sqlite3 *db, const char *name, const SpoolHead *head, uint64_t *ret,
                       Problem *problem) {
    sqlite3_stmt *select;
    int r = db_prepare(db, "SELECT acknowledged FROM readers WHERE name = ?1", &select, problem);
    if (r < 0)
        return r;
    sqlite3_bind_text(select, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(select);
    if (rc == SQLITE_ROW) {
        *ret = (uint64_t)sqlite3_column_int64(select, 0);
        if (*ret + 1 < head->first || *ret > head->last)
            r = problem_set(problem, -EUCLEAN, "check: reader %s is at %llu, the frames are %llu to %llu",
                            name, (unsigned long long)*ret, (unsigned long long)head->first,
                            (unsigned long long)head->last);
    } else {
        r = rc == SQLITE_DONE ? -ENOENT : db_error(db, "readers", problem);
    }
    sqlite3_finalize(select);
    return r;
}

static int add_reader(sqlite3 *db, const char *name, uint64_t acknowledged, Problem *problem) {
    sqlite3_stmt *insert;
    int r = db_prepare(db, "INSERT INTO readers VALUES (?1, ?2)", &insert, problem);
    if (r < 0)
        return r;
    sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)acknowledged);
    r = db_finish(db, insert, "readers", problem);
    sqlite3_finalize(insert);
    return r;
}

/* Who is no longer named: after each named one has its row, the others are what is too much. */
static int drop_others(sqlite3 *db, const char *const *readers, Problem *problem) {
    int64_t n_rows = 0;
    unsigned n_readers = 0;
    while (readers[n_readers])
        n_readers++;
    int r = db_read_integer(db, "SELECT count(*) FROM readers", &n_rows, problem);
    if (r < 0 || n_rows == n_readers)
        return r;
    sqlite3_stmt *delete;
    r = db_prepare(db, "DELETE FROM readers WHERE name NOT IN (?1, ?2, ?3, ?4)", &delete, problem);
    if (r < 0)
        return r;
    _Static_assert(SPOOL_READERS_MAX == 4, "the parameters above");
    for (unsigned i = 0; i < SPOOL_READERS_MAX; i++)
        sqlite3_bind_text(delete, (int)i + 1, readers[i < n_readers ? i : 0], -1, SQLITE_STATIC);
    r = db_finish(db, delete, "readers", problem);
    sqlite3_finalize(delete);
    return r;
}

static int load_readers(sqlite3 *db, const char *const *readers, SpoolHead *head, Problem *problem) {
    int r = 0;
    for (unsigned i = 0; r >= 0 && readers[i]; i++) {
        r = load_reader(db, readers[i], head, &head->acknowledged[i], problem);
        if (r == -ENOENT) {
            head->acknowledged[i] = head->first - 1;
            r = add_reader(db, readers[i], head->acknowledged[i], problem);
        }
    }
    return r < 0 ? r : drop_others(db, readers, problem);
}

/* --- opening --- */

/* The log grows by what a batch writes and is copied into the file when it has this many pages: 8 MB, a few
 * hundred batches of a steady flow, whose rows live in few pages that are written again and again, so that
 * little is left to copy. More would make that one commit in hundreds take long when the frames only pile
 * up. */
#define TUNING "PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 16777216"

int spool_file_open(const char *path, const char *const *readers, SpoolFile **ret, SpoolHead *ret_head,
                    Problem *problem) {
    SpoolHead head;
    scoped(spool_file_freep) SpoolFile *file = calloc(1, sizeof *file);
    if (!file)
        return problem_set(problem, -ENOMEM, "out of memory");
    int r = db_open_kind(path, &db_spool, &file->db, problem);
    if (r >= 0)
        r = db_run(file->db, TUNING, problem);
    if (r >= 0)
        r = load_head(file->db, &head, problem);
    if (r >= 0)
        r = check_rows(file->db, &head, problem);
    if (r >= 0)
        r = load_readers(file->db, readers, &head, problem);
    for (int i = 0; r >= 0 && i < STATEMENT_COUNT; i++)
        r = db_prepare(file->db, statement_sql[i], &file->statements[i], problem);
    if (r < 0)
        return r;
    *ret_head = head;
    *ret = take(file);
    return 0;
}

SpoolFile *spool_file_free(SpoolFile *file) {
    if (!file)
        return NULL;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(file->statements[i]);
    if (file->has_failed)
        db_close_in_doubt(file->db);
    else
        db_close(file->db);
    free(file);
    return NULL;
}

sqlite3 *spool_file_db(SpoolFile *file) {
    return file->db;
}
