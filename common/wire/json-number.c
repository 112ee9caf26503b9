/* The subtle thing: strtod() is only asked about numbers that something follows in the text, for the text has no NUL
 * behind it. */
#include "wire/json-number.h"

#include "base/macro.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

enum {
    /* Integers up to here fit an int64_t (negative) or a uint64_t, whatever their digits. */
    NEGATIVE_DIGITS_MAX = 18,
    POSITIVE_DIGITS_MAX = 19,
};

static const char *skip_digits(const char *at, const char *end) {
    while (at < end && text_is_digit(*at))
        at++;
    return at;
}

/* Behind the fraction and the exponent, of which there is at least one; NULL when they are not whole or end the text. */
static const char *skip_decimals(const char *at, const char *end) {
    if (at < end && *at == '.') {
        const char *digits = ++at;
        at = skip_digits(digits, end);
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        const char *digits = at;
        at = skip_digits(digits, end);
        if (at == digits)
            return NULL;
    }
    return at < end ? at : NULL;
}

static uint64_t value_of_digits(const char *digits, size_t n) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (uint64_t)(digits[i] - '0');
    return value;
}

/* A number of at most 15 digits without an exponent: they and the power of ten are doubles exactly, so their quotient is the
 * double nearest to the number, which is what strtod() finds in a hundred times as many steps. */
static bool read_few_decimals(const char *at, const char *end, double *ret) {
    static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool is_negative = *at == '-';
    uint64_t value = 0;
    size_t n_digits = 0, n_decimals = 0;
    bool has_point = false;
    for (at += is_negative; at < end && n_digits < ARRAY_LEN(powers); at++) {
        if (*at == '.') {
            has_point = true;
            continue;
        }
        if (!text_is_digit(*at))
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
        n_digits++;
        n_decimals += has_point;
    }
    if (at < end || n_digits == ARRAY_LEN(powers))
        return false;
    double number = (double)value / powers[n_decimals];
    *ret = is_negative ? -number : number;
    return true;
}

static JsonNumber refused(Refusal refusal, const char *expected) {
    return (JsonNumber){.refusal = refusal, .expected = expected};
}

JsonNumber json_number_read(const char *at, const char *end, locale_t locale) {
    const bool is_negative = *at == '-';
    const char *digits = at + is_negative, *behind = skip_digits(digits, end);
    const size_t n_digits = (size_t)(behind - digits);
    const bool is_decimal = behind < end && (*behind == '.' || (*behind | 0x20) == 'e');
    if (n_digits == 0 || (n_digits > 1 && *digits == '0'))
        return refused(REFUSAL_NOT_JSON, "expected a JSON number");
    if (!is_decimal) {
        if (n_digits > (is_negative ? NEGATIVE_DIGITS_MAX : POSITIVE_DIGITS_MAX))
            return refused(REFUSAL_OUT_OF_RANGE, "expected an integer of at most 18 digits");
        return (JsonNumber){.n_taken = (size_t)(behind - at), .magnitude = value_of_digits(digits, n_digits)};
    }
    behind = skip_decimals(behind, end);
    if (!behind)
        return refused(REFUSAL_NOT_JSON, "expected a JSON number");
    JsonNumber number = {.n_taken = (size_t)(behind - at), .is_decimal = true};
    if (!read_few_decimals(at, behind, &number.value))
        number.value = strtod_l(at, NULL, locale);
    return isfinite(number.value) ? number : refused(REFUSAL_OUT_OF_RANGE, "expected a number up to 1.8e308");
}
