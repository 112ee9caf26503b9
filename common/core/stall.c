#include "core/stall.h"

void stall_begin(Stall *stall, Mono now) {
    if (stall->is_stalled)
        return;
    stall->is_stalled = true;
    stall->is_told = false;
    stall->since = now;
    stall->n_stalls++;
}

bool stall_end(Stall *stall, Mono now, uint64_t *ret_lasted_usec) {
    bool was_told = stall->is_stalled && stall->is_told;
    if (was_told)
        *ret_lasted_usec = mono_between(stall->since, now);
    stall->is_stalled = stall->is_told = false;
    return was_told;
}

bool stall_must_be_told(Stall *stall, Mono now) {
    if (!stall->is_stalled || stall->is_told ||
        !mono_reached(now, mono_after(stall->since, STALL_TOLD_AFTER_USEC)))
        return false;
    return stall->is_told = true;
}
