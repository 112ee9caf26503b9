/* Saving what can be read of a damaged spool. It may be interrupted at any point, so the good copy is made
 * beside the damaged file and complete before anything is renamed:
 *
 *     NAME.saving    being filled; from an earlier attempt it is thrown away
 *     NAME.saved     complete: from here on the damaged file is no longer needed, and spool_open() refuses
 *                    NAME
 *     NAME           the damaged file goes aside, then NAME.saved takes its name
 *
 * The cursors are not taken over. A reader that gets a frame twice knows it by its identity; a cursor with a
 * flipped bit would let frames go that nobody has. The same holds for the links that fill the spool: their
 * writers still have what this file acknowledged last, and sending that again costs nothing, while a cursor
 * that outlived its frames would lose them. */
#include "store/spool-salvage.h"

#include "store/db.h"
#include "store/spool-file.h"
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH_FRAMES = 1000,
    /* positions tried behind the last good row: seconds, and far more than a page holds */
    MISSES_MAX = 1000 * 1000,
};

bool spool_salvage_is_unfinished(const char *path) {
    char saved[PATH_MAX];
    return db_name_beside(path, ".saved", saved, NULL) >= 0 && access(saved, F_OK) == 0;
}

/* --- reading what is left --- */

/* The damaged file as it is: nothing is written to it, not even what its log still holds. NULL when it is no
 * database any more. */
static sqlite3 *open_damaged(const char *path) {
    scoped(db_closep) sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK ||
        db_run(db, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON", NULL) < 0)
        return NULL;
    return take(db);
}

/* Where to begin when the first row cannot be read: what no reader has begins behind the least cursor. */
static int64_t first_position(sqlite3 *db) {
    int64_t first = 0;
    if (db_read_integer(db, "SELECT position FROM frames ORDER BY position LIMIT 1", &first, NULL) < 0 &&
        db_read_integer(db, "SELECT min(acknowledged) + 1 FROM readers", &first, NULL) < 0)
        first = 1;
    return first;
}

static int save_frame(Spool *to, const void *frame, size_t size, Problem *problem) {
    int r = spool_append(to, frame, size);
    if (r < 0)
        return problem_set(problem, r, "out of memory");
    return spool_n_pending(to) < BATCH_FRAMES ? 0 : spool_commit(to, problem);
}

/* Rows from `*position` on until one cannot be read; 1 there, 0 at the end, or an error of the new file. */
static int save_run(sqlite3_stmt *rows, int64_t *position, Spool *to, Problem *problem) {
    int r = 0, rc = SQLITE_DONE;
    sqlite3_bind_int64(rows, 1, *position);
    while (r >= 0 && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        const void *frame = sqlite3_column_blob(rows, 2);
        size_t size = (size_t)sqlite3_column_bytes(rows, 2);
        int64_t here = sqlite3_column_int64(rows, 0);
        if (here < *position || here == INT64_MAX) /* out of order: not a row that we wrote */
            continue;
        *position = here + 1;
        if (sqlite3_column_int64(rows, 1) == spool_checksum(frame, size))
            r = save_frame(to, frame ? frame : "", size, problem);
    }
    sqlite3_reset(rows);
    return r < 0 ? r : rc != SQLITE_DONE;
}

/* Over damaged pages one position at a time: the index finds the next page that can be read by itself. */
static int save_all(sqlite3 *from, Spool *to, Problem *problem) {
    sqlite3_stmt *rows;
    int64_t position = first_position(from);
    if (db_prepare(from,
                   "SELECT position, checksum, frame FROM frames WHERE position >= ?1 ORDER BY position",
                   &rows, NULL) < 0)
        return 0;
    int r = 1;
    for (int n_misses = 0; r == 1 && n_misses < MISSES_MAX; n_misses++, position++) {
        int64_t before = position;
        r = save_run(rows, &position, to, problem);
        if (position > before)
            n_misses = 0;
    }
    sqlite3_finalize(rows);
    return r < 0 ? r : spool_commit(to, problem);
}

/* --- the order of names --- */

static void remove_unfinished(const char *name) {
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    char file[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (db_name_beside(name, suffixes[i], file, NULL) >= 0)
            (void)unlink(file);
}

static int rename_durably(const char *from, const char *to, Problem *problem) {
    char directory[PATH_MAX];
    if (rename(from, to) < 0)
        return problem_set(problem, -errno, "%s: cannot be renamed to %s: %m", from, to);
    (void)snprintf(directory, sizeof directory, "%s", to);
    int fd = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? problem_set(problem, -errno, "%s: not synced: %m", directory) : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

/* Closing the copy leaves one file without a log. */
static int make_copy(const char *path, const char *const *readers, const char *saving, Problem *problem) {
    const SpoolLimits no_limits = {.max_bytes = UINT64_MAX, .memory_bytes = 0};
    scoped(spool_freep) Spool *copy = NULL;
    remove_unfinished(saving);
    int r = spool_open(saving, readers, &no_limits, &copy, problem);
    if (r < 0)
        return r;
    scoped(db_closep) sqlite3 *damaged = open_damaged(path);
    return damaged ? save_all(damaged, copy, problem) : 0;
}

int spool_set_aside(const char *path, const char *const *readers, const SpoolLimits *limits, Wall now,
                    Spool **ret, char *ret_aside, size_t aside_size, uint64_t *ret_n_saved,
                    Problem *problem) {
    char saving[PATH_MAX], saved[PATH_MAX], aside[PATH_MAX];
    scoped(spool_freep) Spool *spool = NULL;
    int r = db_name_beside(path, ".saving", saving, problem);
    if (r >= 0)
        r = db_name_beside(path, ".saved", saved, problem);
    if (r >= 0 && !spool_salvage_is_unfinished(path)) {
        r = make_copy(path, readers, saving, problem);
        if (r >= 0)
            r = rename_durably(saving, saved, problem);
    }
    if (r >= 0)
        r = db_set_aside(path, now, aside, sizeof aside, problem);
    if (r >= 0)
        r = rename_durably(saved, path, problem);
    if (r >= 0)
        r = spool_open(path, readers, limits, &spool, problem);
    if (r < 0)
        return r;
    (void)snprintf(ret_aside, aside_size, "%s", aside);
    *ret_n_saved = spool_committed(spool);
    *ret = take(spool);
    return 0;
}
