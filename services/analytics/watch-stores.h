/* Heartbeats with both stores, and what follows from them: who lives, who answers queries, [FAILOVER] and
 * [RECOVERY], how far each may delete. The judgement is core/failover.h's and core/agreement.h's; here are
 * their clock, their sockets and their words.
 *
 * A store of the first implementation has no heartbeat: the primary is asked PING, and the replica lives as
 * long as its link takes records. Such a store is delivered to, and nobody asks it anything, for it knows no
 * queries. */
#pragma once

#include "base/problem.h"
#include "core/failover.h"
#include "delivery.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct WatchStores WatchStores;

/* A store died or returned. Not called for mere suspicion. */
typedef void (*StoreLivingFn)(StoreRole role, bool is_living, void *userdata);

/* `delivery` outlives it. */
int watch_stores_new(Service *service, const Delivery *delivery, StoreLivingFn on_living, void *userdata,
                     WatchStores **ret, Problem *problem);
WatchStores *watch_stores_free(WatchStores *watch);
DEFINE_FREEP(WatchStores, watch_stores_free)

/* Who answers queries: the primary before the replica, but one that is still being filled only when there is
 * no other. False when there is nobody. */
bool watch_stores_answering(const WatchStores *watch, StoreRole *ret_role);

bool watch_stores_is_living(const WatchStores *watch, StoreRole role);

/* It lives, and knows queries. */
bool watch_stores_can_answer(const WatchStores *watch, StoreRole role);

/* The two may differ now, so neither may delete until they are seen to be equal. */
void watch_stores_doubt(WatchStores *watch);

/* Both stores were seen to hold the same: they differ at most by what is on its way. */
bool watch_stores_agree(const WatchStores *watch);

/* What is known of one store; ages count from its last heartbeat. */
typedef struct StoreReport {
    StoreState state;
    bool is_v0;
    bool is_heard; /* it beat at least once since this service started */
    int64_t epoch; /* of its last heartbeat */
    bool can_commit;
    bool needs_refill;
    uint64_t silence_usec;
    bool has_commit_age;
    uint64_t commit_age_usec;
    bool has_rows_waiting;
    int64_t rows_waiting;
    bool has_disk_free;
    int64_t disk_free_bytes;
    bool has_records;
    int64_t n_records;
} StoreReport;
StoreReport watch_stores_report(const WatchStores *watch, StoreRole role);
