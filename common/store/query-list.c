/* Queries over a time range: pages of rows, and counts per interval.
 *
 * Rows that another kind of sensor sent come back as NULL and are passed over here and not in SQL: a
 * statement that filters for itself may look at a million rows before it returns, and nobody could interrupt
 * it for the records that come in. */
#include "store/query-job.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char first_timestamp[] = "", last_timestamp[] = "9999-12-31T23:59:59Z";

/* Parameters 1 and 2 of every statement with a range; `from_offset_usec` is added to where it begins. */
static int bind_range(QueryJob *job, uint64_t from_offset_usec, Problem *problem) {
    const Query *query = &job->query;
    bool has_from = message_has(query, Query, from), has_to = message_has(query, Query, to);
    if (has_from && has_to && query->from.usec > query->to.usec)
        return problem_set(problem, -EINVAL,
                           "timestamp_inicio: expected no later than timestamp_fin (%s), got %s",
                           timestamp_format(query->to).text, timestamp_format(query->from).text);
    query_bind_text(job, 1,
                    has_from ? timestamp_format((Wall){query->from.usec + from_offset_usec}).text
                             : first_timestamp);
    query_bind_text(job, 2, has_to ? timestamp_format(query->to).text : last_timestamp);
    return 0;
}

/* --- pages --- */

/* When the row `before_id` is from. */
static int find_place(QueryJob *job, ReadStatement statement, TimestampText *ret, Problem *problem) {
    int r = query_lend(job, statement, problem);
    if (r < 0)
        return r;
    sqlite3_bind_int64(job->statement, 1, job->query.before_id);
    int rc = sqlite3_step(job->statement);
    if (rc == SQLITE_ROW)
        (void)snprintf(ret->text, sizeof ret->text, "%s", query_column_text(job, 0));
    else if (rc == SQLITE_DONE)
        r = problem_set(problem, -ENOENT, "before_id: this store has no row %" PRId64, job->query.before_id);
    else
        r = query_db_error(job, problem);
    query_take_back(job);
    return r;
}

static int begin_page(QueryJob *job, ReadStatement all, ReadStatement of_one, ReadStatement place,
                      const char *list, Problem *problem) {
    const Query *query = &job->query;
    TimestampText before = {.text = ""};
    int r = 0;
    if (message_has(query, Query, before_id))
        r = find_place(job, place, &before, problem);
    bool is_of_one = message_has(query, Query, intersection);
    if (r >= 0)
        r = query_lend(job, is_of_one ? of_one : all, problem);
    if (r >= 0)
        r = bind_range(job, 0, problem);
    if (r < 0)
        return r;

    bool is_before_end =
        before.text[0] != '\0' &&
        (!message_has(query, Query, to) || strcmp(before.text, timestamp_format(query->to).text) <= 0);
    if (is_before_end)
        query_bind_text(job, 2, before.text);
    sqlite3_bind_int64(job->statement, 3, is_before_end ? query->before_id - 1 : INT64_MAX);
    if (is_of_one)
        query_bind_text(job, 5, query->intersection);
    bool has_limit = message_has(query, Query, limit) && query->limit < QUERY_PAGE_ROWS;
    job->n_rows_left = has_limit ? (int)query->limit : QUERY_PAGE_ROWS;
    fprintf(job->out, "{\"%s\":[", list);
    return 0;
}

static int begin_history(QueryJob *job, Problem *problem) {
    return begin_page(job, READ_HISTORY, READ_HISTORY_OF, READ_HISTORY_PLACE, "records", problem);
}

static int begin_events(QueryJob *job, Problem *problem) {
    int r = begin_page(job, READ_EVENTS, READ_EVENTS_OF, READ_EVENT_PLACE, "events", problem);
    if (r >= 0 && message_has(&job->query, Query, sensor_type))
        query_bind_text(job, 4, job->query.sensor_type);
    return r;
}

static int end_page(QueryJob *job, bool is_more) {
    fprintf(job->out, "],\"more\":%s}", is_more ? "true" : "false");
    query_take_back(job);
    return QUERY_DONE;
}

