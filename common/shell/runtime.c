/* The Service: what every daemon has around its links and its core. The only file that reads clocks, and it
 * reads them through sd-event, which keeps one instant per wake-up.
 *
 * Signals, the watchdog and timers run at normal priority, message work at idle priority (zhub.c), so a flood
 * delays neither. Just that would let a loop be petted whose messages starve: the invariant "message work"
 * asks for turns. */
#include "shell/runtime.h"

#include "shell/activation.h"
#include "shell/city-clock-private.h"
#include "shell/epoch.h"
#include "shell/fault-point.h"
#include "shell/health-private.h"
#include "shell/journal.h"
#include "shell/metrics-private.h"
#include "shell/zsocket.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define METRICS_PERIOD_USEC    (5 * USEC_PER_SEC)
#define HEALTH_PERIOD_USEC     (5 * USEC_PER_SEC) /* when systemd watches nothing, failures are still logged */
#define STATUS_MIN_PERIOD_USEC USEC_PER_SEC
#define START_BASE_USEC        (60 * USEC_PER_SEC)
#define START_BYTES_PER_USEC   5
#define DEFAULT_RUNTIME_DIR    "/run/traffic"

struct Service {
    char *name, *instance, *full_name, *state_dir, *runtime_dir;
    Settings settings;
    const City *city;
    int64_t epoch;
    CityClock city_clock;

    sd_event *event;
    ZHub *hub;
    void *zmq;
    Metrics *metrics;
    Health *health;
    Activation *activation;

    Timer *watchdog_timer, *metrics_timer, *status_timer, *drain_timer;
    uint64_t health_period_usec;
    uint64_t turns_at_last_proof;
    bool had_work_at_last_proof;

    char status[256], status_sent[256];
    Mono status_sent_at;

    Mono begun;
    const ServiceSpec *spec; /* while service_run() runs */
    void *state;
    bool is_draining;
};

const char *service_name(const Service *service) {
    return service->full_name;
}

const char *service_instance(const Service *service) {
    return service->instance;
}

const Settings *service_settings(const Service *service) {
    return &service->settings;
}

const City *service_city(const Service *service) {
    return service->city;
}

sd_event *service_event(Service *service) {
    return service->event;
}

ZHub *service_hub(Service *service) {
    return service->hub;
}

void *service_zmq(Service *service) {
    return service->zmq;
}

Metrics *service_metrics(Service *service) {
    return service->metrics;
}

Health *service_health(Service *service) {
    return service->health;
}

const char *service_state_dir(const Service *service) {
    return service->state_dir;
}

const char *service_runtime_dir(const Service *service) {
    return service->runtime_dir;
}

int64_t service_epoch(const Service *service) {
    return service->epoch;
}

void service_raise_epoch(Service *service, int64_t epoch) {
    Problem problem = {""};
    if (epoch_raise(*service->state_dir ? service->state_dir : NULL, epoch, &problem) < 0)
        journal_note(LOG_ERR, "%s cannot begin its next life above epoch %" PRId64 ": %s", service->full_name,
                     epoch, problem.text);
}

int service_take_fd(Service *service, const char *name) {
    return activation_take(service->activation, name);
}

static uint64_t event_now(sd_event *event, clockid_t clock) {
    uint64_t usec = 0;
    sd_event_now(event, clock, &usec); /* fails only for clocks it does not know */
    return usec;
}

Mono service_now(const Service *service) {
    return (Mono){event_now(service->event, CLOCK_MONOTONIC)};
}

Mono service_clock(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (Mono){(uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000};
}

Wall service_wall(const Service *service) {
    return (Wall){event_now(service->event, CLOCK_REALTIME)};
}

CityClock *service_city_clock(Service *service) {
    return &service->city_clock;
}

const CityClock *service_city_clock_const(const Service *service) {
    return &service->city_clock;
}

void service_exit(Service *service, int status) {
    sd_event_exit(service->event, status);
}

void service_will_read(const char *path) {
    struct stat file;
    if (stat(path, &file) == 0)
        sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64,
                   START_BASE_USEC + (uint64_t)file.st_size / START_BYTES_PER_USEC);
}

bool service_has_failed(const Service *service) {
    int code;
    return sd_event_get_exit_code(service->event, &code) >= 0 && code < 0;
}

/* --- status --- */

static void send_status(Service *service) {
    if (strcmp(service->status, service->status_sent) == 0)
        return;
    memcpy(service->status_sent, service->status, sizeof service->status);
    service->status_sent_at = service_now(service);
    sd_notifyf(0, "STATUS=%s", service->status);
}

static int on_status_time(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    (void)now;
    send_status(userdata);
    return 0;
}

