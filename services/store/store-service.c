/* The records link, and the parts of the store put together. */
#include "store-service.h"

#include "answers.h"
#include "database.h"
#include "shell/link.h"
#include "signs-of-life.h"
#include "turns.h"

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
    Decoder *decoder;
} Store;

/* --- records --- */

/* The intersection a record is about, or NULL: a priority action is about a street. */
static const char *intersection_of(const Message *record) {
    switch (record->tag) {
    case MESSAGE_SENSOR_EVENT_RECORD:
        return record->SENSOR_EVENT_RECORD.intersection;
    case MESSAGE_CONGESTION_RECORD:
        return record->CONGESTION_RECORD.intersection;
    case MESSAGE_SEMAPHORE_RECORD:
        return record->SEMAPHORE_RECORD.intersection;
    default:
        return NULL;
    }
}

static bool is_of_this_city(const Store *store, const Message *record, Problem *problem) {
    const City *city = service_city(store->service);
    const char *id = intersection_of(record);
    if (!id || city_find_intersection(city, id) != CITY_NO_INDEX)
        return true;
    problem_set(problem, -EBADMSG, "interseccion: expected one of the %zu intersections of %s, got \"%s\"",
                city->n_intersections, city->name, id);
    return false;
}

static int on_record(Link *link, const LinkFrame *frame, void *userdata) {
    Store *store = userdata;
    Message record;
    Refusal refusal;
    Problem problem = {0};
    int r = message_decode(store->decoder, MESSAGE_FAMILY_RECORD, frame->data, frame->size, &record, &refusal,
                           &problem);
    if (r >= 0 && !is_of_this_city(store, &record, &problem)) {
        refusal = REFUSAL_UNKNOWN_INTERSECTION;
        r = -EBADMSG;
    }
    if (r >= 0)
        r = database_add(store->database, frame->data, frame->size, &record, &problem);
    if (r == -EINVAL || r == -ENOBUFS) {
        refusal = REFUSAL_OUT_OF_RANGE; /* counted, and the entry says what and how much */
        r = -EBADMSG;
    }
    if (r == -EBADMSG) {
        link_refuse(link, frame, refusal, &problem);
        return 0;
    }
    return r;
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
    static const DatabaseHandlers database_handlers = {.on_flow = on_flow, .on_closing = on_closing};
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
        r = database_new(service, store->role, store->turns, &database_handlers, store, &store->database,
                         problem);
    if (r >= 0)
        r = answers_new(service, store->role, store->turns, store->database, &store->answers, problem);
    if (r >= 0)
        r = signs_of_life_new(service, store->role, store->database, &store->signs, problem);
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
