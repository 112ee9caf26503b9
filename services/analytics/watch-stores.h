/* Heartbeats with both stores, and what follows from them: who lives, who answers queries, [FAILOVER] and
 * [RECOVERY]. The judgement is core/failover.h's; here are its clock, its sockets and its words. */
#pragma once

#include "base/problem.h"
#include "core/failover.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct WatchStores WatchStores;

/* A store died or returned. Not called for mere suspicion. */
typedef void (*StoreLivingFn)(StoreRole role, bool is_living, void *userdata);

int watch_stores_new(Service *service, StoreLivingFn on_living, void *userdata, WatchStores **ret,
                     Problem *problem);
WatchStores *watch_stores_free(WatchStores *watch);
DEFINE_FREEP(WatchStores, watch_stores_free)

/* Who answers queries; false when no store lives. */
bool watch_stores_answering(const WatchStores *watch, StoreRole *ret_role);

bool watch_stores_is_living(const WatchStores *watch, StoreRole role);

/* A record was not handed to a store: the two may differ now, so neither may delete until they are seen to
 * be equal. */
void watch_stores_lost(WatchStores *watch);

/* Both stores were seen to hold the same, and nothing was lost since: they differ at most by what is on its
 * way. */
bool watch_stores_agree(const WatchStores *watch);

/* What is known of one store; ages count from its last heartbeat. */
typedef struct StoreReport {
    StoreState state;
    bool is_heard; /* it beat at least once since this service started */
    bool can_commit;
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
