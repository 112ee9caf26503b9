/* Messages into rows. messages.def says which members a record has and the table has a column for each, so
 * the INSERT statements and what is bound to them come out of its table: a member that is added there needs a
 * migration, its place in the row's sum (row-sum.h), and nothing here. Members that are left out are bound as
 * NULL, and the schema puts its defaults in their place. *
 * The totals are counted in memory and written once a transaction; after a rollback they are those of the
 * last commit. */
#include "store/records.h"

#include "store/db.h"
#include "store/row-batch.h"
#include "store/row-sum.h"
#include "wire/message-table.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the tables --- */

typedef struct Table {
    MessageTag tag;
    const char *name;
    const char *sum;           /* what row_sum() is about */
    const char *extra_columns; /* besides the members and the two columns of arrival */
    const char *extra_values;
    const char *select_oldest; /* id, created_us, and its mark */
} Table;

#define OLDEST(table, mark) "SELECT id, created_us, " mark " FROM " table " ORDER BY id LIMIT ?1"

/* In a batch of rows c0 and c1 are the arrival, c2 and on the members in the order of messages.def. */
static const Table tables[] = {
    {MESSAGE_SENSOR_EVENT_RECORD, "sensor_events", ROW_SUM_OF_SENSOR_EVENTS, ", vehicles",
     /* tipo_sensor is the second member, event_data the fifth */
     ", " VEHICLES_OF("c3", "c6"), OLDEST("sensor_events", MARK_OF_SENSOR_EVENTS)},
    {MESSAGE_CONGESTION_RECORD, "congestion_history", ROW_SUM_OF_CONGESTION_HISTORY, "", "",
     OLDEST("congestion_history", MARK_OF_CONGESTION_HISTORY)},
    {MESSAGE_SEMAPHORE_RECORD, "semaphore_states", ROW_SUM_OF_SEMAPHORE_STATES, "", "",
     OLDEST("semaphore_states", MARK_OF_SEMAPHORE_STATES)},
    {MESSAGE_PRIORITY_RECORD, "priority_actions", ROW_SUM_OF_PRIORITY_ACTIONS, "", "",
     OLDEST("priority_actions", MARK_OF_PRIORITY_ACTIONS)},
};
_Static_assert(ARRAY_LEN(tables) == RECORD_TABLE_COUNT, "each record has its table");
_Static_assert(SensorEventRecord_has_sensor_type == 1 && SensorEventRecord_has_event_data == 4,
               "c3 and c6 above");

const MessageTag record_tables[] = {MESSAGE_SENSOR_EVENT_RECORD, MESSAGE_CONGESTION_RECORD,
                                    MESSAGE_SEMAPHORE_RECORD, MESSAGE_PRIORITY_RECORD};

int record_table_index(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (strcmp(tables[i].name, name) == 0 || strcmp(message_wire_name(tables[i].tag), name) == 0)
            return (int)i;
    return -1;
}

enum { CREATED_AT, CREATED_US, FIRST_MEMBER, SQL_MAX_BYTES = 2048 };

typedef struct TableStatements {
    const Table *table;
    const MessageDescriptor *message;
    RowBatch *batch; /* rows that are not in the table yet */
    sqlite3_stmt *insert, *select_oldest, *delete_until;
} TableStatements;

struct RecordWriter {
    sqlite3 *db;
    TableStatements statements[RECORD_TABLE_COUNT];
    sqlite3_stmt *begin, *commit, *rollback, *write_totals;
    StoreTotals totals, committed_totals;
    RecordCounts counts;
    uint64_t newest_created_us;
    TimestampText created_at; /* the text of created_at_sec: most records of a batch arrive in one second */
    uint64_t created_at_sec;
};

/* Where a column comes from; false when there is no such column. */
static bool write_source(FILE *out, const TableStatements *statements, const char *column, size_t size) {
    static const char *const arrival[] = {"created_at", "created_us"};
    for (size_t i = 0; i < ARRAY_LEN(arrival); i++)
        if (strlen(arrival[i]) == size && memcmp(arrival[i], column, size) == 0)
            return fprintf(out, "c%zu", i) > 0;
    for (size_t i = 0; i < statements->message->n_members; i++)
        if (strlen(statements->message->members[i].json) == size &&
            memcmp(statements->message->members[i].json, column, size) == 0)
            return fprintf(out, "c%zu", FIRST_MEMBER + i) > 0;
    return false;
}

