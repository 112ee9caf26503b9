/* One filling at a time, the primary's first. What was found out about the stores is looked at again at every
 * tick, so there is nothing to be told when one dies: the page under way is forgotten and, when both live
 * again in the same lives as before, asked for anew. */
#include "refill.h"

#include "shell/journal.h"
#include "shell/link.h"
#include "wire/json-tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_USEC       (100 * USEC_PER_MSEC)
#define PAGE_USEC       (5 * USEC_PER_SEC) /* a page that took longer is asked for again */
#define REST_USEC       (2 * USEC_PER_SEC) /* after the end: what a store says of itself may be a beat old */
#define RETRY_USEC      (1 * USEC_PER_SEC)
#define GIVE_UP_USEC    (60 * USEC_PER_SEC) /* the peer does not know the command */
#define WALKING_BACKLOG 1000                /* records: a store that lacks more is busy with them */

typedef enum RefillStep {
    REFILL_IDLE,
    REFILL_WAIT, /* for the peer to have all that the outbox had */
    REFILL_COPY, /* a page is asked of the peer, or to be asked */
    REFILL_TAKE, /* a page is on its way to the store, or to be sent */
} RefillStep;

typedef struct StorePort {
    Refill *refill;
    StoreRole role;
    Link *link;
} StorePort;

struct Refill {
    Service *service;
    const WatchStores *watch;
    const Delivery *delivery;
    StorePort ports[STORE_ROLE_COUNT];
    Decoder *decoder;
    JsonTokens *answer; /* the page that the peer answered with, while it is read */
    Timer *timer;
    RefillStep step;
    StoreRole role;                   /* who is filled */
    int64_t epochs[STORE_ROLE_COUNT]; /* in which lives of the stores this began */
    uint64_t outbox_last;             /* the peer must have acknowledged it first */
    size_t table;
    int64_t after_id, next_after_id;
    bool is_table_done;
    size_t n_in_page;
    uint64_t n_taken;
    Mono began;
    bool is_under_way; /* a request is unanswered */
    uint64_t n_requests;
    Mono next; /* when the request under way is given up, or the next one may go */
    Mono rests_until[STORE_ROLE_COUNT];
    char *page; /* the records of the page: a JSON array, REPLY_MAX_BYTES */
    size_t page_size;
    char frame[FRAME_MAX_BYTES + 1];
    Metric *rows;
};

static const char *const tables[] = {"sensor_event", "congestion_record", "semaphore_state",
                                     "priority_action"};

static StoreRole peer_of(const Refill *refill) {
    return refill->role == STORE_ROLE_PRIMARY ? STORE_ROLE_REPLICA : STORE_ROLE_PRIMARY;
}

/* --- beginning and ending --- */

static void tell_begin(const Refill *refill) {
    JournalField fields[2];
    int64_t n_records = watch_stores_report(refill->watch, peer_of(refill)).n_records;
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", store_role_words[refill->role]);
    (void)snprintf(fields[1], sizeof fields[1], "RECORDS=%" PRId64, n_records);
    journal_event(JOURNAL_REFILL, fields, 2,
                  "The %s store lacks records: it gets what the %s store holds, %" PRId64 " records.",
                  store_role_words[refill->role], store_role_words[peer_of(refill)], n_records);
}

static void tell_end(const Refill *refill) {
    JournalField fields[3];
    uint64_t took_usec = mono_between(refill->began, service_now(refill->service));
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", store_role_words[refill->role]);
    (void)snprintf(fields[1], sizeof fields[1], "RECORDS=%" PRIu64, refill->n_taken);
    (void)snprintf(fields[2], sizeof fields[2], "TOOK_US=%" PRIu64, took_usec);
    journal_event(JOURNAL_REFILL, fields, 3,
                  "The %s store has what the %s store held: %" PRIu64 " records in %.1f s.",
                  store_role_words[refill->role], store_role_words[peer_of(refill)], refill->n_taken,
                  (double)took_usec / (double)USEC_PER_SEC);
}

