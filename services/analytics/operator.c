/* One intersection's lights, or its policy. Orders are carried out even while a store is behind: an ambulance does not
 * wait for a database. */
#include "operator.h"

#include "order-record.h"
#include "reply.h"

#include <json-c/json_object.h>
#include <stdio.h>
#include <string.h>

/* --- lights --- */

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

/* False and a reply when the order names no intersection of the city. */
static bool read_place(const AnswerSources *sources, const Query *query, size_t *ret, Reply *reply) {
    if (!message_has(query, Query, intersection)) {
        reply_error(reply, CAUSE_BAD_REQUEST, "%s needs an \"interseccion\".", query->command);
        return false;
    }
    *ret = city_find_intersection(service_city(sources->service), query->intersection);
    if (*ret == CITY_NO_INDEX)
        reply_error(reply, CAUSE_NOT_FOUND, "Unknown intersection \"%s\".", query->intersection);
    return *ret != CITY_NO_INDEX;
}

static void record_place(const AnswerSources *sources, const Query *query, const char *action) {
    scoped(json_object_putp) struct json_object *affected = json_object_new_array();
    (void)json_object_array_add(affected, json_object_new_string(query->intersection));
    order_record(sources, query, action, query->intersection, affected);
}

void operator_force(const AnswerSources *sources, const Query *query, Reply *reply,
                    struct json_object **ret_data) {
    Colour state;
    Direction direction;
    size_t i;
    if (!read_place(sources, query, &i, reply) || !read_wish(query, &state, &direction, reply))
        return;
    OrderReason why = order_reason("forced", "", query);
    double duration_sec = message_has(query, Query, duration_sec) ? query->duration_sec : 0;
    if (decisions_force(sources->decisions, i, direction, duration_sec, why.text) < 0) {
        order_refuse_signal_away(reply, 0, 1);
        return;
    }
    record_place(sources, query, "FORCE_SEMAPHORE");
    reply_ok(reply, "%s is asked to turn %s green.", query->intersection, direction_words[direction]);
    *ret_data = json_object_new_object();
    (void)json_object_object_add(*ret_data, "intersection", json_object_new_string(query->intersection));
    (void)json_object_object_add(*ret_data, "new_state", json_object_new_string(colour_words[state]));
}

void operator_release(const AnswerSources *sources, const Query *query, Reply *reply,
                      struct json_object **ret_data) {
    size_t i;
    if (!read_place(sources, query, &i, reply))
        return;
    OrderReason why = order_reason("released", "", query);
    if (decisions_release(sources->decisions, i, why.text) < 0) {
        order_refuse_signal_away(reply, 0, 1);
        return;
    }
    record_place(sources, query, "RELEASE_SIGNAL");
    reply_ok(reply, "%s is asked to start again from all red, if its interlock has latched it.",
             query->intersection);
    *ret_data = json_object_new_object();
    (void)json_object_object_add(*ret_data, "intersection", json_object_new_string(query->intersection));
}

/* --- policies --- */

/* Gives the policy to one intersection, or to all; how many have it now that had not goes to `affected`. */
static int give_policy(const AnswerSources *sources, size_t only, PolicyName policy,
                       struct json_object *affected) {
    const City *city = service_city(sources->service);
    Control *control = decisions_control(sources->decisions);
    for (size_t i = 0; i < city->n_intersections; i++) {
        if (only != CITY_NO_INDEX && only != i)
            continue;
        int r = control_set_policy(control, i, policy);
        if (r < 0)
            return r;
        (void)json_object_array_add(affected, json_object_new_string(city->intersections[i].id));
    }
    return 0;
}

static bool read_policy(const Query *query, PolicyName *ret, Reply *reply) {
    int word = message_has(query, Query, policy) ? word_index(policy_words, query->policy) : -1;
    if (word >= 0) {
        *ret = (PolicyName)word;
        return true;
    }
    const char *closest =
        message_has(query, Query, policy) ? closest_word(query->policy, policy_words, POLICY_COUNT) : NULL;
    reply_error(reply, CAUSE_BAD_REQUEST,
                "SET_POLICY needs a \"policy\": fixed, rules, actuated, max-pressure or planner%s%s%s",
                closest ? "; did you mean \"" : ".", closest ? closest : "", closest ? "\"?" : "");
    return false;
}

void operator_policy(const AnswerSources *sources, const Query *query, Reply *reply,
                     struct json_object **ret_data) {
    bool has_place = message_has(query, Query, intersection);
    size_t i = has_place ? city_find_intersection(service_city(sources->service), query->intersection)
                         : CITY_NO_INDEX;
    PolicyName policy;
    if (has_place && i == CITY_NO_INDEX) {
        reply_error(reply, CAUSE_NOT_FOUND, "Unknown intersection \"%s\".", query->intersection);
        return;
    }
    if (!read_policy(query, &policy, reply))
        return;
    scoped(json_object_putp) struct json_object *affected = json_object_new_array();
    int r = give_policy(sources, i, policy, affected);
    char target[64];
    (void)snprintf(target, sizeof target, "%s", has_place ? query->intersection : "city");
    if (json_object_array_length(affected) > 0)
        order_record(sources, query, "SET_POLICY", target, affected);
    if (r < 0) {
        reply_error(reply, CAUSE_UNAVAILABLE, "Out of memory: %zu intersections have the policy %s.",
                    json_object_array_length(affected), policy_words[policy]);
        return;
    }
    reply_ok(reply, "%s: %s decides until analytics is started again.",
             has_place ? query->intersection : "All intersections", policy_words[policy]);
    *ret_data = json_object_new_object();
    (void)json_object_object_add(*ret_data, "policy", json_object_new_string(policy_words[policy]));
    (void)json_object_object_add(*ret_data, "affected", take(affected));
}
