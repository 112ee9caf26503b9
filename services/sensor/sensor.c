/* Publishes the readings of one kind of sensor. Knows the link and the identity of what goes out; where
 * readings come from is behind the table of sources, what waits for the broker in reading-queue.c.
 *
 * The subtle thing: readings are only wanted while somebody subscribes to this kind and there is room for
 * them until the broker has committed them. Until then, and again whenever it ends, the source is told to
 * stand still, so there is never a reading without a place to go. */
#include "sensor.h"

#include "core/tick-order.h"
#include "reading-queue.h"
#include "relay-away.h"
#include "shell/city-clock.h"
#include "shell/fault-point.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"
#include "source.h"
#include "wire/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_PERIOD_USEC (1 * USEC_PER_SEC)

enum {
    REFUSALS_TOLD_AT_ONCE = 10,
    LINGER_MSEC = 2000, /* v0, at the end of the process: what was handed to the link may still leave it */
};
#define REFUSALS_TOLD_PER_USEC (10 * USEC_PER_SEC)

struct Sensor {
    Service *service;
    SensorKind kind;
    size_t n_sensors;
    Link *link;
    ReadingQueue *queue;
    const SourceType *type;
    Source *source;
    RelayAway *relay_away; /* NULL when the relay is the source */
    bool is_running, is_draining;
    Timer *status_timer;
    ProducerName producer;
    int64_t sequence;
    uint64_t n_sent, n_refused;
    uint64_t acknowledged; /* up to this position, as counted */
    JournalLimit refusals;
    TickOrder ticks;
    Metric *sent, *acknowledged_total, *lost, *left_out;
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

static bool is_wanted(const Sensor *sensor) {
    return link_has_subscriber(sensor->link, event_topic(sensor->kind));
}

static int run(Sensor *sensor) {
    if (sensor->is_running || sensor->is_draining || !is_wanted(sensor) ||
        reading_queue_is_full(sensor->queue))
        return 0;
    sensor->is_running = true;
    return sensor->type->run(sensor->source, service_now(sensor->service));
}

/* What was put into the queue leaves room for more, or does not. */
static void follow_queue(Sensor *sensor) {
    fault_point(FAULT_BEFORE_COMMIT);
    if (reading_queue_is_full(sensor->queue))
        hold(sensor);
}

int sensor_publish(Sensor *sensor, Message *event, uint64_t *ret_position, Problem *problem) {
    char frame[EVENT_MAX_BYTES + 1];
    bool is_ours = !event_identity(event, NULL);
    if (is_ours)
        event_set_identity(event, &(EventIdentity){sensor->producer.text, service_epoch(sensor->service),
                                                   sensor->sequence + 1});
    int r = message_encode(event, frame, sizeof frame, problem);
    if (r >= 0)
        r = reading_queue_push(sensor->queue, frame, (size_t)r, ret_position);
    if (r < 0) {
        if (is_ours)
            event_clear_identity(event);
        return r;
    }
    sensor->sequence += is_ours;
    sensor->n_sent++;
    metric_add(sensor->sent, 1);
    follow_queue(sensor);
    return 0;
}

static bool is_tick_source(const Sensor *sensor) {
    const char *words = service_settings(sensor->service)->clock_tick_sources;
    const char *word = sensor_kind_words[sensor->kind];
    size_t size = strlen(word);
    for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == size && strncmp(at, word, size) == 0)
            return city_clock_ticks(sensor->service);
    return false;
}

static int check_tick(Sensor *sensor, const TickEvent *tick, Problem *problem) {
    if (!is_tick_source(sensor))
        return problem_set(problem, -EBADMSG,
                           "expected no tick: [clock] source is not tick, or tick_sources does not name %s",
                           sensor_kind_words[sensor->kind]);
    TickVerdict verdict = tick_order_judge(&sensor->ticks, tick->number, (uint64_t)tick->city_usec);
    if (verdict == TICK_NEXT)
        return 0;
    problem_set(problem, -EBADMSG,
                "expected tick %" PRId64 " not before %" PRIu64 " us, got %" PRId64 " (%s)",
                sensor->ticks.number + 1, sensor->ticks.city_usec, tick->number, tick_verdict_words[verdict]);
    city_clock_tell_invalid(sensor->service, tick->number, problem->text);
    return -EBADMSG;
}

