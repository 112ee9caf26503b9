/* Orders of an operator. They are carried out even while a store is behind: an ambulance does not wait for
 * a database. */
#include "operator.h"

#include "base/text.h"
#include "reply.h"
#include "shell/city-clock.h"
#include "shell/journal.h"

#include <errno.h>
#include <json-c/json_object.h>
#include <stdio.h>
#include <string.h>

enum { REASON_MAX_BYTES = sizeof((SignalCommand){0}.reason) - 1 };

static const char default_reason[] = "operator request";

static const char *reason_of(const Query *query) {
    return message_has(query, Query, reason) ? query->reason : default_reason;
}

/* "green wave row_B: ambulance", cut to what a reason may be, between two characters. */
typedef struct OrderReason {
    char text[512];
} OrderReason;

static OrderReason order_reason(const char *what, const char *target, const Query *query) {
    OrderReason reason;
    int size = snprintf(reason.text, sizeof reason.text, "%s%s: %s", what, target, reason_of(query));
    size_t fits = size < REASON_MAX_BYTES ? (size_t)size : REASON_MAX_BYTES;
    reason.text[utf8_valid_size(reason.text, fits)] = '\0';
    return reason;
}

/* --- the record of an order --- */

static void put_priority_record(const AnswerSources *sources, const Query *query, const char *action,
                                const char *target, struct json_object *affected) {
    Message message = {.tag = MESSAGE_PRIORITY_RECORD};
    PriorityRecord *record = &message.PRIORITY_RECORD;
    size_t size;
    const char *ids = json_object_to_json_string_length(affected, JSON_C_TO_STRING_PLAIN, &size);

    message_set_text(record, PriorityRecord, action_type, action);
    message_set_text(record, PriorityRecord, target, target);
    message_set_text(record, PriorityRecord, reason, reason_of(query));
    if (message_has(query, Query, requested_by)) {
        memcpy(record->requested_by, query->requested_by, sizeof record->requested_by);
        message_mark(record, PriorityRecord, requested_by);
    }
    message_set(record, PriorityRecord, affected_intersections, (JsonText){ids, size});
    message_set(record, PriorityRecord, timestamp, service_city_wall(sources->service));
    message_set(record, PriorityRecord, captured_usec, (int64_t)record->timestamp.usec);
    (void)delivery_put(sources->delivery, &message); /* what it cannot write, it logs */

    JournalField fields[2];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_ACTION=%s", action);
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_TARGET=%s", target);
    journal_event(JOURNAL_PRIORITY_ACTION, fields, 2, "%s %s, asked by %s: %s", action, target,
                  message_has(query, Query, requested_by) ? query->requested_by : "system", reason_of(query));
}

static void refuse_signal_away(Reply *reply, size_t n_done, size_t n_all) {
    reply_error(reply, CAUSE_UNAVAILABLE,
                "The signal service takes no requests: %zu of %zu intersections were asked. Look at it on "
                "PC2 (systemctl status "
                "traffic-signal) and ask again; nothing waits in a queue.",
                n_done, n_all);
}

/* --- green wave --- */

typedef struct Street {
    bool has_row, has_column;
    const char *row;
    int column;
    char target[64]; /* of the record, which has room for one: row_B, col_3 */
    char name[128];  /* all of it: "row_B and col_3" */
} Street;

static void name_street(Street *street) {
    if (street->has_row)
        (void)snprintf(street->target, sizeof street->target, "row_%s", street->row);
    else
        (void)snprintf(street->target, sizeof street->target, "col_%d", street->column);
    (void)snprintf(street->name, sizeof street->name, "%s", street->target);
    if (street->has_row && street->has_column)
        (void)snprintf(street->name, sizeof street->name, "%s and col_%d", street->target, street->column);
}

static bool read_street(const City *city, const Query *query, Street *ret, Reply *reply) {
    Street street = {
        .has_row = message_has(query, Query, row),
        .has_column = message_has(query, Query, column),
        .row = query->row,
        .column = (int)query->column,
    };
    if (!street.has_row && !street.has_column) {
        reply_error(reply, CAUSE_BAD_REQUEST,
                    "A green wave needs a \"row\" (a name such as \"B\") or a \"column\" (a number).");
        return false;
    }
    if (street.has_row && !city_has_row(city, street.row)) {
        reply_error(reply, CAUSE_NOT_FOUND,
                    "Unknown row \"%s\": the city has none of that name (upper case matters).", street.row);
        return false;
    }
    if (street.has_column && !city_has_column(city, street.column)) {
        reply_error(reply, CAUSE_NOT_FOUND, "Unknown column %d: the city has none of that number.",
                    street.column);
        return false;
    }
    name_street(&street);
    *ret = street;
    return true;
}

