/* One event at a time: was this frame taken before, decode, judge the event's number, check that it is about
 * this city, store it, decide. The number is judged before the place is, so that a refused event is not told
 * as a lost one as well.
 *
 * There are two numbers. The frame's position is the broker's and tells whether the frame was taken before,
 * in this life of the service or an earlier one; the event's own was given by who made it, and is the same
 * however often and on whatever way the event comes. What is refused or repeated by what it says is taken all
 * the same: else the broker would send it for ever. */
#include "ingest.h"

#include "core/dedup.h"
#include "custody/receiver.h"
#include "rate.h"
#include "shell/city-clock.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/reading-age.h"
#include "wire/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEDUP_BUCKETS = 32 }; /* room for 256 producers, about 80 KiB */
/* A reading that says that it was made longer ago, or that long before it came, is of a clock that is wrong. */
#define SEEN_AGO_MAX_USEC   (3 * USEC_PER_SEC)
#define SEEN_AHEAD_MAX_USEC (10 * USEC_PER_SEC)

struct Ingest {
    Service *service;
    Delivery *delivery;
    Decisions *decisions;
    Link *broker;
    Receiver *receiver;
    Decoder *decoder;
    IngestTickFn on_tick; /* NULL unless a simulator owns city time */
    void *tick_userdata;
    unsigned paused_for; /* IngestPause */
    Dedup dedup;
    DedupProducer *producers;
    const LaneHandlers *lane_handlers;
    void *lane_userdata;
    PlacedVehicle placed[VIEW_PLACED_MAX]; /* of the view that is being read */
    size_t n_placed;
    uint64_t interval_usec[SENSOR_KIND_COUNT];
    Rate rates[SENSOR_KIND_COUNT];
    JournalLimit gap_limit;
    ReadingAge age;
    Metric *taken[SENSOR_KIND_COUNT], *repeated[SENSOR_KIND_COUNT], *late[SENSOR_KIND_COUNT];
    Metric *missing, *last_event;
};

/* --- was it seen before? --- */

static void tell_gap(Ingest *ingest, const EventIdentity *identity, uint64_t n_missing) {
    uint64_t held_back;
    metric_add(ingest->missing, n_missing);
    if (journal_limit_pass(&ingest->gap_limit, service_now(ingest->service), &held_back))
        journal_event(JOURNAL_LOST, NULL, 0,
                      "%" PRIu64 " events of %s (epoch %" PRId64 ") are missing before number %" PRId64
                      "; %" PRIu64 " such gaps were not told.",
                      n_missing, identity->producer, identity->epoch, identity->sequence, held_back);
}

/* An event without an identity is new: only who gave numbers can be held to them. */
static DedupVerdict judge(Ingest *ingest, const Message *event) {
    EventIdentity identity;
    if (!event_identity(event, &identity))
        return DEDUP_NEW;
    DedupAnswer answer =
        dedup_judge(&ingest->dedup, identity.producer, identity.epoch, (uint64_t)identity.sequence);
    if (answer.verdict == DEDUP_GAP)
        tell_gap(ingest, &identity, answer.n_missing);
    return answer.verdict;
}

/* --- what it says --- */

/* The time of a reading; false when a loop tells none. */
static bool event_timestamp(const Message *event, Wall *ret) {
    switch (event->tag) {
    case MESSAGE_CAMERA_EVENT:
        *ret = event->CAMERA_EVENT.timestamp;
        return true;
    case MESSAGE_GPS_EVENT:
        *ret = event->GPS_EVENT.timestamp;
        return true;
    case MESSAGE_VIEW_EVENT:
        *ret = event->VIEW_EVENT.timestamp;
        return true;
    case MESSAGE_PASSAGE_EVENT:
        *ret = event->PASSAGE_EVENT.timestamp;
        return true;
    default: {
        const LoopEvent *loop = &event->LOOP_EVENT;
        *ret = message_has(loop, LoopEvent, timestamp) ? loop->timestamp : loop->ended;
        return message_has(loop, LoopEvent, timestamp) || message_has(loop, LoopEvent, ended);
    }
    }
}

static Readings event_readings(const Message *event) {
    const CameraEvent *camera = &event->CAMERA_EVENT;
    const LoopEvent *loop = &event->LOOP_EVENT;
    switch (event->tag) {
    case MESSAGE_CAMERA_EVENT:
        return (Readings){
            .has_queue = message_has(camera, CameraEvent, queue_vehicles),
            .queue_vehicles = camera->queue_vehicles,
            .has_speed = message_has(camera, CameraEvent, speed_kmh),
            .speed_kmh = camera->speed_kmh,
        };
    case MESSAGE_GPS_EVENT:
        return (Readings){.has_speed = true, .speed_kmh = event->GPS_EVENT.speed_kmh};
    default:
        return (Readings){.has_count = true,
                          .count_per_30sec = rules_count_per_30sec(loop->vehicles, loop->interval_sec)};
    }
}

