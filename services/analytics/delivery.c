/* Records on their way to the stores. A record is written once and its bytes go to both; each store has an
 * outlet of its own with a ring behind it, empty as long as the link takes what comes, so that order is
 * kept when it does not. */
#include "delivery.h"

#include "held-records.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINGER_MSEC = 2000 }; /* at the end of the process: what was handed to a link may still leave it */

/* One store's side of it. */
typedef struct Outlet {
    Delivery *delivery;
    StoreRole role;
    Link *link;
    HeldRecords held;
    bool is_living;
    bool is_full; /* the link said so and on_writable has not come yet */
    uint64_t n_skipped;
    uint64_t n_skipped_before; /* when the store died */
    JournalLimit skip_limit;
    Metric *sent, *skipped, *waiting;
} Outlet;

struct Delivery {
    Service *service;
    DeliveryHandlers handlers;
    void *userdata;
    Outlet outlets[STORE_ROLE_COUNT];
    bool is_blocked;
    ProducerName producer;
    int64_t next_sequence;
    Metric *refused, *stalls;
    char frame[FRAME_MAX_BYTES + 1];
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

static void update_flow(Delivery *delivery) {
    bool is_blocked = false;
    for (int i = 0; i < STORE_ROLE_COUNT; i++)
        is_blocked |= delivery->outlets[i].is_living && delivery->outlets[i].held.n > 0;
    if (is_blocked == delivery->is_blocked)
        return;
    delivery->is_blocked = is_blocked;
    metric_add(delivery->stalls, is_blocked);
    delivery->handlers.on_flow(is_blocked, delivery->userdata);
}

/* --- one store --- */

/* Counted each, told at the first of a minute; how many it were in all is told when the store is back. */
static void outlet_skip(Outlet *outlet, const char *why) {
    uint64_t held_back;
    outlet->n_skipped++;
    metric_add(outlet->skipped, 1);
    outlet->delivery->handlers.on_skip(outlet->role, outlet->delivery->userdata);
    if (journal_limit_pass(&outlet->skip_limit, service_now(outlet->delivery->service), &held_back))
        journal_event(JOURNAL_LOST, NULL, 0,
                      "The %s store does not get a record: %s. %" PRIu64 " skipped so far.",
                      store_role_words[outlet->role], why, outlet->n_skipped);
}

/* As much as the link takes, oldest first. */
static void outlet_flush(Outlet *outlet) {
    const HeldRecord *record;
    while (outlet->is_living && !outlet->is_full && (record = held_records_first(&outlet->held))) {
        int r = link_send(outlet->link, record->bytes, record->size);
        outlet->is_full = r == -EAGAIN;
        if (r == -EAGAIN)
            break;
        if (r < 0)
            outlet_skip(outlet, strerror(-r));
        else
            metric_add(outlet->sent, 1);
        held_records_pop(&outlet->held);
    }
    metric_set(outlet->waiting, (double)outlet->held.n);
}

static void outlet_put(Outlet *outlet, const char *frame, size_t size) {
    if (outlet->is_living && !outlet->is_full && outlet->held.n == 0) {
        int r = link_send(outlet->link, frame, size);
        if (r == 0) {
            metric_add(outlet->sent, 1);
            return;
        }
        outlet->is_full = r == -EAGAIN;
    }
    bool has_room = outlet->held.n_bytes + size <= DELIVERY_HELD_BYTES;
    if (!has_room || held_records_push(&outlet->held, frame, size) < 0)
        outlet_skip(outlet, "what waits for it fills the memory it may have");
    metric_set(outlet->waiting, (double)outlet->held.n);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    Outlet *outlet = userdata;
    outlet->is_full = false;
    outlet_flush(outlet);
    update_flow(outlet->delivery);
    return 0;
}

static int outlet_open(Delivery *delivery, StoreRole role, Problem *problem) {
    static const EndpointId endpoint[] = {
        [STORE_ROLE_PRIMARY] = ENDPOINT_STORE_PRIMARY, [STORE_ROLE_REPLICA] = ENDPOINT_STORE_REPLICA};
    static const LinkHandlers handlers = {.on_writable = on_writable};
    Metrics *metrics = service_metrics(delivery->service);
    Outlet *outlet = &delivery->outlets[role];
    char labels[32];
    (void)snprintf(labels, sizeof labels, "store=\"%s\"", store_role_words[role]);
    *outlet = (Outlet){
        .delivery = delivery,
        .role = role,
        .is_living = true,
        .skip_limit = {.burst = 1, .per_usec = 60 * USEC_PER_SEC},
        .sent = metrics_counter(metrics, "traffic_records_sent_total", "Records handed to a store.", labels),
        .skipped = metrics_counter(metrics, "traffic_records_skipped_total",
                                   "Records that a dead store will not get from here.", labels),
        .waiting =
            metrics_gauge(metrics, "traffic_records_waiting", "Records that wait for a store.", labels),
    };
    int r = link_connect(delivery->service, endpoint[role], &handlers, outlet, &outlet->link, problem);
    if (r >= 0)
        link_set_linger(outlet->link, LINGER_MSEC);
    return r;
}

static void outlet_close(Outlet *outlet) {
    if (outlet->held.n > 0)
        journal_note(LOG_ERR,
                     "%zu records still waited for the %s store when the service ended: it lacks them.",
                     outlet->held.n, store_role_words[outlet->role]);
    held_records_clear(&outlet->held);
    outlet->link = link_free(outlet->link);
}

/* --- the module --- */

int delivery_new(Service *service, const DeliveryHandlers *handlers, void *userdata, Delivery **ret,
                 Problem *problem) {
    scoped(delivery_freep) Delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery)
        return -ENOMEM;
    delivery->service = service;
    delivery->handlers = *handlers;
    delivery->userdata = userdata;
    delivery->next_sequence = 1;
    delivery->refused = metrics_counter(service_metrics(service), "traffic_records_refused_total",
                                        "Records that no store would accept.", "");
    delivery->stalls =
        metrics_counter(service_metrics(service), "traffic_delivery_stalls_total",
                        "Times that reading stopped because a living store's link was full.", "");
    delivery->producer = producer_name("analytics");
    int r = 0;
    for (int role = 0; r >= 0 && role < STORE_ROLE_COUNT; role++)
        r = outlet_open(delivery, (StoreRole)role, problem);
    if (r < 0)
        return r;
    *ret = take(delivery);
    return 0;
}

