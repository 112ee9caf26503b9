/* From published detector data to a recording: which formats are known and what becomes of their numbers.
 * Deterministic: the same files, city and seed give the same recording. */
#pragma once

#include "recording.h"
#include "samples.h"
#include "settings/city.h"

#include <stdio.h>

/* Takes one event; they come in the order of their time. 0, or a negative errno that ends the conversion. */
typedef int (*EventSink)(const RecordedEvent *event, void *userdata, Problem *problem);

typedef struct Conversion {
    const City *city;
    const Samples *samples; /* of the time from `start` to `end` only */
    Wall start, end;
    uint64_t interval_usec; /* between two readings of one sensor */
    uint64_t seed;
} Conversion;

typedef struct ConvertFormat {
    const char *name, *summary;
    SampleFormat source;
    int (*emit)(const Conversion *conversion, EventSink sink, void *userdata, Problem *problem);
} ConvertFormat;

extern const ConvertFormat convert_formats[];
extern const size_t n_convert_formats;

/* NULL when there is none of this name; then `problem` lists those there are. */
const ConvertFormat *convert_format_find(const char *name, Problem *problem);

/* Hourly counts to loops. Each vehicle of an hour arrives at a moment and on an approach of its own, drawn
 * evenly, which is what a Poisson process is once its sum is known: so the loops' counts of that hour add up
 * to exactly the hour's number. An hour's intervals end after its start and at its end at the latest. -EINVAL
 * when intervals do not fill an hour exactly. */
int convert_hourly_counts(const Conversion *conversion, EventSink sink, void *userdata, Problem *problem);

/* Speeds in mph to GPS and cameras in km/h; each sensor reports the speed of the moment, at a phase of its
 * own. */
int convert_speeds(const Conversion *conversion, EventSink sink, void *userdata, Problem *problem);

/* Occupancies in percent to the queues that cameras see: see occupancy_queue(). */
int convert_occupancies(const Conversion *conversion, EventSink sink, void *userdata, Problem *problem);

#define MPH_TO_KMH 1.609344

/* A loop's occupancy is the share of time that vehicles stand over it; divided by the length of a vehicle as
 * a loop sees it, it is the density of the lane. Up to the critical occupancy traffic flows; what is beyond
 * it in the camera's view stands in a queue:
 *
 *     queue = (occupancy - critical) / 100 * view / effective length, at least 0, to the nearest vehicle
 *
 * 6.7 m is the field length MnDOT takes for its detectors (22 ft); about 12 % is where a freeway lane reaches
 * its capacity; 100 m is the view of this project's cameras. */
#define EFFECTIVE_VEHICLE_METRES 6.7
#define CRITICAL_OCCUPANCY       12.0
#define CAMERA_VIEW_METRES       100.0
double occupancy_queue(double occupancy_percent);
