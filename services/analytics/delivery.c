/* Records on their way to the stores: written once, kept in the outbox, sent by an outlet for each store. The
 * outbox is custody/keeper.h's and the sending outlet.h's; here they meet.
 *
 * The subtle thing is the end of the outbox: what has been taken from the broker must fit with all that
 * follows from it, because its cursor is committed with it. The keeper says that it is full while there is
 * still room for that. */
#include "delivery.h"

#include "custody/keeper.h"
#include "outlet.h"
#include "shell/city-clock.h"
#include "shell/journal.h"
#include "shell/producer.h"
#include "wire/endpoints.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX_BYTES = FRAME_MAX_BYTES - HOP_TEXT_MAX_BYTES };
#define LATENCY_TURN_USEC (30 * USEC_PER_SEC)

struct Delivery {
    Service *service;
    DeliveryHandlers handlers;
    void *userdata;
    Intake intake;
    Keeper *keeper;
    Outlet *outlets[STORE_ROLE_COUNT];
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

static void on_committed(void *userdata) {
    Delivery *delivery = userdata;
    delivery->handlers.on_committed(delivery->userdata);
    for (int i = 0; i < STORE_ROLE_COUNT; i++)
        outlet_send(delivery->outlets[i]);
}

static int on_batch_end(void *userdata) {
    const Delivery *delivery = userdata;
    return keeper_end_batch(delivery->keeper);
}

/* --- outlets --- */

static void on_acknowledged(StoreRole role, uint64_t position, void *userdata) {
    Delivery *delivery = userdata;
    durable_latency_acknowledge(&delivery->latency, role, position, service_city_wall(delivery->service));
}

static void on_doubt(void *userdata) {
    const Delivery *delivery = userdata;
    delivery->handlers.on_doubt(delivery->userdata);
}

static int open_outlets(Delivery *delivery, Problem *problem) {
    static const OutletHandlers handlers = {.on_acknowledged = on_acknowledged, .on_doubt = on_doubt};
    int r = 0;
    for (int role = 0; r >= 0 && role < STORE_ROLE_COUNT; role++)
        r = outlet_new(delivery->service, (StoreRole)role, delivery->keeper, &handlers, delivery,
                       &delivery->outlets[role], problem);
    return r;
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
    const Settings *settings = service_settings(delivery->service);
    const KeeperSpec spec = {
        .name = "outbox",
        .readers = readers,
        .max_bytes = (uint64_t)settings->analytics_outbox_mib << 20,
        .commit_usec = city_clock_ticks(delivery->service) ? KEEPER_STEP_COMMIT_USEC
                                                           : usec_from_sec(settings->analytics_commit_sec),
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
    if (r >= 0)
        r = open_outlets(delivery, problem);
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
    for (int i = 0; i < STORE_ROLE_COUNT; i++)
        outlet_free(delivery->outlets[i]);
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

void delivery_hurry(Delivery *delivery) {
    keeper_hurry(delivery->keeper);
}

/* --- records --- */

/* One of the readings is followed until both stores have it. */
static void follow(Delivery *delivery, const Message *record) {
    if (record->tag != MESSAGE_SENSOR_EVENT_RECORD ||
        !message_has(&record->SENSOR_EVENT_RECORD, SensorEventRecord, captured_usec) ||
        delivery->n_event_records++ % CAPTURES_SHARE != 0)
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

/* --- stores, and how it stands --- */

void delivery_set_living(Delivery *delivery, StoreRole role, bool is_living) {
    outlet_set_living(delivery->outlets[role], is_living);
}

bool delivery_is_moving(const Delivery *delivery, StoreRole role, uint64_t patience_usec) {
    return delivery_waiting_usec(delivery, role) < patience_usec;
}

uint64_t delivery_last(const Delivery *delivery) {
    return spool_last(spool_of(delivery));
}

uint64_t delivery_acknowledged(const Delivery *delivery, StoreRole role) {
    return outlet_acknowledged(delivery->outlets[role]);
}

uint64_t delivery_backlog(const Delivery *delivery, StoreRole role) {
    return outlet_backlog(delivery->outlets[role]);
}

uint64_t delivery_lacked(const Delivery *delivery, StoreRole role) {
    return outlet_lacked(delivery->outlets[role]);
}

uint64_t delivery_waiting_usec(const Delivery *delivery, StoreRole role) {
    return outlet_waiting_usec(delivery->outlets[role]);
}

double delivery_used(const Delivery *delivery) {
    return keeper_used(delivery->keeper);
}

uint64_t delivery_bytes(const Delivery *delivery) {
    return spool_bytes(spool_of(delivery));
}

const DurableLatency *delivery_latency(const Delivery *delivery) {
    return &delivery->latency;
}
