/* A Service without a command line: what service_main() runs, what trafficctl and tests make for themselves.
 *
 * Knows loop, clocks, readiness, watchdog and exit; where settings come from is service.c's business. */
#pragma once

#include "base/macro.h"
#include "shell/service.h"

typedef struct ServiceOptions {
    const char *name;         /* "traffic-sensor" */
    const char *instance;     /* "camera", or NULL */
    const Settings *settings; /* copied */
    const City *city;         /* borrowed, outlives the service; NULL for a program without one */
    const char *state_dir;    /* existing directory that keeps the epoch; NULL keeps nothing */
    const char *runtime_dir;  /* NULL is /run/traffic */
    Mono begun;               /* when the program began */
} ServiceOptions;

/* Makes event loop, ZeroMQ context, counters and epoch, and takes over the descriptors systemd passed.
 * Touches no signal. */
int service_new(const ServiceOptions *options, Service **ret, Problem *problem);

/* All links, timers and sources must be freed before. Accepts NULL and half-built ones. */
Service *service_free(Service *service);
DEFINE_FREEP(Service, service_free)

/* The life of a daemon: start(), READY=1, the loop with signals and watchdog, STOPPING=1, stop(). Returns the
 * exit status. */
int service_run(Service *service, const ServiceSpec *spec);

/* Asks the invariants once and pets the watchdog when they hold; returns whether they did. service_run()
 * calls it at half the watchdog's period. */
bool service_prove_health(Service *service);

/* Writes RUNTIME_DIR/metrics/NAME.prom as a whole. -ENOENT when there is no such directory. */
int service_write_metrics(const Service *service);
