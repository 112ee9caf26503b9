#include "output.h"

#include "base/macro.h"
#include "base/vocabulary.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdbool.h>
#include <string.h>

static void table_unrefp(struct libscols_table **table) {
    scols_unref_table(*table);
}

static struct libscols_table *table_new(FILE *out) {
    struct libscols_table *table = scols_new_table();
    if (table && scols_table_set_stream(table, out) < 0) {
        scols_unref_table(table);
        return NULL;
    }
    return table;
}

/* What other columns of the same row say already, or what only machines read. */
static bool is_reading(const char *member) {
    static const char *const others[] = {"sensor_id",
                                         "tipo_sensor",
                                         "interseccion",
                                         "timestamp",
                                         "timestamp_inicio",
                                         "timestamp_fin",
                                         "producer_id",
                                         "epoch",
                                         "seq",
                                         "captured_us",
                                         NULL};
    return word_index(others, member) < 0;
}

/* "volumen=3 velocidad_promedio=41.5" of an event's JSON text. */
static int event_cell_set(struct libscols_line *line, size_t column, const char *json) {
    char text[512] = "-";
    size_t used = 0;
    struct json_object *event = json_tokener_parse(json);
    struct lh_table *members = json_object_get_object(event); /* NULL when it is no object */
    for (struct lh_entry *entry = members ? members->head : NULL; entry; entry = entry->next) {
        const char *member = lh_entry_k(entry);
        if (is_reading(member) && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s", used ? " " : "", member,
                                     json_object_get_string(lh_entry_v(entry)));
    }
    json_object_put(event);
    return scols_line_set_data(line, column, text);
}

/* Strings bare, lists as "a b c", everything else as JSON. */
static int cell_set(struct libscols_line *line, size_t column, struct json_object *row, const Column *shown,
                    OutputFormat format) {
    struct json_object *value = NULL;
    if (json_pointer_get(row, shown->pointer, &value) < 0 || !value)
        return scols_line_set_data(line, column, "-");
    if (strcmp(shown->pointer, EVENT_POINTER) == 0 && format == OUTPUT_TABLE)
        return event_cell_set(line, column, json_object_get_string(value));
    if (!json_object_is_type(value, json_type_array))
        return scols_line_set_data(line, column, json_object_get_string(value));

    char text[4096] = "";
    size_t used = 0;
    for (size_t i = 0; i < json_object_array_length(value) && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "",
                                 json_object_get_string(json_object_array_get_idx(value, i)));
    return scols_line_set_data(line, column, used ? text : "-");
}

/* RFC 4180: quoted when the cell has a comma, a quote or a line break; quotes doubled. */
static void csv_cell(FILE *out, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void csv_print(FILE *out, struct libscols_table *table) {
    size_t n_columns = scols_table_get_ncols(table), n_lines = scols_table_get_nlines(table);
    for (size_t i = 0; i < n_columns; i++) {
        struct libscols_cell *heading = scols_column_get_header(scols_table_get_column(table, i));
        fprintf(out, "%s", i ? "," : "");
        csv_cell(out, scols_cell_get_data(heading));
    }
    fputc('\n', out);
    for (size_t k = 0; k < n_lines; k++) {
        struct libscols_line *line = scols_table_get_line(table, k);
        for (size_t i = 0; i < n_columns; i++) {
            const char *text = scols_cell_get_data(scols_line_get_cell(line, i));
            fprintf(out, "%s", i ? "," : "");
            csv_cell(out, strcmp(text, "-") == 0 ? "" : text);
        }
        fputc('\n', out);
    }
}

static int table_print(FILE *out, OutputFormat format, struct libscols_table *table) {
    if (format == OUTPUT_CSV) {
        csv_print(out, table);
        return 0;
    }
    return scols_print_table(table) < 0 ? -EIO : 0;
}

int output_rows(FILE *out, OutputFormat format, struct json_object *rows, const Column *columns,
                size_t n_columns) {
    scoped(table_unrefp) struct libscols_table *table = table_new(out);
    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < n_columns; i++)
        if (!scols_table_new_column(table, columns[i].heading, 0, 0))
            return -ENOMEM;
    for (size_t k = 0; k < json_object_array_length(rows); k++) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        if (!line)
            return -ENOMEM;
        for (size_t i = 0; i < n_columns; i++)
            if (cell_set(line, i, json_object_array_get_idx(rows, k), &columns[i], format) < 0)
                return -ENOMEM;
    }
    return table_print(out, format, table);
}

int output_summary(FILE *out, OutputFormat format, struct json_object *object, const Column *lines,
                   size_t n_lines) {
    scoped(table_unrefp) struct libscols_table *table = table_new(out);
    if (!table || !scols_table_new_column(table, "WHAT", 0, 0) ||
        !scols_table_new_column(table, "VALUE", 0, 0))
        return -ENOMEM;
    (void)scols_table_enable_noheadings(table, format == OUTPUT_TABLE);
    for (size_t i = 0; i < n_lines; i++) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        if (!line || scols_line_set_data(line, 0, lines[i].heading) < 0 ||
            cell_set(line, 1, object, &lines[i], format) < 0)
            return -ENOMEM;
    }
    return table_print(out, format, table);
}

void output_json(FILE *out, struct json_object *object) {
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
}
