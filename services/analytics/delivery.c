/* Records on their way to the stores: written once, kept in the outbox, sent by a sender for each store. The outbox is
 * custody/keeper.h's and the sending custody/sender.h's; here they meet.
 *
 * The subtle thing is the end of the outbox: what has been taken from the broker must fit with all that follows from
 * it, because its cursor is committed with it. The keeper says that it is full while there is still room for that. */
#include "delivery.h"

#include "custody/keeper.h"
#include "custody/sender.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINGER_MSEC =
        2000, /* for a store that acknowledges nothing: what was handed to its link may still leave it */
    RECORD_MAX_BYTES = FRAME_MAX_BYTES - HOP_TEXT_MAX_BYTES,
    LATENCY_SHARE = 16, /* one event record of so many is measured */
};
#define LATENCY_TURN_USEC (30 * USEC_PER_SEC)

/* One store's side of it. */
typedef struct Outlet {
    Delivery *delivery;
    StoreRole role;
    bool is_v0;
    KeeperReader reader;
    Link *link;
    Sender *sender;
    bool is_living;
    Mono moved; /* last time that something left, or nothing waited */
    /* A store that returned has caught up when it has what waited by then. */
    bool is_catching_up;
    uint64_t catch_up_to, n_to_catch_up;
    Mono returned;
    Metric *acknowledged, *best_effort, *waiting;
} Outlet;

struct Delivery {
    Service *service;
    DeliveryHandlers handlers;
    void *userdata;
    Intake intake;
    Keeper *keeper;
    Outlet outlets[STORE_ROLE_COUNT];
    bool is_blocked;
    ProducerName producer;
    int64_t next_sequence;
    DurableLatency latency;
    uint64_t n_event_records;
    Timer *latency_timer;
    JournalLimit drop_limit;
    Metric *refused, *dropped, *stalls;
    char frame[RECORD_MAX_BYTES + 1];
};

/* --- identity --- */

#define IDENTIFY(TAG, Type)                                                                                  \
    case MESSAGE_##TAG:                                                                                      \
        if (message_has(&record->TAG, Type, producer) && message_has(&record->TAG, Type, epoch) &&           \
            message_has(&record->TAG, Type, sequence))                                                       \
            return;                                                                                          \
        message_set_text(&record->TAG, Type, producer, delivery->producer.text);                             \
        message_set(&record->TAG, Type, epoch, service_epoch(delivery->service));                            \
        message_set(&record->TAG, Type, sequence, delivery->next_sequence++);                                \
        return;

/* A part of an identity is none: it would tell two records apart only by chance. */
static void identify(Delivery *delivery, Message *record) {
    switch (record->tag) {
        IDENTIFY(SENSOR_EVENT_RECORD, SensorEventRecord)
        IDENTIFY(CONGESTION_RECORD, CongestionRecord)
        IDENTIFY(SEMAPHORE_RECORD, SemaphoreRecord)
        IDENTIFY(PRIORITY_RECORD, PriorityRecord)
    default:
        return;
    }
}

/* --- flow --- */

static Spool *spool_of(const Delivery *delivery) {
    return keeper_spool(delivery->keeper);
}

static void on_flow(bool can_take, void *userdata) {
    Delivery *delivery = userdata;
    delivery->is_blocked = !can_take;
    metric_add(delivery->stalls, !can_take);
    delivery->handlers.on_flow(!can_take, delivery->userdata);
}

static void outlet_moved(Outlet *outlet) {
    uint64_t backlog = outflow_backlog(sender_outflow(outlet->sender));
    metric_set(outlet->waiting, (double)backlog);
    if (backlog == 0)
        outlet->moved = service_now(outlet->delivery->service);
}

static void on_committed(void *userdata) {
    Delivery *delivery = userdata;
    delivery->handlers.on_committed(delivery->userdata);
    for (int i = 0; i < STORE_ROLE_COUNT; i++) {
        Outlet *outlet = &delivery->outlets[i];
        if (!outlet->sender)
            continue; /* the service ends */
        outlet_moved(outlet);
        sender_add(outlet->sender, spool_committed(spool_of(delivery)));
        outlet_moved(outlet);
    }
}

static int on_batch_end(void *userdata) {
    const Delivery *delivery = userdata;
    return keeper_end_batch(delivery->keeper);
}

