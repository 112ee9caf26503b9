/* A walk over a table that is short on purpose. */
#include "commanders.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool has_identity(const SignalCommand *command) {
    return message_has(command, SignalCommand, producer) && message_has(command, SignalCommand, epoch) &&
           message_has(command, SignalCommand, sequence);
}

/* The producer's place, else the one that was heard longest ago; a free one was never heard. */
static Commander *place_for(Commanders *commanders, const char *producer) {
    Commander *oldest = &commanders->places[0];
    for (size_t i = 0; i < COMMANDERS_MAX; i++) {
        Commander *place = &commanders->places[i];
        if (strcmp(place->producer, producer) == 0)
            return place;
        if (place->heard.usec < oldest->heard.usec)
            oldest = place;
    }
    return oldest;
}

static bool is_newer(const SignalCommand *command, const Commander *than) {
    if (command->epoch != than->epoch)
        return command->epoch > than->epoch;
    return command->sequence > than->sequence;
}

int commanders_admit(Commanders *commanders, const SignalCommand *command, Mono now, uint64_t quiet_usec,
                     Refusal *ret_refusal, Problem *problem) {
    if (!has_identity(command))
        return 0;
    Commander *place = place_for(commanders, command->producer);
    const bool is_known = strcmp(place->producer, command->producer) == 0;
    if (is_known && !is_newer(command, place)) {
        *ret_refusal = REFUSAL_REPLAYED;
        return problem_set(problem, -EBADMSG,
                           "seq: expected a command of %s newer than %" PRId64 " of epoch %" PRId64
                           ", got %" PRId64 " of epoch %" PRId64,
                           command->producer, place->sequence, place->epoch, command->sequence,
                           command->epoch);
    }
    if (!is_known && place->producer[0] && mono_between(place->heard, now) <= quiet_usec) {
        *ret_refusal = REFUSAL_TOO_MANY;
        return problem_set(problem, -EBADMSG,
                           "producer_id: expected at most %d producers at a time, got one more: %s",
                           COMMANDERS_MAX, command->producer);
    }
    memcpy(place->producer, command->producer, sizeof place->producer);
    place->epoch = command->epoch;
    place->sequence = command->sequence;
    place->heard = now;
    return 0;
}