/* The store that is being filled is left alone for a while. */
static void rest(Refill *refill, uint64_t usec) {
    refill->step = REFILL_IDLE;
    refill->is_under_way = false;
    refill->rests_until[refill->role] = mono_after(service_now(refill->service), usec);
}

static void begin(Refill *refill, StoreRole role) {
    refill->role = role;
    for (int i = 0; i < STORE_ROLE_COUNT; i++)
        refill->epochs[i] = watch_stores_report(refill->watch, (StoreRole)i).epoch;
    refill->step = REFILL_WAIT;
    refill->outbox_last = delivery_last(refill->delivery);
    refill->table = 0;
    refill->after_id = 0;
    refill->n_taken = 0;
    refill->is_under_way = false;
    refill->began = refill->next = service_now(refill->service);
    tell_begin(refill);
}

/* --- asking --- */

static void send_request(Refill *refill, StoreRole role, Message *message) {
    Problem problem = {{0}};
    Mono now = service_now(refill->service);
    (void)snprintf(message->QUERY.query_id, sizeof message->QUERY.query_id, "refill-%" PRIu64,
                   ++refill->n_requests);
    message_mark(&message->QUERY, Query, query_id);
    int size = message_encode(message, refill->frame, sizeof refill->frame, &problem);
    if (size < 0) {
        journal_note(LOG_ERR, "A page of records could not be written: %s",
                     size == -ENOBUFS ? "it is larger than a frame" : problem.text);
        rest(refill, GIVE_UP_USEC);
        return;
    }
    refill->is_under_way = link_send(refill->ports[role].link, refill->frame, (size_t)size) == 0;
    refill->next = mono_after(now, refill->is_under_way ? PAGE_USEC : RETRY_USEC);
}

static void ask_copy(Refill *refill) {
    Message message = {.tag = MESSAGE_QUERY};
    Query *query = &message.QUERY;
    message_set_text(query, Query, command, "COPY_RECORDS");
    message_set_text(query, Query, table, tables[refill->table]);
    message_set(query, Query, after_id, refill->after_id);
    send_request(refill, peer_of(refill), &message);
}

static void send_page(Refill *refill) {
    Message message = {.tag = MESSAGE_QUERY};
    Query *query = &message.QUERY;
    message_set_text(query, Query, command, "TAKE_RECORDS");
    message_set(query, Query, records, (JsonText){refill->page, refill->page_size});
    message_set(query, Query, is_last, refill->is_table_done && refill->table + 1 == ARRAY_LEN(tables));
    send_request(refill, refill->role, &message);
}

/* The store is behind with what is delivered to it: a page a second is enough. */
static bool is_time_to_walk(const Refill *refill) {
    return delivery_backlog(refill->delivery, refill->role) > WALKING_BACKLOG;
}

static void go_on(Refill *refill) {
    if (refill->step == REFILL_COPY)
        ask_copy(refill);
    else if (refill->step == REFILL_TAKE)
        send_page(refill);
}

/* --- answers --- */

static const JsonToken *find(const Refill *refill, const char *name, JsonKind kind) {
    uint32_t hint = 0;
    const JsonToken *value =
        json_tokens_member(refill->answer, json_tokens_root(refill->answer), name, &hint);
    return value && value->kind == kind ? value : NULL;
}

/* The records as they came, byte by byte: what is written anew might not be the same. */
static bool keep_page(Refill *refill) {
    const JsonToken *records = find(refill, "records", JSON_ARRAY);
    const JsonToken *last_id = find(refill, "last_id", JSON_INTEGER);
    bool is_done = find(refill, "done", JSON_TRUE), is_not_done = find(refill, "done", JSON_FALSE);
    int64_t next_after_id;
    if (!records || !last_id || (!is_done && !is_not_done) ||
        !json_tokens_whole_number(refill->answer, last_id, &next_after_id))
        return false;
    JsonText slice = json_tokens_source(refill->answer, records);
    memcpy(refill->page, slice.text, slice.size);
    refill->page_size = slice.size;
    refill->n_in_page = json_tokens_n_elements(refill->answer, records);
    refill->next_after_id = next_after_id;
    refill->is_table_done = is_done;
    /* Rows that cannot be copied move last_id as well: a page that moves nothing would come for ever. */
    return refill->is_table_done || refill->next_after_id > refill->after_id;
}

