/* What is in a recording: read once from end to end, counted by kind and by hour, every refused line told. */
#pragma once

#include "recording.h"
#include "settings/city.h"

#include <stdio.h>

/* An hour is what ended in it: after its start, at its end at the latest, for that is where the count of a
 * loop's interval that ends on the hour belongs. */
typedef struct HourSummary {
    uint64_t events[EVENT_COUNT]; /* as in event_tags */
    double vehicles;              /* sum of what the loops counted */
} HourSummary;

typedef struct Summary {
    RecordingHeader header;
    uint64_t events[EVENT_COUNT]; /* as in event_tags */
    double vehicles;
    uint64_t n_refused;
    HourSummary *hours;
    size_t n_hours;
    Wall first_hour; /* start of hours[0]; the epoch when the recording does not say when it was made */
} Summary;

void summary_clear(Summary *summary);

/* Reads the whole file. Refused lines, and with a `city` (may be NULL) events of sensors that it does not
 * have, are told on `out` as FILE:LINE: why. 0; negative errno when the file cannot be opened or read to its
 * end. */
int summary_read(const char *path, const City *city, FILE *out, Summary *ret, Problem *problem);

/* Whether the header's counts are those of the file; each that is not is told on `out`. */
bool summary_counts_are_true(const Summary *summary, const char *path, FILE *out);

void summary_print_text(const Summary *summary, const char *path, FILE *out);
void summary_print_json(const Summary *summary, const char *path, bool with_hours, FILE *out);
void summary_print_hours_csv(const Summary *summary, FILE *out);