/* The sum of the row that is being inserted: the list of its columns with their sources in their places. */
static void write_sum(FILE *out, const TableStatements *statements) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    const char *at = statements->table->sum;
    while (*at) {
        size_t size = strspn(at, letters);
        if (size == 0)
            fputc(*at++, out);
        else if (!write_source(out, statements, at, size))
            fprintf(out, "%.*s", (int)size, at);
        at += size;
    }
}

/* From a table of rows that is named after this one. */
static int prepare_insert(sqlite3 *db, TableStatements *statements, Problem *problem) {
    const Table *table = statements->table;
    const size_t n_columns = FIRST_MEMBER + statements->message->n_members;
    char sql[SQL_MAX_BYTES], batch_name[64];
    (void)snprintf(batch_name, sizeof batch_name, "incoming_%s", table->name);
    int r = row_batch_new(db, batch_name, n_columns, &statements->batch, problem);
    if (r < 0)
        return r;
    FILE *out = fmemopen(sql, sizeof sql, "w");
    if (!out)
        return problem_set(problem, -ENOMEM, "out of memory");
    fprintf(out, "INSERT INTO %s (created_at, created_us", table->name);
    for (size_t i = 0; i < statements->message->n_members; i++)
        fprintf(out, ", %s", statements->message->members[i].json);
    fprintf(out, "%s, checksum) SELECT c0", table->extra_columns);
    for (size_t i = 1; i < n_columns; i++)
        fprintf(out, ", c%zu", i);
    fprintf(out, "%s, row_sum(", table->extra_values);
    write_sum(out, statements);
    fprintf(out, ") FROM %s WHERE true ON CONFLICT DO NOTHING", batch_name);
    fclose(out);
    return db_prepare(db, sql, &statements->insert, problem);
}

static int prepare_table(sqlite3 *db, const Table *table, TableStatements *ret, Problem *problem) {
    char sql[SQL_MAX_BYTES];
    ret->table = table;
    ret->message = &message_descriptors[table->tag];
    int r = prepare_insert(db, ret, problem);
    if (r >= 0)
        r = db_prepare(db, table->select_oldest, &ret->select_oldest, problem);
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id <= ?1", table->name);
    if (r >= 0)
        r = db_prepare(db, sql, &ret->delete_until, problem);
    return r;
}

/* --- transactions --- */

int record_writer_new(sqlite3 *db, RecordWriter **ret, Problem *problem) {
    scoped(record_writer_freep) RecordWriter *writer = calloc(1, sizeof *writer);
    if (!writer)
        return problem_set(problem, -ENOMEM, "out of memory");
    writer->db = db;
    int r = totals_load(db, &writer->totals, problem);
    writer->committed_totals = writer->totals;
    writer->newest_created_us = writer->totals.committed_us + 1;
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(tables); i++)
        r = prepare_table(db, &tables[i], &writer->statements[i], problem);
    if (r >= 0)
        r = db_prepare(db, "BEGIN IMMEDIATE", &writer->begin, problem);
    if (r >= 0)
        r = db_prepare(db, "COMMIT", &writer->commit, problem);
    if (r >= 0)
        r = db_prepare(db, "ROLLBACK", &writer->rollback, problem);
    if (r >= 0)
        r = db_prepare(db, totals_write_sql, &writer->write_totals, problem);
    if (r >= 0)
        *ret = take(writer);
    return r;
}

RecordWriter *record_writer_free(RecordWriter *writer) {
    if (!writer)
        return NULL;
    record_writer_rollback(writer);
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        sqlite3_finalize(writer->statements[i].insert);
        row_batch_free(writer->statements[i].batch);
        sqlite3_finalize(writer->statements[i].select_oldest);
        sqlite3_finalize(writer->statements[i].delete_until);
    }
    sqlite3_finalize(writer->begin);
    sqlite3_finalize(writer->commit);
    sqlite3_finalize(writer->rollback);
    sqlite3_finalize(writer->write_totals);
    free(writer);
    return NULL;
}

sqlite3 *record_writer_db(RecordWriter *writer) {
    return writer->db;
}

const StoreTotals *record_writer_totals(const RecordWriter *writer) {
    return &writer->totals;
}

bool record_writer_has_transaction(const RecordWriter *writer) {
    return !sqlite3_get_autocommit(writer->db);
}

