/* signal and policy: what an operator asks of one intersection. The interlock decides. */
#include "ask.h"

#include <stdio.h>
#include <string.h>

ExitStatus verb_signal(Context *context) {
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
    return ask_to_act(context, &query);
}

ExitStatus verb_release(Context *context) {
    Query query;
    query_begin(&query, "RELEASE_SIGNAL");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    query_sign(context, &query);
    return ask_to_act(context, &query);
}

/* How many intersections each policy has, and on what those that look at the traffic stand. */
static ExitStatus show_policies(Context *context) {
    static const Column lines[] = {
        {"fixed", "/policies/fixed"},       {"rules", "/policies/rules"},
        {"actuated", "/policies/actuated"}, {"max-pressure", "/policies/max-pressure"},
        {"planner", "/policies/planner"},   {"see by camera", "/sight/view"},
        {"see by loops", "/sight/loops"},   {"see by queues", "/sight/queue"},
        {"see nothing", "/sight/blind"},
    };
    Query query;
    query_begin(&query, "SYSTEM_STATUS");
    return ask_summary(context, &query, lines, ARRAY_LEN(lines));
}

static ExitStatus show_policy(Context *context) {
    static const Column lines[] = {
        {"intersection", "/intersection"},   {"policy", "/control/policy"},
        {"chosen by", "/control/chosen_by"}, {"sees by", "/control/rung"},
        {"wants phase", "/control/wants"},   {"phase", "/control/phase"},
        {"lights", "/control/groups"},       {"lights follow", "/control/mode"},
    };
    Query query;
    query_begin(&query, "QUERY_INTERSECTION");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    return ask_summary(context, &query, lines, ARRAY_LEN(lines));
}

ExitStatus verb_policy(Context *context) {
    const char *place = argument(context, 0), *name = argument(context, 1);
    bool is_all = place && strcmp(place, "all") == 0;
    Query query;
    if (!place)
        return show_policies(context);
    if (!name)
        return is_all ? usage(context, "expected: policy all NAME") : show_policy(context);
    query_begin(&query, "SET_POLICY");
    QUERY_TEXT(&query, intersection, is_all ? NULL : place);
    QUERY_TEXT(&query, policy, name);
    query_sign(context, &query);
    return ask_to_act(context, &query);
}