/* --- what a sender asks --- */

static int source_read(void *userdata, uint64_t position, const char **ret, size_t *ret_size) {
    Outlet *outlet = userdata;
    return keeper_read(&outlet->reader, position, ret, ret_size);
}

static uint64_t source_oldest(void *userdata) {
    Outlet *outlet = userdata;
    return keeper_oldest(&outlet->reader);
}

static uint64_t source_stream(void *userdata) {
    Outlet *outlet = userdata;
    return keeper_stream(&outlet->reader);
}

static uint64_t source_renew_stream(void *userdata) {
    Outlet *outlet = userdata;
    outlet->delivery->handlers.on_doubt(outlet->delivery->userdata);
    return keeper_renew_stream(&outlet->reader);
}

static void tell_caught_up(Outlet *outlet, Mono now) {
    JournalField fields[3];
    uint64_t took_usec = mono_between(outlet->returned, now);
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", store_role_words[outlet->role]);
    (void)snprintf(fields[1], sizeof fields[1], "BACKLOG=%" PRIu64, outlet->n_to_catch_up);
    (void)snprintf(fields[2], sizeof fields[2], "CATCH_UP_US=%" PRIu64, took_usec);
    journal_event(
        JOURNAL_RECOVERY, fields, 3, "[RECOVERY] The %s store has caught up: %" PRIu64 " records in %.3f s.",
        store_role_words[outlet->role], outlet->n_to_catch_up, (double)took_usec / (double)USEC_PER_SEC);
}

static void source_on_acknowledged(void *userdata, uint64_t position) {
    Outlet *outlet = userdata;
    Delivery *delivery = outlet->delivery;
    Mono now = service_now(delivery->service);
    uint64_t before = spool_acknowledged(spool_of(delivery), outlet->reader.reader);
    keeper_acknowledge(&outlet->reader, position);
    outlet->moved = now;
    if (position > before)
        metric_add(outlet->is_v0 ? outlet->best_effort : outlet->acknowledged, position - before);
    durable_latency_acknowledge(&delivery->latency, outlet->role, position, service_wall(delivery->service));
    if (outlet->is_catching_up && position >= outlet->catch_up_to) {
        outlet->is_catching_up = false;
        tell_caught_up(outlet, now);
    }
}

/* --- one store --- */

static int on_writable(Link *link, void *userdata) {
    (void)link;
    const Outlet *outlet = userdata;
    return outlet->sender ? sender_on_writable(outlet->sender) : 0;
}

static void outlet_count(Outlet *outlet, Metrics *metrics) {
    char labels[32];
    (void)snprintf(labels, sizeof labels, "store=\"%s\"", store_role_words[outlet->role]);
    outlet->acknowledged = metrics_counter(metrics, "traffic_records_acknowledged_total",
                                           "Records that a store has committed.", labels);
    outlet->best_effort =
        metrics_counter(metrics, "traffic_records_best_effort_total",
                        "Records handed to a store that acknowledges nothing ([protocol]).", labels);
    outlet->waiting =
        metrics_gauge(metrics, "traffic_records_waiting", "Records that a store lacks.", labels);
}

static int outlet_open(Delivery *delivery, StoreRole role, Problem *problem) {
    static const EndpointId endpoint[] = {
        [STORE_ROLE_PRIMARY] = ENDPOINT_STORE_PRIMARY, [STORE_ROLE_REPLICA] = ENDPOINT_STORE_REPLICA};
    static const char *const reader[] = {
        [STORE_ROLE_PRIMARY] = "the primary store", [STORE_ROLE_REPLICA] = "the replica store"};
    static const LinkHandlers handlers = {.on_writable = on_writable};
    const Settings *settings = service_settings(delivery->service);
    const int protocol[] = {
        [STORE_ROLE_PRIMARY] = settings->protocol_primary, [STORE_ROLE_REPLICA] = settings->protocol_replica};
    Outlet *outlet = &delivery->outlets[role];
    *outlet = (Outlet){
        .delivery = delivery,
        .role = role,
        .is_v0 = protocol[role] == PROTOCOL_V0,
        .reader = {.keeper = delivery->keeper, .reader = (unsigned)role},
        .is_living = true,
        .moved = service_now(delivery->service),
    };
    outlet_count(outlet, service_metrics(delivery->service));
    int r = link_connect(delivery->service, endpoint[role], &handlers, outlet, &outlet->link, problem);
    if (r < 0)
        return r;
    if (outlet->is_v0)
        link_set_linger(outlet->link, LINGER_MSEC);
    const Spool *spool = spool_of(delivery);
    const SenderSpec spec = {
        .data = outlet->link,
        .id = endpoint[role],
        .reader = reader[role],
        .protocol = (Protocol)protocol[role],
        .stream = spool_stream(spool),
        .acknowledged = spool_acknowledged(spool, (unsigned)role),
        .last = spool_committed(spool),
        .source = {.read = source_read,
                   .oldest = source_oldest,
                   .on_acknowledged = source_on_acknowledged,
                   .stream = source_stream,
                   .renew_stream = source_renew_stream},
        .userdata = outlet,
    };
    return sender_new(delivery->service, &spec, &outlet->sender, problem);
}

