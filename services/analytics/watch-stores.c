/* Beats out every period, beats in as they come. One timer does both the sending and the judging, so a
 * process that does not send cannot accuse either; a second one saves a death the wait for the next tick. */
#include "watch-stores.h"

#include "core/agreement.h"
#include "pings.h"
#include "shell/journal.h"
#include "shell/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

/* Above it the service is not at work, whatever else it does. */
#define OWN_TIMER_LATE_USEC (5 * USEC_PER_SEC)

typedef struct Watched {
    WatchStores *watch;
    StoreRole role;
    bool is_v0;
    Link *link; /* NULL: of the first implementation */
    bool is_heard;
    Heartbeat last; /* valid when heard */
    Metric *alive, *deaths;
} Watched;

struct WatchStores {
    Service *service;
    const Delivery *delivery;
    StoreLivingFn on_living;
    void *userdata;
    Failover failover;
    Agreement agreement;
    Watched stores[STORE_ROLE_COUNT];
    Pings *pings; /* of a primary of the first implementation, else NULL */
    Decoder *decoder;
    Timer *timer;          /* ticks: beats and judges */
    Timer *deadline_timer; /* judges in between, at the moment when a store's time is over */
    char boot_id[SD_ID128_STRING_MAX];
    int64_t n_beats;
    Metric *stalls;
};

static const struct {
    const char *machine, *store; /* as operators of the first implementation know them */
} names[STORE_ROLE_COUNT] = {
    [STORE_ROLE_PRIMARY] = {"PC3", "primary DB on PC3"},
    [STORE_ROLE_REPLICA] = {"The replica store on PC2", "replica DB on PC2"},
};

static StoreRole other_role(StoreRole role) {
    return role == STORE_ROLE_PRIMARY ? STORE_ROLE_REPLICA : STORE_ROLE_PRIMARY;
}

/* --- what an operator reads --- */

static const char *reason_of(const WatchStores *watch, const FailoverChange *change) {
    bool is_primary = change->role == STORE_ROLE_PRIMARY;
    if (watch->stores[change->role].is_v0)
        return change->cannot_commit ? "it does not answer PONG"
                                     : (is_primary ? "no answer to PING" : "its link takes nothing");
    return change->cannot_commit ? "it beats but cannot commit" : "no heartbeat";
}

static void tell_death(const WatchStores *watch, const FailoverChange *change) {
    StoreRole other = other_role(change->role);
    const char *why = reason_of(watch, change);
    double after_sec = (double)change->silence_usec / (double)USEC_PER_SEC;
    uint64_t backlog = delivery_backlog(watch->delivery, change->role);
    JournalField fields[3];
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", store_role_words[change->role]);
    (void)snprintf(fields[1], sizeof fields[1], "DETECTION_US=%" PRIu64, change->silence_usec);
    (void)snprintf(fields[2], sizeof fields[2], "BACKLOG=%" PRIu64, backlog);
    if (!watch_stores_can_answer(watch, other))
        journal_event(JOURNAL_FAILOVER, fields, 3,
                      "[FAILOVER] %s is down, and so is the %s: nobody answers queries from a database (%s; "
                      "detected after %.3f s; it lacks %" PRIu64 " records).",
                      names[change->role].machine, names[other].store, why, after_sec, backlog);
    else if (change->role == STORE_ROLE_PRIMARY)
        journal_event(JOURNAL_FAILOVER, fields, 3,
                      "[FAILOVER] PC3 is down. Using replica DB on PC2. (%s; detected after %.3f s; it lacks "
                      "%" PRIu64 " records)",
                      why, after_sec, backlog);
    else
        journal_event(JOURNAL_FAILOVER, fields, 3,
                      "[FAILOVER] %s is down. Still using %s. (%s; detected after %.3f s; it lacks %" PRIu64
                      " records)",
                      names[change->role].machine, names[other].store, why, after_sec, backlog);
}

