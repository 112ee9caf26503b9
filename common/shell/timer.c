/* One-shot timers on the loop's monotonic clock. Precise to what the loop allows: sd-event would otherwise
 * round by 250 ms. */
#include "base/macro.h"
#include "shell/service.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct Timer {
    Service *service;
    sd_event_source *source;
    TimerFn fn;
    void *userdata;
};

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
    (void)source;
    (void)usec;
    Timer *timer = userdata;
    return timer->fn(timer, service_now(timer->service), timer->userdata);
}

int timer_new(Service *service, TimerFn fn, void *userdata, Timer **ret) {
    Timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return -ENOMEM;
    *timer = (Timer){.service = service, .fn = fn, .userdata = userdata};

    int r = sd_event_add_time(service_event(service), &timer->source, CLOCK_MONOTONIC, UINT64_MAX, 1, on_time,
                              timer);
    if (r >= 0)
        r = sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_source_set_exit_on_failure(timer->source, 1);
    if (r < 0) {
        timer_free(timer);
        return r;
    }
    *ret = timer;
    return 0;
}

Timer *timer_free(Timer *timer) {
    if (!timer)
        return NULL;
    sd_event_source_disable_unref(timer->source);
    free(timer);
    return NULL;
}

void timer_set(Timer *timer, Mono deadline) {
    sd_event_source_set_time(timer->source, deadline.usec);
    sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

void timer_clear(Timer *timer) {
    sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
}
