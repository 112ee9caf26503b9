/* The inside of a service's city clock, shared by city-clock.c, timer.c and runtime.c. */
#pragma once

#include "shell/journal.h"
#include "shell/service.h"

typedef struct CityClock {
    bool ticks;   /* else it is the machine's */
    bool has_run; /* a tick of this run has come */
    Mono now;
    Wall wall;
    Timer *timers; /* all of city time, in no order */
    uint64_t n_set;
    JournalLimit faults;
} CityClock;

CityClock *service_city_clock(Service *service);
const CityClock *service_city_clock_const(const Service *service);

void city_clock_init(CityClock *clock, bool ticks);

struct Timer {
    Service *service;
    TimerFn fn;
    void *userdata;
    sd_event_source *source; /* of the machine's time; NULL: it is in the list of the city clock */
    /* city time only */
    Timer *next;
    Mono deadline;   /* never: not set */
    uint64_t set_as; /* how many were set before it */
};
