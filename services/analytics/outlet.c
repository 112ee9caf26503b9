/* A sender over the outbox, with an eye on how long the store has been silent.
 *
 * A store of the first implementation acknowledges nothing, so what was sent counts as acknowledged. Whether
 * its replica lives is seen from what its link takes: it is always offered something. */
#include "outlet.h"

#include "custody/sender.h"
#include "shell/journal.h"
#include "shell/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LINGER_MSEC = 2000
}; /* for a store that acknowledges nothing: what its link was given may still leave it */

struct Outlet {
    Service *service;
    StoreRole role;
    const OutletHandlers *handlers;
    void *userdata;
    bool is_v0;
    KeeperReader reader;
    Link *link;
    Sender *sender;
    bool is_living;
    Mono moved; /* last time that something was acknowledged, or nothing waited */
    /* A dead store takes records from its connection on, some time before it counts as living again. */
    uint64_t n_lacked; /* the most that it lacked since it died */
    Mono takes_since;  /* never: nothing since it died */
    /* A store that returned has caught up when it has what waited by then. */
    bool is_catching_up;
    uint64_t catch_up_to;
    Metric *best_effort, *waiting;
};

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
    outlet->handlers->on_doubt(outlet->userdata);
    return keeper_renew_stream(&outlet->reader);
}

static void tell_caught_up(Outlet *outlet, Mono now) {
    JournalField fields[3];
    uint64_t took_usec = mono_between(outlet->takes_since, now);
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", store_role_words[outlet->role]);
    (void)snprintf(fields[1], sizeof fields[1], "BACKLOG=%" PRIu64, outlet->n_lacked);
    (void)snprintf(fields[2], sizeof fields[2], "CATCH_UP_US=%" PRIu64, took_usec);
    journal_event(JOURNAL_RECOVERY, fields, 3,
                  "[RECOVERY] The %s store has caught up: %" PRIu64 " records in %.3f s.",
                  store_role_words[outlet->role], outlet->n_lacked, (double)took_usec / (double)USEC_PER_SEC);
}

static void follow_catching_up(Outlet *outlet, Mono now) {
    if (!outlet->is_catching_up || outlet_acknowledged(outlet) < outlet->catch_up_to)
        return;
    outlet->is_catching_up = false;
    tell_caught_up(outlet, now);
}

static void source_on_acknowledged(void *userdata, uint64_t position) {
    Outlet *outlet = userdata;
    Mono now = service_now(outlet->service);
    uint64_t before = spool_acknowledged(keeper_spool(outlet->reader.keeper), outlet->reader.reader);
    keeper_acknowledge(&outlet->reader, position);
    outlet->moved = now;
    if (position > before && outlet->is_v0)
        metric_add(outlet->best_effort, position - before);
    outlet->handlers->on_acknowledged(outlet->role, position, outlet->userdata);
    if (position > before && mono_is_never(outlet->takes_since))
        outlet->takes_since = now;
    follow_catching_up(outlet, now);
}

/* --- sending --- */

static void outlet_moved(Outlet *outlet) {
    uint64_t backlog = outflow_backlog(sender_outflow(outlet->sender));
    metric_set(outlet->waiting, (double)backlog);
    if (backlog == 0)
        outlet->moved = service_now(outlet->service);
    if (!outlet->is_living && backlog > outlet->n_lacked)
        outlet->n_lacked = backlog;
}

void outlet_send(Outlet *outlet) {
    outlet_moved(outlet);
    sender_add(outlet->sender, spool_committed(keeper_spool(outlet->reader.keeper)));
    outlet_moved(outlet);
}

void outlet_set_living(Outlet *outlet, bool is_living) {
    if (outlet->is_living == is_living)
        return;
    Mono now = service_now(outlet->service);
    outlet->is_living = is_living;
    outlet->is_catching_up = is_living && outlet->n_lacked > 0;
    if (!is_living) {
        outlet->n_lacked = outlet_backlog(outlet);
        outlet->takes_since = mono_never();
    } else if (mono_is_never(outlet->takes_since)) {
        outlet->takes_since = now;
    }
    outlet->catch_up_to = sender_outflow(outlet->sender)->last;
    follow_catching_up(outlet, now);
    if (!outlet->is_v0 || outlet->role == STORE_ROLE_PRIMARY)
        sender_reader_is_there(outlet->sender, is_living);
}

