/* The frame of every service: command line, settings, city, event loop, readiness, watchdog, signals,
 * counters. A service is a ServiceSpec and the wiring between its links and its core; its main() is one line.
 *
 * Only the skeleton reads clocks, once per wake-up; everybody else asks service_now(). Threads, which have no
 * wake-ups, and who measures what a step takes ask service_clock(). */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "settings/city.h"
#include "settings/settings.h"
#include "shell/health.h"
#include "shell/metrics.h"
#include "shell/zhub.h"

#include <systemd/sd-event.h>

typedef struct Service Service;

#define SERVICE_DRAIN_USEC (2 * USEC_PER_SEC)

typedef struct ServiceSpec {
    const char *name;      /* "traffic-sensor" */
    const char *summary;   /* for --help: "Publishes the readings of one kind of sensor." */
    const char *instances; /* NULL, or the accepted instance argument, e.g. "camera|inductive|gps" */
    /* Opens everything; READY=1 is sent when it returns 0. A negative errno ends the process: -EINVAL means
     * the configuration is wrong (exit 78, no restart), anything else exit 1 (systemd restarts). `problem` is
     * logged. */
    int (*start)(Service *service, void **ret_state, Problem *problem);
    /* SIGTERM came: stop making new work and let what is under way arrive. True: nothing is, end now;
     * false: service_exit() will be called when it has, and after SERVICE_DRAIN_USEC the process ends
     * anyway. NULL: ends at once. */
    bool (*drain)(void *state);
    /* Frees what start made; also called with what a failed start left in *ret_state (may be NULL). */
    void (*stop)(void *state);
} ServiceSpec;

/* Options every service has: --config FILE, --set SECTION.KEY=VALUE, --state-dir DIR, --runtime-dir DIR,
 * --check, --print-settings, --print-endpoints, --version, --help. Returns the exit status: 0, 1 failed,
 * 64 usage, 78 configuration. */
int service_main(const ServiceSpec *spec, int argc, char **argv);

const char *service_name(const Service *service);     /* "traffic-sensor@camera" */
const char *service_instance(const Service *service); /* "camera", or "" */
const Settings *service_settings(const Service *service);
const City *service_city(const Service *service);
sd_event *service_event(Service *service);
ZHub *service_hub(Service *service);
void *service_zmq(Service *service); /* the process's one zmq context, for links and pipes */
Metrics *service_metrics(Service *service);
Health *service_health(Service *service);
const char *service_state_dir(const Service *service);   /* --state-dir, else STATE_DIRECTORY, else "" */
const char *service_runtime_dir(const Service *service); /* --runtime-dir, else /run/traffic */

Mono service_now(const Service *service);
Mono service_clock(void);
Wall service_wall(const Service *service);

/* start() is going to read all of `path`, perhaps more than once: systemd is asked to wait for as long as a
 * slow disk takes (5 MB/s). Otherwise it would end each start after the same time. */
void service_will_read(const char *path);

/* Whether the loop ended because a handler failed, in the middle of its work, and not because somebody asked
 * for it. Then what is pending need not belong together: it is left, not committed. */
bool service_has_failed(const Service *service);

/* The descriptor that systemd passed under this FileDescriptorName=; it is the caller's from now on.
 * -ENOENT when it passed none. A name that nobody has taken when start() returns is logged: its socket
 * unit is wrong. */
int service_take_fd(Service *service, const char *name);

/* In which life of the process this is: greater at every start. Part of the identity of what the process
 * produces. */
int64_t service_epoch(const Service *service);

/* Somebody else wrote with a higher epoch: the next life of this process begins above `epoch`. Durable
 * when this returns; what stands in the way is told in the journal. */
void service_raise_epoch(Service *service, int64_t epoch);

/* STATUS= for the operator: what the service is doing, one line. Sent only when it changed, at most once a
 * second. */
void service_status(Service *service, const char *format, ...) printf_like(2, 3);

/* Ends the loop in order; `status` becomes the exit status. */
void service_exit(Service *service, int status);

/* A timer on the machine's clock (city-clock.h has those of the city's): one-shot, set again as often as
 * wanted. The handler returns 0 or a negative errno that ends the process. */
typedef struct Timer Timer;
typedef int (*TimerFn)(Timer *timer, Mono now, void *userdata);
int timer_new(Service *service, TimerFn fn, void *userdata, Timer **ret);
Timer *timer_free(Timer *timer);
/* A deadline in the past fires at the next turn of the loop; mono_never() never does. */
void timer_set(Timer *timer, Mono deadline);
void timer_clear(Timer *timer);
