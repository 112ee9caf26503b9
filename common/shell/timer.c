/* One-shot timers: on the loop's monotonic clock, precise to what the loop allows (sd-event would
 * otherwise round by 250 ms), or on the city's, when a simulator owns that. */
#include "base/macro.h"
#include "shell/city-clock-private.h"
#include "shell/city-clock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
    (void)source;
    (void)usec;
    Timer *timer = userdata;
    return timer->fn(timer, service_now(timer->service), timer->userdata);
}

static Timer *allocate(Service *service, TimerFn fn, void *userdata) {
    Timer *timer = calloc(1, sizeof *timer);
    if (timer)
        *timer = (Timer){.service = service, .fn = fn, .userdata = userdata, .deadline = mono_never()};
    return timer;
}

int timer_new(Service *service, TimerFn fn, void *userdata, Timer **ret) {
    Timer *timer = allocate(service, fn, userdata);
    if (!timer)
        return -ENOMEM;

    int r = sd_event_add_time(service_event(service), &timer->source, CLOCK_MONOTONIC, UINT64_MAX, 1, on_time,
                              timer);
    if (r >= 0)
        r = sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_source_set_exit_on_failure(timer->source, 1);
    if (r < 0) {
        sd_event_source_disable_unref(timer->source);
        free(timer);
        return r;
    }
    *ret = timer;
    return 0;
}

int city_timer_new(Service *service, TimerFn fn, void *userdata, Timer **ret) {
    CityClock *clock = service_city_clock(service);
    if (!clock->ticks)
        return timer_new(service, fn, userdata, ret);
    Timer *timer = allocate(service, fn, userdata);
    if (!timer)
        return -ENOMEM;
    timer->next = clock->timers;
    clock->timers = timer;
    *ret = timer;
    return 0;
}

Timer *timer_free(Timer *timer) {
    if (!timer)
        return NULL;
    if (timer->source) {
        sd_event_source_disable_unref(timer->source);
    } else {
        Timer **at = &service_city_clock(timer->service)->timers;
        while (*at != timer)
            at = &(*at)->next;
        *at = timer->next;
    }
    free(timer);
    return NULL;
}

void timer_set(Timer *timer, Mono deadline) {
    timer->deadline = deadline;
    timer->set_as = service_city_clock(timer->service)->n_set++;
    if (!timer->source)
        return;
    sd_event_source_set_time(timer->source, deadline.usec);
    sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

void timer_clear(Timer *timer) {
    timer->deadline = mono_never();
    if (timer->source)
        sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
}
