/* The one way for a record into the stores. Whoever makes a record puts it here and is done: identity, bytes,
 * both stores, a full link, a dead store are this module's matter. The durable outbox, with a cursor per
 * store, will stand behind the same delivery_put().
 *
 * What a store cannot take now is held in memory, in order. Of a living store that is a moment: its link is
 * full, the service is told to stop reading (on_flow) and nothing is thrown away. A dead store is waited for
 * as long as DELIVERY_HELD_BYTES last, because the city must go on; what does not fit is skipped, counted,
 * and told to the operator when the store is back. */
#pragma once

#include "base/problem.h"
#include "base/vocabulary.h"
#include "shell/service.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stdint.h>

enum { DELIVERY_HELD_BYTES = 64 * 1024 * 1024 }; /* per store */

typedef struct Delivery Delivery;

/* The service must stop making records (is_blocked), or may go on. */
typedef void (*DeliveryFlowFn)(bool is_blocked, void *userdata);

/* A store will not get a record from here. */
typedef void (*DeliverySkipFn)(StoreRole role, void *userdata);

typedef struct DeliveryHandlers {
    DeliveryFlowFn on_flow;
    DeliverySkipFn on_skip;
} DeliveryHandlers;

int delivery_new(Service *service, const DeliveryHandlers *handlers, void *userdata, Delivery **ret,
                 Problem *problem);
Delivery *delivery_free(Delivery *delivery);
DEFINE_FREEP(Delivery, delivery_free)

/* Hands `record` (a message of MESSAGE_FAMILY_RECORD) to both stores. One without a whole identity gets one:
 * this service, its epoch, the next number. Never waits. 0, or -EINVAL for a record that no store would
 * accept: counted and logged here. */
int delivery_put(Delivery *delivery, Message *record);

/* A living store's link is full. What comes from outside must wait; what was begun may still be put. */
bool delivery_is_blocked(const Delivery *delivery);

/* Stores begin living. Dead: nothing is sent, records are held. Living again: what was held goes first. */
void delivery_set_living(Delivery *delivery, StoreRole role, bool is_living);

size_t delivery_n_held(const Delivery *delivery, StoreRole role);
uint64_t delivery_n_skipped(const Delivery *delivery, StoreRole role); /* since the service started */