int record_writer_begin(RecordWriter *writer, Problem *problem) {
    if (record_writer_has_transaction(writer))
        return 0;
    writer->counts = (RecordCounts){0};
    return db_finish(writer->db, writer->begin, "begin", problem);
}

const RecordCounts *record_writer_counts(const RecordWriter *writer) {
    return &writer->counts;
}

/* Rows `first` to `behind` - 1 of a batch. */
static int insert_rows(RecordWriter *writer, TableStatements *statements, size_t first, size_t behind,
                       Problem *problem) {
    const MessageTag tag = statements->table->tag;
    row_batch_show(statements->batch, first, behind);
    int r = db_finish(writer->db, statements->insert, statements->table->name, problem);
    for (size_t i = first; r >= 0 && i < behind; i++) {
        bool is_new = row_batch_was_inserted(statements->batch, i);
        writer->counts.repeats += !is_new;
        writer->counts.stored[statements - writer->statements] += is_new;
        if (is_new)
            totals_count(&writer->totals, tag, row_batch_mark(statements->batch, i), +1);
    }
    return r;
}

/* A table that refuses one row takes none of its statement: then each gets a statement of its own. */
static int insert_one_by_one(RecordWriter *writer, TableStatements *statements, Problem *problem) {
    int r = 0;
    for (size_t i = 0; r >= 0 && i < row_batch_size(statements->batch); i++) {
        Problem why = {0};
        r = insert_rows(writer, statements, i, i + 1, &why);
        if (r == -EINVAL) {
            writer->counts.refused++;
            writer->counts.why_refused = why;
            r = 0;
        } else if (r < 0) {
            return problem_set(problem, r, "%s", why.text);
        }
    }
    return r;
}

static int insert_batch(RecordWriter *writer, TableStatements *statements, Problem *problem) {
    const size_t n = row_batch_size(statements->batch);
    int r = n > 0 ? insert_rows(writer, statements, 0, n, problem) : 0;
    if (r == -EINVAL)
        r = insert_one_by_one(writer, statements, problem);
    row_batch_clear(statements->batch);
    return r;
}

int record_writer_commit(RecordWriter *writer, Wall now, Problem *problem) {
    int r = record_writer_begin(writer, problem);
    for (size_t i = 0; r >= 0 && i < RECORD_TABLE_COUNT; i++)
        r = insert_batch(writer, &writer->statements[i], problem);
    if (r < 0)
        return r;
    StoreTotals *totals = &writer->totals;
    totals->committed_us = now.usec > writer->newest_created_us ? now.usec : writer->newest_created_us;
    totals_bind(writer->write_totals, totals);
    r = db_finish(writer->db, writer->write_totals, "totals", problem);
    if (r >= 0)
        r = db_finish(writer->db, writer->commit, "commit", problem);
    if (r < 0)
        return r;
    writer->newest_created_us = totals->committed_us + 1; /* what comes now lies behind the commit */
    writer->committed_totals = *totals;
    return 0;
}

void record_writer_rollback(RecordWriter *writer) {
    if (writer->rollback && record_writer_has_transaction(writer)) {
        (void)sqlite3_step(writer->rollback);
        sqlite3_reset(writer->rollback);
    }
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        if (writer->statements[i].batch)
            row_batch_clear(writer->statements[i].batch);
    writer->totals = writer->committed_totals;
    writer->newest_created_us = writer->committed_totals.committed_us + 1;
}

void record_writer_set_needs_refill(RecordWriter *writer, bool needs_refill) {
    writer->totals.needs_refill = needs_refill;
}

/* --- inserting --- */

/* 0 or -ENOMEM. */
static int set_member(RowBatch *batch, size_t column, const MessageMember *member, const void *message) {
    const void *value = (const char *)message + member->offset;
    uint32_t present;
    memcpy(&present, message, sizeof present);
    if (!(present & member->mark))
        return 0;
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_TOKEN:
        return row_batch_set_text(batch, column, value, strlen(value));
    case MEMBER_NUMBER:
        row_batch_set_number(batch, column, *(const double *)value);
        return 0;
    case MEMBER_INTEGER:
        row_batch_set_integer(batch, column, *(const int64_t *)value);
        return 0;
    case MEMBER_CHOICE: {
        const char *word = member->words[*(const int *)value];
        return row_batch_set_text(batch, column, word, strlen(word));
    }
    case MEMBER_INSTANT:
        return row_batch_set_text(batch, column, timestamp_format(*(const Wall *)value).text,
                                  TIMESTAMP_SIZE - 1);
    case MEMBER_NESTED: {
        const JsonText *json = value;
        return row_batch_set_text(batch, column, json->text, json->size);
    }
    default:
        return 0; /* a record has no other kinds */
    }
}

