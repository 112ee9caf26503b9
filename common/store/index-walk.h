/* Whether the indexes of a store's tables can be read and have an entry for each row; in pieces like the rows
 * (row-walk.h), and as sound while rows are appended: entries of rows that came later lie among the others and
 * are not counted. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "store/row-walk.h"

#include <sqlite3.h>

typedef struct IndexWalk IndexWalk;

/* Both outlive it; `rows` must be done before the first step. 0 or -ENOMEM. */
int index_walk_new(sqlite3 *db, const RowWalk *rows, IndexWalk **ret, Problem *problem);
IndexWalk *index_walk_free(IndexWalk *walk);
DEFINE_FREEP(IndexWalk, index_walk_free)

/* Reads up to `n_entries` entries of an index. A WalkProgress; -EUCLEAN; or db_error(). What does not return
 * WALK_MORE is the end. */
int index_walk_step(IndexWalk *walk, int n_entries, Problem *problem);
