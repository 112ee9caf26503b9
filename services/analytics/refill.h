/* Filling a store that began with an empty file, or has a hole, from what the other one holds: page by page,
 * COPY_RECORDS from one and TAKE_RECORDS to the other, one page under way at a time. Taking is idempotent, so
 * whatever goes wrong the page is asked for again, and after the restart of either store everything is.
 *
 * What the outbox still holds comes to the store by itself, from the oldest record on. So the peer has to
 * hold what has left the outbox, and the filling waits until the peer has acknowledged everything there was
 * when the new file was first heard of. Deliveries go first: while the store is behind with them, pages come
 * at a walking pace.
 *
 * Nothing here looks into a record. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "delivery.h"
#include "shell/service.h"
#include "watch-stores.h"

typedef struct Refill Refill;

/* `watch` and `delivery` outlive it. Works by itself from now on. */
int refill_new(Service *service, const WatchStores *watch, const Delivery *delivery, Refill **ret,
               Problem *problem);
Refill *refill_free(Refill *refill);
DEFINE_FREEP(Refill, refill_free)
