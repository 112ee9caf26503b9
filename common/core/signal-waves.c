/* The table is so short that every question is a walk over it. */
#include "core/signal-waves.h"

#include <errno.h>

static bool has_started(const SignalWave *wave, Mono now) {
    return wave->number != 0 && mono_reached(now, wave->starts);
}

static bool goes_before(const SignalWave *a, const SignalWave *b) {
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->starts.usec != b->starts.usec ? a->starts.usec < b->starts.usec : a->number < b->number;
}

/* As far as is known: one that waits for its green may end later. */
static Mono expected_end(const SignalWave *wave, Mono now) {
    if (wave->hold.has_begun)
        return signal_hold_end(&wave->hold);
    return mono_after(mono_reached(now, wave->starts) ? now : wave->starts, wave->hold.usec);
}

/* The one of another phase that meets `wave`: who goes before it rather than who does not. */
static int rival_of(const SignalWaves *waves, const SignalWave *wave, Mono now) {
    int rival = -1;
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++) {
        const SignalWave *other = &waves->waves[i];
        bool meets = other->number != 0 && other->hold.phase != wave->hold.phase &&
                     other->starts.usec < expected_end(wave, now).usec &&
                     wave->starts.usec < expected_end(other, now).usec;
        if (meets && (rival < 0 || goes_before(other, &waves->waves[rival])))
            rival = i;
    }
    return rival;
}

static bool is_same(const SignalWave *wave, const SignalWave *asked, Mono now) {
    Mono begins = mono_reached(now, wave->starts) ? now : wave->starts;
    return wave->number != 0 && wave->hold.phase == asked->hold.phase && asked->starts.usec <= begins.usec;
}

static void repeat(SignalWave *wave, const SignalWave *asked) {
    if (asked->hold.usec > wave->hold.usec)
        wave->hold.usec = asked->hold.usec;
    if (asked->priority > wave->priority)
        wave->priority = asked->priority;
    wave->starts = mono_min(wave->starts, asked->starts);
}

WaveTaken signal_waves_take(SignalWaves *waves, const SignalWave *asked, Mono now) {
    WaveTaken taken = {.place = -ENOSPC, .rival = -1};
    for (int i = 0; i < SIGNAL_WAVES_MAX && !taken.is_repeated; i++) {
        taken.is_repeated = is_same(&waves->waves[i], asked, now);
        if (taken.is_repeated || (taken.place < 0 && waves->waves[i].number == 0))
            taken.place = i;
    }
    if (taken.place < 0)
        return taken;
    SignalWave *wave = &waves->waves[taken.place];
    if (taken.is_repeated) {
        repeat(wave, asked);
    } else {
        *wave = *asked;
        wave->hold.has_begun = false;
        wave->number = ++waves->n_asked;
    }
    taken.rival = rival_of(waves, wave, now);
    taken.is_first = taken.rival < 0 || goes_before(wave, &waves->waves[taken.rival]);
    return taken;
}

bool signal_waves_give_back(SignalWaves *waves, unsigned phase) {
    bool was_there = false;
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++) {
        if (waves->waves[i].number == 0 || waves->waves[i].hold.phase != phase)
            continue;
        waves->waves[i] = (SignalWave){.number = 0};
        was_there = true;
    }
    return was_there;
}

void signal_waves_end(SignalWaves *waves, Mono now) {
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++)
        if (mono_reached(now, signal_hold_end(&waves->waves[i].hold)))
            waves->waves[i] = (SignalWave){.number = 0};
}

int signal_waves_first(const SignalWaves *waves, Mono now) {
    int first = -1;
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++)
        if (has_started(&waves->waves[i], now) &&
            (first < 0 || goes_before(&waves->waves[i], &waves->waves[first])))
            first = i;
    return first;
}

Mono signal_waves_next(const SignalWaves *waves, Mono now) {
    Mono next = mono_never();
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++)
        if (waves->waves[i].number != 0 && !mono_reached(now, waves->waves[i].starts))
            next = mono_min(next, waves->waves[i].starts);
    return next;
}
