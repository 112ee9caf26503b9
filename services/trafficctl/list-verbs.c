/* history, events, counts: lists that come page by page. A store gives only so much in one reply and says
 * whether there is more; the pages are put together here, so that --json and --csv are one document too. */
#include "ask.h"

#include "wire/event.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_ROWS = 100 }; /* the most that a store gives at once */

/* Sets `query` to ask for what follows `page`; false when nothing does. */
typedef bool (*NextPageFn)(Query *query, struct json_object *page, struct json_object *rows);

typedef struct List {
    const char *member; /* of the reply's data that holds the rows */
    NextPageFn next_page;
    const Column *columns;
    size_t n_columns;
} List;

/* Rows go from new to old: the next page is what is older than the last row. */
static bool next_older(Query *query, struct json_object *page, struct json_object *rows) {
    struct json_object *more = NULL, *id = NULL;
    size_t n = json_object_array_length(rows);
    if (n == 0 || !json_object_object_get_ex(page, "more", &more) || !json_object_get_boolean(more) ||
        json_pointer_get(json_object_array_get_idx(rows, n - 1), "/id", &id) < 0)
        return false;
    message_set(query, Query, before_id, json_object_get_int64(id));
    return true;
}

/* Intervals go from old to new: the next page begins where this one ended. */
static bool next_later(Query *query, struct json_object *page, struct json_object *rows) {
    (void)rows;
    struct json_object *next = NULL;
    if (!json_object_object_get_ex(page, "next", &next))
        return false;
    message_mark(query, Query, from);
    return timestamp_parse(json_object_get_string(next), (size_t)json_object_get_string_len(next),
                           &query->from) == 0;
}

/* One page; what it has is moved to `all`. */
static ExitStatus fetch_page(Context *context, Query *query, const List *list, struct json_object *all,
                             bool *ret_more) {
    Answer answer = {0};
    struct json_object *rows;
    ExitStatus status = ask(context, query, &answer);
    *ret_more = false;
    if (has_data(status, &answer) && json_object_object_get_ex(answer.data, list->member, &rows)) {
        for (size_t i = 0; i < json_object_array_length(rows); i++)
            json_object_array_add(all, json_object_get(json_object_array_get_idx(rows, i)));
        *ret_more = list->next_page(query, answer.data, rows);
    }
    answer_clear(&answer);
    return status;
}

/* At most `wanted` rows, over as many pages as that takes. */
static ExitStatus list_rows(Context *context, Query *query, const List *list, size_t wanted) {
    struct json_object *all = json_object_new_array(), *document = json_object_new_object();
    ExitStatus status = EXIT_FAILED;
    for (bool is_more = true; is_more && json_object_array_length(all) < wanted;) {
        size_t left = wanted - json_object_array_length(all);
        message_set(query, Query, limit, left < PAGE_ROWS ? (int64_t)left : PAGE_ROWS);
        status = fetch_page(context, query, list, all, &is_more);
    }
    bool is_complete = status == EXIT_OK || status == EXIT_DEGRADED;
    json_object_object_add(document, list->member, all);
    if (is_complete && context->request->format == OUTPUT_JSON)
        output_json(stdout, document);
    else if (is_complete)
        status =
            show(status, output_rows(stdout, context->request->format, all, list->columns, list->n_columns));
    json_object_put(document);
    return status;
}

static size_t wanted_rows(const Context *context) {
    const Request *request = context->request;
    return request->given & OPTION_LIMIT ? (size_t)request->limit : PAGE_ROWS;
}

/* The kinds by our names or by those on the wire. */
static int query_kind(Context *context, Query *query) {
    const char *word = context->request->kind;
    if (!word)
        return 0;
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        const char *type = event_sensor_type(event_tags[i]);
        if (strcmp(word, event_word(event_tags[i])) == 0 || strcmp(word, type) == 0) {
            QUERY_TEXT(query, sensor_type, type);
            return 0;
        }
    }
    return problem_set(&context->problem, -EINVAL,
                       "--kind: expected camera, view, inductive, passage or gps, got \"%.40s\"", word);
}

ExitStatus verb_history(Context *context) {
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
    const List list = {"records", next_older, columns, ARRAY_LEN(columns)};
    return list_rows(context, &query, &list, wanted_rows(context));
}

ExitStatus verb_events(Context *context) {
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
    if (query_kind(context, &query) < 0 || query_range(context, &query, request->from, request->to) < 0)
        return EXIT_USAGE_ERROR;
    const List list = {"events", next_older, columns, ARRAY_LEN(columns)};
    return list_rows(context, &query, &list, wanted_rows(context));
}

ExitStatus verb_counts(Context *context) {
    static const Column columns[] = {{"FROM", "/from"}, {"EVENTS", "/events"}, {"VEHICLES", "/vehicles"}};
    const Request *request = context->request;
    Query query;
    query_begin(&query, "COUNT_EVENTS");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    query.interval_sec = request->given & OPTION_INTERVAL ? request->interval_sec : 3600;
    message_mark(&query, Query, interval_sec);
    if (query_kind(context, &query) < 0 || query_range(context, &query, request->from, request->to) < 0)
        return EXIT_USAGE_ERROR;
    const List list = {"counts", next_later, columns, ARRAY_LEN(columns)};
    return list_rows(context, &query, &list, SIZE_MAX);
}
