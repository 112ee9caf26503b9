/* Rows on their way into a table, shown to SQL as a table of their own, so that one INSERT ... SELECT takes many of them.
 * A statement for each row opens the table and each of its indexes for that row and closes them behind it: as
 * much work again as putting the row there (16,000 instructions a row instead of 33,000).
 *
 * Which rows were put there and which were skipped is seen, too, while the statement runs. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RowBatch RowBatch;

enum { ROW_BATCH_ROWS = 64 };

/* Makes the table `name` with columns c0, c1, ... (`n_columns`) on this connection. 0, db_error() or -ENOMEM. */
int row_batch_new(sqlite3 *db, const char *name, size_t n_columns, RowBatch **ret, Problem *problem);
/* After the statements that read it are finalized. */
RowBatch *row_batch_free(RowBatch *batch);
DEFINE_FREEP(RowBatch, row_batch_free)

/* --- filling --- */

size_t row_batch_size(const RowBatch *batch);

/* A row more, for the setters: all its columns are NULL. Fewer than ROW_BATCH_ROWS are there; `mark` is the owner's. */
void row_batch_add(RowBatch *batch, uint64_t mark);
/* The last row's; texts are copied. 0 or -ENOMEM. */
int row_batch_set_text(RowBatch *batch, size_t column, const char *text, size_t size);
void row_batch_set_integer(RowBatch *batch, size_t column, int64_t integer);
void row_batch_set_number(RowBatch *batch, size_t column, double number);

void row_batch_clear(RowBatch *batch);

/* --- taking --- */

/* The next statement sees rows `first` to `behind` - 1. */
void row_batch_show(RowBatch *batch, size_t first, size_t behind);

/* After a statement that inserts what it sees: whether it has put this row there. */
bool row_batch_was_inserted(const RowBatch *batch, size_t row);
uint64_t row_batch_mark(const RowBatch *batch, size_t row);
