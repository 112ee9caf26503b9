/* wave: green waves along a row, a column or a route; where the ambulance is by now; and their end. */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char expected[] =
    "expected: wave row NAME, wave column NUMBER, or both; wave route INTERSECTION...; wave "
    "move WAVE INTERSECTION METRES; wave cancel WAVE";

/* A number that ends where the word ends. */
static bool read_number(const char *text, double *ret) {
    char *end;
    errno = 0;
    *ret = strtod(text, &end);
    return !errno && end != text && *end == '\0' && *ret >= 0 && *ret <= 1e9;
}

static bool read_column(const char *text, Query *query) {
    char *end;
    errno = 0;
    query->column = strtol(text, &end, 10);
    message_mark(query, Query, column);
    return !errno && end != text && *end == '\0' && query->column >= 0;
}

/* "row B", "column 3", or both. */
static bool read_streets(const Context *context, Query *query) {
    for (size_t i = 0; i < context->request->n_arguments; i += 2) {
        const char *axis = argument(context, i), *value = argument(context, i + 1);
        if (!value)
            return false;
        if (strcmp(axis, "row") == 0 && !message_has(query, Query, row)) {
            QUERY_TEXT(query, row, value);
        } else if (strcmp(axis, "column") != 0 || message_has(query, Query, column) ||
                   !read_column(value, query)) {
            return false;
        }
    }
    return true;
}

static void give_numbers(const Request *request, Query *query) {
    if (request->given & OPTION_PROGRESSIVE) {
        message_set(query, Query, wave_mode, WAVE_PROGRESSIVE);
    }
    if (request->given & OPTION_PRIORITY) {
        message_set(query, Query, priority, request->priority);
    }
    if (request->given & OPTION_SPEED) {
        message_set(query, Query, speed_kmh, request->speed_kmh);
    }
    if (request->given & OPTION_ETA) {
        message_set(query, Query, eta_sec, request->eta_sec);
    }
}

static void show_stops(const Context *context, const Answer *answer) {
    static const Column columns[] = {{"INTERSECTION", "/intersection"},
                                     {"PHASE", "/phase"},
                                     {"STATE", "/state"},
                                     {"ASKED IN (s)", "/asked_in"},
                                     {"PASSES IN (s)", "/passes_in"},
                                     {"UNTIL (s)", "/until"},
                                     {"BECAUSE", "/because"}};
    struct json_object *stops;
    if (context->request->format != OUTPUT_JSON && json_object_object_get_ex(answer->data, "stops", &stops))
        (void)output_rows(stdout, context->request->format, stops, columns, ARRAY_LEN(columns));
}

/* The order, and for a progressive wave when each intersection has its turn. */
static ExitStatus order(Context *context, Query *query) {
    Answer answer = {0};
    bool shows_stops = context->request->given & OPTION_PROGRESSIVE;
    query_sign(context, query);
    give_numbers(context->request, query);
    ExitStatus status = ask(context, query, &answer);
    if (has_data(status, &answer)) {
        show_acted(context, &answer);
        if (shows_stops)
            show_stops(context, &answer);
    }
    answer_clear(&answer);
    return status;
}

static ExitStatus order_route(Context *context, Query *query) {
    struct json_object *ids = json_object_new_array();
    for (size_t i = 1; i < context->request->n_arguments; i++)
        json_object_array_add(ids, json_object_new_string(argument(context, i)));
    JsonText text;
    text.text = json_object_to_json_string_length(ids, JSON_C_TO_STRING_PLAIN, &text.size);
    message_set(query, Query, route, text);
    ExitStatus status = order(context, query);
    json_object_put(ids);
    return status;
}

static ExitStatus move(Context *context) {
    Query query;
    const char *metres = argument(context, 3);
    query_begin(&query, "MOVE_GREEN_WAVE");
    QUERY_TEXT(&query, wave, argument(context, 1));
    QUERY_TEXT(&query, intersection, argument(context, 2));
    if (context->request->n_arguments != 4 || !read_number(metres, &query.distance_metres))
        return usage(context, expected);
    message_mark(&query, Query, distance_metres);
    give_numbers(context->request, &query);
    return ask_to_act(context, &query);
}

static ExitStatus cancel(Context *context) {
    Query query;
    if (context->request->n_arguments != 2)
        return usage(context, expected);
    query_begin(&query, "CANCEL_GREEN_WAVE");
    QUERY_TEXT(&query, wave, argument(context, 1));
    query_sign(context, &query);
    return ask_to_act(context, &query);
}

ExitStatus verb_wave(Context *context) {
    const char *what = argument(context, 0);
    Query query;
    if (strcmp(what, "move") == 0)
        return move(context);
    if (strcmp(what, "cancel") == 0)
        return cancel(context);
    query_begin(&query, "FORCE_GREEN_WAVE");
    if (strcmp(what, "route") == 0)
        return order_route(context, &query);
    return read_streets(context, &query) ? order(context, &query) : usage(context, expected);
}
