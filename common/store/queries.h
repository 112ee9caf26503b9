/* The database's part of every query, answered bit by bit so that nothing waits for it.
 *
 *     QUERY_INTERSECTION
 *         intersection, current_readings {Q, Vp, D, traffic_state, last_updated} from the newest stored
 *         events (null where there is none), semaphore_state (row or null), recent_events_count (0..10),
 *         recent_events (at most 5 rows)
 *     QUERY_HISTORY
 *         records: congestion records of timestamp_inicio..timestamp_fin (inclusive) and interseccion, newest
 *         first, at most `limit` (and 100); more: true when older ones may follow, to be asked for with
 *         before_id = the last row's id
 *     QUERY_EVENTS
 *         events: the same for sensor events, also by tipo_sensor
 *     COUNT_EVENTS
 *         counts: [{from, events, vehicles}] for each interval of interval_sec seconds (whole; counted from
 *         1970 in UTC, so hours begin at the hour) that has events, oldest first; vehicles is the sum of
 *         vehiculos_contados of loops. A loop's count carries the time at which its interval ended, so
 *         intervals, and the range, include their end and not their beginning.
 *         next: present when there are more intervals than fit; ask again with timestamp_inicio = next
 *     SYSTEM_STATUS
 *         db_summary, event_set {count, hash}, currently_congested, currently_green_wave, and what the caller
 *         adds
 *
 *     COPY_RECORDS
 *         for the other store, which takes them with refill.h: records of `table` (a record's type, or its
 *         table) behind after_id, oldest arrival first, at most `limit` and QUERY_COPY_BYTES, each as it
 *         came. A record that came without an identity gets one that is the same in every copy. last_id:
 *         where to go on; done: there are no more; passed_over: rows that no frame can carry, for example
 *         because they nest too deep
 *
 * Rows are flat objects. Ids are a store's own: a page that begins with before_id must be asked of the store
 * that gave it. Knows neither the city nor the link. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "store/reader.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    QUERY_PAGE_ROWS = 100,
    QUERY_INTERVALS_MAX = 8000,
    QUERY_DATA_MAX_BYTES = 800 * 1024, /* a page ends early rather than exceed what a reply may have */
    QUERY_COPY_BYTES = 48 * 1024,      /* of records in a copy: they go on in one frame */
};

typedef struct QueryJob QueryJob;

/* Begins to answer. `added_data`, copied, is for SYSTEM_STATUS JSON members to put into data
 * ("\"a\":1,\"b\":2"), for COPY_RECORDS the producer of the identities that are made up (it begins with
 * EVENT_COPY_PRODUCER); else NULL. 0; -EINVAL (a malformed request), -ENOENT (before_id names no row),
 * -ENOTSUP (not a query of the database), each with what was expected and what came; or db_error(). */
int query_begin(Reader *reader, const Query *query, const char *added_data, QueryJob **ret, Problem *problem);

typedef enum QueryProgress { QUERY_MORE, QUERY_DONE } QueryProgress;

/* Looks at up to `n_rows` further rows. QueryProgress, or db_error() or -ENOMEM: then the job can only be
 * freed. */
int query_step(QueryJob *job, int n_rows, Problem *problem);

/* After QUERY_DONE: the data member. Borrowed from the job. */
JsonText query_data(const QueryJob *job);

/* After the QUERY_DONE of a COPY_RECORDS: rows that are not in it. */
int query_n_passed_over(const QueryJob *job);

QueryJob *query_free(QueryJob *job); /* before its reader */
DEFINE_FREEP(QueryJob, query_free)
