/* What each verb asks and which columns it shows. The questions are the Query messages of the wire; the
 * stores and analytics decide, trafficctl only asks and shows. */
#include "verbs.h"

#include "when.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- from answer to exit status --- */

ExitStatus exit_of_answer(const Answer *answer) {
    static const ExitStatus by_cause[REPLY_CAUSE_COUNT] = {
        [CAUSE_NOT_FOUND] = EXIT_NOT_FOUND,
        [CAUSE_BAD_REQUEST] = EXIT_USAGE_ERROR,
        [CAUSE_REFUSED] = EXIT_REFUSED,
        [CAUSE_UNAVAILABLE] = EXIT_UNREACHABLE,
    };
    if (answer->status == REPLY_ERROR)
        return answer->has_cause ? by_cause[answer->cause] : EXIT_FAILED;
    return answer->is_degraded ? EXIT_DEGRADED : EXIT_OK;
}

/* Asks, says what a person should know beside the data, and in JSON prints the reply as it came. EXIT_OK and
 * EXIT_DEGRADED mean that there is data to show. */
static ExitStatus ask(Context *context, const Query *query, Answer *ret) {
    int r = client_ask(context->client, query, ret, &context->problem);
    if (r == -ETIMEDOUT)
        return EXIT_UNREACHABLE;
    if (r < 0)
        return EXIT_FAILED;
    ExitStatus status = exit_of_answer(ret);
    if (context->request->format == OUTPUT_JSON)
        output_json(stdout, ret->whole);
    if (ret->status == REPLY_ERROR)
        problem_set(&context->problem, 0, "%s", ret->message);
    else if (ret->is_degraded)
        fprintf(stderr, "trafficctl: degraded: %s\n", ret->message);
    return status;
}

static bool has_data(const Context *context, ExitStatus status, const Answer *answer) {
    return (status == EXIT_OK || status == EXIT_DEGRADED) && context->request->format != OUTPUT_JSON &&
           answer->data;
}

static ExitStatus show(ExitStatus status, int shown) {
    return shown < 0 ? EXIT_FAILED : status;
}

/* --- building questions --- */

void query_begin(Query *query, const char *command) {
    memset(query, 0, sizeof *query);
    (void)snprintf(query->command, sizeof query->command, "%s", command);
    message_mark(query, Query, command);
}

#define QUERY_TEXT(query, member, value)                                                                     \
    do {                                                                                                     \
        if (value) {                                                                                         \
            (void)snprintf((query)->member, sizeof(query)->member, "%s", value);                             \
            message_mark(query, Query, member);                                                              \
        }                                                                                                    \
    } while (0)

static int query_instant(Context *context, const char *text, Wall *ret, bool *ret_given) {
    if (!text)
        return 0;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    Wall wall = {(uint64_t)now.tv_sec * USEC_PER_SEC};
    *ret_given = true;
    return when_parse(text, wall, ret, &context->problem);
}

/* --from and --to, or the first two arguments of history. */
static int query_range(Context *context, Query *query, const char *from, const char *to) {
    bool has_from = false, has_to = false;
    int r = query_instant(context, from, &query->from, &has_from);
    if (r >= 0)
        r = query_instant(context, to, &query->to, &has_to);
    if (has_from)
        message_mark(query, Query, from);
    if (has_to)
        message_mark(query, Query, to);
    return r;
}

static const char *argument(const Context *context, size_t i) {
    return i < context->request->n_arguments ? context->request->arguments[i] : NULL;
}

static ExitStatus usage(Context *context, const char *expected) {
    problem_set(&context->problem, 0, "%s", expected);
    return EXIT_USAGE_ERROR;
}

/* --- reading verbs --- */

