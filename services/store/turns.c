/* A circle of takers; the one behind the last that was served goes first. */
#include "turns.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

struct TurnTaker {
    Turns *turns;
    TurnTaker *next; /* in the circle of takers */
    TurnFn fn;
    void *userdata;
    bool is_awake;
};

struct Turns {
    sd_event_source *idle; /* enabled once while somebody is awake */
    TurnTaker *first;
    TurnTaker *last_served;
};

static TurnTaker *after(const Turns *turns, const TurnTaker *taker) {
    return taker && taker->next ? taker->next : turns->first;
}

/* The first that is awake, beginning behind the one served last. */
static TurnTaker *next_awake(const Turns *turns) {
    TurnTaker *start = after(turns, turns->last_served), *taker = start;
    if (!start)
        return NULL;
    while (!taker->is_awake) {
        taker = after(turns, taker);
        if (taker == start)
            return NULL;
    }
    return taker;
}

static void go_on_when_idle(Turns *turns) {
    if (next_awake(turns))
        sd_event_source_set_enabled(turns->idle, SD_EVENT_ONESHOT);
}

int turns_give(Turns *turns) {
    TurnTaker *taker = next_awake(turns);
    if (!taker)
        return 0;
    turns->last_served = taker;
    taker->is_awake = false; /* it may wake itself while it works */
    int r = taker->fn(taker->userdata);
    if (r > 0)
        taker->is_awake = true;
    go_on_when_idle(turns);
    return r < 0 ? r : 0;
}

static int on_idle(sd_event_source *source, void *userdata) {
    (void)source;
    return turns_give(userdata);
}

int turns_new(Service *service, Turns **ret) {
    scoped(turns_freep) Turns *turns = calloc(1, sizeof *turns);
    if (!turns)
        return -ENOMEM;
    int r = sd_event_add_defer(service_event(service), &turns->idle, on_idle, turns);
    if (r >= 0)
        r = sd_event_source_set_priority(turns->idle, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_exit_on_failure(turns->idle, 1);
    if (r >= 0)
        r = sd_event_source_set_enabled(turns->idle, SD_EVENT_OFF);
    if (r >= 0)
        *ret = take(turns);
    return r < 0 ? r : 0;
}

Turns *turns_free(Turns *turns) {
    if (!turns)
        return NULL;
    sd_event_source_disable_unref(turns->idle);
    free(turns);
    return NULL;
}

int turn_taker_new(Turns *turns, TurnFn fn, void *userdata, TurnTaker **ret) {
    TurnTaker *taker = calloc(1, sizeof *taker);
    if (!taker)
        return -ENOMEM;
    *taker = (TurnTaker){.turns = turns, .next = turns->first, .fn = fn, .userdata = userdata};
    turns->first = taker;
    *ret = taker;
    return 0;
}

TurnTaker *turn_taker_free(TurnTaker *taker) {
    if (!taker)
        return NULL;
    Turns *turns = taker->turns;
    TurnTaker **place = &turns->first;
    while (*place != taker)
        place = &(*place)->next;
    *place = taker->next;
    if (turns->last_served == taker)
        turns->last_served = NULL;
    free(taker);
    return NULL;
}

void turn_taker_wake(TurnTaker *taker) {
    taker->is_awake = true;
    go_on_when_idle(taker->turns);
}
