/* Writing the four kinds of records, and the totals that change with them in the same transaction. Knows the
 * tables; when to commit is group-commit.h. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "store/totals.h"
#include "wire/messages.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct RecordWriter RecordWriter;

/* The tables by the message that fills them, in no order of importance. */
extern const MessageTag record_tables[];
enum { RECORD_TABLE_COUNT = 4 };

/* `db` is the connection that writes; it must outlive the writer. 0, or db_error(). */
int record_writer_new(sqlite3 *db, RecordWriter **ret, Problem *problem);
RecordWriter *record_writer_free(RecordWriter *writer); /* rolls back what is not committed */
DEFINE_FREEP(RecordWriter, record_writer_free)

sqlite3 *record_writer_db(RecordWriter *writer);

typedef enum RecordOutcome {
    RECORD_NEW,
    RECORD_REPEAT, /* its identity is stored already: nothing was changed */
} RecordOutcome;

/* Opens a transaction when none is open. 0 or db_error(). */
int record_writer_begin(RecordWriter *writer, Problem *problem);

/* Adds one message of the RECORD family to the transaction, opening one when none is open; it is in its table at the
 * commit at the latest. 0, or a negative errno: of db_error() or -ENOMEM, then the caller rolls back; -EINVAL is about this
 * message only, which is no record. */
int record_writer_add(RecordWriter *writer, const Message *record, Wall arrival, Problem *problem);

/* The same at once and with what came of it: a RecordOutcome; here -EINVAL also says that the table refuses it. */
int record_writer_insert(RecordWriter *writer, const Message *record, Wall arrival, Problem *problem);

/* What became of the records of the transaction that was begun last, as far as they are in their tables. */
typedef struct RecordCounts {
    uint64_t stored[RECORD_TABLE_COUNT]; /* in the order of record_tables[] */
    uint64_t repeats;
    uint64_t refused;    /* by the tables themselves; none are known */
    Problem why_refused; /* the last of them */
} RecordCounts;
const RecordCounts *record_writer_counts(const RecordWriter *writer);

/* Commits with the totals; `now` becomes committed_us. Without an open transaction this is a transaction of
 * its own, which proves that the file takes commits. 0, or db_error(): the caller rolls back. */
int record_writer_commit(RecordWriter *writer, Wall now, Problem *problem);
void record_writer_rollback(RecordWriter *writer);
bool record_writer_has_transaction(const RecordWriter *writer);

/* With what is inserted but not committed. Valid until the writer's next use. */
const StoreTotals *record_writer_totals(const RecordWriter *writer);

/* With the next commit the file has what the other store held, or lacks some of that. Forgotten by a
 * rollback. */
void record_writer_set_needs_refill(RecordWriter *writer, bool needs_refill);

/* Deletes up to `n_max` rows of a table, oldest arrival first, as long as `may_delete` agrees about a row
 * (its arrival, and how many rows the table has now). Opens a transaction when none is open. Returns how
 * many, or db_error(). */
typedef bool (*MayDeleteFn)(MessageTag table, int64_t n_rows, uint64_t created_us, void *userdata);
int record_writer_delete_oldest(RecordWriter *writer, MessageTag table, int n_max, MayDeleteFn may_delete,
                                void *userdata, Problem *problem);

/* The index into record_tables[] of a table's name in the schema, or of its record's type; -1 when it is
 * neither. */
int record_table_index(const char *name);