/* --- the module --- */

static int on_latency_time(Timer *timer, Mono now, void *userdata) {
    Delivery *delivery = userdata;
    durable_latency_turn(&delivery->latency);
    timer_set(timer, mono_after(now, LATENCY_TURN_USEC));
    return 0;
}

static void delivery_count(Delivery *delivery) {
    Metrics *metrics = service_metrics(delivery->service);
    delivery->refused =
        metrics_counter(metrics, "traffic_records_refused_total", "Records that no store would accept.", "");
    delivery->dropped = metrics_counter(metrics, "traffic_records_dropped_total",
                                        "Records for which there was no room at all.", "");
    delivery->stalls =
        metrics_counter(metrics, "traffic_delivery_stalls_total",
                        "Times that reading stopped because the outbox was full or could not commit.", "");
}

static int open_outbox(Delivery *delivery, Problem *problem) {
    static const char *const readers[] = {
        [STORE_ROLE_PRIMARY] = "primary", [STORE_ROLE_REPLICA] = "replica", [STORE_ROLE_COUNT] = NULL};
    const KeeperSpec spec = {
        .name = "outbox",
        .readers = readers,
        .max_bytes = (uint64_t)service_settings(delivery->service)->analytics_outbox_mib * 1024 * 1024,
        .handlers = {.on_committed = on_committed, .on_flow = on_flow},
        .userdata = delivery,
    };
    intake_init(&delivery->intake);
    int r = keeper_new(delivery->service, &spec, &delivery->keeper, problem);
    if (r < 0)
        return r;
    return spool_add_intake(spool_of(delivery), "broker", &delivery->intake, problem);
}

int delivery_new(Service *service, const DeliveryHandlers *handlers, void *userdata, Delivery **ret,
                 Problem *problem) {
    scoped(delivery_freep) Delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery)
        return -ENOMEM;
    delivery->service = service;
    delivery->handlers = *handlers;
    delivery->userdata = userdata;
    delivery->next_sequence = 1;
    delivery->drop_limit = (JournalLimit){.burst = 1, .per_usec = 60 * USEC_PER_SEC};
    delivery->producer = producer_name("analytics");
    durable_latency_init(&delivery->latency);
    delivery_count(delivery);
    int r = open_outbox(delivery, problem);
    for (int role = 0; r >= 0 && role < STORE_ROLE_COUNT; role++)
        r = outlet_open(delivery, (StoreRole)role, problem);
    if (r >= 0)
        r = timer_new(service, on_latency_time, delivery, &delivery->latency_timer);
    if (r < 0)
        return r;
    timer_set(delivery->latency_timer, mono_after(service_now(service), LATENCY_TURN_USEC));
    zhub_on_batch_end(service_hub(service), on_batch_end, delivery);
    *ret = take(delivery);
    return 0;
}

/* The senders go first: what the keeper commits at last is sent in the next life. */
Delivery *delivery_free(Delivery *delivery) {
    if (!delivery)
        return NULL;
    zhub_on_batch_end(service_hub(delivery->service), NULL, NULL);
    timer_free(delivery->latency_timer);
    for (int i = 0; i < STORE_ROLE_COUNT; i++) {
        Outlet *outlet = &delivery->outlets[i];
        outlet->sender = sender_free(outlet->sender);
        outlet->link = link_free(outlet->link);
    }
    keeper_free(delivery->keeper);
    free(delivery);
    return NULL;
}

