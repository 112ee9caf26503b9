/* One store's way out of the outbox: the sender that feeds it, how much it lacks, and the words when it has
 * caught up. What the records are and how they got into the outbox is delivery.h's matter. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"
#include "custody/keeper.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Outlet Outlet;

typedef struct OutletHandlers {
    /* The store has committed everything up to `position`. */
    void (*on_acknowledged)(StoreRole role, uint64_t position, void *userdata);
    /* Nobody knows any more what the store has of the outbox, because that is older than what the store knows
     * of it. */
    void (*on_doubt)(void *userdata);
} OutletHandlers;

/* Opens the links to the store and begins to send what the keeper's spool holds for reader number `role`.
 * `keeper` and `handlers` outlive it. */
int outlet_new(Service *service, StoreRole role, Keeper *keeper, const OutletHandlers *handlers,
               void *userdata, Outlet **ret, Problem *problem);
Outlet *outlet_free(Outlet *outlet);
DEFINE_FREEP(Outlet, outlet_free)

/* The keeper has committed. */
void outlet_send(Outlet *outlet);

/* A store begins living. To a dead one nothing is sent. */
void outlet_set_living(Outlet *outlet, bool is_living);

uint64_t outlet_acknowledged(const Outlet *outlet);
uint64_t outlet_backlog(const Outlet *outlet);      /* records that the store lacks */
uint64_t outlet_lacked(const Outlet *outlet);       /* see delivery_lacked() */
uint64_t outlet_waiting_usec(const Outlet *outlet); /* see delivery_waiting_usec() */