/* A loop's count is about its whole interval, which may be longer than the settings say (hourly counts). */
static uint64_t fresh_usec(const Ingest *ingest, SensorKind kind, const Message *event) {
    uint64_t interval_usec = ingest->interval_usec[kind];
    if (kind == SENSOR_INDUCTIVE) {
        uint64_t own_usec = usec_from_sec(event->LOOP_EVENT.interval_sec);
        interval_usec = own_usec > interval_usec ? own_usec : interval_usec;
    }
    return (uint64_t)(service_settings(ingest->service)->stale_intervals * (double)interval_usec);
}

/* When it was seen, unless the clock that says so cannot be right. A simulator's readings come before the tick that they
 * are of. */
static Mono seen_at(const Ingest *ingest, bool is_told, int64_t captured_usec) {
    Mono now = service_city_now(ingest->service);
    Mono when = is_told ? service_city_at(ingest->service, (Wall){(uint64_t)captured_usec}) : now;
    uint64_t ahead_usec = city_clock_ticks(ingest->service) ? SEEN_AHEAD_MAX_USEC : 0;
    bool is_possible = mono_between(when, now) <= SEEN_AGO_MAX_USEC && mono_between(now, when) <= ahead_usec;
    return is_possible ? when : now;
}

static void tell_lane(Ingest *ingest, size_t intersection, const CitySensor *sensor, const Message *event) {
    const LaneHandlers *handlers = ingest->lane_handlers;
    if (!handlers || !sensor || !sensor->has_lane || sensor->intersection != intersection)
        return;
    if (event->tag == MESSAGE_VIEW_EVENT)
        handlers->on_view(ingest->lane_userdata, intersection, sensor->lane,
                          (unsigned)event->VIEW_EVENT.vehicles, ingest->placed, ingest->n_placed,
                          seen_at(ingest, message_has(&event->VIEW_EVENT, ViewEvent, captured_usec),
                                  event->VIEW_EVENT.captured_usec));
    else if (sensor->loop_metres > 0)
        handlers->on_passage(ingest->lane_userdata, intersection, sensor->lane,
                             event->PASSAGE_EVENT.speed_kmh,
                             seen_at(ingest, message_has(&event->PASSAGE_EVENT, PassageEvent, captured_usec),
                                     event->PASSAGE_EVENT.captured_usec));
}

static void decide(Ingest *ingest, SensorKind kind, size_t intersection, const Message *event) {
    const CitySensor *sensor = city_find_sensor(service_city(ingest->service), kind, event_sensor_id(event));
    if (event->tag == MESSAGE_VIEW_EVENT || event->tag == MESSAGE_PASSAGE_EVENT) {
        tell_lane(ingest, intersection, sensor, event);
        return;
    }
    Approach approach = APPROACH_ANY;
    if (sensor && sensor->has_direction && sensor->intersection == intersection)
        approach = approach_of(sensor->direction);
    DecisionsReading reading = {.approach = approach,
                                .readings = event_readings(event),
                                .fresh_usec = fresh_usec(ingest, kind, event)};
    reading.has_captured = event_captured(event, &reading.captured);
    decisions_read(ingest->decisions, intersection, &reading);
}

/* --- the record of it --- */

/* The event as it came, without its topic. */
static JsonText event_json(const LinkFrame *frame) {
    const char *begin = memchr(frame->data, '{', frame->size);
    const char *end = memrchr(frame->data, '}', frame->size);
    return (JsonText){begin, begin && end > begin ? (size_t)(end - begin) + 1 : 0};
}

static int put_event_record(Ingest *ingest, const Message *event, Wall timestamp, const LinkFrame *frame) {
    Message message = {.tag = MESSAGE_SENSOR_EVENT_RECORD};
    SensorEventRecord *record = &message.SENSOR_EVENT_RECORD;
    EventIdentity identity;
    Wall captured;

    message_set_text(record, SensorEventRecord, sensor_id, event_sensor_id(event));
    message_set_text(record, SensorEventRecord, sensor_type, event_sensor_type(event->tag));
    message_set_text(record, SensorEventRecord, intersection, event_intersection(event));
    message_set(record, SensorEventRecord, timestamp, timestamp);
    message_set(record, SensorEventRecord, event_data, event_json(frame));
    if (event_captured(event, &captured))
        message_set(record, SensorEventRecord, captured_usec, (int64_t)captured.usec);
    if (event_identity(event, &identity)) {
        (void)snprintf(record->producer, sizeof record->producer, "%s", identity.producer);
        record->epoch = identity.epoch;
        record->sequence = identity.sequence;
        message_mark(record, SensorEventRecord, producer);
        message_mark(record, SensorEventRecord, epoch);
        message_mark(record, SensorEventRecord, sequence);
    }
    int r = delivery_put(ingest->delivery, &message);
    return r == -EINVAL ? 0 : r; /* no store would ever accept it: counted and logged there */
}

