/* Small language helpers every layer may use: ownership at the declaration, table lengths, compile-time
 * checks.
 *
 *     scoped(city_freep) City *city = NULL;      // freed when the scope ends
 *     return take(city);                         // ... unless it is handed on
 */
#pragma once

#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

#define scoped(cleanup_function) __attribute__((cleanup(cleanup_function)))

/* Hands the pointer in `p` to the caller and forgets it, so that its scoped() cleanup finds NULL. */
#define take(p)                                                                                              \
    ({                                                                                                       \
        __typeof__(p) *take_from_ = &(p);                                                                    \
        __typeof__(p) take_value_ = *take_from_;                                                             \
        *take_from_ = NULL;                                                                                  \
        take_value_;                                                                                         \
    })

/* Defines x_freep() for scoped() from a `Type *x_free(Type *)` that accepts NULL. */
#define DEFINE_FREEP(Type, free_function)                                                                    \
    static inline void free_function##p(Type **p) {                                                          \
        free_function(*p);                                                                                   \
    }

#define printf_like(format_index, first_argument)                                                            \
    __attribute__((format(printf, format_index, first_argument)))
