/* Collects the events of every kind of sensor, keeps each on disk until analytics has committed it, and hands
 * them on over one link. What an event is stands in gate.c, how it gets here in input.c, how it is kept and
 * sent in common/custody; here is how these hang together, and who gives a number to an event that came
 * without one.
 *
 * The order that makes it safe: an event and the cursor of the link that brought it are one transaction; only
 * then does its sensor hear of it (on_committed), and only then is it sent on. An event that cannot be kept
 * now (the spool is full, the disk refuses) is not asked about: it waits in its input, uncounted, and its
 * sensor stops behind it.
 *
 * A reader of 5560 that acknowledges must hear everything. So sending starts when all topics have a
 * subscriber; who subscribes to one topic only hears what is sent to the others. */
#include "broker.h"

#include "custody/keeper.h"
#include "custody/receiver.h"
#include "custody/sender.h"
#include "gate.h"
#include "input.h"
#include "shell/city-clock.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"
#include "shell/reading-age.h"
#include "ticks.h"
#include "wire/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_PERIOD_USEC (1 * USEC_PER_SEC)

/* With a reader of the first implementation only: at the end of the process what counts as delivered may
 * still leave the link. */
enum { LINGER_MSEC = 2000 };

typedef struct Broker Broker;

/* A kind of sensor, as it arrives. */
typedef struct Topic {
    Broker *broker;
    SensorKind kind;
    Intake intake;
    Receiver *receiver;
    Input *input;
} Topic;

struct Broker {
    Service *service;
    Keeper *keeper;
    KeeperReader analytics;
    Link *output;
    Sender *sender;
    Ticks *ticks; /* NULL unless a simulator owns city time */
    Topic topics[SENSOR_KIND_COUNT];
    size_t next_topic; /* who may go first when there is room again */
    sd_event_source *resume;
    Timer *status_timer;
    ProducerName producer;
    int64_t sequence;   /* of the events that got their identity here */
    uint64_t forwarded; /* up to this position */
    uint64_t n_taken, n_forwarded;
    ReadingAge age;
    Metric *taken_total, *forwarded_total, *identified_total;
    char frame[GATE_FRAME_MAX_BYTES];
};

static const EndpointId input_endpoints[SENSOR_KIND_COUNT] = {
    [SENSOR_CAMERA] = ENDPOINT_SENSOR_CAMERA,
    [SENSOR_INDUCTIVE] = ENDPOINT_SENSOR_INDUCTIVE,
    [SENSOR_GPS] = ENDPOINT_SENSOR_GPS,
};

/* --- taking --- */

static bool can_take(void *userdata) {
    const Topic *topic = userdata;
    return keeper_can_take(topic->broker->keeper) && ticks_may_take(topic->broker->ticks, topic->kind);
}

static bool is_wanted(const Hop *hop, void *userdata) {
    Topic *topic = userdata;
    if (receiver_judge_hop(topic->receiver, hop) == RECEIVER_LEAVE)
        return false;
    keeper_touch(topic->broker->keeper);
    return true;
}

/* A number counts only when its event is taken, so a repeated attempt gets the same one. */
static int take_event(const InputEvent *event, Problem *problem, void *userdata) {
    Broker *broker = ((Topic *)userdata)->broker;
    const char *text = event->text;
    size_t size = event->size;
    if (event->needs_identity) {
        EventIdentity identity = {broker->producer.text, service_epoch(broker->service),
                                  broker->sequence + 1};
        int n =
            gate_add_identity(text, size, &identity, service_wall(broker->service), broker->frame, problem);
        if (n < 0)
            return n == -EMSGSIZE ? -EBADMSG : n;
        text = broker->frame;
        size = (size_t)n;
    }
    int r = keeper_append(broker->keeper, text, size);
    if (r < 0)
        return r;
    if (event->has_captured)
        reading_age_follow(&broker->age, spool_last(keeper_spool(broker->keeper)), event->captured);
    broker->sequence += event->needs_identity;
    broker->n_taken++;
    metric_add(broker->taken_total, 1);
    metric_add(broker->identified_total, event->needs_identity);
    return 0;
}

static int take_tick(const void *tick, size_t size, Problem *problem, void *userdata) {
    const Topic *topic = userdata;
    return ticks_take(topic->broker->ticks, topic->kind, tick, size, problem);
}

static int on_batch_end(void *userdata) {
    return keeper_end_batch(((Broker *)userdata)->keeper);
}

