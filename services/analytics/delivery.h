/* The one way for a record into the stores. Whoever makes a record puts it here and is done: identity, bytes,
 * the outbox on the disk, both stores, a full link, a dead store are this module's matter.
 *
 * A record is one row of the outbox and goes to both stores; it leaves when both have committed it. Each
 * store has a cursor, so a store that was away for an hour is served as one that was never away, from where
 * it stopped. The cursors of the link that events come by stand in the same file: an event is acknowledged to
 * the broker by the transaction that holds the records made of it.
 *
 * When the outbox is full, or the disk refuses, whatever makes records is told to stop (on_flow), nothing is
 * acknowledged, and the broker keeps the events. */
#pragma once

#include "base/problem.h"
#include "base/vocabulary.h"
#include "core/intake.h"
#include "durable-latency.h"
#include "shell/service.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Delivery Delivery;

typedef struct DeliveryHandlers {
    /* The service must stop making records (is_blocked), or may go on. */
    void (*on_flow)(bool is_blocked, void *userdata);
    /* What was taken from the intake's link is on disk: acknowledge it. */
    void (*on_committed)(void *userdata);
    /* Nobody knows any more what a store has of the outbox, because that is older than what the store knows
     * of it. */
    void (*on_doubt)(void *userdata);
} DeliveryHandlers;

int delivery_new(Service *service, const DeliveryHandlers *handlers, void *userdata, Delivery **ret,
                 Problem *problem);
Delivery *delivery_free(Delivery *delivery); /* commits what is pending */
DEFINE_FREEP(Delivery, delivery_free)

/* The cursors of the broker's link, restored. What was judged with them is committed together with the
 * records put before the next return to the loop. */
Intake *delivery_intake(Delivery *delivery);

/* Something was taken from the intake's link: the next commit writes its cursor, whether a record was made of
 * it or not. */
void delivery_touch(Delivery *delivery);

/* Somebody waits for what was taken: the end of this batch commits it. */
void delivery_hurry(Delivery *delivery);

/* Hands `record` (a message of MESSAGE_FAMILY_RECORD) to both stores. One without a whole identity gets one:
 * this service, its epoch, the next number. Never waits. 0, or an error that is counted and logged here:
 * -EINVAL for a record that no store would accept, -ENOSPC when the outbox has no room at all, -ENOMEM. */
int delivery_put(Delivery *delivery, Message *record);

/* What comes from outside must wait: the outbox is full or cannot commit. What was begun may still be put,
 * for a part of the outbox is kept for that. */
bool delivery_is_blocked(const Delivery *delivery);
const char *delivery_trouble(const Delivery *delivery); /* why, in words; "" when it is not blocked */

/* Stores begin living. To a dead one nothing is sent. */
void delivery_set_living(Delivery *delivery, StoreRole role, bool is_living);

/* A store of the first implementation, which tells nothing itself: its link took something lately, or had
 * nothing to take. */
bool delivery_is_moving(const Delivery *delivery, StoreRole role, uint64_t patience_usec);

/* Positions of the outbox: the newest, and up to which a store has committed all. */
uint64_t delivery_last(const Delivery *delivery);
uint64_t delivery_acknowledged(const Delivery *delivery, StoreRole role);

/* How many records the store lacks. */
uint64_t delivery_backlog(const Delivery *delivery, StoreRole role);

/* ... and how many it lacked at most while it was dead the last time: some of them it gets before it lives again. */
uint64_t delivery_lacked(const Delivery *delivery, StoreRole role);

/* For how long it has acknowledged nothing although it lacks something; 0 when it lacks nothing. */
uint64_t delivery_waiting_usec(const Delivery *delivery, StoreRole role);

double delivery_used(const Delivery *delivery); /* of the outbox; see keeper_used() */
uint64_t delivery_bytes(const Delivery *delivery);
const DurableLatency *delivery_latency(const Delivery *delivery);