static ExitStatus verb_status(Context *context) {
    static const Column summary[] = {
        {"intersections", "/total_intersections"},
        {"answering store", "/answering_store"},
        {"PC3 alive", "/pc3_alive"},
        {"sensor events", "/db_summary/total_sensor_events"},
        {"congestion detections", "/db_summary/total_congestion_detections"},
        {"green waves", "/db_summary/total_green_waves"},
        {"light changes", "/db_summary/total_semaphore_changes"},
        {"camera events/s", "/events_per_second/camera"},
        {"inductive events/s", "/events_per_second/inductive"},
        {"GPS events/s", "/events_per_second/gps"},
        {"congested now", "/currently_congested"},
        {"green wave now", "/currently_green_wave"},
    };
    static const Column stores[] = {
        {"STORE", "/role"}, {"STATE", "/state"}, {"ROWS WAITING", "/rows_waiting"}, {"SKIPPED", "/skipped"}};

    Query query;
    Answer answer = {0};
    query_begin(&query, "SYSTEM_STATUS");
    ExitStatus status = ask(context, &query, &answer);
    if (has_data(context, status, &answer)) {
        struct json_object *list;
        OutputFormat format = context->request->format;
        status = show(status, output_summary(stdout, format, answer.data, summary, ARRAY_LEN(summary)));
        if (format == OUTPUT_TABLE && json_object_object_get_ex(answer.data, "stores", &list)) {
            fputc('\n', stdout);
            status = show(status, output_rows(stdout, format, list, stores, ARRAY_LEN(stores)));
        }
    }
    answer_clear(&answer);
    return status;
}

static ExitStatus verb_intersection(Context *context) {
    static const Column summary[] = {
        {"intersection", "/intersection"},
        {"traffic", "/current_readings/traffic_state"},
        {"Q (vehicles halted)", "/current_readings/Q"},
        {"Vp (km/h)", "/current_readings/Vp"},
        {"D (vehicles per 30 s)", "/current_readings/D"},
        {"last reading", "/current_readings/last_updated"},
        {"NS light", "/semaphore_state/state_ns"},
        {"EW light", "/semaphore_state/state_ew"},
        {"since", "/semaphore_state/timestamp"},
        {"because", "/semaphore_state/reason"},
    };
    static const Column events[] = {{"TIME", "/timestamp"},
                                    {"SENSOR", "/sensor_id"},
                                    {"KIND", "/tipo_sensor"},
                                    {"READINGS", EVENT_POINTER}};

    Query query;
    Answer answer = {0};
    query_begin(&query, "QUERY_INTERSECTION");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    ExitStatus status = ask(context, &query, &answer);
    if (has_data(context, status, &answer)) {
        struct json_object *list;
        OutputFormat format = context->request->format;
        status = show(status, output_summary(stdout, format, answer.data, summary, ARRAY_LEN(summary)));
        if (format == OUTPUT_TABLE && json_object_object_get_ex(answer.data, "recent_events", &list)) {
            fputc('\n', stdout);
            status = show(status, output_rows(stdout, format, list, events, ARRAY_LEN(events)));
        }
    }
    answer_clear(&answer);
    return status;
}

/* A store gives at most this many rows a reply; more come page by page, each asking for what is older than
 * the last. */
enum { PAGE_ROWS = 100 };

static int64_t last_row_id(struct json_object *rows) {
    struct json_object *id = NULL;
    size_t n = json_object_array_length(rows);
    if (n == 0 || json_pointer_get(json_object_array_get_idx(rows, n - 1), "/id", &id) < 0)
        return 0;
    return json_object_get_int64(id);
}

/* Rows of one list member of the reply, over as many pages as --limit asks for. */
static ExitStatus list_rows(Context *context, Query *query, const char *member, const Column *columns,
                            size_t n_columns) {
    long wanted = context->request->given & OPTION_LIMIT ? context->request->limit : PAGE_ROWS;
    ExitStatus status = EXIT_OK;
    struct json_object *all = json_object_new_array();

    for (bool is_more = all != NULL; is_more && wanted > 0;) {
        Answer answer = {0};
        struct json_object *rows;
        query->limit = wanted < PAGE_ROWS ? wanted : PAGE_ROWS;
        message_mark(query, Query, limit);
        status = ask(context, query, &answer);
        is_more = false;
        if (has_data(context, status, &answer) && json_object_object_get_ex(answer.data, member, &rows)) {
            size_t n = json_object_array_length(rows);
            for (size_t i = 0; i < n; i++)
                json_object_array_add(all, json_object_get(json_object_array_get_idx(rows, i)));
            wanted -= (long)n;
            is_more = n == (size_t)query->limit;
            query->before_id = last_row_id(rows);
            message_mark(query, Query, before_id);
        }
        answer_clear(&answer);
    }
    if ((status == EXIT_OK || status == EXIT_DEGRADED) && context->request->format != OUTPUT_JSON)
        status = show(status, output_rows(stdout, context->request->format, all, columns, n_columns));
    json_object_put(all);
    return status;
}

