/* Which phase or direction a command means, how old it is, and where it is for. */
#include "requests.h"

#include <errno.h>
#include <stdlib.h>

static Direction direction_of(const SignalCommand *command) {
    if (message_has(command, SignalCommand, direction))
        return (Direction)command->direction;
    return command->new_state == COLOUR_GREEN ? DIRECTION_NS : DIRECTION_EW;
}

SignalRequest request_from_command(const SignalCommand *command) {
    SignalRequest request = {.action = SIGNAL_FORCE,
                             .has_direction = true,
                             .direction = direction_of(command),
                             .priority = SIGNAL_PRIORITY_USUAL};
    if (message_has(command, SignalCommand, action))
        request.action = (SignalAction)command->action;
    if (request.action == SIGNAL_EXTEND) /* new_state is required on the wire and says nothing here */
        request.has_direction = message_has(command, SignalCommand, direction);
    request.has_phase = message_has(command, SignalCommand, phase);
    if (request.has_phase)
        request.phase = (unsigned)command->phase;
    if (message_has(command, SignalCommand, duration_sec))
        request.duration_usec = usec_from_sec(command->duration_sec);
    if (message_has(command, SignalCommand, priority))
        request.priority = (unsigned)command->priority;
    if (message_has(command, SignalCommand, delay_sec))
        request.delay_usec = usec_from_sec(command->delay_sec);
    return request;
}

static uint64_t created_usec(const SignalCommand *command) {
    return usec_from_sec(command->created_at_sec);
}

bool request_age(const SignalCommand *command, Wall now, uint64_t *ret_usec) {
    if (!message_has(command, SignalCommand, created_at_sec))
        return false;
    uint64_t created = created_usec(command);
    *ret_usec = now.usec > created ? now.usec - created : 0;
    return true;
}

int request_check_age(const SignalCommand *command, Wall now, uint64_t stale_usec, Refusal *ret_refusal,
                      Problem *problem) {
    if (!message_has(command, SignalCommand, created_at_sec))
        return 0;
    uint64_t created = created_usec(command);
    bool is_ahead = created > now.usec;
    uint64_t apart_usec = is_ahead ? created - now.usec : now.usec - created;
    if (apart_usec <= stale_usec)
        return 0;
    *ret_refusal = REFUSAL_STALE;
    return problem_set(problem, -EBADMSG,
                       "created_at: expected a request made within the last %.1f s, got one %s %.1f s",
                       (double)stale_usec / (double)USEC_PER_SEC,
                       is_ahead ? "from a clock that is ahead by" : "of an age of",
                       (double)apart_usec / (double)USEC_PER_SEC);
}

static const char *nearest_id(const City *city, const char *id) {
    const char **ids = calloc(city->n_intersections, sizeof *ids);
    if (!ids)
        return NULL;
    for (size_t i = 0; i < city->n_intersections; i++)
        ids[i] = city->intersections[i].id;
    const char *nearest =
        closest_word(id, ids, city->n_intersections); /* one of the city's, not of the list */
    free(ids);
    return nearest;
}

size_t request_intersection(const SignalCommand *command, const City *city, bool may_search,
                            Refusal *ret_refusal, Problem *problem) {
    size_t index = city_find_intersection(city, command->intersection);
    if (index != CITY_NO_INDEX)
        return index;
    const char *nearest = may_search ? nearest_id(city, command->intersection) : NULL;
    *ret_refusal = REFUSAL_UNKNOWN_INTERSECTION;
    problem_set(problem, -EBADMSG, "interseccion: expected an intersection of %s, got \"%s\"%s%s%s",
                city->name, command->intersection, nearest ? " (did you mean \"" : "", nearest ? nearest : "",
                nearest ? "\"?)" : "");
    return CITY_NO_INDEX;
}