/* --- one event --- */

/* Whether it is about this city and has all that a record needs. */
static bool is_acceptable(Ingest *ingest, const Message *event, size_t *ret_intersection, Wall *ret_timestamp,
                          Refusal *ret_refusal, Problem *problem) {
    const char *sensor = event_sensor_id(event), *id = event_intersection(event);
    size_t intersection = city_find_intersection(service_city(ingest->service), id);
    Wall timestamp;
    if (intersection == CITY_NO_INDEX) {
        *ret_refusal = REFUSAL_UNKNOWN_INTERSECTION;
        (void)problem_set(
            problem, 0,
            "sensor %s: member \"interseccion\": expected an intersection of the city, got \"%s\"", sensor,
            id);
        return false;
    }
    if (!event_timestamp(event, &timestamp)) {
        *ret_refusal = REFUSAL_MISSING_FIELD;
        (void)problem_set(
            problem, 0, "sensor %s: expected member \"timestamp_fin\" or \"timestamp\", got neither", sensor);
        return false;
    }
    if (event->tag == MESSAGE_VIEW_EVENT &&
        view_text_parse(&event->VIEW_EVENT, ingest->placed, ARRAY_LEN(ingest->placed), &ingest->n_placed,
                        problem) < 0) {
        *ret_refusal = REFUSAL_WRONG_TYPE;
        return false;
    }
    *ret_intersection = intersection;
    *ret_timestamp = timestamp;
    return true;
}

/* An event that cannot be put ends the process: in the next life it comes again. */
static int take_event(Ingest *ingest, SensorKind kind, const Message *event, DedupVerdict verdict,
                      size_t intersection, Wall timestamp, const LinkFrame *frame) {
    bool is_newest = verdict == DEDUP_NEW || verdict == DEDUP_GAP;
    Wall captured;
    metric_add(is_newest ? ingest->taken[kind] : ingest->late[kind], 1);
    metric_set(ingest->last_event, (double)service_wall(ingest->service).usec / (double)USEC_PER_SEC);
    rate_count(&ingest->rates[kind], service_now(ingest->service));
    if (event_captured(event, &captured))
        reading_age_observe(&ingest->age, captured);
    int r = put_event_record(ingest, event, timestamp, frame);
    if (r < 0) {
        intake_rolled_back(delivery_intake(ingest->delivery));
        return r;
    }
    if (is_newest) /* a late one says how things were, not how they are */
        decide(ingest, kind, intersection, event);
    return 0;
}

static int take_tick(Ingest *ingest, const TickEvent *tick, Link *link, const LinkFrame *frame) {
    if (ingest->on_tick)
        return ingest->on_tick(tick, ingest->tick_userdata);
    Problem problem;
    problem_set(&problem, 0, "expected no tick: [clock] source is system");
    link_refuse(link, frame, REFUSAL_UNKNOWN_TYPE, &problem);
    return 0;
}

static int read_event(Ingest *ingest, Link *link, const LinkFrame *frame) {
    Message event;
    Refusal refusal;
    Problem problem = {{0}};
    SensorKind kind;
    size_t intersection;
    Wall timestamp;

    int r = message_decode(ingest->decoder, MESSAGE_FAMILY_EVENT, frame->data, frame->size, &event, &refusal,
                           &problem);
    if (r < 0 && r != -EBADMSG)
        return r;
    if (r == 0 && event.tag == MESSAGE_TICK_EVENT)
        return take_tick(ingest, &event.TICK_EVENT, link, frame);
    if (r < 0 || !event_kind(event.tag, &kind)) {
        link_refuse(link, frame, refusal, &problem);
        return 0;
    }
    DedupVerdict verdict = judge(ingest, &event); /* before anything else: a refused number was not lost */
    if (verdict == DEDUP_REPEAT) {
        metric_add(ingest->repeated[kind], 1);
        return 0;
    }
    if (!is_acceptable(ingest, &event, &intersection, &timestamp, &refusal, &problem)) {
        link_refuse(link, frame, refusal, &problem);
        return 0;
    }
    return take_event(ingest, kind, &event, verdict, intersection, timestamp, frame);
}

/* The broker tells a tick twice: under custody to who acknowledges it, in order with the events, and
 * plainly to the others. */
