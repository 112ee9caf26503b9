/* Equal values once: who puts a value gets the one that is kept, whose bytes are the same. So ten thousand
 * intersections that are alike share one description. Values are compared as bytes: padding must be zero. */
#pragma once

#include "base/macro.h"

#include <stddef.h>

typedef struct ValuePool ValuePool;

/* For values of `value_size` bytes. NULL when out of memory. */
ValuePool *value_pool_new(size_t value_size);
ValuePool *value_pool_free(ValuePool *pool);
DEFINE_FREEP(ValuePool, value_pool_free)

/* The kept value that equals `value`, which lives as long as the pool. NULL when out of memory. */
const void *value_pool_put(ValuePool *pool, const void *value);
