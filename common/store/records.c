/* Messages into rows. messages.def says which members a record has and the table has a column for each, so
 * the INSERT statements and what is bound to them come out of its table: a member that is added there needs a
 * migration, its place in the row's sum (row-sum.h), and nothing here. Members that are left out are bound as
 * NULL, and the schema puts its defaults in their place.
 *
 * The totals are counted in memory and written once a transaction; after a rollback they are those of the
 * last commit. */
#include "store/records.h"

#include "store/db.h"
#include "store/hash.h"
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

/* ?1 and ?2 are the arrival, ?3 and on the members in the order of messages.def. */
static const Table tables[] = {
    {MESSAGE_SENSOR_EVENT_RECORD, "sensor_events", ROW_SUM_OF_SENSOR_EVENTS, ", vehicles",
     /* tipo_sensor is the second member, event_data the fifth */
     ", " VEHICLES_OF("?4", "?7"), OLDEST("sensor_events", MARK_OF_SENSOR_EVENTS)},
    {MESSAGE_CONGESTION_RECORD, "congestion_history", ROW_SUM_OF_CONGESTION_HISTORY, "", "",
     OLDEST("congestion_history", MARK_OF_CONGESTION_HISTORY)},
    {MESSAGE_SEMAPHORE_RECORD, "semaphore_states", ROW_SUM_OF_SEMAPHORE_STATES, "", "",
     OLDEST("semaphore_states", MARK_OF_SEMAPHORE_STATES)},
    {MESSAGE_PRIORITY_RECORD, "priority_actions", ROW_SUM_OF_PRIORITY_ACTIONS, "", "",
     OLDEST("priority_actions", MARK_OF_PRIORITY_ACTIONS)},
};
_Static_assert(ARRAY_LEN(tables) == RECORD_TABLE_COUNT, "each record has its table");
_Static_assert(SensorEventRecord_has_sensor_type == 1 && SensorEventRecord_has_event_data == 4,
               "?4 and ?7 above");

const MessageTag record_tables[] = {MESSAGE_SENSOR_EVENT_RECORD, MESSAGE_CONGESTION_RECORD,
                                    MESSAGE_SEMAPHORE_RECORD, MESSAGE_PRIORITY_RECORD};

int record_table_index(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (strcmp(tables[i].name, name) == 0 || strcmp(message_wire_name(tables[i].tag), name) == 0)
            return (int)i;
    return -1;
}

enum { FIRST_MEMBER_PARAMETER = 3, SQL_MAX_BYTES = 2048 };

typedef struct TableStatements {
    const Table *table;
    const MessageDescriptor *message;
    sqlite3_stmt *insert, *select_oldest, *delete_until;
} TableStatements;

struct RecordWriter {
    sqlite3 *db;
    TableStatements statements[RECORD_TABLE_COUNT];
    sqlite3_stmt *begin, *commit, *rollback, *write_totals;
    StoreTotals totals, committed_totals;
    uint64_t newest_created_us;
    TimestampText created_at; /* the text of created_at_sec: most records of a batch arrive in one second */
    uint64_t created_at_sec;
};

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, Problem *problem) {
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
        return db_error(db, sql, problem);
    return 0;
}

/* The parameter of a column; false when there is no such column. */
static bool write_parameter(FILE *out, const TableStatements *statements, const char *column, size_t size) {
    static const char *const arrival[] = {"created_at", "created_us"};
    for (size_t i = 0; i < ARRAY_LEN(arrival); i++)
        if (strlen(arrival[i]) == size && memcmp(arrival[i], column, size) == 0)
            return fprintf(out, "?%zu", i + 1) > 0;
    for (size_t i = 0; i < statements->message->n_members; i++)
        if (strlen(statements->message->members[i].json) == size &&
            memcmp(statements->message->members[i].json, column, size) == 0)
            return fprintf(out, "?%zu", FIRST_MEMBER_PARAMETER + i) > 0;
    return false;
}

/* The sum of the row that is being inserted: the list of its columns with parameters in their places. */
static void write_sum(FILE *out, const TableStatements *statements) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    const char *at = statements->table->sum;
    while (*at) {
        size_t size = strspn(at, letters);
        if (size == 0)
            fputc(*at++, out);
        else if (!write_parameter(out, statements, at, size))
            fprintf(out, "%.*s", (int)size, at);
        at += size;
    }
}

