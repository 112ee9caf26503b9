/* The row of the table totals, and what each record means for it. */
#include "store/totals.h"

#include "base/macro.h"
#include "store/db.h"
#include "store/hash.h"
#include "wire/timestamp.h"

#include <stdlib.h>
#include <string.h>

/* --- the row --- */

int totals_load(sqlite3 *db, StoreTotals *ret, Problem *problem) {
    static const char sql[] =
        "SELECT sensor_events, congestion_detections, green_waves, semaphore_changes, "
        "priority_actions, congestion_records, event_set, committed_us, needs_refill FROM totals";
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_error(db, "totals", problem);
    int r = 0;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *ret = (StoreTotals){
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
    } else {
        r = db_error(db, "totals", problem);
    }
    sqlite3_finalize(statement);
    return r;
}

const char totals_write_sql[] =
    "UPDATE totals SET sensor_events = ?1, congestion_detections = ?2, green_waves = ?3, semaphore_changes = "
    "?4, "
    "priority_actions = ?5, congestion_records = ?6, event_set = ?7, committed_us = ?8, needs_refill = ?9";

void totals_bind(sqlite3_stmt *statement, const StoreTotals *totals) {
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
        sqlite3_bind_int64(statement, (int)i + 1, (sqlite3_int64)values[i]);
}

/* --- what a record means --- */

/* What one row means for the totals, `times` +1 or -1; `mark` is the third column of select_oldest. */
void totals_count(StoreTotals *totals, MessageTag tag, uint64_t mark, int times) {
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

int64_t totals_rows(const StoreTotals *totals, MessageTag tag) {
    return tag == MESSAGE_SENSOR_EVENT_RECORD ? totals->sensor_events
           : tag == MESSAGE_CONGESTION_RECORD ? totals->congestion_records
           : tag == MESSAGE_SEMAPHORE_RECORD  ? totals->semaphore_changes
                                              : totals->priority_actions;
}

/* The mark of a message, as the columns would give it. */
uint64_t totals_mark(const Message *record) {
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
