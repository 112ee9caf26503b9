/* Publishes the readings of one kind of sensor. Knows the link and the identity of what goes out; where
 * readings come from is behind the table of sources.
 *
 * The subtle thing: readings are only wanted while somebody subscribes to this kind and the link has room.
 * Until then, and again whenever it ends, the source is told to stand still, so there is never a reading
 * without a place to go. */
#include "sensor.h"

#include "relay-away.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"
#include "source.h"
#include "wire/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_PERIOD_USEC (1 * USEC_PER_SEC)

enum {
    REFUSALS_TOLD_AT_ONCE = 10,
    LINGER_MSEC = 2000, /* at the end of the process: what was handed to the link may still leave it */
};
#define REFUSALS_TOLD_PER_USEC (10 * USEC_PER_SEC)

struct Sensor {
    Service *service;
    SensorKind kind;
    size_t n_sensors;
    Link *link;
    const SourceType *type;
    Source *source;
    RelayAway *relay_away; /* NULL when the relay is the source */
    bool is_running;
    Timer *status_timer;
    ProducerName producer;
    int64_t sequence;
    uint64_t n_sent, n_refused;
    JournalLimit refusals;
    Metric *sent, *left_out;
};

static const SourceType *const source_types[SENSOR_SOURCE_COUNT] = {
    [SENSOR_SOURCE_RANDOM] = &source_random,
    [SENSOR_SOURCE_REPLAY] = &source_replay,
    [SENSOR_SOURCE_RELAY] = &source_relay,
};

static const EndpointId endpoints_of_kinds[SENSOR_KIND_COUNT] = {
    [SENSOR_CAMERA] = ENDPOINT_SENSOR_CAMERA,
    [SENSOR_INDUCTIVE] = ENDPOINT_SENSOR_INDUCTIVE,
    [SENSOR_GPS] = ENDPOINT_SENSOR_GPS,
};

Service *sensor_service_of(const Sensor *sensor) {
    return sensor->service;
}

SensorKind sensor_kind(const Sensor *sensor) {
    return sensor->kind;
}

size_t sensor_count(const Sensor *sensor) {
    return sensor->n_sensors;
}

static void hold(Sensor *sensor) {
    if (!sensor->is_running)
        return;
    sensor->is_running = false;
    sensor->type->hold(sensor->source, service_now(sensor->service));
}

static int run(Sensor *sensor) {
    if (sensor->is_running || !link_has_subscriber(sensor->link, event_topic(sensor->kind)))
        return 0;
    sensor->is_running = true;
    return sensor->type->run(sensor->source, service_now(sensor->service));
}

int sensor_publish(Sensor *sensor, Message *event, Problem *problem) {
    char frame[EVENT_MAX_BYTES + 1];
    bool is_ours = !event_identity(event, NULL);
    if (is_ours)
        event_set_identity(event, &(EventIdentity){sensor->producer.text, service_epoch(sensor->service),
                                                   sensor->sequence + 1});
    int r = message_encode(event, frame, sizeof frame, problem);
    if (r >= 0)
        r = link_send(sensor->link, frame, (size_t)r);
    if (r < 0) {
        if (is_ours)
            event_clear_identity(event);
        if (r == -EAGAIN)
            hold(sensor);
        return r;
    }
    sensor->sequence += is_ours;
    sensor->n_sent++;
    metric_add(sensor->sent, 1);
    return 0;
}

SensorMatch sensor_match(const Sensor *sensor, const Message *event, Refusal *ret_refusal, Problem *problem) {
    const City *city = service_city(sensor->service);
    const char *id = event_sensor_id(event), *intersection = event_intersection(event);
    *ret_refusal = REFUSAL_UNKNOWN_INTERSECTION;
    size_t i = city_find_intersection(city, intersection);
    if (i == CITY_NO_INDEX) {
        problem_set(problem, -EBADMSG, "interseccion: expected one of %s, got \"%s\"", city->name,
                    intersection);
        return MATCH_UNKNOWN;
    }
    const CitySensor *known = city_find_sensor(city, sensor->kind, id);
    if (!known) {
        problem_set(problem, -EBADMSG, "sensor_id: expected a %s sensor of %s, got \"%s\"",
                    sensor_kind_words[sensor->kind], city->name, id);
        return MATCH_UNKNOWN;
    }
    if (known->intersection != i) {
        problem_set(problem, -EBADMSG, "interseccion: expected \"%s\", where %s is, got \"%s\"",
                    city->intersections[known->intersection].id, id, intersection);
        return MATCH_UNKNOWN;
    }
    return known < city->sensors[sensor->kind] + sensor->n_sensors ? MATCH_TAKES_PART : MATCH_LEFT_OUT;
}