static void on_committed(void *userdata) {
    Broker *broker = userdata;
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++)
        receiver_acknowledge(broker->topics[i].receiver);
    uint64_t committed = spool_committed(keeper_spool(broker->keeper));
    sender_add(broker->sender, committed);
    ticks_committed(broker->ticks, committed);
    reading_age_reach(&broker->age, committed);
}

/* Not at once: whoever says so is in the middle of its work. */
static void resume_soon(void *userdata) {
    Broker *broker = userdata;
    if (broker->resume)
        (void)sd_event_source_set_enabled(broker->resume, SD_EVENT_ONESHOT);
}

static void on_flow(bool can_take_again, void *userdata) {
    if (can_take_again)
        resume_soon(userdata);
}

/* Round robin, so that a fast topic does not always get the first free place. */
static int on_resume(sd_event_source *source, void *userdata) {
    (void)source;
    Broker *broker = userdata;
    size_t first = broker->next_topic;
    broker->next_topic = (first + 1) % SENSOR_KIND_COUNT;
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++) {
        int r = input_resume(broker->topics[(first + i) % SENSOR_KIND_COUNT].input);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- sending on --- */

/* One of the first implementation knows the first topics only, and acknowledges nothing. */
static bool has_reader(const Broker *broker) {
    bool is_v0 = service_settings(broker->service)->protocol_analytics == PROTOCOL_V0;
    for (size_t i = 0; i < (is_v0 ? SENSOR_KIND_COUNT : EVENT_COUNT); i++)
        if (!link_has_subscriber(broker->output, message_wire_name(event_tags[i])))
            return false;
    return true;
}

static void on_subscription(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata) {
    (void)link;
    Broker *broker = userdata;
    sender_reader_is_there(broker->sender, has_reader(broker));
    if (is_subscribed)
        ticks_subscribed(broker->ticks, topic, size);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    Broker *broker = userdata;
    return sender_on_writable(broker->sender);
}

static int read_spool(void *userdata, uint64_t position, const char **ret, size_t *ret_size) {
    return keeper_read(&((Broker *)userdata)->analytics, position, ret, ret_size);
}

static uint64_t oldest_in_spool(void *userdata) {
    return keeper_oldest(&((Broker *)userdata)->analytics);
}

static void on_acknowledged(void *userdata, uint64_t position) {
    Broker *broker = userdata;
    if (position > broker->forwarded) {
        broker->n_forwarded += position - broker->forwarded;
        metric_add(broker->forwarded_total, position - broker->forwarded);
        broker->forwarded = position;
    }
    keeper_acknowledge(&broker->analytics, position);
}

static uint64_t renew_stream(void *userdata) {
    return keeper_renew_stream(&((Broker *)userdata)->analytics);
}

static int open_output(Broker *broker, Problem *problem) {
    static const LinkHandlers handlers = {.on_subscription = on_subscription, .on_writable = on_writable};
    Protocol protocol = (Protocol)service_settings(broker->service)->protocol_analytics;
    const Spool *spool = keeper_spool(broker->keeper);
    int r = link_bind(broker->service, ENDPOINT_BROKER, &handlers, broker, &broker->output, problem);
    if (r < 0)
        return r;
    if (protocol == PROTOCOL_CUSTODY)
        link_let_drop(broker->output);
    else
        link_set_linger(broker->output, LINGER_MSEC);
    broker->forwarded = spool_acknowledged(spool, broker->analytics.reader);
    const SenderSpec spec = {
        .data = broker->output,
        .id = ENDPOINT_BROKER,
        .reader = "analytics",
        .protocol = protocol,
        .stream = spool_stream(spool),
        .acknowledged = broker->forwarded,
        .last = spool_committed(spool),
        .source = {.read = read_spool,
                   .oldest = oldest_in_spool,
                   .on_acknowledged = on_acknowledged,
                   .renew_stream = renew_stream},
        .userdata = broker,
    };
    r = sender_new(broker->service, &spec, &broker->sender, problem);
    if (r >= 0)
        sender_reader_is_there(broker->sender, false);
    return r;
}

/* --- the service --- */

static int on_status(Timer *timer, Mono now, void *userdata) {
    Broker *broker = userdata;
    const char *trouble = keeper_trouble(broker->keeper);
    service_status(broker->service,
                   "%s; %" PRIu64 " events taken, %" PRIu64 " forwarded, %" PRIu64 " wait for analytics%s%s",
                   broker_mode_words[service_settings(broker->service)->broker_mode], broker->n_taken,
                   broker->n_forwarded, outflow_backlog(sender_outflow(broker->sender)),
                   !*trouble && keeper_can_take(broker->keeper) ? "" : "; the sensors wait: ",
                   *trouble                          ? trouble
                   : keeper_can_take(broker->keeper) ? ""
                                                     : "the spool is full");
    timer_set(timer, mono_after(now, STATUS_PERIOD_USEC));
    return 0;
}

static int open_keeper(Broker *broker, Problem *problem) {
    static const char *const readers[] = {"analytics", NULL};
    const Settings *settings = service_settings(broker->service);
    const KeeperSpec spec = {
        .name = "spool",
        .readers = readers,
        .max_bytes = (uint64_t)settings->broker_spool_mib << 20,
        .commit_usec = city_clock_ticks(broker->service) ? KEEPER_STEP_COMMIT_USEC
                                                         : usec_from_sec(settings->broker_commit_sec),
        .handlers = {.on_committed = on_committed, .on_flow = on_flow},
        .userdata = broker,
    };
    int r = keeper_new(broker->service, &spec, &broker->keeper, problem);
    broker->analytics = (KeeperReader){.keeper = broker->keeper};
    return r;
}

static int open_topic(Broker *broker, SensorKind kind, Problem *problem) {
    static const InputHandlers handlers = {
        .can_take = can_take, .is_wanted = is_wanted, .on_event = take_event, .on_tick = take_tick};
    Topic *topic = &broker->topics[kind];
    EndpointId id = input_endpoints[kind];
    topic->broker = broker;
    topic->kind = kind;
    int r = spool_add_intake(keeper_spool(broker->keeper), endpoints[id].name, &topic->intake, problem);
    if (r >= 0)
        r = receiver_new(broker->service, id, false, &topic->intake, &topic->receiver, problem);
    if (r < 0)
        return r;
    receiver_pace(topic->receiver);
    bool is_threaded = service_settings(broker->service)->broker_mode == BROKER_THREADED;
    return is_threaded ? input_open_in_thread(broker->service, id, &handlers, topic, &topic->input, problem)
                       : input_open_in_loop(broker->service, id, &handlers, topic, &topic->input, problem);
}

static void make_counters(Broker *broker) {
    static const char help[] = "Events by what became of them.";
    Metrics *metrics = service_metrics(broker->service);
    reading_age_init(&broker->age, broker->service, "broker_committed");
    broker->taken_total = metrics_counter(metrics, "traffic_events_total", help, "outcome=\"taken\"");
    broker->forwarded_total = metrics_counter(metrics, "traffic_events_total", help, "outcome=\"forwarded\"");
    broker->identified_total = metrics_counter(metrics, "traffic_events_identified_total",
                                               "Events that came without an identity and got one.", "");
}

static int start(Service *service, void **ret_state, Problem *problem) {
    Broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        return -ENOMEM;
    *ret_state = broker;
    broker->service = service;
    broker->producer = producer_name("broker");
    make_counters(broker);
    int r = sd_event_add_defer(service_event(service), &broker->resume, on_resume, broker);
    if (r >= 0)
        r = sd_event_source_set_enabled(broker->resume, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_source_set_exit_on_failure(broker->resume, 1);
    if (r < 0 || (r = open_keeper(broker, problem)) < 0 || (r = open_output(broker, problem)) < 0)
        return r;
    const TicksSpec ticks = {
        .keeper = broker->keeper, .output = broker->output, .on_turn = resume_soon, .userdata = broker};
    r = ticks_new(service, &ticks, &broker->ticks, problem);
    if (r < 0)
        return r;
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        if ((r = open_topic(broker, (SensorKind)kind, problem)) < 0)
            return r;
    zhub_on_batch_end(service_hub(service), on_batch_end, broker);
    r = timer_new(service, on_status, broker, &broker->status_timer);
    if (r < 0)
        return r;
    timer_set(broker->status_timer, service_now(service));
    return 0;
}

/* What was taken and is not committed yet is committed by the keeper's end; its sensors hear of it when the
 * broker is back. */
static void stop(void *state) {
    Broker *broker = state;
    if (!broker)
        return;
    zhub_on_batch_end(service_hub(broker->service), NULL, NULL);
    timer_free(broker->status_timer);
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++)
        input_free(broker->topics[i].input);
    broker->ticks = ticks_free(broker->ticks);
    broker->sender = sender_free(broker->sender);
    keeper_free(broker->keeper);
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++)
        receiver_free(broker->topics[i].receiver);
    sd_event_source_disable_unref(broker->resume);
    link_free(broker->output);
    free(broker);
}

const ServiceSpec broker_service = {
    .name = "traffic-broker",
    .summary =
        "Collects the events of every kind of sensor, keeps them until analytics has them and forwards "
        "them on one link.",
    .start = start,
    .stop = stop,
};