void service_status(Service *service, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(service->status, sizeof service->status, format, arguments);
    va_end(arguments);

    Mono earliest = mono_after(service->status_sent_at, STATUS_MIN_PERIOD_USEC);
    if (service->status_sent[0] == '\0' || mono_reached(service_now(service), earliest))
        send_status(service);
    else
        timer_set(service->status_timer, earliest);
}

/* --- health --- */

/* Fails when messages waited at the last proof and wait now, and none was handled in between. */
static bool message_work_goes_on(void *userdata, Mono now, Problem *problem) {
    (void)now;
    Service *service = userdata;
    uint64_t turns = zhub_turns(service->hub);
    bool has_work = zhub_has_work(service->hub);
    bool starves = has_work && service->had_work_at_last_proof && turns == service->turns_at_last_proof;

    service->turns_at_last_proof = turns;
    service->had_work_at_last_proof = has_work;
    if (starves)
        problem_set(problem, -ETIME, "messages wait and none was handled since the last check");
    return !starves;
}

bool service_prove_health(Service *service) {
    bool holds = health_holds(service->health, service_now(service));
    if (holds)
        sd_notify(0, "WATCHDOG=1");
    return holds;
}

static int on_watchdog_time(Timer *timer, Mono now, void *userdata) {
    Service *service = userdata;
    service_prove_health(service);
    timer_set(timer, mono_after(now, service->health_period_usec));
    return 0;
}

static void start_watchdog(Service *service) {
    uint64_t watchdog_usec = 0;
    service->health_period_usec = HEALTH_PERIOD_USEC;
    if (sd_watchdog_enabled(0, &watchdog_usec) > 0)
        service->health_period_usec = watchdog_usec / 2;
    timer_set(service->watchdog_timer, mono_after(service_now(service), service->health_period_usec));
}

/* --- counters on disk --- */

int service_write_metrics(const Service *service) {
    char path[512], temporary[520];
    snprintf(path, sizeof path, "%s/metrics/%s.prom", service->runtime_dir, service->full_name);
    snprintf(temporary, sizeof temporary, "%s.new", path); /* the collector reads *.prom only */

    FILE *out = fopen(temporary, "we");
    if (!out)
        return -errno;
    fchmod(fileno(out),
           0644); /* the collector is another user, and the service's umask hides what it makes */
    metrics_print(out, service->metrics);
    bool is_written = !ferror(out);
    if (fclose(out) != 0 || !is_written || rename(temporary, path) < 0)
        return -EIO;
    return 0;
}

static int on_metrics_time(Timer *timer, Mono now, void *userdata) {
    service_write_metrics(userdata); /* a full disk must not end a service: the file just grows old */
    timer_set(timer, mono_after(now, METRICS_PERIOD_USEC));
    return 0;
}

/* --- making one --- */

static char *copy_or_empty(const char *text) {
    return strdup(text ? text : "");
}

static int copy_names(Service *service, const ServiceOptions *options) {
    const char *instance = options->instance ? options->instance : "";

    service->name = copy_or_empty(options->name);
    service->instance = copy_or_empty(instance);
    service->state_dir = copy_or_empty(options->state_dir);
    service->runtime_dir = copy_or_empty(options->runtime_dir ? options->runtime_dir : DEFAULT_RUNTIME_DIR);
    if (asprintf(&service->full_name, "%s%s%s", options->name, *instance ? "@" : "", instance) < 0)
        service->full_name = NULL;
    if (!service->name || !service->instance || !service->state_dir || !service->runtime_dir ||
        !service->full_name)
        return -ENOMEM;
    service->settings = *options->settings;
    service->city = options->city;
    service->begun = options->begun;
    city_clock_init(&service->city_clock, service->settings.clock_source == CLOCK_TICK);
    return 0;
}

static int make_metrics(Service *service) {
    char labels[128];
    snprintf(labels, sizeof labels, "service=\"%s\"", service->full_name);
    int r = metrics_new(labels, &service->metrics);
    if (r < 0)
        return r;
    metric_set(metrics_gauge(service->metrics, "traffic_build_info",
                             "Version of the running program; always 1.", "version=\"" PROJECT_VERSION "\""),
               1);
    metric_set(metrics_gauge(service->metrics, "traffic_start_time_seconds",
                             "When this process started, in seconds since 1970.", ""),
               (double)service_wall(service).usec / (double)USEC_PER_SEC);
    return 0;
}

/* Long enough: what is still under way comes again after the next start. */
static int on_drain_time(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    (void)now;
    service_exit(userdata, EXIT_SUCCESS);
    return 0;
}

static int make_timers(Service *service) {
    int r = timer_new(service, on_watchdog_time, service, &service->watchdog_timer);
    if (r >= 0)
        r = timer_new(service, on_metrics_time, service, &service->metrics_timer);
    if (r >= 0)
        r = timer_new(service, on_status_time, service, &service->status_timer);
    if (r >= 0)
        r = timer_new(service, on_drain_time, service, &service->drain_timer);
    return r;
}

