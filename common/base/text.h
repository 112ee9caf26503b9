/* Text from strangers: is it UTF-8, and how to show it in a sentence without letting it write to somebody's
 * terminal. And what is done with text so often that its speed counts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many leading bytes are well-formed UTF-8 (Unicode, table 3-7: no overlong forms, no surrogates, nothing
 * above U+10FFFF). Equals `size` when all of them are. */
size_t utf8_valid_size(const void *bytes, size_t size);

/* Printable ASCII as it is, every other byte as \xHH, cut after 48 bytes with "...". */
typedef struct ShownText {
    char text[48 * 4 + 4];
} ShownText;

/* For messages that quote what came: problem_set(p, -EINVAL, "expected ..., got \"%s\"", text_shown(data,
 * size).text). */
ShownText text_shown(const void *bytes, size_t size);

/* How many leading bytes are printable ASCII and neither a quote nor a backslash: what stands in JSON as it is. Sixteen
 * at a time, for nearly all text is nothing else. */
size_t text_plain_size(const char *text, size_t size);

/* Whether well-formed UTF-8 text holds a control character (C0, DEL, C1): such text could forge a log line or
 * drive a terminal. */
bool text_has_control(const char *text, size_t size);

/* Of ASCII, whatever the locale. */
static inline bool text_is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Its decimal digits, without a NUL; how many there are. snprintf() takes ten times as long. */
enum { TEXT_UINT64_SIZE = 20 };
size_t text_from_uint64(uint64_t value, char ret[static TEXT_UINT64_SIZE]);
