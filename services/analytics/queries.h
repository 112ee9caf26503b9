/* The operators' port: one request, one reply, always, for everything that can be asked (wire.md),
 * well-formed or not. What needs a database goes on to a store and is overlaid on its way back; orders go to
 * operator.h. */
#pragma once

#include "answers.h"
#include "base/problem.h"

typedef struct Queries Queries;

/* `sources` are copied; what they point to outlives it. */
int queries_new(const AnswerSources *sources, Queries **ret, Problem *problem);
Queries *queries_free(Queries *queries);
DEFINE_FREEP(Queries, queries_free)

void queries_store_died(Queries *queries, StoreRole role);