static int prepare_insert(sqlite3 *db, TableStatements *statements, Problem *problem) {
    const Table *table = statements->table;
    char sql[SQL_MAX_BYTES];
    FILE *out = fmemopen(sql, sizeof sql, "w");
    if (!out)
        return problem_set(problem, -ENOMEM, "out of memory");
    fprintf(out, "INSERT INTO %s (created_at, created_us", table->name);
    for (size_t i = 0; i < statements->message->n_members; i++)
        fprintf(out, ", %s", statements->message->members[i].json);
    fprintf(out, "%s, checksum) VALUES (?1", table->extra_columns);
    for (size_t i = 2; i < FIRST_MEMBER_PARAMETER + statements->message->n_members; i++)
        fprintf(out, ", ?%zu", i);
    fprintf(out, "%s, row_sum(", table->extra_values);
    write_sum(out, statements);
    fputs(")) ON CONFLICT DO NOTHING", out);
    fclose(out);
    return prepare(db, sql, &statements->insert, problem);
}

static int prepare_table(sqlite3 *db, const Table *table, TableStatements *ret, Problem *problem) {
    char sql[SQL_MAX_BYTES];
    ret->table = table;
    ret->message = &message_descriptors[table->tag];
    int r = prepare_insert(db, ret, problem);
    if (r >= 0)
        r = prepare(db, table->select_oldest, &ret->select_oldest, problem);
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id <= ?1", table->name);
    if (r >= 0)
        r = prepare(db, sql, &ret->delete_until, problem);
    return r;
}

/* --- totals --- */

static int load_totals(RecordWriter *writer, Problem *problem) {
    static const char sql[] =
        "SELECT sensor_events, congestion_detections, green_waves, semaphore_changes, "
        "priority_actions, congestion_records, event_set, committed_us, needs_refill FROM totals";
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(writer->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_error(writer->db, "totals", problem);
    int r = 0;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        writer->totals = (StoreTotals){
            .sensor_events = sqlite3_column_int64(statement, 0),
            .congestion_detections = sqlite3_column_int64(statement, 1),
            .green_waves = sqlite3_column_int64(statement, 2),
            .semaphore_changes = sqlite3_column_int64(statement, 3),
            .priority_actions = sqlite3_column_int64(statement, 4),
            .congestion_records = sqlite3_column_int64(statement, 5),
            .event_set = (uint64_t)sqlite3_column_int64(statement, 6),
            .committed_us = (uint64_t)sqlite3_column_int64(statement, 7),
            .needs_refill = sqlite3_column_int64(statement, 8) != 0,
        };
        writer->committed_totals = writer->totals;
        writer->newest_created_us = writer->totals.committed_us + 1;
    } else {
        r = db_error(writer->db, "totals", problem);
    }
    sqlite3_finalize(statement);
    return r;
}

static const char write_totals_sql[] =
    "UPDATE totals SET sensor_events = ?1, congestion_detections = ?2, green_waves = ?3, semaphore_changes = "
    "?4, "
    "priority_actions = ?5, congestion_records = ?6, event_set = ?7, committed_us = ?8, needs_refill = ?9";

/* What one row means for the totals, `times` +1 or -1; `mark` is the third column of select_oldest. */
static void count_row(StoreTotals *totals, MessageTag tag, uint64_t mark, int times) {
    if (tag == MESSAGE_SENSOR_EVENT_RECORD) {
        totals->sensor_events += times;
        totals->event_set += times > 0 ? mark : -mark;
    } else if (tag == MESSAGE_CONGESTION_RECORD) {
        totals->congestion_records += times;
        totals->congestion_detections += mark ? times : 0;
    } else if (tag == MESSAGE_SEMAPHORE_RECORD) {
        totals->semaphore_changes += times;
    } else {
        totals->priority_actions += times;
        totals->green_waves += mark ? times : 0;
    }
}

