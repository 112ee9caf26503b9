/* Whether the file that is open is still the file of its name. SQLite goes on writing to a file that was
 * deleted, renamed or replaced, and every commit succeeds; but who opens the name next does not find them. */
#pragma once

#include "base/problem.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { DB_PLACE_FILES = 3 }; /* the file, its log and its shared memory */

typedef struct DbPlace {
    struct {
        dev_t device;
        ino_t node;
    } files[DB_PLACE_FILES];
    off_t size; /* of the file; it only grows */
} DbPlace;

/* Remembers which files `path` means: call right after opening it. 0, or -errno: the file is gone already. */
int db_place_note(const char *path, DbPlace *ret, Problem *problem);

/* Whether both mean the same file, whatever its log. */
bool db_place_is_same_file(const DbPlace *a, const DbPlace *b);

/* Whether the file and its log are still there under their names, and nobody has cut the file short. If
 * not, `problem` says what happened. Cost: two system calls, about 2 us. */
bool db_place_holds(const char *path, DbPlace *place, Problem *problem);

/* After closing a file that does not hold its place: its log, if it is still there, is moved aside to
 * db_name_aside(), so that it is never taken for that of another file. What others put there stays, and so
 * does the file itself when only its log was gone: closing has made it whole. *ret_name is empty when nothing
 * was moved. */
int db_place_leave(const char *path, const DbPlace *place, Wall now, char *ret_name, size_t ret_size,
                   Problem *problem);
