#include "samples.h"

#include "base/text.h"
#include "csv.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void samples_clear(Samples *samples) {
    free(samples->items);
    *samples = (Samples){0};
}

int sample_time_parse(const char *text, Wall *ret) {
    int year, month, day, hour, minute, second = 0, used = -1;
    if (sscanf(text, "%4d-%2d-%2d%*1[ T]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) <
            6 ||
        used < 0) {
        second = 0;
        used = -1;
        if (sscanf(text, "%2d/%2d/%4d %2d:%2d%n", &month, &day, &year, &hour, &minute, &used) < 5 || used < 0)
            return -EINVAL;
    }
    if (text[used] != '\0' && strcmp(text + used, "Z") != 0)
        return -EINVAL;
    if (year >= 0 && year < 100)
        year += year < 70 ? 2000 : 1900;
    char stamp[128];
    int size = snprintf(stamp, sizeof stamp, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, hour, minute,
                        second);
    return timestamp_parse(stamp, (size_t)size, ret); /* refuses what no calendar has */
}

static int append(Samples *samples, const Sample *sample) {
    /* grown at each power of two */
    if ((samples->n & (samples->n - 1)) == 0) {
        Sample *grown = realloc(samples->items, (samples->n ? samples->n * 2 : 1) * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        samples->items = grown;
    }
    samples->items[samples->n++] = *sample;
    return 0;
}

static int parse_row(const SampleFormat *format, const char *const *fields, Sample *ret, Problem *problem) {
    char *end;
    double value = strtod(fields[1], &end);
    if (sample_time_parse(fields[0], &ret->at) < 0)
        return problem_set(problem, -EBADMSG, "%s: expected a date and time, got \"%s\"", format->time_column,
                           text_shown(fields[0], strlen(fields[0])).text);
    if (format->step_usec && ret->at.usec % format->step_usec != 0)
        return problem_set(problem, -EBADMSG, "%s: expected a time that is a multiple of %g s, got \"%s\"",
                           format->time_column, (double)format->step_usec / USEC_PER_SEC,
                           text_shown(fields[0], strlen(fields[0])).text);
    if (end == fields[1] || *end || !(value >= format->min && value <= format->max))
        return problem_set(problem, -EBADMSG, "%s: expected %g to %g %s, got \"%s\"", format->value_column,
                           format->min, format->max, format->unit,
                           text_shown(fields[1], strlen(fields[1])).text);
    ret->value = value;
    return 0;
}

static int read_file(const SampleFormat *format, const char *path, size_t index, FILE *out, Samples *samples,
                     Problem *problem) {
    const char *const columns[] = {format->time_column, format->value_column, NULL};
    scoped(csv_freep) CsvFile *file = NULL;
    int r = csv_open(path, columns, &file, problem);
    if (r < 0)
        return r;
    const char *fields[2];
    while ((r = csv_next(file, fields, problem)) != 0) {
        Sample sample = {.file = index, .line = csv_line(file)};
        if (r < 0 && r != -EBADMSG)
            return r;
        if (r > 0)
            r = parse_row(format, fields, &sample, problem);
        samples->n_rows++;
        if (r < 0) {
            samples->n_bad_rows++;
            fprintf(out, "%s:%lu: row left out: %s\n", path, sample.line, problem->text);
        } else if ((r = append(samples, &sample)) < 0) {
            return r;
        }
    }
    return 0;
}

/* By time; of one time, in the order of the files. */
static int compare(const void *left, const void *right) {
    const Sample *a = left, *b = right;
    if (a->at.usec != b->at.usec)
        return a->at.usec < b->at.usec ? -1 : 1;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

static void drop_repeated(Samples *samples, char *const *paths, FILE *out) {
    size_t kept = 0;
    for (size_t i = 0; i < samples->n; i++) {
        const Sample *sample = &samples->items[i], *first = &samples->items[kept - (kept > 0)];
        if (kept == 0 || sample->at.usec != first->at.usec) {
            samples->items[kept++] = *sample;
        } else if (sample->value == first->value) {
            samples->n_repeated++;
        } else {
            samples->n_conflicting++;
            fprintf(out, "%s:%lu: row left out: %s is there already with %g (%s:%lu), here it has %g\n",
                    paths[sample->file], sample->line, timestamp_format(sample->at).text, first->value,
                    paths[first->file], first->line, sample->value);
        }
    }
    samples->n = kept;
}

static int compare_steps(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The median distance. */
static int find_step(Samples *samples) {
    if (samples->n < 2) {
        samples->step_usec = 300 * USEC_PER_SEC;
        return 0;
    }
    uint64_t *steps = calloc(samples->n - 1, sizeof *steps);
    if (!steps)
        return -ENOMEM;
    for (size_t i = 1; i < samples->n; i++)
        steps[i - 1] = samples->items[i].at.usec - samples->items[i - 1].at.usec;
    qsort(steps, samples->n - 1, sizeof *steps, compare_steps);
    samples->step_usec = steps[(samples->n - 1) / 2];
    free(steps);
    return 0;
}

int samples_read(const SampleFormat *format, char *const *paths, size_t n_paths, FILE *out, Samples *ret,
                 Problem *problem) {
    scoped(samples_clear) Samples samples = {.step_usec = format->step_usec};
    for (size_t i = 0; i < n_paths; i++) {
        int r = read_file(format, paths[i], i, out, &samples, problem);
        if (r < 0)
            return r;
    }
    if (samples.n == 0)
        return problem_set(problem, -EBADMSG,
                           "%s: expected rows with \"%s\" and \"%s\", got %lu rows, none of them good",
                           paths[0], format->time_column, format->value_column, samples.n_rows);
    qsort(samples.items, samples.n, sizeof *samples.items, compare);
    drop_repeated(&samples, paths, out);
    int r = samples.step_usec ? 0 : find_step(&samples);
    if (r < 0)
        return r;
    *ret = samples;
    samples = (Samples){0};
    return 0;
}

/* Tells of a gap before `at`, when there is one. */
static void tell_gap(Samples *samples, Wall expected, Wall at, FILE *out) {
    if (at.usec <= expected.usec + samples->step_usec / 2)
        return;
    unsigned long missing =
        (unsigned long)llround((double)(at.usec - expected.usec) / (double)samples->step_usec);
    samples->n_gaps++;
    samples->n_missing += missing;
    fprintf(out, "gap: %lu missing from %s to %s\n", missing, timestamp_format(expected).text,
            timestamp_format(at).text);
}

void samples_select(Samples *samples, Wall from, Wall to, FILE *out) {
    size_t kept = 0;
    Wall expected = from;
    for (size_t i = 0; i < samples->n; i++) {
        Sample sample = samples->items[i];
        if (sample.at.usec < from.usec || sample.at.usec >= to.usec)
            continue;
        tell_gap(samples, expected, sample.at, out);
        samples->items[kept++] = sample;
        expected = (Wall){sample.at.usec + samples->step_usec};
    }
    tell_gap(samples, expected, to, out);
    samples->n = kept;
}

const Sample *samples_at(const Samples *samples, Wall at, size_t *hint) {
    size_t i = *hint;
    while (i + 1 < samples->n && samples->items[i + 1].at.usec <= at.usec)
        i++;
    *hint = i;
    if (i >= samples->n || samples->items[i].at.usec > at.usec)
        return NULL;
    return at.usec - samples->items[i].at.usec < samples->step_usec + samples->step_usec / 2
               ? &samples->items[i]
               : NULL;
}

void samples_report(const Samples *samples, FILE *out) {
    fprintf(out, "%lu rows read: %lu bad, %lu repeated, %lu conflicting\n", samples->n_rows,
            samples->n_bad_rows, samples->n_repeated, samples->n_conflicting);
    fprintf(out, "of the time asked for: %zu used, %lu missing in %lu gaps\n", samples->n, samples->n_missing,
            samples->n_gaps);
}
