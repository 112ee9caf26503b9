/* Comma-separated values with a header line, as published data comes: reads two columns by name, a line at a
 * time. Knows nothing of what they mean. Quoted fields are understood; a field holds no line feed. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"

#include <stddef.h>

typedef struct CsvFile CsvFile;

/* -ENOENT, -EIO..., -EBADMSG when the header has not all of `columns` (a NULL-terminated list that outlives
 * the file). */
int csv_open(const char *path, const char *const *columns, CsvFile **ret, Problem *problem);
CsvFile *csv_free(CsvFile *file);
DEFINE_FREEP(CsvFile, csv_free)

/* The next row: 1, ret_fields[i] is the field of columns[i] until the next call; 0 at the end; -EBADMSG: this
 * row has no such fields, go on with the next call; -EIO. Empty lines are passed over. */
int csv_next(CsvFile *file, const char **ret_fields, Problem *problem);

/* Number of the line last read; the header is line 1. */
unsigned long csv_line(const CsvFile *file);