/* A row runs east-west, a column north-south; where they cross the row goes first. */
static bool is_on_street(const Street *street, const CityIntersection *place, Direction *ret_direction) {
    bool is_on_row = street->has_row && strcmp(place->row, street->row) == 0;
    *ret_direction = is_on_row ? DIRECTION_EW : DIRECTION_NS;
    return is_on_row || (street->has_column && place->column == street->column);
}

static size_t count_on_street(const City *city, const Street *street) {
    size_t n = 0;
    Direction direction;
    for (size_t i = 0; i < city->n_intersections; i++)
        n += is_on_street(street, &city->intersections[i], &direction);
    return n;
}

/* Asks every intersection of the street; the ids of those that were go into `affected`. */
static int begin_wave(const AnswerSources *sources, const Street *street, double duration_sec,
                      const char *reason, struct json_object *affected) {
    const City *city = service_city(sources->service);
    for (size_t i = 0; i < city->n_intersections; i++) {
        Direction direction;
        if (!is_on_street(street, &city->intersections[i], &direction))
            continue;
        int r = decisions_wave(sources->decisions, i, direction, duration_sec, reason);
        if (r < 0)
            return r;
        (void)json_object_array_add(affected, json_object_new_string(city->intersections[i].id));
    }
    return 0;
}

static double duration_of(const AnswerSources *sources, const Query *query) {
    bool is_given = message_has(query, Query, duration_sec) && query->duration_sec > 0;
    return is_given ? query->duration_sec : service_settings(sources->service)->wave_duration_sec;
}

void operator_green_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                         struct json_object **ret_data) {
    const City *city = service_city(sources->service);
    Street street;
    if (!read_street(city, query, &street, reply))
        return;
    double duration_sec = duration_of(sources, query);
    OrderReason why = order_reason("green wave ", street.name, query);
    scoped(json_object_putp) struct json_object *affected = json_object_new_array();
    int r = begin_wave(sources, &street, duration_sec, why.text, affected);
    size_t n_done = json_object_array_length(affected);
    if (n_done > 0)
        put_priority_record(sources, query, "GREEN_WAVE", street.target, affected);
    if (r < 0) {
        refuse_signal_away(reply, n_done, count_on_street(city, &street));
        return;
    }
    reply_ok(reply, "Green wave on %s: %zu intersections for %g s.", street.name, n_done, duration_sec);
    *ret_data = json_object_new_object();
    (void)json_object_object_add(*ret_data, "affected", take(affected));
    (void)json_object_object_add(*ret_data, "duration_sec", json_object_new_double(duration_sec));
}

/* --- one intersection --- */

/* GREEN asks for NS green, RED for EW green; a direction says it plainly and wins. */
static bool read_wish(const Query *query, Colour *ret_state, Direction *ret_direction, Reply *reply) {
    int state =
        message_has(query, Query, new_state) ? word_index(colour_words, query->new_state) : COLOUR_GREEN;
    if (state < 0) {
        reply_error(reply, CAUSE_BAD_REQUEST,
                    "Unknown state \"%s\": new_state is GREEN (NS green) or RED (EW green).",
                    query->new_state);
        return false;
    }
    *ret_state = (Colour)state;
    *ret_direction = state == COLOUR_GREEN ? DIRECTION_NS : DIRECTION_EW;
    if (message_has(query, Query, direction))
        *ret_direction = (Direction)query->direction;
    return true;
}

void operator_force(const AnswerSources *sources, const Query *query, Reply *reply,
                    struct json_object **ret_data) {
    Colour state;
    Direction direction;
    if (!message_has(query, Query, intersection)) {
        reply_error(reply, CAUSE_BAD_REQUEST, "FORCE_SEMAPHORE needs an \"interseccion\".");
        return;
    }
    size_t i = city_find_intersection(service_city(sources->service), query->intersection);
    if (i == CITY_NO_INDEX) {
        reply_error(reply, CAUSE_NOT_FOUND, "Unknown intersection \"%s\".", query->intersection);
        return;
    }
    if (!read_wish(query, &state, &direction, reply))
        return;

    OrderReason why = order_reason("forced", "", query);
    double duration_sec = message_has(query, Query, duration_sec) ? query->duration_sec : 0;
    if (decisions_force(sources->decisions, i, direction, duration_sec, why.text) < 0) {
        refuse_signal_away(reply, 0, 1);
        return;
    }
    scoped(json_object_putp) struct json_object *affected = json_object_new_array();
    (void)json_object_array_add(affected, json_object_new_string(query->intersection));
    put_priority_record(sources, query, "FORCE_SEMAPHORE", query->intersection, affected);
    reply_ok(reply, "%s is asked to turn %s green.", query->intersection, direction_words[direction]);
    *ret_data = json_object_new_object();
    (void)json_object_object_add(*ret_data, "intersection", json_object_new_string(query->intersection));
    (void)json_object_object_add(*ret_data, "new_state", json_object_new_string(colour_words[state]));
}