static void tell_return(const WatchStores *watch, const FailoverChange *change) {
    uint64_t n_lacked = delivery_lacked(watch->delivery, change->role);
    StoreRole answering;
    bool is_used = watch_stores_answering(watch, &answering) && answering == change->role;
    JournalField fields[3];
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", store_role_words[change->role]);
    (void)snprintf(fields[1], sizeof fields[1], "ABSENCE_US=%" PRIu64, change->absence_usec);
    (void)snprintf(fields[2], sizeof fields[2], "BACKLOG=%" PRIu64, n_lacked);
    journal_event(JOURNAL_RECOVERY, fields, 3,
                  "[RECOVERY] %s is back after %.1f s. %s%s%sIt lacked %" PRIu64 " records.",
                  names[change->role].machine, (double)change->absence_usec / (double)USEC_PER_SEC,
                  is_used ? "Using " : "", is_used ? names[change->role].store : "", is_used ? ". " : "",
                  n_lacked);
}

static void follow(WatchStores *watch, const FailoverChange *change) {
    if (!change->has_changed || (change->before != STORE_DEAD && change->after != STORE_DEAD))
        return; /* suspicion and its end are no operator's matter */
    bool is_living = change->after != STORE_DEAD;
    Watched *store = &watch->stores[change->role];
    metric_set(store->alive, is_living);
    if (is_living) {
        tell_return(watch, change);
    } else {
        metric_add(store->deaths, 1);
        tell_death(watch, change);
    }
    watch->on_living(change->role, is_living, watch->userdata);
}

static void follow_all(WatchStores *watch, const FailoverChanges *changes) {
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        follow(watch, &changes->of[role]);
}

static void await_deadline(WatchStores *watch) {
    timer_set(watch->deadline_timer, failover_deadline(&watch->failover));
}

/* --- beats --- */

/* Older stores say nothing of what they hold: then nothing is ever known to be safe. */
static void hear_mark(WatchStores *watch, StoreRole role, const Heartbeat *beat) {
    if (!message_has(beat, Heartbeat, committed_until) || !message_has(beat, Heartbeat, n_records) ||
        !message_has(beat, Heartbeat, event_set) || !message_has(beat, Heartbeat, rows_waiting))
        return;
    StoreMark mark = {
        .committed_until = (uint64_t)beat->committed_until,
        .n_records = (uint64_t)beat->n_records,
        .event_set = strtoull(beat->event_set, NULL, 16),
        .n_waiting = (uint64_t)beat->rows_waiting,
        .epoch = beat->epoch,
        .needs_refill = watch->failover.stores[role].is_being_filled,
        .acknowledged = delivery_acknowledged(watch->delivery, role),
        .last = delivery_last(watch->delivery),
    };
    agreement_hear(&watch->agreement, role, &mark);
}

static int on_beat(Link *link, const LinkFrame *frame, void *userdata) {
    Watched *store = userdata;
    WatchStores *watch = store->watch;
    Message message;
    int r = link_decode(link, frame, watch->decoder, MESSAGE_FAMILY_HEARTBEAT, &message);
    if (r <= 0)
        return r;
    store->last = message.HEARTBEAT;
    store->is_heard = true;
    watch->failover.stores[store->role].is_being_filled =
        message_has(&store->last, Heartbeat, needs_refill) && store->last.needs_refill;
    bool can_commit = !message_has(&store->last, Heartbeat, can_commit) || store->last.can_commit;
    FailoverChange change =
        failover_beat(&watch->failover, store->role, can_commit, service_now(watch->service));
    follow(watch, &change);
    await_deadline(watch);
    hear_mark(watch, store->role, &store->last);
    return 0;
}

static void send_beat(WatchStores *watch, const Watched *store) {
    char frame[512];
    Message message = {.tag = MESSAGE_HEARTBEAT};
    Heartbeat *beat = &message.HEARTBEAT;
    (void)snprintf(beat->role, sizeof beat->role, "analytics");
    message_mark(beat, Heartbeat, role);
    message_set_text(beat, Heartbeat, boot_id, watch->boot_id);
    message_set(beat, Heartbeat, epoch, service_epoch(watch->service));
    message_set(beat, Heartbeat, sequence, watch->n_beats);
    beat->safe_until = (int64_t)agreement_safe_until(&watch->agreement, store->role);
    message_mark(beat, Heartbeat, safe_until);
    message_set(beat, Heartbeat, backlog, (int64_t)delivery_backlog(watch->delivery, store->role));
    int size = message_encode(&message, frame, sizeof frame, NULL);
    if (size > 0)
        (void)link_send(store->link, frame,
                        (size_t)size); /* a store that is away misses it: that is what it is for */
}

/* --- stores of the first implementation --- */