static int step_page(QueryJob *job, int n_rows, Problem *problem) {
    for (int i = 0; i < n_rows; i++) {
        if (job->n_rows_left == 0 || (size_t)ftell(job->out) > QUERY_DATA_MAX_BYTES)
            return end_page(job, true);
        int rc = sqlite3_step(job->statement);
        if (rc == SQLITE_DONE)
            return end_page(job, false);
        if (rc != SQLITE_ROW)
            return query_db_error(job, problem);
        if (sqlite3_column_type(job->statement, 0) == SQLITE_NULL)
            continue;
        fprintf(job->out, "%s%s", job->n_written++ ? "," : "", query_column_text(job, 0));
        job->n_rows_left--;
    }
    return QUERY_MORE;
}

/* --- counts --- */

static int begin_counts(QueryJob *job, Problem *problem) {
    const Query *query = &job->query;
    if (!message_has(query, Query, interval_sec) || trunc(query->interval_sec) != query->interval_sec)
        return problem_set(problem, -EINVAL, "interval_sec: expected a whole number of seconds, got %.15g",
                           message_has(query, Query, interval_sec) ? query->interval_sec : 0);
    job->interval_sec = (uint64_t)query->interval_sec;
    bool is_of_one = message_has(query, Query, intersection);
    int r = query_lend(job, is_of_one ? READ_COUNTS_OF : READ_COUNTS, problem);
    if (r >= 0)
        r = bind_range(job, USEC_PER_SEC, problem); /* after `from`: timestamps are whole seconds */
    if (r < 0)
        return r;
    if (message_has(query, Query, sensor_type))
        query_bind_text(job, 3, query->sensor_type);
    if (is_of_one)
        query_bind_text(job, 4, query->intersection);
    fputs("{\"counts\":[", job->out);
    return 0;
}

static TimestampText bucket_start(const QueryJob *job, uint64_t bucket) {
    return timestamp_format((Wall){bucket * job->interval_sec * USEC_PER_SEC});
}

static void write_bucket(QueryJob *job) {
    if (!job->has_bucket || job->n_events == 0)
        return;
    fprintf(job->out, "%s{\"from\":\"%s\",\"events\":%" PRId64 ",\"vehicles\":", job->n_written++ ? "," : "",
            bucket_start(job, job->bucket).text, job->n_events);
    write_json_number(job->out, job->n_vehicles);
    fputc('}', job->out);
}

/* The interval of the current row: it includes its end, not its beginning. Neighbours in time mostly have the
 * very same timestamp. */
static uint64_t bucket_of_row(QueryJob *job) {
    const char *text = query_column_text(job, 0);
    if (strcmp(text, job->seen.text) != 0) {
        Wall instant = {0};
        (void)timestamp_parse(text, strlen(text), &instant);
        (void)snprintf(job->seen.text, sizeof job->seen.text, "%s", text);
        uint64_t second = instant.usec / USEC_PER_SEC;
        job->seen_bucket = (second > 0 ? second - 1 : 0) / job->interval_sec;
    }
    return job->seen_bucket;
}

static int end_counts(QueryJob *job, bool is_complete) {
    fputc(']', job->out);
    if (!is_complete)
        fprintf(job->out, ",\"next\":\"%s\"", bucket_start(job, job->bucket).text);
    fputc('}', job->out);
    query_take_back(job);
    return QUERY_DONE;
}

static int step_counts(QueryJob *job, int n_rows, Problem *problem) {
    for (int i = 0; i < n_rows; i++) {
        int rc = sqlite3_step(job->statement);
        if (rc == SQLITE_DONE) {
            write_bucket(job);
            return end_counts(job, true);
        }
        if (rc != SQLITE_ROW)
            return query_db_error(job, problem);
        uint64_t bucket = bucket_of_row(job);
        if (!job->has_bucket || bucket != job->bucket) {
            write_bucket(job);
            job->bucket = bucket;
            job->has_bucket = true;
            job->n_events = 0;
            job->n_vehicles = 0;
            if (job->n_written == QUERY_INTERVALS_MAX)
                return end_counts(job, false);
        }
        if (sqlite3_column_int(job->statement, 2)) {
            job->n_events++;
            job->n_vehicles += sqlite3_column_double(job->statement, 1);
        }
    }
    return QUERY_MORE;
}

const QueryKind query_history_kind = {"QUERY_HISTORY", begin_history, step_page};
const QueryKind query_events_kind = {"QUERY_EVENTS", begin_events, step_page};
const QueryKind query_counts_kind = {"COUNT_EVENTS", begin_counts, step_counts};