void sensor_refuse(Sensor *sensor, const char *link, const char *origin, Refusal refusal,
                   const Problem *problem) {
    char labels[128];
    uint64_t held_back;
    (void)snprintf(labels, sizeof labels, "link=\"%s\",reason=\"%s\"", link, refusal_words[refusal]);
    metric_add(metrics_counter(service_metrics(sensor->service), "traffic_refused_total",
                               "Pieces of input refused.", labels),
               1);
    sensor->n_refused++;
    if (!journal_limit_pass(&sensor->refusals, service_now(sensor->service), &held_back))
        return;
    if (held_back > 0)
        journal_event(JOURNAL_REFUSED, NULL, 0, "%s: refused: %s (and %" PRIu64 " more since the last entry)",
                      origin, problem->text, held_back);
    else
        journal_event(JOURNAL_REFUSED, NULL, 0, "%s: refused: %s", origin, problem->text);
}

void sensor_count_left_out(Sensor *sensor) {
    metric_add(sensor->left_out, 1);
}

static void on_subscription(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata) {
    (void)topic;
    (void)size;
    (void)is_subscribed;
    Sensor *sensor = userdata;
    if (!link_has_subscriber(link, event_topic(sensor->kind))) {
        hold(sensor);
        return;
    }
    if (run(sensor) < 0)
        service_exit(sensor->service, EXIT_FAILURE);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    return run(userdata);
}

static int on_status(Timer *timer, Mono now, void *userdata) {
    Sensor *sensor = userdata;
    char what[256];
    sensor->type->describe(sensor->source, what, sizeof what);
    service_status(sensor->service, "%s; %s; %" PRIu64 " sent, %" PRIu64 " refused", what,
                   sensor->is_running ? "running"
                   : link_has_subscriber(sensor->link, event_topic(sensor->kind))
                       ? "waiting: the link is full"
                       : "waiting for a subscriber",
                   sensor->n_sent, sensor->n_refused);
    timer_set(timer, mono_after(now, STATUS_PERIOD_USEC));
    return 0;
}

static ProducerName producer_of(SensorKind kind) {
    char who[32];
    (void)snprintf(who, sizeof who, "sensor-%s", sensor_kind_words[kind]);
    return producer_name(who);
}

static void make_counters(Sensor *sensor) {
    Metrics *metrics = service_metrics(sensor->service);
    char labels[64];
    (void)snprintf(labels, sizeof labels, "kind=\"%s\",outcome=\"sent\"", sensor_kind_words[sensor->kind]);
    sensor->sent = metrics_counter(metrics, "traffic_events_total", "Events by what became of them.", labels);
    (void)snprintf(labels, sizeof labels, "kind=\"%s\",outcome=\"left_out\"",
                   sensor_kind_words[sensor->kind]);
    sensor->left_out =
        metrics_counter(metrics, "traffic_events_total", "Events by what became of them.", labels);
}

/* How many sensors take part. */
static int count_sensors(Sensor *sensor, Problem *problem) {
    const City *city = service_city(sensor->service);
    size_t wanted = (size_t)service_settings(sensor->service)->sensor_count;
    size_t there = city->n_sensors[sensor->kind];
    if (there == 0)
        return problem_set(problem, -EINVAL, "%s has no %s sensors", city->name,
                           sensor_kind_words[sensor->kind]);
    /* one setting for all kinds: a kind may well have fewer */
    sensor->n_sensors = wanted && wanted < there ? wanted : there;
    return 0;
}

static const LinkHandlers handlers = {.on_subscription = on_subscription, .on_writable = on_writable};

static int start(Service *service, void **ret_state, Problem *problem) {
    Sensor *sensor = calloc(1, sizeof *sensor);
    if (!sensor)
        return -ENOMEM;
    *ret_state = sensor;
    sensor->service = service;
    sensor->kind = (SensorKind)word_index(sensor_kind_words, service_instance(service));
    sensor->type = source_types[service_settings(service)->sensor_source];
    sensor->refusals = (JournalLimit){.burst = REFUSALS_TOLD_AT_ONCE, .per_usec = REFUSALS_TOLD_PER_USEC};
    sensor->producer = producer_of(sensor->kind);
    make_counters(sensor);
    int r = count_sensors(sensor, problem);
    if (r >= 0)
        r = link_bind(service, endpoints_of_kinds[sensor->kind], &handlers, sensor, &sensor->link, problem);
    if (r < 0)
        return r;
    link_set_linger(sensor->link, LINGER_MSEC);
    if ((r = sensor->type->open(sensor, &sensor->source, problem)) < 0 ||
        (r = relay_away_open(service, &sensor->relay_away)) < 0 ||
        (r = timer_new(service, on_status, sensor, &sensor->status_timer)) < 0)
        return r;
    timer_set(sensor->status_timer, service_now(service));
    return 0;
}

static void stop(void *state) {
    Sensor *sensor = state;
    if (!sensor)
        return;
    timer_free(sensor->status_timer);
    relay_away_free(sensor->relay_away);
    if (sensor->source)
        sensor->type->free(sensor->source);
    link_free(sensor->link);
    free(sensor);
}

const ServiceSpec sensor_service = {
    .name = "traffic-sensor",
    .summary = "Publishes the readings of one kind of sensor: made up, replayed from a recording, or handed "
               "in by a program.",
    .instances = "camera|inductive|gps",
    .start = start,
    .stop = stop,
};
