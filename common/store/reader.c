/* The SQL of every question. json_object() writes the rows: names and order are those the first
 * implementation's readers know. */
#include "store/reader.h"

#include "store/db.h"
#include "store/row-sum.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define EVENT_ROW                                                                                            \
    "json_object('id', id, 'sensor_id', sensor_id, 'tipo_sensor', tipo_sensor, 'interseccion', "             \
    "interseccion, "                                                                                         \
    "'timestamp', timestamp, 'event_data', event_data, 'created_at', created_at, "                           \
    "'producer_id', producer_id, 'epoch', epoch, 'seq', seq)"
#define HISTORY_ROW                                                                                          \
    "json_object('id', id, 'interseccion', interseccion, 'traffic_state', traffic_state, 'decision', "       \
    "decision, "                                                                                             \
    "'details', details, 'sensor_data', sensor_data, 'timestamp', timestamp, 'created_at', created_at)"
#define LIGHTS_ROW                                                                                           \
    "json_object('id', id, 'interseccion', interseccion, 'state_ns', state_ns, 'state_ew', state_ew, "       \
    "'reason', reason, 'cycle_duration_sec', cycle_duration_sec, 'phase', phase, 'groups', groups, "         \
    "'timestamp', timestamp, 'created_at', created_at)"
/* is_damaged is the last column */
#define COPY_OF(table, columns)                                                                              \
    "SELECT *, " ROW_IS_DAMAGED(table, columns) " AS is_damaged FROM " table " WHERE id > ?1 ORDER BY id"
/* Views and passages come every second and have no such readings: their JSON is not looked at. */
#define OF_READING "iif(tipo_sensor IN ('camara_vista', 'espira_paso'), NULL, json_extract(event_data, "
#define READINGS_ROW                                                                                         \
    "tipo_sensor, " OF_READING "'$.volumen')), " OF_READING                                                  \
    "'$.velocidad_promedio')), vehicles, " OF_READING "'$.intervalo_segundos')), timestamp"
#define NEWEST_FIRST " ORDER BY timestamp DESC, id DESC"

static const char *const sql[READ_STATEMENT_COUNT] = {
    [READ_EVENTS] =
        "SELECT CASE WHEN ?4 IS NULL OR tipo_sensor = ?4 THEN " EVENT_ROW " END FROM sensor_events "
        "WHERE timestamp >= ?1 AND (timestamp, id) <= (?2, ?3)" NEWEST_FIRST,
    [READ_EVENTS_OF] =
        "SELECT CASE WHEN ?4 IS NULL OR tipo_sensor = ?4 THEN " EVENT_ROW " END FROM sensor_events "
        "WHERE interseccion = ?5 AND timestamp >= ?1 AND (timestamp, id) <= (?2, ?3)" NEWEST_FIRST,
    [READ_HISTORY] = "SELECT " HISTORY_ROW " FROM congestion_history "
                     "WHERE timestamp >= ?1 AND (timestamp, id) <= (?2, ?3)" NEWEST_FIRST,
    [READ_HISTORY_OF] =
        "SELECT " HISTORY_ROW " FROM congestion_history "
        "WHERE interseccion = ?5 AND timestamp >= ?1 AND (timestamp, id) <= (?2, ?3)" NEWEST_FIRST,
    [READ_COUNTS] = "SELECT timestamp, vehicles, ?3 IS NULL OR tipo_sensor = ?3 FROM sensor_events "
                    "WHERE timestamp >= ?1 AND timestamp <= ?2 ORDER BY timestamp",
    [READ_COUNTS_OF] = "SELECT timestamp, vehicles, ?3 IS NULL OR tipo_sensor = ?3 FROM sensor_events "
                       "WHERE interseccion = ?4 AND timestamp >= ?1 AND timestamp <= ?2 ORDER BY timestamp",
    [READ_READINGS_OF] =
        "SELECT " READINGS_ROW " FROM sensor_events WHERE interseccion = ?1" NEWEST_FIRST " LIMIT 2000",
    [READ_NEWEST_LIGHTS_OF] =
        "SELECT " LIGHTS_ROW " FROM semaphore_states WHERE interseccion = ?1" NEWEST_FIRST " LIMIT 1",
    [READ_NEWEST_STATE_OF] =
        "SELECT traffic_state, timestamp FROM congestion_history WHERE interseccion = ?1" NEWEST_FIRST
        " LIMIT 1",
    [READ_NEXT_CONGESTED] = "SELECT min(interseccion) FROM congestion_history WHERE interseccion > ?1",
    [READ_TOTALS] =
        "SELECT sensor_events, congestion_detections, green_waves, semaphore_changes, priority_actions, "
        "congestion_records, event_set, committed_us FROM totals WHERE only_row = 1",
    [READ_EVENT_PLACE] = "SELECT timestamp FROM sensor_events WHERE id = ?1",
    [READ_HISTORY_PLACE] = "SELECT timestamp FROM congestion_history WHERE id = ?1",
    [READ_MADE_AT] = "SELECT made_at FROM totals WHERE only_row = 1",
    [READ_COPY_EVENTS] = COPY_OF("sensor_events", ROW_SUM_OF_SENSOR_EVENTS),
    [READ_COPY_HISTORY] = COPY_OF("congestion_history", ROW_SUM_OF_CONGESTION_HISTORY),
    [READ_COPY_LIGHTS] = COPY_OF("semaphore_states", ROW_SUM_OF_SEMAPHORE_STATES),
    [READ_COPY_ACTIONS] = COPY_OF("priority_actions", ROW_SUM_OF_PRIORITY_ACTIONS),
};

struct Reader {
    sqlite3 *db;
    sqlite3_stmt *statements[READ_STATEMENT_COUNT];
    bool is_lent[READ_STATEMENT_COUNT];
};

const char *reader_sql(ReadStatement statement) {
    return sql[statement];
}

int reader_new(const char *path, Reader **ret, Problem *problem) {
    scoped(reader_freep) Reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return problem_set(problem, -ENOMEM, "out of memory");
    int r = db_open_reader(path, &reader->db, problem);
    for (int i = 0; r >= 0 && i < READ_STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(reader->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &reader->statements[i],
                               NULL) != SQLITE_OK)
            r = db_error(reader->db, sql[i], problem);
    if (r >= 0)
        *ret = take(reader);
    return r;
}

Reader *reader_free(Reader *reader) {
    if (!reader)
        return NULL;
    for (int i = 0; i < READ_STATEMENT_COUNT; i++)
        sqlite3_finalize(reader->statements[i]);
    db_close(reader->db);
    free(reader);
    return NULL;
}

sqlite3 *reader_db(Reader *reader) {
    return reader->db;
}

int reader_lend(Reader *reader, ReadStatement statement, sqlite3_stmt **ret, Problem *problem) {
    if (!reader->is_lent[statement]) {
        reader->is_lent[statement] = true;
        *ret = reader->statements[statement];
        return 0;
    }
    if (sqlite3_prepare_v2(reader->db, sql[statement], -1, ret, NULL) != SQLITE_OK)
        return db_error(reader->db, sql[statement], problem);
    return 0;
}

void reader_take_back(Reader *reader, ReadStatement statement, sqlite3_stmt *lent) {
    if (!lent)
        return;
    if (lent != reader->statements[statement]) {
        sqlite3_finalize(lent);
        return;
    }
    sqlite3_reset(lent);
    sqlite3_clear_bindings(lent);
    reader->is_lent[statement] = false;
}
