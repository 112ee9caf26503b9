/* City time: what lights and plans, rules and the freshness of readings, waves and policies go by, and what
 * the records and reports of the city are dated with. Custody, commits, heartbeats, watchdog, failover,
 * queries and limits of the journal go by the machine's (service_now()).
 *
 * With [clock] source = system both are one clock. With tick a simulator owns the city's: it stands still,
 * jumps at each tick, and what is due by then happens in order. It begins at the same count of
 * microseconds in each run, so that the same ticks give the same lights. */
#pragma once

#include "shell/service.h"

Mono service_city_now(const Service *service);
Wall service_city_wall(const Service *service); /* with `tick`, before the first one: 0 */

/* When `wall` is, on the count of service_city_now(): for what says itself when it happened. May lie
 * behind now (a reading that arrives before its tick does), and is never earlier than 1. */
Mono service_city_at(const Service *service, Wall wall);

/* A Timer of city time; all of service.h's functions take it, and its handler is told city time. With
 * `tick` its deadlines are looked at when a tick comes: those that are due fire in their order, equal ones
 * as they were set. */
int city_timer_new(Service *service, TimerFn fn, void *userdata, Timer **ret);

/* Whether a simulator owns city time. */
bool city_clock_ticks(const Service *service);

/* What comes now is of `wall`, and city time is that; but nothing is due before the tick. 0, or -EINVAL as
 * below. */
int city_clock_open(Service *service, Wall wall);

/* The next tick: city time is `wall` from now on, and what is due happens before this returns. The first
 * one, and the first after city_clock_end_run(), may be any; then none lies before the last. 0, -EINVAL
 * for one that does, or what a timer's handler ends the process with. Cost: linear in the timers, times
 * those that fire. */
int city_clock_tick(Service *service, Wall wall);

/* The run in lock-step is worth nothing from tick `number` on: journal and counter say so, and why. */
void city_clock_tell_invalid(Service *service, int64_t number, const char *why);

/* The run is over: the next tick begins another one, at whatever time, and to what is here no time has
 * passed. */
void city_clock_end_run(Service *service);
