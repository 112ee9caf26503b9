/* What others believe this store's life by: the heartbeat with analytics, and the PING of older peers on the
 * primary. Both are answered by the loop that commits, so a stuck database stops them; both say when it
 * cannot commit. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "database.h"
#include "shell/service.h"

typedef struct SignsOfLife SignsOfLife;

int signs_of_life_new(Service *service, StoreRole role, Database *database, SignsOfLife **ret,
                      Problem *problem);
SignsOfLife *signs_of_life_free(SignsOfLife *signs); /* before its database */
DEFINE_FREEP(SignsOfLife, signs_of_life_free)
