#include "csv.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { FIELDS_MAX = 64, COLUMNS_MAX = 8 };

struct CsvFile {
    char *path;
    FILE *file;
    const char *const *columns;
    size_t places[COLUMNS_MAX]; /* of each column in a row */
    size_t n_columns;
    char *line;
    size_t capacity;
    unsigned long number;
};

/* Cuts one field off the text at *rest, in place: quotes are taken away, doubled ones inside become one. NULL
 * when there is none left. */
static char *cut_field(char **rest) {
    char *at = *rest, *field = at, *end = at;
    if (!at)
        return NULL;
    bool is_quoted = *at == '"';
    if (is_quoted)
        at++;
    for (; *at && (is_quoted || *at != ','); at++) {
        if (is_quoted && *at == '"') {
            if (at[1] != '"') {
                is_quoted = false;
                continue;
            }
            at++;
        }
        *end++ = *at;
    }
    *rest = *at ? at + 1 : NULL;
    *end = '\0';
    return field;
}

/* How many fields the line has; the first FIELDS_MAX are in `fields`. */
static size_t split(char *line, char **fields) {
    size_t n = 0;
    char *rest = line;
    for (char *field = cut_field(&rest); field; field = cut_field(&rest)) {
        if (n < FIELDS_MAX)
            fields[n] = field;
        n++;
    }
    return n;
}

/* 1: a line without its end is in file->line; 0: the end; -EIO. */
static int read_line(CsvFile *file, Problem *problem) {
    ssize_t size = getline(&file->line, &file->capacity, file->file);
    if (size < 0)
        return ferror(file->file) ? problem_set(problem, -EIO, "%s: %s", file->path, strerror(errno)) : 0;
    file->number++;
    while (size > 0 && (file->line[size - 1] == '\n' || file->line[size - 1] == '\r'))
        file->line[--size] = '\0';
    return 1;
}

static int find_columns(CsvFile *file, Problem *problem) {
    char *fields[FIELDS_MAX];
    int r = read_line(file, problem);
    if (r < 0)
        return r;
    ShownText shown = r > 0 ? text_shown(file->line, strlen(file->line)) : (ShownText){"an empty file"};
    size_t n = r > 0 ? split(file->line, fields) : 0; /* cuts the line up */
    if (n > FIELDS_MAX)
        n = FIELDS_MAX;
    for (; file->columns[file->n_columns] && file->n_columns < COLUMNS_MAX; file->n_columns++) {
        const char *wanted = file->columns[file->n_columns];
        size_t place = 0;
        while (place < n && strcmp(fields[place], wanted) != 0)
            place++;
        if (place == n)
            return problem_set(problem, -EBADMSG,
                               "%s:1: expected a header line with a column \"%s\", got \"%s\"", file->path,
                               wanted, shown.text);
        file->places[file->n_columns] = place;
    }
    return 0;
}

int csv_open(const char *path, const char *const *columns, CsvFile **ret, Problem *problem) {
    scoped(csv_freep) CsvFile *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path)))
        return -ENOMEM;
    file->columns = columns;
    file->file = fopen(path, "re");
    if (!file->file)
        return problem_set(problem, -errno, "%s: %s", path, strerror(errno));
    int r = find_columns(file, problem);
    if (r < 0)
        return r;
    *ret = take(file);
    return 0;
}

CsvFile *csv_free(CsvFile *file) {
    if (file) {
        if (file->file)
            (void)fclose(file->file);
        free(file->line);
        free(file->path);
        free(file);
    }
    return NULL;
}

int csv_next(CsvFile *file, const char **ret_fields, Problem *problem) {
    char *fields[FIELDS_MAX];
    int r;
    do {
        r = read_line(file, problem);
        if (r <= 0)
            return r;
    } while (file->line[0] == '\0');
    size_t n = split(file->line, fields);
    for (size_t i = 0; i < file->n_columns; i++) {
        if (file->places[i] >= n)
            return problem_set(problem, -EBADMSG, "expected a field %zu, \"%s\", got a row of %zu",
                               file->places[i] + 1, file->columns[i], n);
        ret_fields[i] = fields[file->places[i]];
    }
    return 1;
}

unsigned long csv_line(const CsvFile *file) {
    return file->number;
}
