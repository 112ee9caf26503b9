/* Wiring, readiness, STATUS=. The order of making and ending is the only thing to know: who carries records
 * is made first and ends last. */
#include "analytics.h"

#include "answers.h"
#include "lockstep.h"
#include "queries.h"
#include "refill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_USEC (1 * USEC_PER_SEC)
#define KMH_PER_MPS 3.6

typedef struct Analytics {
    AnswerSources parts; /* owned here */
    Queries *queries;
    Refill *refill;
    Lockstep *lockstep; /* NULL unless a simulator owns city time */
    Timer *status_timer;
} Analytics;

/* The outbox is full or cannot commit: whatever makes records waits, except an operator's order, which is
 * rare and urgent. */
static void on_flow(bool is_blocked, void *userdata) {
    Analytics *analytics = userdata;
    if (analytics->parts.ingest)
        ingest_pause(analytics->parts.ingest, INGEST_OUTBOX, is_blocked);
    if (analytics->parts.decisions)
        decisions_pause(analytics->parts.decisions, is_blocked);
}

static void on_committed(void *userdata) {
    Analytics *analytics = userdata;
    if (analytics->parts.ingest)
        ingest_acknowledge(analytics->parts.ingest);
}

static void on_doubt(void *userdata) {
    Analytics *analytics = userdata;
    if (analytics->parts.watch)
        watch_stores_doubt(analytics->parts.watch);
}

static void on_store_living(StoreRole role, bool is_living, void *userdata) {
    Analytics *analytics = userdata;
    delivery_set_living(analytics->parts.delivery, role, is_living);
    if (!is_living)
        queries_store_died(analytics->queries, role);
}

static void on_view(void *userdata, size_t intersection, unsigned lane, unsigned n_vehicles,
                    const PlacedVehicle *placed, size_t n_placed, Mono when) {
    const Analytics *analytics = userdata;
    SeenVehicle seen[PICTURE_VEHICLES_MAX];
    size_t n = n_placed < ARRAY_LEN(seen) ? n_placed : ARRAY_LEN(seen);
    for (size_t i = 0; i < n; i++)
        seen[i] = (SeenVehicle){.metres = placed[i].metres, .speed_mps = placed[i].speed_kmh / KMH_PER_MPS};
    control_view(decisions_control(analytics->parts.decisions), intersection, lane, n_vehicles, seen,
                 (unsigned)n, when);
}

static void on_passage(void *userdata, size_t intersection, unsigned lane, double speed_kmh, Mono when) {
    const Analytics *analytics = userdata;
    control_passage(decisions_control(analytics->parts.decisions), intersection, lane,
                    speed_kmh / KMH_PER_MPS, when);
}

static void measure_latency(const AnswerSources *parts) {
    static const struct {
        double share;
        const char *labels;
    } quantiles[] = {{0.5, "quantile=\"0.5\""}, {0.9, "quantile=\"0.9\""}, {0.99, "quantile=\"0.99\""}};
    const DurableLatency *latency = delivery_latency(parts->delivery);
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
        metric_set(metrics_gauge(service_metrics(parts->service), "traffic_durable_seconds",
                                 "From a reading's capture until both stores have it on disk.",
                                 quantiles[i].labels),
                   (double)durable_latency_quantile(latency, quantiles[i].share) / (double)USEC_PER_SEC);
}

typedef struct LatencyText {
    char text[64];
} LatencyText;

static LatencyText latency_text(const DurableLatency *latency) {
    LatencyText t = {""};
    if (durable_latency_count(latency) > 0)
        (void)snprintf(t.text, sizeof t.text, "; on both disks after %.1f ms (99 %%: %.1f ms)",
                       (double)durable_latency_quantile(latency, 0.5) / (double)USEC_PER_MSEC,
                       (double)durable_latency_quantile(latency, 0.99) / (double)USEC_PER_MSEC);
    return t;
}

static int on_status_time(Timer *timer, Mono now, void *userdata) {
    const Analytics *analytics = userdata;
    const AnswerSources *parts = &analytics->parts;
    double per_sec = 0;
    StoreRole store;
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        per_sec += ingest_events_per_sec(parts->ingest, (SensorKind)kind);
    const char *answering = watch_stores_answering(parts->watch, &store) ? store_role_words[store] : "no";
    service_status(
        parts->service,
        "%.0f events/s; %zu of %zu intersections congested, %zu in a green wave; %s store answers%s%s%s",
        per_sec, decisions_count(parts->decisions, TRAFFIC_CONGESTION),
        service_city(parts->service)->n_intersections, decisions_count(parts->decisions, TRAFFIC_GREEN_WAVE),
        answering, delivery_is_blocked(parts->delivery) ? "; takes no events: " : "",
        delivery_trouble(parts->delivery), latency_text(delivery_latency(parts->delivery)).text);
    measure_latency(parts);
    timer_set(timer, mono_after(now, STATUS_USEC));
    return 0;
}

static int start(Service *service, void **ret_state, Problem *problem) {
    Analytics *analytics = calloc(1, sizeof *analytics);
    if (!analytics)
        return -ENOMEM;
    *ret_state = analytics; /* stop() frees it, complete or not */
    AnswerSources *parts = &analytics->parts;
    parts->service = service;
    parts->started = service_now(service);

    static const LaneHandlers lane_handlers = {.on_view = on_view, .on_passage = on_passage};
    static const DeliveryHandlers delivery_handlers = {
        .on_flow = on_flow, .on_committed = on_committed, .on_doubt = on_doubt};
    int r = delivery_new(service, &delivery_handlers, analytics, &parts->delivery, problem);
    if (r >= 0)
        r = decisions_new(service, parts->delivery, &parts->decisions, problem);
    if (r >= 0)
        r = watch_stores_new(service, parts->delivery, on_store_living, analytics, &parts->watch, problem);
    if (r >= 0)
        r = ingest_new(service, parts->delivery, parts->decisions, &parts->ingest, problem);
    if (r >= 0)
        r = lockstep_new(service, parts, &analytics->lockstep);
    if (r >= 0)
        ingest_on_lanes(parts->ingest, &lane_handlers, analytics);
    if (r >= 0)
        r = queries_new(parts, &analytics->queries, problem);
    if (r >= 0)
        r = timer_new(service, on_status_time, analytics, &analytics->status_timer);
    if (r >= 0)
        r = refill_new(service, parts->watch, parts->delivery, &analytics->refill, problem);
    if (r < 0)
        return r;
    timer_set(analytics->status_timer, mono_after(service_now(service), STATUS_USEC));
    return 0;
}

/* Those that make records go before the one that carries them. */
static void stop(void *state) {
    Analytics *analytics = state;
    if (!analytics)
        return;
    AnswerSources *parts = &analytics->parts;
    timer_free(analytics->status_timer);
    refill_free(analytics->refill);
    queries_free(analytics->queries);
    lockstep_free(analytics->lockstep);
    parts->ingest = ingest_free(parts->ingest); /* what is still to come calls these, if they are there */
    parts->watch = watch_stores_free(parts->watch);
    parts->decisions = decisions_free(parts->decisions);
    delivery_free(parts->delivery);
    free(analytics);
}

const ServiceSpec analytics_spec = {
    .name = "traffic-analytics",
    .summary = "Decides what the lights are asked for, feeds both stores, answers operators.",
    .start = start,
    .stop = stop,
};
