/* How trafficctl shows what came back: a table for people (libsmartcols), CSV for spreadsheets, or the reply
 * itself as JSON. What a column shows is a JSON pointer into a row, so a view is a table of columns and no
 * code. */
#pragma once

#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>

typedef enum OutputFormat { OUTPUT_TABLE, OUTPUT_CSV, OUTPUT_JSON } OutputFormat;

/* Where a row keeps the event as it came, as JSON text: a table shows its readings only, CSV all of it. */
#define EVENT_POINTER "/event_data"

/* One column of a list, or one line of a summary. */
typedef struct Column {
    const char *heading;
    const char *pointer; /* JSON pointer into the row; absent members show as "-" */
} Column;

/* One line per element of the array `rows`. 0 or -ENOMEM. */
int output_rows(FILE *out, OutputFormat format, struct json_object *rows, const Column *columns,
                size_t n_columns);

/* One line per column: its heading, and what its pointer finds in `object`. 0 or -ENOMEM. */
int output_summary(FILE *out, OutputFormat format, struct json_object *object, const Column *lines,
                   size_t n_lines);

void output_json(FILE *out, struct json_object *object);
