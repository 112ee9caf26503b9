/* An escape sequence inside a JSON string. Private to wire. */
#pragma once

#include "wire/messages.h"

#include <stddef.h>

enum { JSON_ESCAPE_MAX_BYTES = 4 }; /* what it means, in UTF-8 */

typedef struct JsonEscape {
    size_t n_taken;       /* bytes of the text: more than it means; 0 when it is refused */
    size_t n_written;     /* bytes of what it means */
    Refusal refusal;      /* when it is refused: the kind... */
    const char *expected; /* ... and "expected ..." */
} JsonEscape;

/* Reads the sequence that begins with the backslash at `at`; two \u that are one character are one sequence. What means
 * no text (NUL, half of a surrogate pair) is refused. */
JsonEscape json_escape_read(const char *at, const char *end, char ret[static JSON_ESCAPE_MAX_BYTES]);
