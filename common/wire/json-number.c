/* The subtle thing: strtod() is only asked about numbers that something follows in the text, for the text has no NUL
 * behind it. */
#include "wire/json-number.h"

#include "base/macro.h"
#include "base/text.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Integers up to here fit an int64_t (negative) or a uint64_t, whatever their digits. */
    NEGATIVE_DIGITS_MAX = 18,
    POSITIVE_DIGITS_MAX = 19,
};

/* Reads digits onto the end of *value, which wraps around when they are too many for it; where they end. Eight at a time:
 * what is behind them falls out of the eight, and zeros come in before them. */
static const char *read_digits(const char *at, const char *end, uint64_t *value) {
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    while (end - at >= 8) {
        uint64_t eight;
        memcpy(&eight, at, sizeof eight);
        eight = le64toh(eight) ^ UINT64_C(0x3030303030303030); /* the first digit lowest */
        uint64_t others = ((eight + UINT64_C(0x7676767676767676)) | eight) & UINT64_C(0x8080808080808080);
        unsigned n = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
        if (n == 0)
            return at;
        eight <<= 8 * (8 - n);
        eight = (eight * 10 + (eight >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
        eight = (eight * 100 + (eight >> 16)) & UINT64_C(0x0000FFFF0000FFFF);
        eight = (eight * 10000 + (eight >> 32)) & UINT64_C(0x00000000FFFFFFFF);
        *value = *value * powers[n] + eight;
        at += n;
        if (n < 8)
            return at;
    }
    for (; at < end && text_is_digit(*at); at++)
        *value = *value * 10 + (uint64_t)(*at - '0');
    return at;
}

static const char *skip_digits(const char *at, const char *end) {
    while (at < end && text_is_digit(*at))
        at++;
    return at;
}

/* Behind an exponent; NULL when it is not whole. */
static const char *skip_exponent(const char *at, const char *end) {
    at++;
    at += at < end && (*at == '+' || *at == '-');
    const char *digits = at;
    at = skip_digits(digits, end);
    return at > digits ? at : NULL;
}

/* A number of at most 15 digits without an exponent: they and the power of ten are doubles exactly, so their quotient is the
 * double nearest to the number, which is what strtod() finds in a hundred times as many steps. */
static bool divide(uint64_t digits, size_t n_digits, size_t n_decimals, double *ret) {
    static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (n_digits >= ARRAY_LEN(powers))
        return false;
    *ret = (double)digits / powers[n_decimals];
    return true;
}

static JsonNumber refused(Refusal refusal, const char *expected) {
    return (JsonNumber){.refusal = refusal, .expected = expected};
}

/* One whose whole part, digits of the value `value`, ends at `point` with a fraction or an exponent. */
static JsonNumber read_decimal(const char *at, const char *point, const char *end, uint64_t value,
                               locale_t locale) {
    const bool is_negative = *at == '-';
    const size_t n_whole = (size_t)(point - at) - is_negative;
    size_t n_decimals = 0;
    const char *behind = point;
    if (*point == '.') {
        behind = read_digits(point + 1, end, &value);
        n_decimals = (size_t)(behind - point) - 1;
        if (n_decimals == 0)
            return refused(REFUSAL_NOT_JSON, "expected a JSON number");
    }
    const bool has_exponent = behind < end && (*behind | 0x20) == 'e';
    if (has_exponent)
        behind = skip_exponent(behind, end);
    if (!behind || behind == end)
        return refused(REFUSAL_NOT_JSON, "expected a JSON number");
    JsonNumber number = {.n_taken = (size_t)(behind - at), .is_decimal = true};
    if (has_exponent || !divide(value, n_whole + n_decimals, n_decimals, &number.value))
        number.value = strtod_l(at, NULL, locale);
    else if (is_negative)
        number.value = -number.value;
    return isfinite(number.value) ? number : refused(REFUSAL_OUT_OF_RANGE, "expected a number up to 1.8e308");
}

JsonNumber json_number_read(const char *at, const char *end, locale_t locale) {
    const bool is_negative = *at == '-';
    uint64_t value = 0;
    const char *digits = at + is_negative, *behind = read_digits(digits, end, &value);
    const size_t n_digits = (size_t)(behind - digits);
    if (n_digits == 0 || (n_digits > 1 && *digits == '0'))
        return refused(REFUSAL_NOT_JSON, "expected a JSON number");
    if (behind < end && (*behind == '.' || (*behind | 0x20) == 'e'))
        return read_decimal(at, behind, end, value, locale);
    if (n_digits > (is_negative ? NEGATIVE_DIGITS_MAX : POSITIVE_DIGITS_MAX))
        return refused(REFUSAL_OUT_OF_RANGE, "expected an integer of at most 18 digits");
    return (JsonNumber){.n_taken = (size_t)(behind - at), .magnitude = value};
}