static ExitStatus verb_history(Context *context) {
    static const Column columns[] = {{"TIME", "/timestamp"},      {"INTERSECTION", "/interseccion"},
                                     {"STATE", "/traffic_state"}, {"DECISION", "/decision"},
                                     {"DETAILS", "/details"},     {"READINGS", "/sensor_data"}};
    const Request *request = context->request;
    Query query;
    query_begin(&query, "QUERY_HISTORY");
    QUERY_TEXT(&query, intersection, request->intersection);
    if (query_range(context, &query, argument(context, 0) ? argument(context, 0) : request->from,
                    argument(context, 1) ? argument(context, 1) : request->to) < 0)
        return EXIT_USAGE_ERROR;
    return list_rows(context, &query, "records", columns, ARRAY_LEN(columns));
}

static ExitStatus verb_events(Context *context) {
    static const Column columns[] = {{"ID", "/id"},
                                     {"TIME", "/timestamp"},
                                     {"SENSOR", "/sensor_id"},
                                     {"KIND", "/tipo_sensor"},
                                     {"INTERSECTION", "/interseccion"},
                                     {"READINGS", EVENT_POINTER}};
    const Request *request = context->request;
    Query query;
    query_begin(&query, "QUERY_EVENTS");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    QUERY_TEXT(&query, sensor_type, request->kind);
    if (query_range(context, &query, request->from, request->to) < 0)
        return EXIT_USAGE_ERROR;
    return list_rows(context, &query, "events", columns, ARRAY_LEN(columns));
}

static ExitStatus verb_counts(Context *context) {
    static const Column columns[] = {{"FROM", "/from"}, {"EVENTS", "/events"}, {"VEHICLES", "/vehicles"}};
    const Request *request = context->request;
    Query query;
    Answer answer = {0};
    query_begin(&query, "COUNT_EVENTS");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    QUERY_TEXT(&query, sensor_type, request->kind);
    query.interval_sec = request->given & OPTION_INTERVAL ? request->interval_sec : 3600;
    message_mark(&query, Query, interval_sec);
    if (query_range(context, &query, request->from, request->to) < 0)
        return EXIT_USAGE_ERROR;
    ExitStatus status = ask(context, &query, &answer);
    struct json_object *list;
    if (has_data(context, status, &answer) && json_object_object_get_ex(answer.data, "counts", &list))
        status = show(status, output_rows(stdout, request->format, list, columns, ARRAY_LEN(columns)));
    answer_clear(&answer);
    return status;
}