static bool read_page(Refill *refill, const Reply *reply) {
    Refusal ignored;
    return message_has(reply, Reply, data) && reply->data.size <= REPLY_MAX_BYTES &&
           json_tokens_read(refill->answer, reply->data.text, reply->data.size, &ignored, NULL) >= 0 &&
           keep_page(refill);
}

static void on_copied(Refill *refill, const Reply *reply) {
    if (!read_page(refill, reply)) {
        journal_note(LOG_ERR,
                     "The %s store answered COPY_RECORDS with no page of records: tried again in a minute.",
                     store_role_words[peer_of(refill)]);
        rest(refill, GIVE_UP_USEC);
        return;
    }
    bool is_all = refill->is_table_done && refill->table + 1 == ARRAY_LEN(tables);
    if (refill->n_in_page > 0 || is_all) {
        refill->step = REFILL_TAKE;
        return;
    }
    refill->after_id = refill->is_table_done ? 0 : refill->next_after_id;
    refill->table += refill->is_table_done;
}

static void on_taken(Refill *refill) {
    refill->n_taken += refill->n_in_page;
    metric_add(refill->rows, refill->n_in_page);
    refill->step = REFILL_COPY;
    refill->after_id = refill->is_table_done ? 0 : refill->next_after_id;
    refill->table += refill->is_table_done;
    if (refill->table < ARRAY_LEN(tables))
        return;
    tell_end(refill);
    rest(refill, REST_USEC);
}

static void on_refusal(Refill *refill, StoreRole role, const Reply *reply) {
    bool is_unknown = message_has(reply, Reply, cause) && reply->cause == CAUSE_BAD_REQUEST;
    journal_note(LOG_WARNING, "The %s store refused a page of records%s: %s", store_role_words[role],
                 is_unknown ? "; tried again in a minute" : "",
                 message_has(reply, Reply, message) ? reply->message : "it did not say why");
    if (is_unknown)
        rest(refill, GIVE_UP_USEC);
    else
        refill->next = mono_after(service_now(refill->service), RETRY_USEC);
}

static bool is_awaited(const Refill *refill, StoreRole role, const Reply *reply) {
    char query_id[sizeof reply->query_id];
    StoreRole asked = refill->step == REFILL_TAKE ? refill->role : peer_of(refill);
    (void)snprintf(query_id, sizeof query_id, "refill-%" PRIu64, refill->n_requests);
    return refill->is_under_way && role == asked && message_has(reply, Reply, query_id) &&
           strcmp(reply->query_id, query_id) == 0;
}

static int on_reply_frame(Link *link, const LinkFrame *frame, void *userdata) {
    const StorePort *port = userdata;
    Refill *refill = port->refill;
    Message message;
    int r = link_decode(link, frame, refill->decoder, MESSAGE_FAMILY_REPLY, &message);
    if (r <= 0)
        return r;
    if (!is_awaited(refill, port->role, &message.REPLY))
        return 0;
    refill->is_under_way = false;
    if (message.REPLY.status == REPLY_ERROR) {
        on_refusal(refill, port->role, &message.REPLY);
        return 0;
    }
    RefillStep step = refill->step;
    if (step == REFILL_COPY)
        on_copied(refill, &message.REPLY);
    else
        on_taken(refill);
    if (refill->step == REFILL_IDLE)
        return 0;
    if (step == REFILL_TAKE && is_time_to_walk(refill))
        refill->next = mono_after(service_now(refill->service), RETRY_USEC);
    else
        go_on(refill);
    return 0;
}

/* --- time --- */

static bool can_be_filled(const Refill *refill, StoreRole role) {
    return watch_stores_can_answer(refill->watch, STORE_ROLE_PRIMARY) &&
           watch_stores_can_answer(refill->watch, STORE_ROLE_REPLICA) &&
           watch_stores_report(refill->watch, role).needs_refill &&
           watch_stores_report(refill->watch, STORE_ROLE_PRIMARY).is_heard &&
           watch_stores_report(refill->watch, STORE_ROLE_REPLICA).is_heard;
}