static int64_t rows_of(const StoreTotals *totals, MessageTag tag) {
    return tag == MESSAGE_SENSOR_EVENT_RECORD ? totals->sensor_events
           : tag == MESSAGE_CONGESTION_RECORD ? totals->congestion_records
           : tag == MESSAGE_SEMAPHORE_RECORD  ? totals->semaphore_changes
                                              : totals->priority_actions;
}

/* The mark of a message, as the columns would give it. */
static uint64_t mark_of(const Message *record) {
    if (record->tag == MESSAGE_CONGESTION_RECORD)
        return record->CONGESTION_RECORD.traffic_state == TRAFFIC_CONGESTION;
    if (record->tag == MESSAGE_PRIORITY_RECORD)
        return strstr(record->PRIORITY_RECORD.action_type, "GREEN_WAVE") != NULL;
    if (record->tag == MESSAGE_SEMAPHORE_RECORD)
        return 0;

    const SensorEventRecord *event = &record->SENSOR_EVENT_RECORD;
    EventIdentity identity = {.epoch = event->epoch, .sequence = event->sequence};
    if (message_has(event, SensorEventRecord, producer) && message_has(event, SensorEventRecord, epoch) &&
        message_has(event, SensorEventRecord, sequence))
        identity.producer = event->producer;
    if (event_has_identity(&identity))
        return event_hash(&identity);
    TimestampText timestamp = timestamp_format(event->timestamp);
    bool has_data = message_has(event, SensorEventRecord, event_data);
    char *data = strndup(has_data ? event->event_data.text : "{}", has_data ? event->event_data.size : 2);
    identity.content[0] = event->sensor_id;
    identity.content[1] = event->sensor_type;
    identity.content[2] = event->intersection;
    identity.content[3] = timestamp.text;
    identity.content[4] = data;
    uint64_t hash = event_hash(&identity);
    free(data);
    return hash;
}

/* --- transactions --- */

int record_writer_new(sqlite3 *db, RecordWriter **ret, Problem *problem) {
    scoped(record_writer_freep) RecordWriter *writer = calloc(1, sizeof *writer);
    if (!writer)
        return problem_set(problem, -ENOMEM, "out of memory");
    writer->db = db;
    int r = load_totals(writer, problem);
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(tables); i++)
        r = prepare_table(db, &tables[i], &writer->statements[i], problem);
    if (r >= 0)
        r = prepare(db, "BEGIN IMMEDIATE", &writer->begin, problem);
    if (r >= 0)
        r = prepare(db, "COMMIT", &writer->commit, problem);
    if (r >= 0)
        r = prepare(db, "ROLLBACK", &writer->rollback, problem);
    if (r >= 0)
        r = prepare(db, write_totals_sql, &writer->write_totals, problem);
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

/* Steps a statement that returns no rows. */
static int finish(RecordWriter *writer, sqlite3_stmt *statement, const char *what, Problem *problem) {
    int r = sqlite3_step(statement) == SQLITE_DONE ? 0 : db_error(writer->db, what, problem);
    sqlite3_reset(statement);
    return r;
}

int record_writer_begin(RecordWriter *writer, Problem *problem) {
    return record_writer_has_transaction(writer) ? 0 : finish(writer, writer->begin, "begin", problem);
}

int record_writer_commit(RecordWriter *writer, Wall now, Problem *problem) {
    int r = record_writer_begin(writer, problem);
    if (r < 0)
        return r;
    StoreTotals *totals = &writer->totals;
    totals->committed_us = now.usec > writer->newest_created_us ? now.usec : writer->newest_created_us;
    const uint64_t values[] = {(uint64_t)totals->sensor_events,
                               (uint64_t)totals->congestion_detections,
                               (uint64_t)totals->green_waves,
                               (uint64_t)totals->semaphore_changes,
                               (uint64_t)totals->priority_actions,
                               (uint64_t)totals->congestion_records,
                               totals->event_set,
                               totals->committed_us,
                               totals->needs_refill};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        sqlite3_bind_int64(writer->write_totals, (int)i + 1, (sqlite3_int64)values[i]);
    r = finish(writer, writer->write_totals, "totals", problem);
    if (r >= 0)
        r = finish(writer, writer->commit, "commit", problem);
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
    writer->totals = writer->committed_totals;
    writer->newest_created_us = writer->committed_totals.committed_us + 1;
}

