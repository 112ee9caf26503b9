/* A number as JSON spells it. Private to wire. */
#pragma once

#include "wire/messages.h"

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JsonNumber {
    size_t n_taken; /* bytes of the text; 0 when it is refused */
    bool
        is_decimal; /* it has a fraction or an exponent: `value`; else `magnitude`, and the text's first byte is the sign */
    double value;
    uint64_t magnitude;
    Refusal refusal;      /* when it is refused: the kind... */
    const char *expected; /* ... and "expected ..." */
} JsonNumber;

/* Reads the number that begins at `at` with a digit or a minus. `locale` has a point for its decimal point. Integers
 * that fit neither an int64_t (negative) nor a uint64_t whatever their digits, and numbers beyond a double, are refused. */
JsonNumber json_number_read(const char *at, const char *end, locale_t locale);