static bool are_lives_the_same(const Refill *refill) {
    for (int i = 0; i < STORE_ROLE_COUNT; i++)
        if (watch_stores_report(refill->watch, (StoreRole)i).epoch != refill->epochs[i])
            return false;
    return true;
}

/* Waits while a store is dead; begins anew after a restart; ends when the store wants nothing any more. */
static bool is_still_wanted(Refill *refill) {
    if (!watch_stores_can_answer(refill->watch, refill->role) ||
        !watch_stores_can_answer(refill->watch, peer_of(refill))) {
        refill->is_under_way = false;
        return false;
    }
    if (!are_lives_the_same(refill)) {
        rest(refill, 0);
        return false;
    }
    if (watch_stores_report(refill->watch, refill->role).needs_refill)
        return true;
    tell_end(refill); /* it took the last page, and its answer was lost */
    rest(refill, REST_USEC);
    return false;
}

static void look(Refill *refill, Mono now) {
    if (refill->step == REFILL_IDLE) {
        for (int role = 0; role < STORE_ROLE_COUNT && refill->step == REFILL_IDLE; role++)
            if (mono_reached(now, refill->rests_until[role]) && can_be_filled(refill, (StoreRole)role))
                begin(refill, (StoreRole)role);
        return;
    }
    if (!is_still_wanted(refill))
        return;
    if (refill->step == REFILL_WAIT &&
        delivery_acknowledged(refill->delivery, peer_of(refill)) >= refill->outbox_last)
        refill->step = REFILL_COPY;
    if (mono_reached(now, refill->next))
        go_on(refill);
}

static int on_timer(Timer *timer, Mono now, void *userdata) {
    Refill *refill = userdata;
    look(refill, now);
    timer_set(timer, mono_after(now, TICK_USEC));
    return 0;
}

/* --- the module --- */

static int open_port(Refill *refill, StoreRole role, Problem *problem) {
    static const EndpointId endpoint[] = {
        [STORE_ROLE_PRIMARY] = ENDPOINT_QUERY_PRIMARY, [STORE_ROLE_REPLICA] = ENDPOINT_QUERY_REPLICA};
    static const LinkHandlers handlers = {.on_frame = on_reply_frame};
    StorePort *port = &refill->ports[role];
    *port = (StorePort){.refill = refill, .role = role};
    return link_connect(refill->service, endpoint[role], &handlers, port, &port->link, problem);
}

int refill_new(Service *service, const WatchStores *watch, const Delivery *delivery, Refill **ret,
               Problem *problem) {
    scoped(refill_freep) Refill *refill = calloc(1, sizeof *refill);
    if (!refill)
        return -ENOMEM;
    refill->service = service;
    refill->watch = watch;
    refill->delivery = delivery;
    refill->page = malloc(REPLY_MAX_BYTES);
    if (!refill->page)
        return -ENOMEM;
    refill->rows = metrics_counter(service_metrics(service), "traffic_records_refilled_total",
                                   "Records copied into a store that lacks what the other one holds.", "");
    int r = decoder_new(&refill->decoder);
    if (r >= 0)
        r = json_tokens_new(&refill->answer);
    for (int role = 0; r >= 0 && role < STORE_ROLE_COUNT; role++)
        r = open_port(refill, (StoreRole)role, problem);
    if (r >= 0)
        r = timer_new(service, on_timer, refill, &refill->timer);
    if (r < 0)
        return r;
    timer_set(refill->timer, mono_after(service_now(service), TICK_USEC));
    *ret = take(refill);
    return 0;
}

Refill *refill_free(Refill *refill) {
    if (!refill)
        return NULL;
    timer_free(refill->timer);
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        link_free(refill->ports[role].link);
    decoder_free(refill->decoder);
    json_tokens_free(refill->answer);
    free(refill->page);
    free(refill);
    return NULL;
}