void record_writer_set_needs_refill(RecordWriter *writer, bool needs_refill) {
    writer->totals.needs_refill = needs_refill;
}

/* --- inserting --- */

/* The timestamp of a record is formatted for this one statement: SQLite copies it. Everything else lives in
 * the message until the statement is reset. */
static void bind_member(sqlite3_stmt *statement, int parameter, const MessageMember *member,
                        const void *message) {
    const void *value = (const char *)message + member->offset;
    uint32_t present;
    memcpy(&present, message, sizeof present);
    if (!(present & member->mark)) {
        sqlite3_bind_null(statement, parameter);
        return;
    }
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_TOKEN:
        sqlite3_bind_text(statement, parameter, value, -1, SQLITE_STATIC);
        break;
    case MEMBER_NUMBER:
        sqlite3_bind_double(statement, parameter, *(const double *)value);
        break;
    case MEMBER_INTEGER:
        sqlite3_bind_int64(statement, parameter, *(const int64_t *)value);
        break;
    case MEMBER_CHOICE:
        sqlite3_bind_text(statement, parameter, member->words[*(const int *)value], -1, SQLITE_STATIC);
        break;
    case MEMBER_INSTANT:
        sqlite3_bind_text(statement, parameter, timestamp_format(*(const Wall *)value).text,
                          TIMESTAMP_SIZE - 1, SQLITE_TRANSIENT);
        break;
    case MEMBER_NESTED: {
        const JsonText *json = value;
        sqlite3_bind_text(statement, parameter, json->text, (int)json->size, SQLITE_STATIC);
        break;
    }
    default: /* a record has no other kinds */
        sqlite3_bind_null(statement, parameter);
    }
}

static void bind_arrival(RecordWriter *writer, sqlite3_stmt *statement, Wall arrival) {
    uint64_t seconds = arrival.usec / USEC_PER_SEC;
    if (seconds != writer->created_at_sec || writer->created_at.text[0] == '\0') {
        writer->created_at = timestamp_format(arrival);
        writer->created_at_sec = seconds;
    }
    if (arrival.usec > writer->newest_created_us)
        writer->newest_created_us = arrival.usec;
    sqlite3_bind_text(statement, 1, writer->created_at.text, TIMESTAMP_SIZE - 1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)writer->newest_created_us);
}

static TableStatements *statements_of(RecordWriter *writer, MessageTag tag) {
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        if (writer->statements[i].table->tag == tag)
            return &writer->statements[i];
    return NULL;
}

int record_writer_insert(RecordWriter *writer, const Message *record, Wall arrival, Problem *problem) {
    TableStatements *statements = statements_of(writer, record->tag);
    if (!statements)
        return problem_set(problem, -EINVAL, "expected a record, got another message");
    int r = record_writer_begin(writer, problem);
    if (r < 0)
        return r;

    sqlite3_stmt *insert = statements->insert;
    bind_arrival(writer, insert, arrival);
    for (size_t i = 0; i < statements->message->n_members; i++)
        bind_member(insert, FIRST_MEMBER_PARAMETER + (int)i, &statements->message->members[i],
                    &record->SENSOR_EVENT_RECORD);
    r = finish(writer, insert, statements->table->name, problem);
    if (r < 0)
        return r;
    if (sqlite3_changes(writer->db) == 0)
        return RECORD_REPEAT;
    count_row(&writer->totals, record->tag, mark_of(record), +1);
    return RECORD_NEW;
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
        if (!may_delete(table, rows_of(&totals, table), created_us, userdata))
            break;
        last_id = sqlite3_column_int64(statements->select_oldest, 0);
        count_row(&totals, table, (uint64_t)sqlite3_column_int64(statements->select_oldest, 2), -1);
        n_deleted++;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = db_error(writer->db, "oldest rows", problem);
    sqlite3_reset(statements->select_oldest);
    if (r < 0 || n_deleted == 0)
        return r;
    sqlite3_bind_int64(statements->delete_until, 1, last_id);
    r = finish(writer, statements->delete_until, "delete", problem);
    if (r < 0)
        return r;
    writer->totals = totals;
    return n_deleted;
}
