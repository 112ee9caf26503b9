/* The bodies of replies: what a store read from its file, overlaid with what only analytics knows, as wire.md
 * wants it. Builds JSON and decides nothing. */
#pragma once

#include "decisions.h"
#include "delivery.h"
#include "ingest.h"
#include "shell/service.h"
#include "watch-stores.h"
#include "wire/messages.h"

#include <json-c/json_object.h>

/* Where answers come from; all borrowed. */
typedef struct AnswerSources {
    Service *service;
    Delivery *delivery;
    Decisions *decisions;
    Ingest *ingest;
    WatchStores *watch;
    Mono started;
} AnswerSources;

static inline void json_object_putp(struct json_object **object) {
    json_object_put(*object);
}

/* All return a new object that the caller puts, or NULL when out of memory. `from_store`: the data of a
 * store's reply, or NULL when no store answered; then what only a store knows is empty. */
struct json_object *answer_status(const AnswerSources *sources, const JsonText *from_store, StoreRole store);
struct json_object *answer_intersection(const AnswerSources *sources, size_t intersection,
                                        const JsonText *from_store);