static int make_parts(Service *service) {
    int r = sd_event_new(&service->event);
    if (r >= 0)
        r = zhub_new(service->event, &service->hub);
    if (r >= 0)
        r = zsocket_context_new(&service->zmq);
    if (r >= 0)
        r = health_new(&service->health);
    if (r >= 0)
        r = activation_new(&service->activation);
    if (r >= 0)
        r = make_metrics(service);
    if (r >= 0)
        r = make_timers(service);
    if (r >= 0)
        r = health_add(service->health, "message work", message_work_goes_on, service);
    return r;
}

int service_new(const ServiceOptions *options, Service **ret, Problem *problem) {
    scoped(service_freep) Service *service = calloc(1, sizeof *service);
    if (!service)
        return problem_set(problem, -ENOMEM, "out of memory");
    int r = copy_names(service, options);
    if (r >= 0)
        r = make_parts(service);
    if (r < 0)
        return problem_set(problem, r, "%s cannot be set up: %s", options->name, strerror(-r));

    r = epoch_begin(options->state_dir, service_wall(service), &service->epoch, problem);
    if (r < 0)
        return r;
    if (r > 0)
        journal_note(LOG_WARNING, "%s starts all the same, with a number that is not kept: %s",
                     service->full_name, problem->text);
    *ret = take(service);
    return 0;
}

Service *service_free(Service *service) {
    if (!service)
        return NULL;
    timer_free(service->watchdog_timer);
    timer_free(service->metrics_timer);
    timer_free(service->status_timer);
    timer_free(service->drain_timer);
    activation_free(service->activation);
    health_free(service->health);
    zhub_free(service->hub);
    zsocket_context_free(service->zmq);
    metrics_free(service->metrics);
    sd_event_unref(service->event);
    free(service->name);
    free(service->instance);
    free(service->full_name);
    free(service->state_dir);
    free(service->runtime_dir);
    free(service);
    return NULL;
}

/* --- running one --- */

/* The first signal lets what is under way arrive; a second one does not wait for it. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    (void)source;
    (void)info;
    Service *service = userdata;
    bool was_draining = service->is_draining;
    sd_notify(0, "STOPPING=1");
    service->is_draining = true;
    if (was_draining || !service->spec->drain || service->spec->drain(service->state))
        service_exit(service, EXIT_SUCCESS);
    else
        timer_set(service->drain_timer, mono_after(service_now(service), SERVICE_DRAIN_USEC));
    return 0;
}

static int watch_signals(Service *service) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    /* Before start(), so that threads made there inherit it and the loop alone hears them. */
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;

    int r = sd_event_add_signal(service->event, NULL, SIGTERM, on_signal, service);
    return r < 0 ? r : sd_event_add_signal(service->event, NULL, SIGINT, on_signal, service);
}

static void report_descriptors_left(const Service *service) {
    const char *name;
    for (size_t i = 0; (name = activation_left(service->activation, i)); i++)
        journal_note(LOG_WARNING,
                     "systemd passed a socket named \"%s\" which %s does not open: see FileDescriptorName= "
                     "in its socket "
                     "unit",
                     name, service->full_name);
}

static int run_loop(Service *service) {
    start_watchdog(service);
    timer_set(service->metrics_timer, service_now(service));
    report_descriptors_left(service);
    sd_notify(0, "READY=1");
    metric_set(metrics_gauge(service->metrics, "traffic_ready_seconds",
                             "How long this process took from its beginning until it was ready.", ""),
               (double)mono_between(service->begun, service_clock()) / (double)USEC_PER_SEC);

    int r = sd_event_loop(service->event);
    if (!service->is_draining)
        sd_notify(0, "STOPPING=1");
    if (r < 0) {
        journal_note(LOG_ERR, "%s ends: %s", service->full_name, strerror(-r));
        return EXIT_FAILURE;
    }
    return r;
}

int service_run(Service *service, const ServiceSpec *spec) {
    Problem problem = {""};

    service->spec = spec;
    int r = fault_point_init(&problem);
    if (r >= 0)
        r = watch_signals(service);
    if (r >= 0)
        r = spec->start(service, &service->state, &problem);
    int status;
    if (r < 0) {
        journal_note(LOG_ERR, "%s cannot start: %s", service->full_name,
                     problem.text[0] ? problem.text : strerror(-r));
        status = r == -EINVAL ? EX_CONFIG : EXIT_FAILURE;
    } else {
        status = run_loop(service);
    }
    spec->stop(service->state);
    service_write_metrics(service);
    return status;
}