static bool is_for_others(const Ingest *ingest, const LinkFrame *frame) {
    static const char topic[] = "tick ";
    const size_t n = sizeof topic - 1;
    return ingest->on_tick && frame->size > n && memcmp(frame->data, topic, n) == 0;
}

static int on_event_frame(Link *link, const LinkFrame *frame, void *userdata) {
    Ingest *ingest = userdata;
    LinkFrame own;
    switch (receiver_judge(ingest->receiver, frame, &own)) {
    case RECEIVER_TAKE:
        delivery_touch(ingest->delivery);
        return read_event(ingest, link, &own);
    case RECEIVER_PLAIN:
        return is_for_others(ingest, &own) ? 0 : read_event(ingest, link, &own);
    case RECEIVER_LEAVE:
        break;
    }
    return 0;
}

/* --- the module --- */

static void ingest_count(Ingest *ingest) {
    Metrics *metrics = service_metrics(ingest->service);
    static const char help[] = "Events from the broker, by what became of them.";
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        char labels[64];
        const char *word = sensor_kind_words[kind];
        (void)snprintf(labels, sizeof labels, "kind=\"%s\",outcome=\"taken\"", word);
        ingest->taken[kind] = metrics_counter(metrics, "traffic_events_total", help, labels);
        (void)snprintf(labels, sizeof labels, "kind=\"%s\",outcome=\"repeated\"", word);
        ingest->repeated[kind] = metrics_counter(metrics, "traffic_events_total", help, labels);
        (void)snprintf(labels, sizeof labels, "kind=\"%s\",outcome=\"late\"", word);
        ingest->late[kind] = metrics_counter(metrics, "traffic_events_total", help, labels);
    }
    reading_age_init(&ingest->age, ingest->service, "analytics_taken");
    ingest->missing = metrics_counter(metrics, "traffic_events_missing_total",
                                      "Numbers that were skipped in producers' sequences.", "");
    ingest->last_event = metrics_gauge(metrics, "traffic_last_event_timestamp_seconds",
                                       "When the last event arrived, Unix time.", "");
}

int ingest_new(Service *service, Delivery *delivery, Decisions *decisions, Ingest **ret, Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_event_frame};
    const Settings *settings = service_settings(service);
    scoped(ingest_freep) Ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest)
        return -ENOMEM;
    *ingest = (Ingest){
        .service = service,
        .delivery = delivery,
        .decisions = decisions,
        .producers = calloc(DEDUP_BUCKETS * DEDUP_BUCKET_PRODUCERS, sizeof *ingest->producers),
        .interval_usec = {[SENSOR_CAMERA] = usec_from_sec(settings->camera_interval_sec),
                          [SENSOR_INDUCTIVE] = usec_from_sec(settings->inductive_interval_sec),
                          [SENSOR_GPS] = usec_from_sec(settings->gps_interval_sec)},
        .gap_limit = {.burst = 5, .per_usec = 60 * USEC_PER_SEC},
    };
    if (!ingest->producers)
        return -ENOMEM;
    dedup_init(&ingest->dedup, ingest->producers, DEDUP_BUCKETS);
    ingest_count(ingest);
    int r = decoder_new(&ingest->decoder);
    if (r >= 0)
        r = receiver_new(service, ENDPOINT_BROKER, false, delivery_intake(delivery), &ingest->receiver,
                         problem);
    if (r >= 0)
        r = link_connect(service, ENDPOINT_BROKER, &handlers, ingest, &ingest->broker, problem);
    if (r < 0)
        return r;
    receiver_pace(ingest->receiver);
    *ret = take(ingest);
    return 0;
}

Ingest *ingest_free(Ingest *ingest) {
    if (!ingest)
        return NULL;
    link_free(ingest->broker);
    receiver_free(ingest->receiver);
    decoder_free(ingest->decoder);
    free(ingest->producers);
    free(ingest);
    return NULL;
}

void ingest_pause(Ingest *ingest, IngestPause why, bool is_paused) {
    if (is_paused)
        ingest->paused_for |= why;
    else
        ingest->paused_for &= ~(unsigned)why;
    link_pause(ingest->broker, ingest->paused_for != 0);
}

void ingest_on_tick(Ingest *ingest, IngestTickFn fn, void *userdata) {
    ingest->on_tick = fn;
    ingest->tick_userdata = userdata;
}

void ingest_on_lanes(Ingest *ingest, const LaneHandlers *handlers, void *userdata) {
    ingest->lane_handlers = handlers;
    ingest->lane_userdata = userdata;
}

void ingest_acknowledge(Ingest *ingest) {
    receiver_acknowledge(ingest->receiver);
}

double ingest_events_per_sec(const Ingest *ingest, SensorKind kind) {
    return rate_per_sec(&ingest->rates[kind], service_now(ingest->service));
}