static void judge_v0(WatchStores *watch, StoreRole role, bool is_well) {
    FailoverChange change = failover_beat(&watch->failover, role, is_well, service_now(watch->service));
    watch->stores[role].is_heard = true;
    follow(watch, &change);
}

static void on_pong(bool is_well, void *userdata) {
    judge_v0(userdata, STORE_ROLE_PRIMARY, is_well);
}

static void look_at_v0(WatchStores *watch, StoreRole role) {
    uint64_t patience_usec = watch->failover.times.dead_usec;
    if (role == STORE_ROLE_PRIMARY)
        pings_send(watch->pings, patience_usec);
    else if (delivery_is_moving(watch->delivery, role, patience_usec))
        judge_v0(watch, role, true);
}

/* --- time --- */

static int on_timer(Timer *timer, Mono now, void *userdata) {
    WatchStores *watch = userdata;
    uint64_t n_stalls_before = watch->failover.n_own_stalls;
    FailoverChanges changes = failover_tick(&watch->failover, now);
    metric_add(watch->stalls, watch->failover.n_own_stalls - n_stalls_before);
    watch->n_beats++;
    follow_all(watch, &changes);
    for (int role = 0; role < STORE_ROLE_COUNT; role++) {
        if (watch->stores[role].is_v0)
            look_at_v0(watch, (StoreRole)role);
        else
            send_beat(watch, &watch->stores[role]);
    }
    timer_set(timer, mono_after(now, watch->failover.times.beat_usec));
    await_deadline(watch);
    return 0;
}

/* When a tick is overdue it comes at once, and decides about the deadline: what is passed is not set again
 * here. */
static int on_deadline(Timer *timer, Mono now, void *userdata) {
    WatchStores *watch = userdata;
    FailoverChanges changes = failover_judge(&watch->failover, now);
    Mono next = failover_deadline(&watch->failover);
    follow_all(watch, &changes);
    if (!mono_reached(now, next))
        timer_set(timer, next);
    return 0;
}

/* Without its own timer nobody would notice that a store died. */
static bool is_timer_heard(void *userdata, Mono now, Problem *problem) {
    const WatchStores *watch = userdata;
    uint64_t silence_usec = mono_between(watch->failover.last_tick, now);
    if (silence_usec <= OWN_TIMER_LATE_USEC + watch->failover.times.beat_usec)
        return true;
    (void)problem_set(problem, 0, "the heartbeat timer was not heard for %.1f s",
                      (double)silence_usec / (double)USEC_PER_SEC);
    return false;
}

/* --- the module --- */

static int watched_open(WatchStores *watch, StoreRole role, Problem *problem) {
    static const EndpointId endpoint[] = {
        [STORE_ROLE_PRIMARY] = ENDPOINT_HEARTBEAT_PRIMARY, [STORE_ROLE_REPLICA] = ENDPOINT_HEARTBEAT_REPLICA};
    static const LinkHandlers handlers = {.on_frame = on_beat};
    const Settings *settings = service_settings(watch->service);
    int protocol = role == STORE_ROLE_PRIMARY ? settings->protocol_primary : settings->protocol_replica;
    Metrics *metrics = service_metrics(watch->service);
    Watched *store = &watch->stores[role];
    char labels[32];
    (void)snprintf(labels, sizeof labels, "store=\"%s\"", store_role_words[role]);
    *store = (Watched){
        .watch = watch,
        .role = role,
        .is_v0 = protocol == PROTOCOL_V0,
        .alive = metrics_gauge(metrics, "traffic_store_alive", "1 while the store lives.", labels),
        .deaths = metrics_counter(metrics, "traffic_store_deaths_total", "Times that a store was found dead.",
                                  labels),
    };
    metric_set(store->alive, 1);
    watch->failover.stores[role].is_mute = store->is_v0;
    if (store->is_v0)
        return role == STORE_ROLE_PRIMARY ? pings_new(watch->service, on_pong, watch, &watch->pings, problem)
                                          : 0;
    return link_connect(watch->service, endpoint[role], &handlers, store, &store->link, problem);
}

static FailoverTimes times_of(const Settings *settings) {
    return (FailoverTimes){
        .beat_usec = usec_from_sec(settings->failover_beat_sec),
        .suspect_usec = usec_from_sec(settings->failover_suspect_sec),
        .dead_usec = usec_from_sec(settings->failover_dead_sec),
        .return_beats = (unsigned)settings->failover_return_beats,
        .dwell_usec = usec_from_sec(settings->failover_dwell_sec),
    };
}

