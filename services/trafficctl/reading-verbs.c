/* status, intersection, health: one question, one picture. */
#include "ask.h"

#include <stdio.h>
#include <time.h>

/* A summary and, in a table, a list below it. */
typedef struct Picture {
    const Column *summary;
    size_t n_lines;
    const char *list; /* its member of the reply's data */
    const Column *columns;
    size_t n_columns;
} Picture;

static ExitStatus show_picture(Context *context, const Query *query, const Picture *picture) {
    OutputFormat format = context->request->format;
    Answer answer = {0};
    ExitStatus status = ask(context, query, &answer);
    if (has_data(status, &answer) && format == OUTPUT_JSON) {
        output_json(stdout, answer.whole);
    } else if (has_data(status, &answer)) {
        struct json_object *list;
        status =
            show(status, output_summary(stdout, format, answer.data, picture->summary, picture->n_lines));
        if (format == OUTPUT_TABLE && json_object_object_get_ex(answer.data, picture->list, &list)) {
            fputc('\n', stdout);
            status = show(status, output_rows(stdout, format, list, picture->columns, picture->n_columns));
        }
    }
    answer_clear(&answer);
    return status;
}

ExitStatus verb_status(Context *context) {
    static const Column summary[] = {
        {"intersections", "/total_intersections"},
        {"answering store", "/answering_store"},
        {"PC3 alive", "/pc3_alive"},
        {"stores alike but for backlog", "/stores_agree"},
        {"outbox (bytes)", "/outbox/bytes"},
        {"in both stores after (s, p99)", "/durable_seconds/p99"},
        {"sensor events", "/db_summary/total_sensor_events"},
        {"congestion detections", "/db_summary/total_congestion_detections"},
        {"green waves", "/db_summary/total_green_waves"},
        {"light changes", "/db_summary/total_semaphore_changes"},
        {"camera events/s", "/events_per_second/camera"},
        {"inductive events/s", "/events_per_second/inductive"},
        {"GPS events/s", "/events_per_second/gps"},
        {"planner decides at", "/policies/planner"},
        {"policies that see nothing", "/sight/blind"},
        {"congested now", "/currently_congested"},
        {"green wave now", "/currently_green_wave"},
    };
    static const Column stores[] = {{"STORE", "/role"},
                                    {"STATE", "/state"},
                                    {"CAN COMMIT", "/can_commit"},
                                    {"BACKLOG", "/backlog"},
                                    {"REFILL", "/needs_refill"}};

    static const Picture picture = {summary, ARRAY_LEN(summary), "stores", stores, ARRAY_LEN(stores)};
    Query query;
    query_begin(&query, "SYSTEM_STATUS");
    return show_picture(context, &query, &picture);
}

ExitStatus verb_intersection(Context *context) {
    static const Column summary[] = {
        {"intersection", "/intersection"},
        {"traffic", "/current_readings/traffic_state"},
        {"Q (vehicles halted)", "/current_readings/Q"},
        {"Vp (km/h)", "/current_readings/Vp"},
        {"D (vehicles per 30 s)", "/current_readings/D"},
        {"last reading", "/current_readings/last_updated"},
        {"policy", "/control/policy"},
        {"sees by", "/control/rung"},
        {"wants phase", "/control/wants"},
        {"phase", "/control/phase"},
        {"lights", "/control/groups"},
        {"lights follow", "/control/mode"},
        {"next change (s)", "/lights/next_change"},
        {"NS light", "/semaphore_state/state_ns"},
        {"EW light", "/semaphore_state/state_ew"},
        {"since", "/semaphore_state/timestamp"},
        {"because", "/semaphore_state/reason"},
    };
    static const Column events[] = {{"TIME", "/timestamp"},
                                    {"SENSOR", "/sensor_id"},
                                    {"KIND", "/tipo_sensor"},
                                    {"READINGS", EVENT_POINTER}};

    static const Picture picture = {summary, ARRAY_LEN(summary), "recent_events", events, ARRAY_LEN(events)};
    Query query;
    query_begin(&query, "QUERY_INTERSECTION");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    return show_picture(context, &query, &picture);
}

/* Everybody who answers queries is asked by itself, so that the table shows who is there. */
ExitStatus verb_health(Context *context) {
    static const EndpointId asked[] = {ENDPOINT_QUERIES, ENDPOINT_QUERY_PRIMARY, ENDPOINT_QUERY_REPLICA};
    static const Column columns[] = {{"SERVICE", "/service"}, {"ANSWER", "/answer"}, {"MS", "/ms"}};
    struct json_object *rows = json_object_new_array();
    double timeout_sec = context->request->timeout_sec / ARRAY_LEN(asked);
    size_t n_answered = 0;
    Query query;

    query_begin(&query, "HEALTH_CHECK");
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        Answer answer = {0};
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        int r = client_ask_at(context->client, asked[i], &query, timeout_sec, &answer, &context->problem);
        clock_gettime(CLOCK_MONOTONIC, &after);
        double msec =
            (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6;
        struct json_object *row = json_object_new_object();
        char text[32];
        (void)snprintf(text, sizeof text, "%.1f", msec);
        json_object_object_add(row, "service", json_object_new_string(endpoints[asked[i]].binder));
        json_object_object_add(row, "answer", json_object_new_string(r < 0 ? "no answer" : answer.message));
        json_object_object_add(row, "ms", json_object_new_double_s(msec, text));
        json_object_array_add(rows, row);
        n_answered += r >= 0 && answer.status != REPLY_ERROR;
        answer_clear(&answer);
    }
    ExitStatus status = n_answered == ARRAY_LEN(asked) ? EXIT_OK
                        : n_answered == 0              ? EXIT_UNREACHABLE
                                                       : EXIT_DEGRADED;
    if (context->request->format == OUTPUT_JSON)
        output_json(stdout, rows);
    else
        status =
            show(status, output_rows(stdout, context->request->format, rows, columns, ARRAY_LEN(columns)));
    json_object_put(rows);
    return status;
}
