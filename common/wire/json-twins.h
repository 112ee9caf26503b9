/* Whether an object has two members of the same name. Private to wire. */
#pragma once

#include "wire/json-tokens.h"

#include <stddef.h>
#include <stdint.h>

/* The names of one object while they come, as one bit of sixty-four each: as long as none has the bit of one before it,
 * there are no twins and nothing is compared. */
typedef struct JsonNames {
    uint64_t seen, seen_twice;
    size_t n;
} JsonNames;

/* A name that is not empty or stands between its quotes. */
static inline void json_names_add(JsonNames *names, const char *name, size_t size) {
    unsigned first = (unsigned char)*name, last = (unsigned char)(name + size)[-1];
    uint64_t bit = UINT64_C(1) << ((size * 11 + first * 5 + last) % 64);
    names->seen_twice |= names->seen & bit;
    names->seen |= bit;
    names->n++;
}

/* Room to sort names in, used again. */
typedef struct JsonTwins {
    const JsonToken **sorted;
    size_t capacity;
} JsonTwins;

/* Compares the names of an object of `n` members whose first name is token `first` and behind whose last value is token
 * `behind`. 1, 0 or -ENOMEM. */
int json_twins_find(JsonTwins *twins, const JsonToken *tokens, size_t first, size_t behind, size_t n);