uint64_t outlet_acknowledged(const Outlet *outlet) {
    return sender_outflow(outlet->sender)->acknowledged;
}

uint64_t outlet_backlog(const Outlet *outlet) {
    return outflow_backlog(sender_outflow(outlet->sender));
}

uint64_t outlet_lacked(const Outlet *outlet) {
    return outlet->n_lacked;
}

uint64_t outlet_waiting_usec(const Outlet *outlet) {
    return outlet_backlog(outlet) == 0 ? 0 : mono_between(outlet->moved, service_now(outlet->service));
}

/* --- making and ending --- */

static int on_writable(Link *link, void *userdata) {
    (void)link;
    const Outlet *outlet = userdata;
    return outlet->sender ? sender_on_writable(outlet->sender) : 0;
}

static void outlet_count(Outlet *outlet, Metrics *metrics) {
    char labels[32];
    (void)snprintf(labels, sizeof labels, "store=\"%s\"", store_role_words[outlet->role]);
    outlet->best_effort =
        metrics_counter(metrics, "traffic_records_best_effort_total",
                        "Records handed to a store that acknowledges nothing ([protocol]).", labels);
    outlet->waiting =
        metrics_gauge(metrics, "traffic_records_waiting", "Records that a store lacks.", labels);
}

static int open_sender(Outlet *outlet, EndpointId endpoint, Protocol protocol, Problem *problem) {
    static const char *const reader[] = {
        [STORE_ROLE_PRIMARY] = "the primary store", [STORE_ROLE_REPLICA] = "the replica store"};
    const Spool *spool = keeper_spool(outlet->reader.keeper);
    const SenderSpec spec = {
        .data = outlet->link,
        .id = endpoint,
        .reader = reader[outlet->role],
        .protocol = protocol,
        .stream = spool_stream(spool),
        .acknowledged = spool_acknowledged(spool, outlet->reader.reader),
        .last = spool_committed(spool),
        .source = {.read = source_read,
                   .oldest = source_oldest,
                   .on_acknowledged = source_on_acknowledged,
                   .stream = source_stream,
                   .renew_stream = source_renew_stream},
        .userdata = outlet,
    };
    return sender_new(outlet->service, &spec, &outlet->sender, problem);
}

int outlet_new(Service *service, StoreRole role, Keeper *keeper, const OutletHandlers *handlers,
               void *userdata, Outlet **ret, Problem *problem) {
    static const EndpointId endpoint[] = {
        [STORE_ROLE_PRIMARY] = ENDPOINT_STORE_PRIMARY, [STORE_ROLE_REPLICA] = ENDPOINT_STORE_REPLICA};
    static const LinkHandlers link_handlers = {.on_writable = on_writable};
    const Settings *settings = service_settings(service);
    int protocol = role == STORE_ROLE_PRIMARY ? settings->protocol_primary : settings->protocol_replica;
    scoped(outlet_freep) Outlet *outlet = calloc(1, sizeof *outlet);
    if (!outlet)
        return -ENOMEM;
    *outlet = (Outlet){
        .service = service,
        .role = role,
        .handlers = handlers,
        .userdata = userdata,
        .is_v0 = protocol == PROTOCOL_V0,
        .reader = {.keeper = keeper, .reader = (unsigned)role},
        .is_living = true,
        .takes_since = mono_never(),
        .moved = service_now(service),
    };
    outlet_count(outlet, service_metrics(service));
    int r = link_connect(service, endpoint[role], &link_handlers, outlet, &outlet->link, problem);
    if (r >= 0 && outlet->is_v0)
        link_set_linger(outlet->link, LINGER_MSEC);
    if (r >= 0)
        r = open_sender(outlet, endpoint[role], (Protocol)protocol, problem);
    if (r < 0)
        return r;
    *ret = take(outlet);
    return 0;
}

Outlet *outlet_free(Outlet *outlet) {
    if (!outlet)
        return NULL;
    sender_free(outlet->sender);
    link_free(outlet->link);
    free(outlet);
    return NULL;
}