static int set_arrival(RecordWriter *writer, RowBatch *batch, Wall arrival) {
    uint64_t seconds = arrival.usec / USEC_PER_SEC;
    if (seconds != writer->created_at_sec || writer->created_at.text[0] == '\0') {
        writer->created_at = timestamp_format(arrival);
        writer->created_at_sec = seconds;
    }
    if (arrival.usec > writer->newest_created_us)
        writer->newest_created_us = arrival.usec;
    row_batch_set_integer(batch, CREATED_US, (int64_t)writer->newest_created_us);
    return row_batch_set_text(batch, CREATED_AT, writer->created_at.text, TIMESTAMP_SIZE - 1);
}

static TableStatements *statements_of(RecordWriter *writer, MessageTag tag) {
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        if (writer->statements[i].table->tag == tag)
            return &writer->statements[i];
    return NULL;
}

static int add_row(RecordWriter *writer, const TableStatements *statements, const Message *record,
                   Wall arrival, Problem *problem) {
    row_batch_add(statements->batch, totals_mark(record));
    int r = set_arrival(writer, statements->batch, arrival);
    for (size_t i = 0; r >= 0 && i < statements->message->n_members; i++)
        r = set_member(statements->batch, FIRST_MEMBER + i, &statements->message->members[i],
                       &record->SENSOR_EVENT_RECORD);
    return r < 0 ? problem_set(problem, r, "out of memory") : 0;
}

int record_writer_add(RecordWriter *writer, const Message *record, Wall arrival, Problem *problem) {
    TableStatements *statements = statements_of(writer, record->tag);
    if (!statements)
        return problem_set(problem, -EINVAL, "expected a record, got another message");
    int r = record_writer_begin(writer, problem);
    if (r >= 0)
        r = add_row(writer, statements, record, arrival, problem);
    if (r >= 0 && row_batch_size(statements->batch) == ROW_BATCH_ROWS)
        r = insert_batch(writer, statements, problem);
    return r;
}

int record_writer_insert(RecordWriter *writer, const Message *record, Wall arrival, Problem *problem) {
    TableStatements *statements = statements_of(writer, record->tag);
    if (!statements)
        return problem_set(problem, -EINVAL, "expected a record, got another message");
    int r = record_writer_begin(writer, problem);
    if (r >= 0)
        r = insert_batch(writer, statements, problem);
    if (r >= 0)
        r = add_row(writer, statements, record, arrival, problem);
    if (r >= 0)
        r = insert_rows(writer, statements, 0, 1, problem);
    bool is_new = r >= 0 && row_batch_was_inserted(statements->batch, 0);
    row_batch_clear(statements->batch);
    return r < 0 ? r : is_new ? RECORD_NEW : RECORD_REPEAT;
}

/* --- deleting --- */

int record_writer_delete_oldest(RecordWriter *writer, MessageTag table, int n_max, MayDeleteFn may_delete,
                                void *userdata, Problem *problem) {
    TableStatements *statements = statements_of(writer, table);
    StoreTotals totals = writer->totals;
    sqlite3_int64 last_id = 0;
    int n_deleted = 0, rc;
    int r = record_writer_begin(writer, problem);
    if (r < 0)
        return r;

    sqlite3_bind_int(statements->select_oldest, 1, n_max);
    while ((rc = sqlite3_step(statements->select_oldest)) == SQLITE_ROW) {
        uint64_t created_us = (uint64_t)sqlite3_column_int64(statements->select_oldest, 1);
        if (!may_delete(table, totals_rows(&totals, table), created_us, userdata))
            break;
        last_id = sqlite3_column_int64(statements->select_oldest, 0);
        totals_count(&totals, table, (uint64_t)sqlite3_column_int64(statements->select_oldest, 2), -1);
        n_deleted++;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = db_error(writer->db, "oldest rows", problem);
    sqlite3_reset(statements->select_oldest);
    if (r < 0 || n_deleted == 0)
        return r;
    sqlite3_bind_int64(statements->delete_until, 1, last_id);
    r = db_finish(writer->db, statements->delete_until, "delete", problem);
    if (r < 0)
        return r;
    writer->totals = totals;
    return n_deleted;
}
