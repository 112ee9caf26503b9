/* Queries about the present: one intersection, and the whole city. */
#include "store/query-job.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- one intersection --- */

enum { RECENT_COUNT_MAX = 10, RECENT_ROWS_MAX = 5 };

typedef struct Readings {
    double queue_vehicles, speed_kmh, count_per_30_sec; /* NAN while unknown */
    TimestampText updated;
} Readings;

static bool is_number(const QueryJob *job, int column) {
    int type = sqlite3_column_type(job->statement, column);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

static void take_newest(double *value, bool is_given, double given) {
    if (isnan(*value) && is_given)
        *value = given;
}

/* One row of READ_READINGS_OF, newest first: what is known already is newer. */
static void read_readings_row(const QueryJob *job, Readings *readings) {
    const char *kind = query_column_text(job, 0);
    sqlite3_stmt *row = job->statement;
    double interval_sec = sqlite3_column_double(row, 4);
    bool is_camera = strcmp(kind, "camara") == 0;
    if (strcmp(kind, "camara_vista") == 0 || strcmp(kind, "espira_paso") == 0)
        return;
    if (readings->updated.text[0] == '\0')
        (void)snprintf(readings->updated.text, sizeof readings->updated.text, "%s",
                       query_column_text(job, 5));
    take_newest(&readings->queue_vehicles, is_camera && is_number(job, 1), sqlite3_column_double(row, 1));
    take_newest(&readings->speed_kmh, (is_camera || strcmp(kind, "gps") == 0) && is_number(job, 2),
                sqlite3_column_double(row, 2));
    take_newest(&readings->count_per_30_sec, is_number(job, 3) && interval_sec > 0,
                sqlite3_column_double(row, 3) * 30 / interval_sec);
}

static int read_readings(QueryJob *job, Readings *ret, Problem *problem) {
    Readings readings = {.queue_vehicles = NAN, .speed_kmh = NAN, .count_per_30_sec = NAN};
    int r = query_lend(job, READ_READINGS_OF, problem);
    if (r < 0)
        return r;
    query_bind_text(job, 1, job->query.intersection);
    bool is_complete = false;
    int rc = SQLITE_DONE;
    while (!is_complete && (rc = sqlite3_step(job->statement)) == SQLITE_ROW) {
        read_readings_row(job, &readings);
        is_complete = !isnan(readings.queue_vehicles) && !isnan(readings.speed_kmh) &&
                      !isnan(readings.count_per_30_sec);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = query_db_error(job, problem);
    query_take_back(job);
    if (r >= 0)
        *ret = readings;
    return r;
}

/* The first column of the statement's only row, or `otherwise`. */
static int write_single(QueryJob *job, ReadStatement statement, bool is_json, const char *otherwise,
                        Problem *problem) {
    int r = query_lend(job, statement, problem);
    if (r < 0)
        return r;
    query_bind_text(job, 1, job->query.intersection);
    int rc = sqlite3_step(job->statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = query_db_error(job, problem);
    else if (rc == SQLITE_DONE)
        fputs(otherwise, job->out);
    else if (is_json)
        fputs(query_column_text(job, 0), job->out);
    else
        write_json_string(job->out, query_column_text(job, 0));
    query_take_back(job);
    return r;
}

static int write_recent_events(QueryJob *job, Problem *problem) {
    char *rows[RECENT_ROWS_MAX] = {NULL};
    int r = query_lend(job, READ_EVENTS_OF, problem);
    if (r < 0)
        return r;
    query_bind_text(job, 1, "");
    query_bind_text(job, 2, "9999-12-31T23:59:59Z");
    sqlite3_bind_int64(job->statement, 3, INT64_MAX);
    query_bind_text(job, 5, job->query.intersection);
    int n = 0, rc = SQLITE_DONE;
    while (n < RECENT_COUNT_MAX && (rc = sqlite3_step(job->statement)) == SQLITE_ROW) {
        if (n < RECENT_ROWS_MAX)
            rows[n] = strdup(query_column_text(job, 0));
        n++;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = query_db_error(job, problem);
    query_take_back(job);
    fprintf(job->out, "\"recent_events_count\":%d,\"recent_events\":[", n);
    for (int i = 0; i < RECENT_ROWS_MAX; i++) {
        if (rows[i])
            fprintf(job->out, "%s%s", i ? "," : "", rows[i]);
        free(rows[i]);
    }
    fputs("]}", job->out);
    return r;
}

static void write_named_number(FILE *out, const char *name, double value) {
    fprintf(out, "\"%s\":", name);
    write_json_number(out, value);
    fputc(',', out);
}

static int begin_intersection(QueryJob *job, Problem *problem) {
    Readings readings;
    if (!message_has(&job->query, Query, intersection))
        return problem_set(problem, -EINVAL, "interseccion: expected the id of an intersection, got nothing");
    int r = read_readings(job, &readings, problem);
    if (r < 0)
        return r;
    fputs("{\"intersection\":", job->out);
    write_json_string(job->out, job->query.intersection);
    fputs(",\"current_readings\":{", job->out);
    write_named_number(job->out, "Q", readings.queue_vehicles);
    write_named_number(job->out, "Vp", readings.speed_kmh);
    write_named_number(job->out, "D", readings.count_per_30_sec);
    fputs("\"traffic_state\":", job->out);
    r = write_single(job, READ_NEWEST_STATE_OF, false, "\"NORMAL\"", problem);
    if (readings.updated.text[0] != '\0')
        fprintf(job->out, ",\"last_updated\":\"%s\"", readings.updated.text);
    else
        fputs(",\"last_updated\":null", job->out);
    fputs("},\"semaphore_state\":", job->out);
    if (r >= 0)
        r = write_single(job, READ_NEWEST_LIGHTS_OF, true, "null", problem);
    fputc(',', job->out);
    if (r >= 0)
        r = write_recent_events(job, problem);
    return r;
}

/* All of it was bounded and is written. */
static int step_intersection(QueryJob *job, int n_rows, Problem *problem) {
    (void)job, (void)n_rows, (void)problem;
    return QUERY_DONE;
}

/* --- the city --- */

static int begin_status(QueryJob *job, Problem *problem) {
    job->waves_out = open_memstream(&job->waves, &job->waves_size);
    if (!job->waves_out)
        return problem_set(problem, -ENOMEM, "out of memory");
    int r = query_lend(job, READ_TOTALS, problem);
    if (r < 0)
        return r;
    if (sqlite3_step(job->statement) == SQLITE_ROW)
        fprintf(job->out,
                "{\"db_summary\":{\"total_sensor_events\":%lld,\"total_congestion_detections\":%lld,"
                "\"total_green_waves\":%lld,\"total_semaphore_changes\":%lld},"
                "\"event_set\":{\"count\":%lld,\"hash\":\"%016llx\"},%s%s\"currently_congested\":[",
                sqlite3_column_int64(job->statement, 0), sqlite3_column_int64(job->statement, 1),
                sqlite3_column_int64(job->statement, 2), sqlite3_column_int64(job->statement, 3),
                sqlite3_column_int64(job->statement, 0),
                (unsigned long long)sqlite3_column_int64(job->statement, 6), job->added_data,
                job->added_data[0] ? "," : "");
    else
        r = query_db_error(job, problem);
    query_take_back(job);
    return r;
}

/* The next intersection of the history into job->intersection: one seek in its index. 1, 0 at the end. */
static int next_intersection(QueryJob *job, Problem *problem) {
    int r = query_lend(job, READ_NEXT_CONGESTED, problem);
    if (r < 0)
        return r;
    query_bind_text(job, 1, job->intersection);
    if (sqlite3_step(job->statement) != SQLITE_ROW)
        r = query_db_error(job, problem);
    else if (sqlite3_column_type(job->statement, 0) != SQLITE_NULL)
        r = snprintf(job->intersection, sizeof job->intersection, "%s", query_column_text(job, 0)) > 0;
    query_take_back(job);
    return r;
}

static void list_intersection(FILE *out, const char *id) {
    if (ftell(out) > 0)
        fputc(',', out);
    write_json_string(out, id);
}

static int place_intersection(QueryJob *job, Problem *problem) {
    int r = query_lend(job, READ_NEWEST_STATE_OF, problem);
    if (r < 0)
        return r;
    query_bind_text(job, 1, job->intersection);
    int rc = sqlite3_step(job->statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        r = query_db_error(job, problem);
    } else if (rc == SQLITE_ROW) {
        int state = word_index(traffic_state_words, query_column_text(job, 0));
        if (state == TRAFFIC_GREEN_WAVE) {
            list_intersection(job->waves_out, job->intersection);
        } else if (state == TRAFFIC_CONGESTION) {
            fputs(job->n_written++ ? "," : "", job->out);
            write_json_string(job->out, job->intersection);
        }
    }
    query_take_back(job);
    return r;
}

static int step_status(QueryJob *job, int n_rows, Problem *problem) {
    const int rows_per_intersection = 4; /* two seeks cost about what four rows of a range do */
    for (int i = 0; i < n_rows; i += rows_per_intersection) {
        int r = next_intersection(job, problem);
        if (r < 0)
            return r;
        if (r == 0) {
            fflush(job->waves_out);
            fprintf(job->out, "],\"currently_green_wave\":[%s]}", job->waves);
            return QUERY_DONE;
        }
        r = place_intersection(job, problem);
        if (r < 0)
            return r;
    }
    return QUERY_MORE;
}

const QueryKind query_intersection_kind = {"QUERY_INTERSECTION", begin_intersection, step_intersection};
const QueryKind query_status_kind = {"SYSTEM_STATUS", begin_status, step_status};
