/* Whether a store's file is what was written, read in short pieces while the store is at work: the rows of its
 * tables with the totals, then their indexes. Reads every page that a row or an entry of an index is found by.
 *
 * The check that db_open() does of a small file looks at all pages at once and finds more: pages that nothing
 * uses, and used ones that count as free too. No answer is wrong by that, until such a page is used again; then
 * the sums tell. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "store/row-walk.h"

#include <sqlite3.h>

typedef struct FileWalk FileWalk;

/* `db`, any connection of db_open() or db_open_reader(), outlives it. From the first step to the last no row
 * may be deleted; what is appended meanwhile is not looked at. 0 or db_error(). */
int file_walk_new(sqlite3 *db, FileWalk **ret, Problem *problem);
FileWalk *file_walk_free(FileWalk *walk);
DEFINE_FREEP(FileWalk, file_walk_free)

/* A piece of up to `n_max` rows or entries: a view of its own, which has ended when this returns. A WalkProgress;
 * -EUCLEAN: damaged; or db_error(). What does not return WALK_MORE is the end. */
int file_walk_step(FileWalk *walk, int n_max, Problem *problem);
