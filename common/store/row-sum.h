/* A checksum of each record's row, because SQLite's pages have none: a bit that flips inside a text leaves
 * the file whole and the record wrong. Written with the row, compared when the file is checked (row-walk.h) and
 * before a row is copied to the other store.
 *
 * CRC-32, as in the spool: finds every single flipped bit, and of other faults all but one in four thousand
 * million. It finds faults, not forgers. */
#pragma once

#include <sqlite3.h>

/* The columns that a row's sum is about: all but id, which is the row's place and not its content, the sum
 * itself, and vehicles, which repeats what event_data says and is compared with that. nullif() where the
 * schema puts a default in the place of nothing: what is bound and what is stored must have the same sum. A
 * column that is added goes to the end of its list: the sum of a row does not change by NULLs behind it, so
 * the rows that lack the column keep theirs. */
#define ROW_SUM_ARRIVAL_AND_IDENTITY "timestamp, created_at, created_us, captured_us, producer_id, epoch, seq"
#define ROW_SUM_OF_SENSOR_EVENTS                                                                             \
    ROW_SUM_ARRIVAL_AND_IDENTITY ", sensor_id, tipo_sensor, interseccion, nullif(event_data, '{}')"
#define ROW_SUM_OF_CONGESTION_HISTORY                                                                        \
    ROW_SUM_ARRIVAL_AND_IDENTITY                                                                             \
    ", interseccion, traffic_state, decision, nullif(details, ''), sensor_data"
#define ROW_SUM_OF_SEMAPHORE_STATES                                                                          \
    ROW_SUM_ARRIVAL_AND_IDENTITY                                                                             \
    ", interseccion, state_ns, state_ew, nullif(reason, ''), nullif(cycle_duration_sec, 15), phase, groups"
#define ROW_SUM_OF_PRIORITY_ACTIONS                                                                          \
    ROW_SUM_ARRIVAL_AND_IDENTITY                                                                             \
    ", action_type, target, nullif(reason, ''), nullif(requested_by, 'system'), "                            \
    "nullif(affected_intersections, '[]')"

/* SQL: whether the row at hand is damaged. One without a sum is, unless it is older than the sums. */
#define ROW_IS_DAMAGED(table, columns)                                                                       \
    "CASE WHEN checksum IS NOT NULL THEN checksum <> row_sum(" columns ") "                                  \
    "ELSE id > coalesce((SELECT last_id FROM unsummed WHERE table_name = '" table "'), 0) END"

/* SQL: the value of vehicles. */
#define VEHICLES_OF(sensor_type, event_data)                                                                 \
    "CASE WHEN " sensor_type " = 'espira_inductiva' AND json_type(" event_data                               \
    ", '$.vehiculos_contados') IN ('integer', 'real')"                                                       \
    " THEN json_extract(" event_data ", '$.vehiculos_contados') END"

/* Makes row_sum(value, ...) known to a connection's SQL. Returns an SQLite result code. */
int row_sum_register(sqlite3 *db);