/* Everybody who answers queries is asked by itself, so that the table shows who is there. */
static ExitStatus verb_health(Context *context) {
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

/* --- acting verbs --- */

static void query_sign(const Context *context, Query *query) {
    const Request *request = context->request;
    QUERY_TEXT(query, reason, request->reason);
    const struct passwd *user = getpwuid(getuid());
    QUERY_TEXT(query, requested_by, user ? user->pw_name : NULL);
    if (request->given & OPTION_DURATION) {
        query->duration_sec = request->duration_sec;
        message_mark(query, Query, duration_sec);
    }
}

static ExitStatus act(Context *context, const Query *query) {
    Answer answer = {0};
    ExitStatus status = ask(context, query, &answer);
    if (has_data(context, status, &answer))
        printf("%s\n", answer.message);
    answer_clear(&answer);
    return status;
}

static ExitStatus verb_wave(Context *context) {
    static const char expected[] = "expected: wave row LETTER, wave column NUMBER, or both";
    Query query;
    query_begin(&query, "FORCE_GREEN_WAVE");
    for (size_t i = 0; i < context->request->n_arguments; i += 2) {
        const char *axis = argument(context, i), *value = argument(context, i + 1);
        if (!value)
            return usage(context, expected);
        if (strcmp(axis, "row") == 0) {
            QUERY_TEXT(&query, row, value);
        } else if (strcmp(axis, "column") == 0) {
            char *end;
            errno = 0;
            query.column = strtol(value, &end, 10);
            if (errno || end == value || *end != '\0' || query.column < 0)
                return usage(context, expected);
            message_mark(&query, Query, column);
        } else {
            return usage(context, expected);
        }
    }
    query_sign(context, &query);
    return act(context, &query);
}

static ExitStatus verb_signal(Context *context) {
    Query query;
    int direction = word_index(direction_words, argument(context, 1));
    if (direction < 0)
        return usage(context, "expected: signal INTERSECTION NS|EW");
    query_begin(&query, "FORCE_SEMAPHORE");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    QUERY_TEXT(&query, new_state, colour_words[direction == DIRECTION_NS ? COLOUR_GREEN : COLOUR_RED]);
    query.direction = direction;
    message_mark(&query, Query, direction);
    query_sign(context, &query);
    return act(context, &query);
}

/* --- the table --- */

const Verb verbs[] = {
    {"status", "", "the whole city: events, lights, stores, which one answers", 0, 0, 0, verb_status},
    {"intersection", "ID", "one intersection: readings, lights, last events", 1, 1, 0, verb_intersection},
    {"history", "[FROM [TO]]", "congestion records, newest first", 0, 2,
     OPTION_FROM | OPTION_TO | OPTION_LIMIT | OPTION_INTERSECTION, verb_history},
    {"events", "[ID]", "sensor events, newest first", 0, 1,
     OPTION_FROM | OPTION_TO | OPTION_LIMIT | OPTION_KIND, verb_events},
    {"counts", "[ID]", "events and counted vehicles per interval", 0, 1,
     OPTION_FROM | OPTION_TO | OPTION_KIND | OPTION_INTERVAL, verb_counts},
    {"wave", "row R | column C", "green wave along a street, for an ambulance", 2, 4,
     OPTION_REASON | OPTION_DURATION, verb_wave},
    {"signal", "ID NS|EW", "ask one intersection's lights to change", 2, 2, OPTION_REASON | OPTION_DURATION,
     verb_signal},
    {"health", "", "who answers, and how fast", 0, 0, 0, verb_health},
    {"backup", "FILE", "a consistent copy of a store's database", 1, 1, OPTION_STORE, verb_backup},
    {"config", "check | cat", "check the configuration and who can be reached; show what came from where", 1,
     1, 0, verb_config},
};
const size_t n_verbs = ARRAY_LEN(verbs);

const char *verb_option_name(VerbOption option) {
    switch (option) {
    case OPTION_REASON:
        return "--reason";
    case OPTION_DURATION:
        return "--duration";
    case OPTION_FROM:
        return "--from";
    case OPTION_TO:
        return "--to";
    case OPTION_LIMIT:
        return "--limit";
    case OPTION_KIND:
        return "--kind";
    case OPTION_INTERVAL:
        return "--interval";
    case OPTION_STORE:
        return "--store";
    case OPTION_INTERSECTION:
        return "--intersection";
    }
    return "?";
}

static const Verb *verb_find(const char *name) {
    for (size_t i = 0; i < n_verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int verb_check(Context *context, const Verb *verb) {
    const Request *request = context->request;
    if (request->n_arguments < verb->min_arguments || request->n_arguments > verb->max_arguments)
        return problem_set(&context->problem, -EINVAL, "usage: trafficctl %s %s", verb->name,
                           verb->arguments);
    unsigned refused = request->given & ~verb->options;
    if (refused)
        return problem_set(&context->problem, -EINVAL, "%s does not go with \"%s\"",
                           verb_option_name((VerbOption)(refused & -refused)), verb->name);
    return 0;
}

ExitStatus verb_run(Context *context) {
    const Verb *verb = verb_find(context->request->verb);
    if (!verb) {
        const char *names[ARRAY_LEN(verbs)], *nearest;
        for (size_t i = 0; i < n_verbs; i++)
            names[i] = verbs[i].name;
        nearest = closest_word(context->request->verb, names, n_verbs);
        fprintf(stderr, "trafficctl: unknown verb \"%s\"%s%s%s; see trafficctl --help\n",
                context->request->verb, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                nearest ? "\"?" : "");
        return EXIT_USAGE_ERROR;
    }
    context->problem.text[0] = '\0';
    ExitStatus status = verb_check(context, verb) < 0 ? EXIT_USAGE_ERROR : verb->run(context);
    if (status != EXIT_OK && context->problem.text[0])
        fprintf(stderr, "trafficctl: %s\n", context->problem.text);
    return status;
}