/* Of the machine where it tells one (a sandbox may hide it), else of this process. */
static int find_boot_id(WatchStores *watch) {
    sd_id128_t boot_id;
    int r = sd_id128_get_boot(&boot_id);
    if (r < 0)
        r = sd_id128_randomize(&boot_id);
    if (r >= 0)
        (void)sd_id128_to_string(boot_id, watch->boot_id);
    return r;
}

int watch_stores_new(Service *service, const Delivery *delivery, StoreLivingFn on_living, void *userdata,
                     WatchStores **ret, Problem *problem) {
    scoped(watch_stores_freep) WatchStores *watch = calloc(1, sizeof *watch);
    if (!watch)
        return -ENOMEM;
    watch->service = service;
    watch->delivery = delivery;
    watch->on_living = on_living;
    watch->userdata = userdata;
    watch->stalls =
        metrics_counter(service_metrics(service), "traffic_own_stalls_total",
                        "Times that the heartbeat timer was late and deadlines of stores began anew.", "");
    const FailoverTimes times = times_of(service_settings(service));
    agreement_init(&watch->agreement);
    failover_init(&watch->failover, &times, service_now(service));

    int r = find_boot_id(watch);
    if (r >= 0)
        r = decoder_new(&watch->decoder);
    for (int role = 0; r >= 0 && role < STORE_ROLE_COUNT; role++)
        r = watched_open(watch, (StoreRole)role, problem);
    if (r >= 0)
        r = timer_new(service, on_timer, watch, &watch->timer);
    if (r >= 0)
        r = timer_new(service, on_deadline, watch, &watch->deadline_timer);
    if (r >= 0)
        r = health_add(service_health(service), "heartbeat timer", is_timer_heard, watch);
    if (r < 0)
        return r;
    timer_set(watch->timer, mono_after(service_now(service), times.beat_usec));
    *ret = take(watch);
    return 0;
}

WatchStores *watch_stores_free(WatchStores *watch) {
    if (!watch)
        return NULL;
    timer_free(watch->timer);
    timer_free(watch->deadline_timer);
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        link_free(watch->stores[role].link);
    pings_free(watch->pings);
    decoder_free(watch->decoder);
    free(watch);
    return NULL;
}

bool watch_stores_answering(const WatchStores *watch, StoreRole *ret_role) {
    return failover_answering(&watch->failover, ret_role);
}

bool watch_stores_is_living(const WatchStores *watch, StoreRole role) {
    return failover_is_living(&watch->failover, role);
}

bool watch_stores_can_answer(const WatchStores *watch, StoreRole role) {
    return watch_stores_is_living(watch, role) && !watch->failover.stores[role].is_mute;
}

void watch_stores_doubt(WatchStores *watch) {
    agreement_end(&watch->agreement);
}

bool watch_stores_agree(const WatchStores *watch) {
    return watch->agreement.is_proven;
}

StoreReport watch_stores_report(const WatchStores *watch, StoreRole role) {
    const Watched *store = &watch->stores[role];
    const StoreWatch *judged = &watch->failover.stores[role];
    const Heartbeat *last = &store->last;
    uint64_t silence_usec = mono_between(judged->last_heard, service_now(watch->service));
    bool has_commit_age = store->is_heard && message_has(last, Heartbeat, commit_age_usec);
    return (StoreReport){
        .state = judged->state,
        .is_v0 = store->is_v0,
        .is_heard = store->is_heard,
        .epoch = last->epoch,
        .needs_refill = judged->is_being_filled,
        .can_commit = judged->can_commit,
        .silence_usec = silence_usec,
        .has_commit_age = has_commit_age,
        .commit_age_usec = has_commit_age ? (uint64_t)last->commit_age_usec + silence_usec : 0,
        .has_rows_waiting = store->is_heard && message_has(last, Heartbeat, rows_waiting),
        .rows_waiting = last->rows_waiting,
        .has_disk_free = store->is_heard && message_has(last, Heartbeat, disk_free_bytes),
        .disk_free_bytes = last->disk_free_bytes,
        .has_records = store->is_heard && message_has(last, Heartbeat, n_records),
        .n_records = last->n_records,
    };
}
