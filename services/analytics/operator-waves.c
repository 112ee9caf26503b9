/* Green waves: along a row or a column, both at once as the first implementation had it, or along any route. What a
 * client of the first implementation can say means what it meant there: the whole street is green at once. */
#include "operator.h"

#include "order-record.h"
#include "reply.h"
#include "shell/city-clock.h"
#include "wave-answers.h"
#include "way.h"

#include <errno.h>
#include <json-c/json_tokener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a wave is to go: a street (a row, a column, or both of them), or a route. */
typedef struct Course {
    bool has_row, has_column;
    const char *row;
    int column;
    char target[64];  /* of the record, which has room for one: row_B, col_3, route_INT-A1_INT-A4 */
    char name[128];   /* all of it: "row_B and col_3" */
    WayPoint *points; /* owned */
    size_t n_points;
} Course;

static void course_clear(Course *course) {
    free(course->points);
}

/* --- streets, everywhere at once --- */

/* A row runs east-west, a column north-south; where they cross the row goes first. */
static bool is_on_street(const Course *street, const CityIntersection *place, Direction *ret_direction) {
    bool is_on_row = street->has_row && strcmp(place->row, street->row) == 0;
    *ret_direction = is_on_row ? DIRECTION_EW : DIRECTION_NS;
    return is_on_row || (street->has_column && place->column == street->column);
}

static int find_street(const City *city, Course *street) {
    street->points = calloc(city->n_intersections, sizeof *street->points);
    if (!street->points)
        return -ENOMEM;
    for (size_t i = 0; i < city->n_intersections; i++) {
        Direction direction;
        if (is_on_street(street, &city->intersections[i], &direction))
            street->points[street->n_points++] = (WayPoint){
                .intersection = i,
                .direction = direction,
                .phase = city->intersections[i].signals->direction_phase[direction],
            };
    }
    return 0;
}

static void name_street(Course *street) {
    if (street->has_row)
        (void)snprintf(street->target, sizeof street->target, "row_%s", street->row);
    else
        (void)snprintf(street->target, sizeof street->target, "col_%d", street->column);
    (void)snprintf(street->name, sizeof street->name, "%s", street->target);
    if (street->has_row && street->has_column)
        (void)snprintf(street->name, sizeof street->name, "%s and col_%d", street->target, street->column);
}

static bool is_street_there(const City *city, const Course *street, Reply *reply) {
    if (street->has_row && !city_has_row(city, street->row)) {
        reply_error(reply, CAUSE_NOT_FOUND,
                    "Unknown row \"%s\": the city has none of that name (upper case matters).", street->row);
        return false;
    }
    if (street->has_column && !city_has_column(city, street->column)) {
        reply_error(reply, CAUSE_NOT_FOUND, "Unknown column %d: the city has none of that number.",
                    street->column);
        return false;
    }
    return true;
}

/* --- ways, in the order of travel --- */

static int take_way(const Way *way, Course *course) {
    course->points = calloc(way->n_points, sizeof *course->points);
    if (!course->points)
        return -ENOMEM;
    memcpy(course->points, way->points, way->n_points * sizeof *course->points);
    course->n_points = way->n_points;
    return 0;
}

/* The ids of a route as indices; false and a reply when it is none. */
static bool read_ids(const City *city, const Query *query, size_t *ret, size_t *ret_n, Reply *reply) {
    struct json_object *ids = json_tokener_parse(query->route.text);
    size_t n = json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
    bool is_route = n > 0 && n <= ROUTE_STOPS_MAX;
    if (!is_route)
        reply_error(reply, CAUSE_BAD_REQUEST,
                    "\"route\" needs 1 to %d ids of intersections in the order of travel, such as [\"%s\"].",
                    ROUTE_STOPS_MAX, city->intersections[0].id);
    for (size_t i = 0; is_route && i < n; i++) {
        const char *id = json_object_get_string(json_object_array_get_idx(ids, i));
        ret[i] = id ? city_find_intersection(city, id) : CITY_NO_INDEX;
        is_route = ret[i] != CITY_NO_INDEX;
        if (!is_route)
            reply_error(reply, CAUSE_NOT_FOUND, "Unknown intersection \"%.31s\" on the route.",
                        id ? id : "null");
    }
    *ret_n = n;
    json_object_put(ids);
    return is_route;
}

static bool read_route(const City *city, const Query *query, Course *course, Reply *reply) {
    size_t intersections[ROUTE_STOPS_MAX], n;
    Problem problem = {{0}};
    Way way;
    if (!read_ids(city, query, intersections, &n, reply))
        return false;
    int r = way_of_list(city, intersections, n, &way, &problem);
    if (r >= 0)
        r = take_way(&way, course);
    if (r < 0)
        reply_error(reply, r == -ENOMEM ? CAUSE_UNAVAILABLE : CAUSE_REFUSED, "%s",
                    r == -ENOMEM ? "Out of memory." : problem.text);
    (void)snprintf(course->target, sizeof course->target, "route_%.28s_%.28s",
                   city->intersections[intersections[0]].id, city->intersections[intersections[n - 1]].id);
    (void)snprintf(course->name, sizeof course->name, "%s", course->target);
    return r >= 0;
}