int sensor_tick(Sensor *sensor, TickEvent *tick, uint64_t *ret_position, Problem *problem) {
    char frame[EVENT_MAX_BYTES + 1];
    Message message = {.tag = MESSAGE_TICK_EVENT};
    int r = check_tick(sensor, tick, problem);
    if (r < 0)
        return r;
    message_set_text(tick, TickEvent, source, sensor_kind_words[sensor->kind]);
    message.TICK_EVENT = *tick;
    r = message_encode(&message, frame, sizeof frame, problem);
    if (r >= 0)
        r = reading_queue_push(sensor->queue, frame, (size_t)r, ret_position);
    if (r < 0)
        return r;
    follow_queue(sensor);
    Wall wall = {(uint64_t)tick->city_usec};
    if (message_has(tick, TickEvent, opens) && tick->opens)
        return city_clock_open(sensor->service, wall);
    tick_order_take(&sensor->ticks, tick->number, (uint64_t)tick->city_usec);
    r = city_clock_tick(sensor->service, wall);
    if (message_has(tick, TickEvent, is_last) && tick->is_last) {
        tick_order_end(&sensor->ticks);
        city_clock_end_run(sensor->service);
    }
    return r;
}

uint64_t sensor_acknowledged(const Sensor *sensor) {
    return reading_queue_acknowledged(sensor->queue);
}

/* The broker has more than before: whoever waits for that hears it, and there is room again. */
static void on_acknowledged(void *userdata) {
    Sensor *sensor = userdata;
    uint64_t acknowledged = reading_queue_acknowledged(sensor->queue);
    metric_add(sensor->acknowledged_total, acknowledged - sensor->acknowledged);
    sensor->acknowledged = acknowledged;
    fault_point(FAULT_AFTER_COMMIT);
    if (sensor->type->acknowledged)
        sensor->type->acknowledged(sensor->source);
    if (sensor->is_draining && reading_queue_count(sensor->queue) == 0)
        service_exit(sensor->service, EXIT_SUCCESS);
    if (run(sensor) < 0)
        service_exit(sensor->service, EXIT_FAILURE);
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
    (void)link;
    Sensor *sensor = userdata;
    reading_queue_reader_is_there(sensor->queue, is_wanted(sensor));
    if (!is_wanted(sensor)) {
        hold(sensor);
        return;
    }
    if (run(sensor) < 0)
        service_exit(sensor->service, EXIT_FAILURE);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    Sensor *sensor = userdata;
    int r = reading_queue_on_writable(sensor->queue);
    return r < 0 ? r : run(sensor);
}

/* What the source does, or why it does not. */
static void describe_state(const Sensor *sensor, char *buffer, size_t size) {
    bool is_v0 = service_settings(sensor->service)->protocol_broker == PROTOCOL_V0;
    if (sensor->is_running || !is_wanted(sensor))
        (void)snprintf(buffer, size, "%s", sensor->is_running ? "running" : "waiting for a subscriber");
    else if (is_v0)
        (void)snprintf(buffer, size, "waiting: the link is full");
    else
        (void)snprintf(buffer, size, "waiting: the broker has not acknowledged %zu readings",
                       reading_queue_count(sensor->queue));
}

static int on_status(Timer *timer, Mono now, void *userdata) {
    Sensor *sensor = userdata;
    char what[256], state[128];
    sensor->type->describe(sensor->source, what, sizeof what);
    describe_state(sensor, state, sizeof state);
    service_status(sensor->service, "%s; %s; %" PRIu64 " sent, %" PRIu64 " refused", what, state,
                   sensor->n_sent, sensor->n_refused);
    timer_set(timer, mono_after(now, STATUS_PERIOD_USEC));
    return 0;
}

static ProducerName producer_of(SensorKind kind) {
    char who[32];
    (void)snprintf(who, sizeof who, "sensor-%s", sensor_kind_words[kind]);
    return producer_name(who);
}