Intake *delivery_intake(Delivery *delivery) {
    return &delivery->intake;
}

void delivery_touch(Delivery *delivery) {
    keeper_touch(delivery->keeper);
}

/* --- records --- */

/* One of the readings is followed until both stores have it. */
static void follow(Delivery *delivery, const Message *record) {
    if (record->tag != MESSAGE_SENSOR_EVENT_RECORD ||
        !message_has(&record->SENSOR_EVENT_RECORD, SensorEventRecord, captured_usec) ||
        delivery->n_event_records++ % LATENCY_SHARE != 0)
        return;
    durable_latency_put(&delivery->latency, spool_last(spool_of(delivery)),
                        (Wall){(uint64_t)record->SENSOR_EVENT_RECORD.captured_usec});
}

static void tell_drop(Delivery *delivery, int error) {
    uint64_t held_back;
    metric_add(delivery->dropped, 1);
    if (journal_limit_pass(&delivery->drop_limit, service_now(delivery->service), &held_back))
        journal_event(JOURNAL_LOST, NULL, 0,
                      "There is no room for a record (%s): it is lost, as %.0f were before.",
                      strerror(-error), metric_value(delivery->dropped) - 1);
}

int delivery_put(Delivery *delivery, Message *record) {
    Problem problem = {{0}};
    identify(delivery, record);
    int size = message_encode(record, delivery->frame, sizeof delivery->frame, &problem);
    if (size < 0) {
        metric_add(delivery->refused, 1);
        journal_note(LOG_ERR, "A record could not be written and is lost: %s", problem.text);
        return -EINVAL;
    }
    int r = keeper_append(delivery->keeper, delivery->frame, (size_t)size);
    if (r < 0)
        tell_drop(delivery, r);
    else
        follow(delivery, record);
    return r;
}

bool delivery_is_blocked(const Delivery *delivery) {
    return delivery->is_blocked;
}

const char *delivery_trouble(const Delivery *delivery) {
    if (!delivery->is_blocked)
        return "";
    const char *trouble = keeper_trouble(delivery->keeper);
    return *trouble ? trouble : "the outbox is full";
}

/* --- stores --- */

void delivery_set_living(Delivery *delivery, StoreRole role, bool is_living) {
    Outlet *outlet = &delivery->outlets[role];
    if (outlet->is_living == is_living)
        return;
    outlet->is_living = is_living;
    outlet->is_catching_up = is_living && delivery_backlog(delivery, role) > 0;
    if (outlet->is_catching_up) {
        outlet->catch_up_to = sender_outflow(outlet->sender)->last;
        outlet->n_to_catch_up = delivery_backlog(delivery, role);
        outlet->returned = service_now(delivery->service);
    }
    /* Whether the replica of the first implementation lives is seen from what it takes: it is always offered. */
    if (!outlet->is_v0 || role == STORE_ROLE_PRIMARY)
        sender_reader_is_there(outlet->sender, is_living);
}

bool delivery_is_moving(const Delivery *delivery, StoreRole role, uint64_t patience_usec) {
    return delivery_waiting_usec(delivery, role) < patience_usec;
}

/* --- how it stands --- */

uint64_t delivery_last(const Delivery *delivery) {
    return spool_last(spool_of(delivery));
}

uint64_t delivery_acknowledged(const Delivery *delivery, StoreRole role) {
    return sender_outflow(delivery->outlets[role].sender)->acknowledged;
}

uint64_t delivery_backlog(const Delivery *delivery, StoreRole role) {
    return outflow_backlog(sender_outflow(delivery->outlets[role].sender));
}

uint64_t delivery_waiting_usec(const Delivery *delivery, StoreRole role) {
    if (delivery_backlog(delivery, role) == 0)
        return 0;
    return mono_between(delivery->outlets[role].moved, service_now(delivery->service));
}

double delivery_used(const Delivery *delivery) {
    return spool_used(spool_of(delivery));
}

uint64_t delivery_bytes(const Delivery *delivery) {
    return spool_bytes(spool_of(delivery));
}

const DurableLatency *delivery_latency(const Delivery *delivery) {
    return &delivery->latency;
}
