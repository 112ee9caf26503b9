/* Between the files that answer queries; nobody else includes it. */
#pragma once

#include "store/json-out.h"
#include "store/queries.h"
#include "wire/timestamp.h"

#include <stdio.h>

/* A query's ways: begin checks the request and borrows statements, step looks at rows, both write JSON to
 * `out`. */
typedef struct QueryKind {
    const char *command;
    int (*begin)(QueryJob *job, Problem *problem);
    int (*step)(QueryJob *job, int n_rows, Problem *problem);
} QueryKind;

enum { QUERY_MEMBERS_MAX = 16 };

struct QueryJob {
    const QueryKind *kind;
    Reader *reader;
    Query query;
    char *added_data;

    /* the data member as it grows */
    FILE *out;
    char *text;
    size_t text_size;

    /* the statement it goes through, one at a time */
    sqlite3_stmt *statement;
    ReadStatement lent;

    /* lists and counts */
    int n_rows_left;
    int n_written;
    uint64_t interval_sec, bucket; /* bucket: number of the interval that is being counted */
    int64_t n_events;
    double n_vehicles;
    bool has_bucket, is_full;
    TimestampText seen; /* the timestamp seen last and its interval */
    uint64_t seen_bucket;

    /* the copy of a table */
    MessageTag copied;
    int64_t made_at, last_id;
    int n_passed_over;
    int columns[QUERY_MEMBERS_MAX]; /* of its members */

    /* the walk over intersections */
    char intersection[32];
    char *waves; /* JSON list of the intersections in a green wave, while the congested are written */
    size_t waves_size;
    FILE *waves_out;
};

extern const QueryKind query_history_kind, query_events_kind, query_counts_kind; /* query-list.c */
extern const QueryKind query_intersection_kind, query_status_kind;               /* query-summary.c */
extern const QueryKind query_copy_kind;                                          /* query-copy.c */

int query_lend(QueryJob *job, ReadStatement statement, Problem *problem);
void query_take_back(QueryJob *job);
int query_db_error(QueryJob *job, Problem *problem);

void query_bind_text(QueryJob *job, int parameter, const char *text);
/* A column of the current row, "" for NULL. */
const char *query_column_text(const QueryJob *job, int column);