static bool read_progressive_street(const City *city, Course *street, Reply *reply) {
    Problem problem = {{0}};
    Way way;
    if (street->has_row && street->has_column) {
        reply_error(
            reply, CAUSE_BAD_REQUEST,
            "A progressive wave follows one street, a \"row\" or a \"column\"; for a way with a bend give a "
            "\"route\".");
        return false;
    }
    int r = way_of_street(city, street->has_row ? street->row : NULL, street->column, &way, &problem);
    if (r >= 0)
        r = take_way(&way, street);
    if (r < 0)
        reply_error(reply, r == -ENOMEM ? CAUSE_UNAVAILABLE : CAUSE_REFUSED,
                    "%s cannot be driven from end to end: %s", street->name,
                    r == -ENOMEM ? "out of memory" : problem.text);
    return r >= 0;
}

static bool read_street(const City *city, const Query *query, bool is_progressive, Course *street,
                        Reply *reply) {
    street->has_row = message_has(query, Query, row);
    street->has_column = message_has(query, Query, column);
    street->row = query->row;
    street->column = (int)query->column;
    if (!street->has_row && !street->has_column) {
        reply_error(
            reply, CAUSE_BAD_REQUEST,
            "A green wave needs a \"row\" (a name such as \"B\"), a \"column\" (a number) or a \"route\" (a "
            "list of intersections).");
        return false;
    }
    if (!is_street_there(city, street, reply))
        return false;
    name_street(street);
    if (is_progressive)
        return read_progressive_street(city, street, reply);
    if (find_street(city, street) == 0)
        return true;
    reply_error(reply, CAUSE_UNAVAILABLE, "Out of memory.");
    return false;
}

static bool read_course(const City *city, const Query *query, bool is_progressive, Course *course,
                        Reply *reply) {
    bool has_street = message_has(query, Query, row) || message_has(query, Query, column);
    if (!message_has(query, Query, route))
        return read_street(city, query, is_progressive, course, reply);
    if (!has_street)
        return read_route(city, query, course, reply);
    reply_error(reply, CAUSE_BAD_REQUEST, "A \"route\" goes with neither \"row\" nor \"column\".");
    return false;
}

/* --- the order --- */

static double duration_of(const AnswerSources *sources, const Query *query) {
    bool is_given = message_has(query, Query, duration_sec) && query->duration_sec > 0;
    return is_given ? query->duration_sec : service_settings(sources->service)->wave_duration_sec;
}

static WaveWish wish_of(const AnswerSources *sources, const Query *query, const Course *course) {
    const Settings *settings = service_settings(sources->service);
    double speed_kmh = message_has(query, Query, speed_kmh) ? query->speed_kmh : settings->wave_speed_kmh;
    return (WaveWish){
        .points = course->points,
        .n_points = course->n_points,
        .is_progressive = message_has(query, Query, wave_mode) && query->wave_mode == WAVE_PROGRESSIVE,
        .priority = message_has(query, Query, priority) ? (unsigned)query->priority : WAVE_PRIORITY_USUAL,
        .duration_sec = duration_of(sources, query),
        .speed_mps = speed_kmh / 3.6,
        .eta_sec = message_has(query, Query, eta_sec) ? query->eta_sec : -1,
        .target = course->target,
    };
}

/* How long all of it will take: until the last intersection is given back. */
static double lasts_sec(const AnswerSources *sources, const Wave *wave) {
    Mono last = {0};
    for (size_t i = 0; i < wave->n_stops; i++)
        if (wave->stops[i].until.usec > last.usec)
            last = wave->stops[i].until;
    return (double)mono_between(service_city_now(sources->service), last) / (double)USEC_PER_SEC;
}

static void say_ordered(const AnswerSources *sources, const Course *course, const WaveWish *wish,
                        const Wave *wave, size_t n_affected, Reply *reply) {
    WaveWords words = wave_words(sources, wave);
    if (n_affected == 0)
        reply_error(reply, CAUSE_REFUSED, "No green wave on %s:%s", course->name, words.text);
    else if (wish->is_progressive)
        reply_ok(reply, "Green wave along %s: %zu intersections in the order of travel within %.0f s (%s).%s",
                 course->name, n_affected, lasts_sec(sources, wave), wave->id, words.text);
    else
        reply_ok(reply, "Green wave on %s: %zu intersections for %g s.%s", course->name, n_affected,
                 wish->duration_sec, words.text);
}

