/* Which old records may go. The decision is pure; carrying it out takes a few rows at a time, so that it fits
 * between two batches of incoming records.
 *
 * A record leaves only when the rule says so AND the other store is known to have it: `safe_until`, in the
 * store's own count of arrivals (created_us), is what analytics confirmed last. Nobody confirmed anything:
 * nothing is deleted. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "store/records.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct RetentionRule {
    int64_t keep_rows;  /* of sensor events; 0: all */
    uint64_t keep_usec; /* since arrival, every record; 0: for ever */
} RetentionRule;

/* Is the oldest row of a table, which has n_rows and where that row arrived at created_us, to be deleted? */
bool retention_may_delete(const RetentionRule *rule, bool is_sensor_event, int64_t n_rows,
                          uint64_t created_us, uint64_t safe_until_us, Wall now);

/* Deletes up to n_max rows of each table and commits. There must be no open transaction. Returns how many, or
 * a negative errno of db_error() after rolling back. */
int retention_step(RecordWriter *writer, const RetentionRule *rule, uint64_t safe_until_us, Wall now,
                   int n_max, Problem *problem);
