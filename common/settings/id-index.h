/* From an id to its place in an array, in constant time. Filled once, then only read. Knows nothing of what
 * the ids name; they are borrowed and must outlive the index. */
#pragma once

#include "base/macro.h"

#include <stddef.h>

#define ID_INDEX_NONE ((size_t)-1)

typedef struct IdIndex IdIndex;

/* Room for `capacity` ids. NULL when out of memory. */
IdIndex *id_index_new(size_t capacity);
IdIndex *id_index_free(IdIndex *index);
DEFINE_FREEP(IdIndex, id_index_free)

/* 0, or -EEXIST when the id is already there. */
int id_index_add(IdIndex *index, const char *id, size_t place);

/* The place that came with the id, or ID_INDEX_NONE. Accepts a NULL index, which is empty. */
size_t id_index_find(const IdIndex *index, const char *id);
