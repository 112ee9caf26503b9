/* Whether the rows of a store's tables are those that were written: each against its checksum, and all of them
 * together against the totals. In pieces, each a view of the file of its own, so that whoever writes meanwhile
 * can begin the log anew between two of them.
 *
 * That many views add up to one moment follows from what happens to rows: they are appended, with an id larger
 * than any before, and never changed. So the rows up to the largest id of a moment are the rows of that moment
 * for as long as none is deleted, which is for the caller to see to: no retention while a walk is under way. And
 * a walk has an end, however fast rows are appended. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "store/records.h"

#include <sqlite3.h>
#include <stdint.h>

typedef struct RowWalk RowWalk;

typedef enum WalkProgress { WALK_MORE, WALK_DONE } WalkProgress;

/* `db`, any connection of db_open() or db_open_reader(), outlives it. 0 or db_error(). */
int row_walk_new(sqlite3 *db, RowWalk **ret, Problem *problem);
RowWalk *row_walk_free(RowWalk *walk);
DEFINE_FREEP(RowWalk, row_walk_free)

/* The first piece reads what there is to walk, each other one up to `n_rows` rows of a table. A WalkProgress;
 * -EUCLEAN: not what was written; or db_error(). What does not return WALK_MORE is the end. */
int row_walk_step(RowWalk *walk, int n_rows, Problem *problem);

/* All of it. 0 or an error as above. */
int row_walk_whole(sqlite3 *db, Problem *problem);

/* What a table held at the moment of the first piece: for the walk of its indexes. */
typedef struct WalkedRows {
    int64_t last_id;
    int64_t n_rows;
    int64_t n_numbered; /* of them have a place in a stream: seq */
} WalkedRows;

/* Of a walk that is done; `table` is an index into record_tables[]. */
WalkedRows row_walk_found(const RowWalk *walk, int table);