Delivery *delivery_free(Delivery *delivery) {
    if (!delivery)
        return NULL;
    for (int i = 0; i < STORE_ROLE_COUNT; i++)
        outlet_close(&delivery->outlets[i]);
    free(delivery);
    return NULL;
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
    for (int i = 0; i < STORE_ROLE_COUNT; i++)
        outlet_put(&delivery->outlets[i], delivery->frame, (size_t)size);
    update_flow(delivery);
    return 0;
}

bool delivery_is_blocked(const Delivery *delivery) {
    return delivery->is_blocked;
}

void delivery_set_living(Delivery *delivery, StoreRole role, bool is_living) {
    Outlet *outlet = &delivery->outlets[role];
    if (outlet->is_living == is_living)
        return;
    outlet->is_living = is_living;
    if (!is_living) {
        outlet->n_skipped_before = outlet->n_skipped;
    } else {
        if (outlet->n_skipped > outlet->n_skipped_before)
            journal_note(LOG_ERR,
                         "The %s store lacks %" PRIu64
                         " records: they did not fit in memory while it was away.",
                         store_role_words[role], outlet->n_skipped - outlet->n_skipped_before);
        outlet->is_full = false;
        outlet_flush(outlet);
    }
    update_flow(delivery);
}

size_t delivery_n_held(const Delivery *delivery, StoreRole role) {
    return delivery->outlets[role].held.n;
}

uint64_t delivery_n_skipped(const Delivery *delivery, StoreRole role) {
    return delivery->outlets[role].n_skipped;
}
