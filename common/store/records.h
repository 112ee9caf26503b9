/* Writing the four kinds of records, and the totals that change with them in the same transaction. Knows the
 * tables; when to commit is group-commit.h. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "wire/messages.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct RecordWriter RecordWriter;

/* SQL: what a row adds to the totals besides that it is there: to event_set, congestion_detections, nothing,
 * green_waves. */
#define MARK_OF_SENSOR_EVENTS                                                                                \
    "record_hash(producer_id, epoch, seq, sensor_id, tipo_sensor, interseccion, timestamp, event_data)"
#define MARK_OF_CONGESTION_HISTORY "traffic_state = 'CONGESTION'"
#define MARK_OF_SEMAPHORE_STATES   "0"
#define MARK_OF_PRIORITY_ACTIONS   "instr(action_type, 'GREEN_WAVE') > 0"

/* What is stored now: what the totals table holds. */
typedef struct StoreTotals {
    int64_t sensor_events;
    int64_t congestion_detections; /* congestion records whose state is CONGESTION */
    int64_t green_waves;           /* priority actions that are green waves */
    int64_t semaphore_changes;
    int64_t priority_actions;
    int64_t congestion_records;
    uint64_t event_set;    /* see hash.h */
    uint64_t committed_us; /* created_us of the last commit */
    bool needs_refill;     /* the file was made anew or has a hole: it lacks what the other store holds */
} StoreTotals;

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

/* Inserts one message of the RECORD family, opening a transaction when none is open. A RecordOutcome, or a
 * negative errno of db_error(): then the caller rolls back. -EINVAL is about this record only: the others of
 * the transaction stand. */
int record_writer_insert(RecordWriter *writer, const Message *record, Wall arrival, Problem *problem);

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

/* The tables by the message that fills them, in no order of importance. */
extern const MessageTag record_tables[];
enum { RECORD_TABLE_COUNT = 4 };

/* The index into record_tables[] of a table's name in the schema, or of its record's type; -1 when it is
 * neither. */
int record_table_index(const char *name);