static Metric *make_counter(Sensor *sensor, const char *outcome) {
    char labels[64];
    (void)snprintf(labels, sizeof labels, "kind=\"%s\",outcome=\"%s\"", sensor_kind_words[sensor->kind],
                   outcome);
    return metrics_counter(service_metrics(sensor->service), "traffic_events_total",
                           "Events by what became of them.", labels);
}

static void make_counters(Sensor *sensor) {
    sensor->sent = make_counter(sensor, "sent");
    sensor->acknowledged_total = make_counter(sensor, "acknowledged");
    sensor->lost = make_counter(sensor, "lost");
    sensor->left_out = make_counter(sensor, "left_out");
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

/* Only who hands readings in can hand in ticks; one kind without them would stop the whole city. */
static int check_source(const Sensor *sensor, Problem *problem) {
    const Settings *settings = service_settings(sensor->service);
    if (!is_tick_source(sensor) || settings->sensor_source == SENSOR_SOURCE_RELAY)
        return 0;
    return problem_set(problem, -EINVAL,
                       "expected [sensor] source = relay, because [clock] source is tick, got %s",
                       sensor_source_words[settings->sensor_source]);
}

static const LinkHandlers handlers = {.on_subscription = on_subscription, .on_writable = on_writable};

static int open_link(Sensor *sensor, Problem *problem) {
    int r = link_bind(sensor->service, endpoints_of_kinds[sensor->kind], &handlers, sensor, &sensor->link,
                      problem);
    if (r < 0)
        return r;
    if (service_settings(sensor->service)->protocol_broker == PROTOCOL_V0)
        link_set_linger(sensor->link, LINGER_MSEC);
    else
        link_let_drop(sensor->link);
    const ReadingQueueSpec spec = {
        .link = sensor->link, .on_acknowledged = on_acknowledged, .userdata = sensor};
    return reading_queue_new(sensor->service, &spec, &sensor->queue, problem);
}

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
    int r = check_source(sensor, problem);
    if (r >= 0)
        r = count_sensors(sensor, problem);
    if (r >= 0)
        r = open_link(sensor, problem);
    if (r < 0)
        return r;
    if ((r = sensor->type->open(sensor, &sensor->source, problem)) < 0 ||
        (r = relay_away_open(service, &sensor->relay_away)) < 0 ||
        (r = timer_new(service, on_status, sensor, &sensor->status_timer)) < 0)
        return r;
    timer_set(sensor->status_timer, service_now(service));
    return 0;
}

/* Nothing new is made; what was made may still arrive. */
static bool drain(void *state) {
    Sensor *sensor = state;
    sensor->is_draining = true;
    hold(sensor);
    return reading_queue_count(sensor->queue) == 0;
}

/* Whether the broker has what it did not acknowledge cannot be known any more. */
static void tell_lost(Sensor *sensor) {
    size_t n = sensor->queue ? reading_queue_count(sensor->queue) : 0;
    if (n == 0)
        return;
    if (sensor->type->is_given_again) {
        journal_note(LOG_NOTICE, "%zu readings were not acknowledged to those who handed them in", n);
        return;
    }
    metric_add(sensor->lost, n);
    JournalField fields[1];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_LOST=%zu", n);
    journal_event(
        JOURNAL_LOST, fields, 1,
        "the last %zu readings of %s are lost with this process unless the broker has them: it has not "
        "acknowledged them",
        n, sensor->producer.text);
}

static void stop(void *state) {
    Sensor *sensor = state;
    if (!sensor)
        return;
    tell_lost(sensor);
    timer_free(sensor->status_timer);
    relay_away_free(sensor->relay_away);
    if (sensor->source)
        sensor->type->free(sensor->source);
    reading_queue_free(sensor->queue);
    link_free(sensor->link);
    free(sensor);
}

const ServiceSpec sensor_service = {
    .name = "traffic-sensor",
    .summary = "Publishes the readings of one kind of sensor: made up, replayed from a recording, or handed "
               "in by a program.",
    .instances = "camera|inductive|gps",
    .start = start,
    .drain = drain,
    .stop = stop,
};
