/* Text from strangers: is it UTF-8, and how to show it in a sentence without letting it write to somebody's
 * terminal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

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

/* Whether well-formed UTF-8 text holds a control character (C0, DEL, C1): such text could forge a log line or
 * drive a terminal. */
bool text_has_control(const char *text, size_t size);
