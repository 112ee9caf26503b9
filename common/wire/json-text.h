/* Parts of a JSON text, as slices of it. */
#pragma once

#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>

/* The elements of the array `array`, one a call, in order: *at is 0 at first and the caller's to keep.
 * False when there is none left. The text must be valid JSON. */
bool array_text_next(JsonText array, size_t *at, JsonText *ret);

/* How many objects and arrays of valid JSON stand inside each other at most: 0 for a scalar, 1 for []. */
size_t json_text_depth(JsonText json);
