/* Looks at the last bytes of a frame only. That this finds a member of the outermost object and nothing else
 * follows from the form: the quote before `hop` comes after a comma or the opening brace, the value holds no
 * escapes, and the one brace behind it is the frame's last byte. So a decoder that takes the frame sees the
 * same member. */
#include "wire/hop-text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { STREAM_DIGITS = 16, NUMBER_MAX_DIGITS = 19 /* of INT64_MAX */ };

static const char member[] = "\"hop\":\""; /* what comes before the value */
static const char ending[] = "\"}";

enum {
    MEMBER_SIZE = sizeof member - 1,
    ENDING_SIZE = sizeof ending - 1,
    VALUE_MAX_SIZE = STREAM_DIGITS + 3 * (1 + NUMBER_MAX_DIGITS),
};
static_assert(1 + MEMBER_SIZE + VALUE_MAX_SIZE + ENDING_SIZE - 1 <= HOP_TEXT_MAX_BYTES,
              "what hop_put() adds");

/* --- numbers --- */

static char *put_hex(char *at, uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[value >> shift & 0xF];
    return at;
}

static char *put_decimal(char *at, uint64_t value) {
    char digits[NUMBER_MAX_DIGITS + 1];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
    } while (value /= 10);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

/* Like the two below: reads one number and moves *at behind it. */
static bool take_hex(const char **at, const char *end, uint64_t *ret) {
    uint64_t value = 0;
    if (end - *at < STREAM_DIGITS)
        return false;
    for (int i = 0; i < STREAM_DIGITS; i++) {
        char c = (*at)[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *at += STREAM_DIGITS;
    *ret = value;
    return true;
}

/* Digits without a needless 0 in front, up to INT64_MAX. */
static bool take_decimal(const char **at, const char *end, uint64_t *ret) {
    const char *c = *at;
    uint64_t value = 0;
    for (; c < end && *c >= '0' && *c <= '9'; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (c == *at || (**at == '0' && c - *at > 1))
        return false;
    *at = c;
    *ret = value;
    return true;
}

static bool take_dot(const char **at, const char *end) {
    if (*at == end || **at != '.')
        return false;
    ++*at;
    return true;
}

/* --- the member --- */

/* Whether the object that ends at `size` (without its closing brace) has no member yet: then ours needs no
 * comma. */
static bool is_empty_object(const char *frame, size_t size) {
    while (size > 0 && strchr(" \t\r\n", frame[size - 1]) && frame[size - 1] != '\0')
        size--;
    return size > 0 && frame[size - 1] == '{';
}

int hop_put(const char *frame, size_t size, const Hop *hop, char *buffer, size_t buffer_size) {
    char text[HOP_TEXT_MAX_BYTES + 1];
    char *at = text;
    assert(hop_is_possible(hop));
    if (size == 0 || frame[size - 1] != '}')
        return -EBADMSG;
    if (!is_empty_object(frame, size - 1))
        *at++ = ',';
    at = (char *)memcpy(at, member, MEMBER_SIZE) + MEMBER_SIZE;
    at = put_hex(at, hop->stream);
    *at++ = '.';
    at = put_decimal(at, (uint64_t)hop->epoch);
    *at++ = '.';
    at = put_decimal(at, hop->position);
    *at++ = '.';
    at = put_decimal(at, hop->oldest);
    at = (char *)memcpy(at, ending, ENDING_SIZE) + ENDING_SIZE;

    size_t text_size = (size_t)(at - text);
    if (size - 1 > INT32_MAX - text_size || size - 1 + text_size > buffer_size)
        return -EMSGSIZE;
    memcpy(buffer, frame, size - 1);
    memcpy(buffer + size - 1, text, text_size);
    return (int)(size - 1 + text_size);
}

static bool value_parse(const char *value, const char *end, Hop *ret) {
    Hop hop;
    uint64_t epoch;
    if (!take_hex(&value, end, &hop.stream) || !take_dot(&value, end) || !take_decimal(&value, end, &epoch) ||
        !take_dot(&value, end) || !take_decimal(&value, end, &hop.position) || !take_dot(&value, end) ||
        !take_decimal(&value, end, &hop.oldest) || value != end)
        return false;
    hop.epoch = (int64_t)epoch;
    if (!hop_is_possible(&hop))
        return false;
    *ret = hop;
    return true;
}

bool hop_find(const char *frame, size_t size, Hop *ret, size_t *ret_size) {
    if (size < MEMBER_SIZE + ENDING_SIZE || memcmp(frame + size - ENDING_SIZE, ending, ENDING_SIZE) != 0)
        return false;
    size_t end = size - ENDING_SIZE, begin = end;
    while (begin > 0 && end - begin <= VALUE_MAX_SIZE && frame[begin - 1] != '"')
        begin--;
    if (begin < MEMBER_SIZE || memcmp(frame + begin - MEMBER_SIZE, member, MEMBER_SIZE) != 0)
        return false;

    size_t own = begin - MEMBER_SIZE;
    if (!is_empty_object(frame, own)) {
        if (own == 0 || frame[own - 1] != ',' || is_empty_object(frame, own - 1))
            return false;
        own--;
    }
    if (!value_parse(frame + begin, frame + end, ret))
        return false;
    *ret_size = own;
    return true;
}

bool hop_take(const char *frame, size_t size, Hop *ret, char *buffer, size_t *ret_size) {
    size_t own;
    if (!hop_find(frame, size, ret, &own))
        return false;
    memcpy(buffer, frame, own);
    buffer[own] = '}';
    *ret_size = own + 1;
    return true;
}

/* --- streams --- */

void hop_stream_text(uint64_t stream, char ret[static HOP_STREAM_TEXT_SIZE]) {
    *put_hex(ret, stream) = '\0';
}

bool hop_stream_parse(const char *text, uint64_t *ret) {
    const char *end = text + strnlen(text, HOP_STREAM_TEXT_SIZE);
    uint64_t stream;
    if (end - text != STREAM_DIGITS || !take_hex(&text, end, &stream) || stream == 0)
        return false;
    *ret = stream;
    return true;
}
