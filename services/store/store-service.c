/* The records link, and the parts of the store put together.
 *
 * A record under custody is judged by its place in its writer's stream, added to the open transaction
 * together with that place, and acknowledged when the transaction is on the disk. */
#include "store-service.h"

#include "answers.h"
#include "city-check.h"
#include "custody/receiver.h"
#include "database.h"
#include "shell/link.h"
#include "signs-of-life.h"
#include "turns.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <stdlib.h>

typedef struct Store {
    Service *service;
    StoreRole role;
    Turns *turns;
    Database *database;
    Answers *answers;
    SignsOfLife *signs;
    Link *records;
    Receiver *receiver;
    Decoder *decoder;
} Store;

/* --- records --- */

/* 0: taken. -EBADMSG: refused by what it says, and counted. Any other negative errno ends the process. */
static int take_record(Store *store, const LinkFrame *frame) {
    Message record;
    Refusal refusal;
    Problem problem = {0};
    int r = message_decode(store->decoder, MESSAGE_FAMILY_RECORD, frame->data, frame->size, &record, &refusal,
                           &problem);
    if (r >= 0 && !is_of_this_city(&record, (void *)service_city(store->service), &problem)) {
        refusal = REFUSAL_UNKNOWN_INTERSECTION;
        r = -EBADMSG;
    }
    if (r >= 0)
        r = database_add(store->database, frame->data, frame->size, &record, &problem);
    if (r == -EINVAL) {
        refusal = REFUSAL_OUT_OF_RANGE; /* the entry says what the tables expect */
        r = -EBADMSG;
    }
    if (r == -EBADMSG)
        link_refuse(store->records, frame, refusal, &problem);
    return r;
}

/* More waits than memory holds. What is under custody comes again and is no loss. */
static void leave(Store *store, const LinkFrame *frame, const Problem *problem) {
    Hop ignored;
    size_t size;
    if (!hop_find(frame->data, frame->size, &ignored, &size))
        link_refuse(store->records, frame, REFUSAL_OUT_OF_RANGE, problem);
}

/* Whether it can be kept is asked before it is judged: a frame that is left unjudged comes again. */
static int on_record(Link *link, const LinkFrame *frame, void *userdata) {
    (void)link;
    Store *store = userdata;
    Problem problem = {0};
    LinkFrame record;
    int r = database_make_room(store->database, frame->size, &problem);
    if (r == -ENOBUFS) {
        leave(store, frame, &problem);
        return 0;
    }
    if (r < 0)
        return r;
    ReceiverVerdict verdict = receiver_judge(store->receiver, frame, &record);
    if (verdict == RECEIVER_LEAVE)
        return 0;
    if (verdict == RECEIVER_TAKE)
        database_touch(store->database); /* also for what is refused now: it must not come again for ever */
    if (verdict == RECEIVER_TAKE && receiver_has_hole(store->receiver))
        database_want_refill(store->database);
    r = take_record(store, &record);
    return r == -EBADMSG ? 0 : r;
}

static void on_committed(void *userdata) {
    Store *store = userdata;
    if (store->receiver)
        receiver_acknowledge(store->receiver);
}

/* Unread records wait in the link and then at their sender, so that a store in trouble loses none and keeps
 * few. */
static void on_flow(bool can_commit, void *userdata) {
    Store *store = userdata;
    if (store->records)
        link_pause(store->records, !can_commit);
}

static void on_closing(void *userdata) {
    Store *store = userdata;
    answers_let_go(store->answers);
}

static int on_batch_end(void *userdata) {
    Store *store = userdata;
    int r = database_end_batch(store->database);
    return r < 0 ? r : turns_give(store->turns);
}

/* --- the service --- */

static int start(Service *service, void **ret_state, Problem *problem) {
    static const DatabaseHandlers database_handlers = {
        .on_flow = on_flow, .on_committed = on_committed, .on_closing = on_closing};
    static const LinkHandlers record_handlers = {.on_frame = on_record};
    Store *store = calloc(1, sizeof *store);
    if (!store)
        return problem_set(problem, -ENOMEM, "out of memory");
    *ret_state = store;
    store->service = service;
    store->role = (StoreRole)word_index(store_role_words, service_instance(service));
    EndpointId records = store->role == STORE_ROLE_PRIMARY ? ENDPOINT_STORE_PRIMARY : ENDPOINT_STORE_REPLICA;

    int r = decoder_new(&store->decoder);
    if (r >= 0)
        r = turns_new(service, &store->turns);
    if (r >= 0)
        r = database_new(service, store->role, records, store->turns, &database_handlers, store,
                         &store->database, problem);
    if (r >= 0)
        r = answers_new(service, store->role, store->turns, store->database, &store->answers, problem);
    if (r >= 0)
        r = signs_of_life_new(service, store->role, store->database, &store->signs, problem);
    if (r >= 0)
        r = receiver_new(service, records, true, database_intake(store->database), &store->receiver, problem);
    if (r >= 0)
        r = link_bind(service, records, &record_handlers, store, &store->records, problem);
    if (r < 0)
        return r;
    zhub_on_batch_end(service_hub(service), on_batch_end, store);
    on_flow(database_state(store->database).can_commit, store);
    return 0;
}

static void stop(void *state) {
    Store *store = state;
    if (!store)
        return;
    zhub_on_batch_end(service_hub(store->service), NULL, NULL);
    store->records = link_free(store->records);
    store->receiver = receiver_free(store->receiver); /* what is committed from here on is not acknowledged */
    store->signs = signs_of_life_free(store->signs);
    store->answers = answers_free(store->answers);
    store->database = database_free(store->database);
    turns_free(store->turns);
    decoder_free(store->decoder);
    free(store);
}

const ServiceSpec store_service = {
    .name = "traffic-store",
    .summary = "Keeps the city's records in a database and answers questions about them.",
    .instances = "primary|replica",
    .start = start,
    .stop = stop,
};