static struct json_object *wave_data(const AnswerSources *sources, const WaveWish *wish, const Wave *wave,
                                     struct json_object *affected) {
    struct json_object *data = json_object_new_object();
    double sec = wish->is_progressive ? lasts_sec(sources, wave) : wish->duration_sec;
    (void)json_object_object_add(data, "affected", affected);
    (void)json_object_object_add(data, "duration_sec", json_object_new_double(sec));
    (void)json_object_object_add(data, "wave", json_object_new_string(wave->id));
    (void)json_object_object_add(data, "stops", wave_stops(sources, wave));
    (void)json_object_object_add(data, "displaced", wave_displaced(sources, wave));
    return data;
}

static void carry_out(const AnswerSources *sources, const Query *query, const Course *course, Reply *reply,
                      struct json_object **ret_data) {
    OrderReason why = order_reason("green wave ", course->name, query);
    WaveWish wish = wish_of(sources, query, course);
    const Wave *wave = NULL;
    wish.reason = why.text;
    int r = waves_order(decisions_waves(sources->decisions), &wish, &wave);
    if (r == -EUSERS)
        reply_error(reply, CAUSE_UNAVAILABLE, "%d green waves run already: cancel one first.", WAVES_MAX);
    else if (!wave)
        reply_error(reply, CAUSE_UNAVAILABLE, "Out of memory.");
    if (!wave)
        return;
    scoped(json_object_putp) struct json_object *affected = wave_affected(sources, wave);
    size_t n_affected = json_object_array_length(affected);
    if (n_affected > 0)
        order_record(sources, query, "GREEN_WAVE", course->target, affected);
    if (r < 0) {
        order_refuse_signal_away(reply, n_affected, course->n_points);
        return;
    }
    say_ordered(sources, course, &wish, wave, n_affected, reply);
    *ret_data = wave_data(sources, &wish, wave, take(affected));
}

void operator_green_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                         struct json_object **ret_data) {
    const City *city = service_city(sources->service);
    bool is_progressive = message_has(query, Query, wave_mode) && query->wave_mode == WAVE_PROGRESSIVE;
    scoped(course_clear) Course course = {0};
    if (read_course(city, query, is_progressive, &course, reply))
        carry_out(sources, query, &course, reply, ret_data);
}

/* --- a wave that runs --- */

/* Named by its id or target, or by its street; NULL and a reply when there is none. */
static const Wave *find_wave(const AnswerSources *sources, const Query *query, Reply *reply) {
    Course street = {.has_row = message_has(query, Query, row),
                     .has_column = message_has(query, Query, column),
                     .row = query->row,
                     .column = (int)query->column};
    if (message_has(query, Query, wave)) {
        (void)snprintf(street.target, sizeof street.target, "%s", query->wave);
    } else if (street.has_row || street.has_column) {
        name_street(&street);
    } else {
        reply_error(reply, CAUSE_BAD_REQUEST, "%s needs a \"wave\" (its id, or a target such as row_B).",
                    query->command);
        return NULL;
    }
    const Wave *wave = waves_find(decisions_waves(sources->decisions), street.target);
    if (!wave)
        reply_error(reply, CAUSE_NOT_FOUND, "No green wave \"%s\" runs.", street.target);
    return wave;
}

static size_t find_stop(const AnswerSources *sources, const Wave *wave, const char *id) {
    size_t intersection = city_find_intersection(service_city(sources->service), id), i = 0;
    while (i < wave->n_stops && wave->stops[i].point.intersection != intersection)
        i++;
    return i;
}

void operator_move_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                        struct json_object **ret_data) {
    const Wave *wave = find_wave(sources, query, reply);
    if (!wave)
        return;
    size_t stop = message_has(query, Query, intersection) ? find_stop(sources, wave, query->intersection)
                                                          : wave->n_stops;
    if (!wave->is_progressive || stop == wave->n_stops) {
        reply_error(reply, CAUSE_BAD_REQUEST,
                    "MOVE_GREEN_WAVE needs an \"interseccion\" that is ahead on a progressive wave.");
        return;
    }
    double metres = message_has(query, Query, distance_metres) ? query->distance_metres : 0;
    double speed_mps = message_has(query, Query, speed_kmh) ? query->speed_kmh / 3.6 : 0;
    waves_move(decisions_waves(sources->decisions), wave, stop, metres, speed_mps);
    reply_ok(reply, "%s is %.0f m before %s.", wave->target, metres, query->intersection);
    *ret_data = json_object_new_object();
    (void)json_object_object_add(*ret_data, "stops", wave_stops(sources, wave));
}

void operator_cancel_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                          struct json_object **ret_data) {
    const Wave *wave = find_wave(sources, query, reply);
    if (!wave)
        return;
    struct json_object *affected = wave_affected(sources, wave);
    order_record(sources, query, "CANCEL_GREEN_WAVE", wave->target, affected);
    reply_ok(reply, "The green wave %s (%s) is over: %zu intersections are given back.", wave->target,
             wave->id, json_object_array_length(affected));
    waves_cancel(decisions_waves(sources->decisions), wave);
    *ret_data = json_object_new_object();
    (void)json_object_object_add(*ret_data, "affected", affected);
}
