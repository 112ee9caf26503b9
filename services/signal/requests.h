/* From what a peer sent to what the plan understands. Pure: no link, no clock.
 *
 * A peer that knows our words says `action` and `direction` or `phase`. One that does not says only new_state: GREEN
 * asks that NS be green and RED that EW be, both by force; the first implementation toggled here, we never
 * do. Where several are given the phase counts, then the direction. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "core/signal-plan.h"
#include "settings/city.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>

SignalRequest request_from_command(const SignalCommand *command);

/* Microseconds from the command's creation until `now`, by the two wall clocks: 0 when it is younger than
 * the clock's tick. False when the command does not say when it was made. */
bool request_age(const SignalCommand *command, Wall now, uint64_t *ret_usec);

/* 0, or -EBADMSG with REFUSAL_STALE: older than `stale_usec`, or from a clock that is ahead by more than
 * that. */
int request_check_age(const SignalCommand *command, Wall now, uint64_t stale_usec, Refusal *ret_refusal,
                      Problem *problem);

/* Index of the command's intersection, or CITY_NO_INDEX with REFUSAL_UNKNOWN_INTERSECTION. The nearest
 * known name is looked for only when `may_search`: it costs a comparison with every intersection. */
size_t request_intersection(const SignalCommand *command, const City *city, bool may_search,
                            Refusal *ret_refusal, Problem *problem);
