/* The database file: opening it so that a commit means "on the disk", bringing it to the newest schema,
 * checking it.
 *
 * One process opens a file, and in it one connection writes and checkpoints: two that do both at once can
 * corrupt a WAL database (SQLite 3.7.0 to 3.51.2). Others in the process read only; other processes ask over
 * a link. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "store/schema.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/* What a file of one kind has in it. */
typedef struct DbKind {
    const Schema *schema;
    /* Read in place of the whole when the file is large: each must give a row. Ends with NULL. */
    const char *const *samples;
    /* When all of it is read, what the check of the pages cannot know: whether the rows are those that were
     * written. 0, -EUCLEAN or db_error(). May be NULL. */
    int (*check_rows)(sqlite3 *db, Problem *problem);
    int64_t read_whole_bytes; /* a file up to this size is read whole whenever it is opened */
    /* Run when a file that was suspected (db_mark_suspect()) turns out to be whole; may be NULL. */
    const char *after_doubt;
} DbKind;

extern const DbKind db_traffic; /* a store's records */

/* Opens (and makes) a file as its one writer: WAL, synchronous=FULL, never waits for a lock. Checks it,
 * then migrates it to the newest schema. What can be read afterwards is on the disk. 0; 1 when of a large file
 * only a sample was read, and the rest is for somebody with time (file-walk.h); or with a sentence in
 * `problem`:
 *     -EUCLEAN   damaged; db_set_aside() is the way on
 *     -EINVAL    its schema is newer than this program
 *     -EBUSY, -ENOSPC, -EROFS, -EACCES, -EIO, -ENOMEM
 * Cost: two passes over a file that is read whole, some 5 ms a MiB. */
int db_open_kind(const char *path, const DbKind *kind, sqlite3 **ret, Problem *problem);
int db_open(const char *path, sqlite3 **ret, Problem *problem); /* db_traffic */

/* A second connection of the same process that cannot write and never checkpoints. The file must have been
 * opened by db_open() before. Errors as above. */
int db_open_reader(const char *path, sqlite3 **ret, Problem *problem);

/* Accepts NULL. Statements must have been finalised. */
sqlite3 *db_close(sqlite3 *db);
DEFINE_FREEP(sqlite3, db_close)

/* The same after a failed write or sync: the file is left as it is. Closing would copy the log into it,
 * trusting that the log is on the disk; the next db_open() makes sure of that first. */
sqlite3 *db_close_in_doubt(sqlite3 *db);
DEFINE_FREEP(sqlite3, db_close_in_doubt)

/* Brings the schema up to `version` in one transaction a step. For db_open() and for tests of older files. */
int db_migrate(sqlite3 *db, const Schema *schema, int version, Problem *problem);

/* The name of a file beside `path`: it with `suffix` behind. 0 or -ENAMETOOLONG. */
int db_name_beside(const char *path, const char *suffix, char ret[static PATH_MAX], Problem *problem);

/* The name under which a file is kept that is moved aside now: NAME.corrupt-YYYYMMDDTHHMMSSZ, and for the
 * files that SQLite has beside it the same with their `suffix`. 0 or -ENAMETOOLONG. */
int db_name_aside(const char *path, const char *suffix, Wall now, char ret[static PATH_MAX],
                  Problem *problem);

/* Renames the file and its -wal and -shm to db_name_aside(); ret_name (ret_size bytes) is the new name. */
int db_set_aside(const char *path, Wall now, char *ret_name, size_t ret_size, Problem *problem);

/* Remembers beside the file that damage was met while running, so that the next opening reads all of it
 * whatever its size. A file that is whole all the same is not trusted to be complete: a store wants a
 * refill. */
void db_mark_suspect(const char *path);

/* The last error of the connection as a negative errno, with SQLite's words in `problem` after `what`. Full:
 * -ENOSPC, read-only: -EROFS, locked: -EBUSY, damaged: -EUCLEAN, constraint: -EINVAL, interrupted: -EINTR,
 * else -EIO. */
int db_error(sqlite3 *db, const char *what, Problem *problem);

/* A statement that is used again and again. 0 or db_error(). */
int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, Problem *problem);

/* Steps a statement that returns no rows, and resets it. 0 or db_error() with `what`. */
int db_finish(sqlite3 *db, sqlite3_stmt *statement, const char *what, Problem *problem);

/* Runs statements that return nothing. 0 or db_error(). */
int db_run(sqlite3 *db, const char *sql, Problem *problem);

/* The first column of the first row as an integer. 0, -ENODATA without a row, or db_error(). */
int db_read_integer(sqlite3 *db, const char *sql, int64_t *ret, Problem *problem);
