/* The two clocks behind one face. A list of timers is enough: a service has a handful of city time, each
 * of which serves many things through a heap of its own. */
#include "shell/city-clock.h"

#include "shell/city-clock-private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Where each run's count begins: far enough from 0 that what lies before it can be said. */
#define RUN_BEGINS_USEC (24 * 3600 * USEC_PER_SEC)

#define FAULTS_TOLD_PER_USEC (60 * USEC_PER_SEC)
enum { FAULTS_TOLD_AT_ONCE = 5 };

void city_clock_init(CityClock *clock, bool ticks) {
    *clock = (CityClock){.ticks = ticks,
                         .now = {RUN_BEGINS_USEC},
                         .faults = {.burst = FAULTS_TOLD_AT_ONCE, .per_usec = FAULTS_TOLD_PER_USEC}};
}

bool city_clock_ticks(const Service *service) {
    return service_city_clock_const(service)->ticks;
}

Mono service_city_now(const Service *service) {
    const CityClock *clock = service_city_clock_const(service);
    return clock->ticks ? clock->now : service_now(service);
}

Wall service_city_wall(const Service *service) {
    const CityClock *clock = service_city_clock_const(service);
    return clock->ticks ? clock->wall : service_wall(service);
}

Mono service_city_at(const Service *service, Wall wall) {
    Mono now = service_city_now(service);
    Wall now_wall = service_city_wall(service);
    if (wall.usec >= now_wall.usec)
        return mono_after(now, wall.usec - now_wall.usec);
    uint64_t ago_usec = now_wall.usec - wall.usec;
    return (Mono){now.usec > ago_usec ? now.usec - ago_usec : 1};
}

static Timer *next_due(const CityClock *clock) {
    Timer *first = NULL;
    for (Timer *timer = clock->timers; timer; timer = timer->next) {
        if (mono_is_never(timer->deadline) || !mono_reached(clock->now, timer->deadline))
            continue;
        bool is_earlier = !first || timer->deadline.usec < first->deadline.usec ||
                          (timer->deadline.usec == first->deadline.usec && timer->set_as < first->set_as);
        first = is_earlier ? timer : first;
    }
    return first;
}

int city_clock_open(Service *service, Wall wall) {
    CityClock *clock = service_city_clock(service);
    if (!clock->ticks || (clock->has_run && wall.usec < clock->wall.usec))
        return -EINVAL;
    if (clock->has_run)
        clock->now = mono_after(clock->now, wall.usec - clock->wall.usec);
    clock->has_run = true;
    clock->wall = wall;
    return 0;
}

int city_clock_tick(Service *service, Wall wall) {
    CityClock *clock = service_city_clock(service);
    int r = city_clock_open(service, wall);
    if (r < 0)
        return r;
    Timer *timer;
    while ((timer = next_due(clock))) {
        timer->deadline = mono_never(); /* before the call, which may well set it again */
        r = timer->fn(timer, clock->now, timer->userdata);
        if (r < 0)
            return r;
    }
    return 0;
}

void city_clock_end_run(Service *service) {
    service_city_clock(service)->has_run = false;
}

void city_clock_tell_invalid(Service *service, int64_t number, const char *why) {
    uint64_t held_back;
    metric_add(metrics_counter(service_metrics(service), "traffic_lockstep_faults_total",
                               "What made a run in lock-step invalid.", ""),
               1);
    if (!journal_limit_pass(&service_city_clock(service)->faults, service_now(service), &held_back))
        return;
    JournalField fields[1];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_TICK=%" PRId64, number);
    journal_event(JOURNAL_RUN_INVALID, fields, 1, "The run is invalid since tick %" PRId64 ": %s", number,
                  why);
}
