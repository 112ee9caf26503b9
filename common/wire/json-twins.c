#include "wire/json-twins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_MEMBERS = 24 }; /* of which each name is compared with each other one; more are sorted first */

static bool is_same_name(const JsonToken *a, const JsonToken *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static int in_order(const void *a, const void *b) {
    const JsonToken *one = *(const JsonToken *const *)a, *other = *(const JsonToken *const *)b;
    if (one->size != other->size)
        return one->size < other->size ? -1 : 1;
    return memcmp(one->text, other->text, one->size);
}

/* Each name with those before it: for few members cheaper than anything that needs to be prepared. */
static bool has_twins_of_few(const JsonToken *tokens, size_t first, size_t behind) {
    for (size_t i = first; i < behind; i = tokens[i + 1].next)
        for (size_t j = first; j < i; j = tokens[j + 1].next)
            if (is_same_name(&tokens[i], &tokens[j]))
                return true;
    return false;
}

static int has_twins_of_many(JsonTwins *twins, const JsonToken *tokens, size_t first, size_t behind,
                             size_t n_members) {
    size_t n = 0;
    if (n_members > twins->capacity) {
        const JsonToken **moved = realloc((void *)twins->sorted, 2 * n_members * sizeof *moved);
        if (!moved)
            return -ENOMEM;
        twins->sorted = moved;
        twins->capacity = 2 * n_members;
    }
    for (size_t i = first; i < behind; i = tokens[i + 1].next)
        twins->sorted[n++] = &tokens[i];
    qsort((void *)twins->sorted, n, sizeof(const JsonToken *), in_order);
    for (size_t i = 1; i < n; i++)
        if (is_same_name(twins->sorted[i - 1], twins->sorted[i]))
            return 1;
    return 0;
}

int json_twins_find(JsonTwins *twins, const JsonToken *tokens, size_t first, size_t behind, size_t n) {
    return n <= FEW_MEMBERS ? has_twins_of_few(tokens, first, behind)
                            : has_twins_of_many(twins, tokens, first, behind, n);
}
