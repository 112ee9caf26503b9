/* Numbers and strings as JSON. */
#include "store/json-out.h"

#include <math.h>

void write_json_string(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < ' ')
            fprintf(out, "\\u%04x", *at);
        else
            fputc(*at, out);
    }
    fputc('"', out);
}

void write_json_number(FILE *out, double value) {
    if (!isfinite(value))
        fputs("null", out);
    else if (trunc(value) == value && fabs(value) < 1e15)
        fprintf(out, "%.0f", value);
    else
        fprintf(out, "%.15g", value);
}
