/* What a published detector file says: a value for each of its times, brought into order, with everything
 * that was wrong with it counted and told. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Sample {
    Wall at; /* the source's local time, taken as if it were UTC */
    double value;
    size_t file; /* index of the file it came from */
    unsigned long line;
} Sample;

/* How to read one kind of file. */
typedef struct SampleFormat {
    const char *time_column, *value_column;
    const char *unit; /* "vehicles" */
    double min, max;
    /* Times are multiples of it and it is the distance of samples; 0: found in the data */
    uint64_t step_usec;
} SampleFormat;

typedef struct Samples {
    Sample *items;
    size_t n;
    uint64_t step_usec; /* the usual distance of one sample from the next; a value stands for this long */
    /* what the source was like */
    unsigned long n_rows, n_bad_rows, n_repeated, n_conflicting, n_gaps, n_missing;
} Samples;

void samples_clear(Samples *samples);

/* Reads and orders the files. A bad row is told on `out` with its line and counted. Of several rows of one
 * time the first counts; others are counted as repeated, or as conflicting when their value differs, and then
 * told. 0; -EIO and the like; -EBADMSG when a file is no such file or nothing good is in it. */
int samples_read(const SampleFormat *format, char *const *paths, size_t n_paths, FILE *out, Samples *ret,
                 Problem *problem);

/* Keeps what lies in [from, to), then finds the gaps: places where one or more steps are missing. Each is
 * told on `out`. */
void samples_select(Samples *samples, Wall from, Wall to, FILE *out);

/* The value that stands at `at`: that of the last sample, for one and a half steps. NULL in a gap. *hint
 * speeds up a search that goes forward; it starts at 0. */
const Sample *samples_at(const Samples *samples, Wall at, size_t *hint);

/* Two lines: rows, bad rows, repeated, conflicting; used, missing, gaps. */
void samples_report(const Samples *samples, FILE *out);

/* `2012-10-02 09:00:00`, `10/2/12 9:00` (month/day/year, 1970 to 2069 when it has two digits) or the wire's
 * timestamp. 0 or -EINVAL. */
int sample_time_parse(const char *text, Wall *ret);
