#include "wire/json-escape.h"

#include "base/text.h"

#include <string.h>

static JsonEscape refused(Refusal refusal, const char *expected) {
    return (JsonEscape){.refusal = refusal, .expected = expected};
}

/* The four hexadecimal digits after \u, or -1. */
static int code_unit(const char *at, const char *end) {
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    int value = 0;
    for (int i = 2; i < 6; i++) {
        char lower = (char)(at[i] | 0x20);
        if (!text_is_digit(at[i]) && (lower < 'a' || lower > 'f'))
            return -1;
        value = value * 16 + (text_is_digit(at[i]) ? at[i] - '0' : lower - 'a' + 10);
    }
    return value;
}

/* The number of bytes. */
static size_t write_utf8(unsigned code, char *to) {
    static const struct {
        unsigned below;
        unsigned char first;
    } lengths[JSON_ESCAPE_MAX_BYTES] = {{0x80, 0}, {0x800, 0xC0}, {0x10000, 0xE0}, {0x110000, 0xF0}};
    size_t n = 0;
    while (code >= lengths[n].below)
        n++;
    for (size_t i = n; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)(lengths[n].first | code);
    return n + 1;
}

static JsonEscape read_code(const char *at, const char *end, char *to) {
    int unit = code_unit(at, end);
    if (unit < 0)
        return refused(REFUSAL_NOT_JSON, "expected four hexadecimal digits behind \\u");
    if (unit == 0)
        return refused(REFUSAL_NOT_JSON, "expected text without NUL characters");
    bool is_high = unit >= 0xD800 && unit < 0xDC00, is_low = unit >= 0xDC00 && unit < 0xE000;
    int next = is_high ? code_unit(at + 6, end) : 0;
    if (is_low || (is_high && (next < 0xDC00 || next > 0xDFFF)))
        return refused(REFUSAL_NOT_UTF8, "expected both halves of a surrogate pair");
    unsigned code =
        is_high ? 0x10000U + ((unsigned)(unit - 0xD800) << 10) + (unsigned)(next - 0xDC00) : (unsigned)unit;
    return (JsonEscape){.n_taken = is_high ? 12 : 6, .n_written = write_utf8(code, to)};
}

JsonEscape json_escape_read(const char *at, const char *end, char ret[static JSON_ESCAPE_MAX_BYTES]) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (end - at < 2)
        return refused(REFUSAL_NOT_JSON, "expected the rest of an escape sequence");
    if (at[1] == 'u')
        return read_code(at, end, ret);
    const char *known = at[1] ? strchr(letters, at[1]) : NULL;
    if (!known)
        return refused(REFUSAL_NOT_JSON, "expected an escape sequence");
    *ret = meanings[known - letters];
    return (JsonEscape){.n_taken = 2, .n_written = 1};
}
