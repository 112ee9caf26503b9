/* How many records of each kind a store holds, and the sum that tells whether two stores hold the same events: kept
 * beside the rows, because counting ten million of them takes seconds. */
#pragma once

#include "base/problem.h"
#include "wire/messages.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

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

/* 0 or db_error(). */
int totals_load(sqlite3 *db, StoreTotals *ret, Problem *problem);

extern const char totals_write_sql[];
void totals_bind(sqlite3_stmt *statement, const StoreTotals *totals); /* of totals_write_sql */

/* What one row means for the totals, `times` +1 or -1; `mark` is what the MARK_OF_ its table says. */
void totals_count(StoreTotals *totals, MessageTag tag, uint64_t mark, int times);
int64_t totals_rows(const StoreTotals *totals, MessageTag tag);

/* The mark of a message, as the columns would give it. */
uint64_t totals_mark(const Message *record);
