/* Writing JSON values to a stream, for answers that are put together piece by piece. */
#pragma once

#include <stdio.h>

/* `text` (UTF-8) quoted and escaped. */
void write_json_string(FILE *out, const char *text);

/* Integers without a fraction, up to 15 digits otherwise, and null for what is not finite. */
void write_json_number(FILE *out, double value);
