#include "convert.h"

#include "core/random.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_USEC (3600 * USEC_PER_SEC)

const ConvertFormat convert_formats[] = {
    {"uci-traffic-volume",
     "hourly vehicle counts (UCI), for loops",
     {"date_time", "traffic_volume", "vehicles", 0, 100000, HOUR_USEC},
     convert_hourly_counts},
    {"mndot-speed",
     "detectors' speeds in mph, for GPS and cameras",
     {"timestamp", "value", "mph", 0, 180, 0},
     convert_speeds},
    {"mndot-occupancy",
     "detectors' occupancies in %, for cameras' queues",
     {"timestamp", "value", "%", 0, 100, 0},
     convert_occupancies},
};
const size_t n_convert_formats = ARRAY_LEN(convert_formats);

const ConvertFormat *convert_format_find(const char *name, Problem *problem) {
    char known[256] = "";
    for (size_t i = 0; i < n_convert_formats; i++) {
        if (strcmp(convert_formats[i].name, name) == 0)
            return &convert_formats[i];
        (void)snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "",
                       convert_formats[i].name);
    }
    problem_set(problem, -EINVAL, "unknown format \"%s\"; the known ones are %s", name, known);
    return NULL;
}

/* An event of this sensor that says nothing yet. */
static void start_event(const City *city, SensorKind kind, const CitySensor *sensor, uint64_t offset_usec,
                        RecordedEvent *ret) {
    memset(ret, 0, sizeof *ret);
    ret->offset_usec = offset_usec;
    ret->kind = kind;
    ret->message.tag = event_tag(kind);
    event_set_place(&ret->message, sensor->id, city->intersections[sensor->intersection].id);
}

/* --- counts --- */

typedef struct Hour {
    size_t n_intervals, n_loops;
    uint32_t *counts; /* [interval][loop] */
} Hour;

static void hour_clear(Hour *hour) {
    free(hour->counts);
}

/* Every hour has a generator of its own: it comes out the same whatever is converted beside it. */
static void spread_hour(Hour *hour, const Sample *sample, uint64_t seed) {
    Random random = random_seeded(seed, sample->at.usec / HOUR_USEC);
    size_t n_cells = hour->n_intervals * hour->n_loops;
    memset(hour->counts, 0, n_cells * sizeof *hour->counts);
    for (uint64_t n = (uint64_t)llround(sample->value); n > 0; n--)
        hour->counts[random_below(&random, n_cells)]++;
}

static int emit_hour(const Conversion *conversion, const Hour *hour, uint64_t hour_offset_usec,
                     EventSink sink, void *userdata, Problem *problem) {
    const City *city = conversion->city;
    for (size_t interval = 0; interval < hour->n_intervals; interval++)
        for (size_t i = 0; i < hour->n_loops; i++) {
            RecordedEvent event;
            start_event(city, SENSOR_INDUCTIVE, &city->sensors[SENSOR_INDUCTIVE][i],
                        hour_offset_usec + (interval + 1) * conversion->interval_usec, &event);
            LoopEvent *loop = &event.message.LOOP_EVENT;
            loop->vehicles = hour->counts[interval * hour->n_loops + i];
            loop->interval_sec = (double)conversion->interval_usec / USEC_PER_SEC;
            message_mark(loop, LoopEvent, vehicles);
            message_mark(loop, LoopEvent, interval_sec);
            int r = sink(&event, userdata, problem);
            if (r < 0)
                return r;
        }
    return 0;
}

int convert_hourly_counts(const Conversion *conversion, EventSink sink, void *userdata, Problem *problem) {
    if (conversion->interval_usec == 0 || HOUR_USEC % conversion->interval_usec != 0)
        return problem_set(problem, -EINVAL, "expected an interval that fills an hour exactly, got %g s",
                           (double)conversion->interval_usec / USEC_PER_SEC);
    scoped(hour_clear) Hour hour = {
        .n_intervals = HOUR_USEC / conversion->interval_usec,
        .n_loops = conversion->city->n_sensors[SENSOR_INDUCTIVE],
    };
    if (hour.n_loops == 0)
        return problem_set(problem, -EINVAL, "%s has no loops to spread counts over", conversion->city->name);
    hour.counts = calloc(hour.n_intervals * hour.n_loops, sizeof *hour.counts);
    if (!hour.counts)
        return -ENOMEM;
    for (size_t i = 0; i < conversion->samples->n; i++) {
        const Sample *sample = &conversion->samples->items[i];
        spread_hour(&hour, sample, conversion->seed);
        int r =
            emit_hour(conversion, &hour, sample->at.usec - conversion->start.usec, sink, userdata, problem);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- values that stand until the next one --- */

typedef void (*MeasureFn)(double value, RecordedEvent *event);

/* Each sensor of the given kinds reports what stands at its moment, once per interval, in a slice of the
 * interval of its own. */
static int emit_standing(const Conversion *conversion, const SensorKind *kinds, size_t n_kinds,
                         MeasureFn measure, EventSink sink, void *userdata, Problem *problem) {
    const City *city = conversion->city;
    size_t n_sensors = 0, hint = 0;
    for (size_t k = 0; k < n_kinds; k++)
        n_sensors += city->n_sensors[kinds[k]];
    uint64_t length_usec = conversion->end.usec - conversion->start.usec;
    for (uint64_t round_usec = 0; round_usec < length_usec; round_usec += conversion->interval_usec) {
        size_t slice = 0;
        for (size_t k = 0; k < n_kinds; k++)
            for (size_t i = 0; i < city->n_sensors[kinds[k]]; i++, slice++) {
                Random random = random_seeded(conversion->seed, slice);
                double place = ((double)slice + random_unit(&random)) / (double)n_sensors;
                uint64_t offset_usec = round_usec + (uint64_t)(place * (double)conversion->interval_usec);
                offset_usec -= offset_usec % USEC_PER_MSEC;
                const Sample *sample =
                    samples_at(conversion->samples, (Wall){conversion->start.usec + offset_usec}, &hint);
                if (!sample || offset_usec > length_usec)
                    continue;
                RecordedEvent event;
                start_event(city, kinds[k], &city->sensors[kinds[k]][i], offset_usec, &event);
                measure(sample->value, &event);
                int r = sink(&event, userdata, problem);
                if (r < 0)
                    return r;
            }
    }
    return 0;
}

static void measure_speed(double mph, RecordedEvent *event) {
    double kmh = round(mph * MPH_TO_KMH * 10) / 10;
    if (event->kind == SENSOR_GPS) {
        GpsEvent *gps = &event->message.GPS_EVENT;
        gps->speed_kmh = kmh;
        gps->level = event_congestion_level(kmh);
        message_mark(gps, GpsEvent, speed_kmh);
        message_mark(gps, GpsEvent, level);
    } else {
        CameraEvent *camera = &event->message.CAMERA_EVENT;
        message_set(camera, CameraEvent, speed_kmh, kmh);
    }
}

int convert_speeds(const Conversion *conversion, EventSink sink, void *userdata, Problem *problem) {
    static const SensorKind kinds[] = {SENSOR_CAMERA, SENSOR_GPS};
    return emit_standing(conversion, kinds, ARRAY_LEN(kinds), measure_speed, sink, userdata, problem);
}

double occupancy_queue(double occupancy_percent) {
    double beyond = occupancy_percent > CRITICAL_OCCUPANCY ? occupancy_percent - CRITICAL_OCCUPANCY : 0;
    return round(beyond / 100 * CAMERA_VIEW_METRES / EFFECTIVE_VEHICLE_METRES);
}

static void measure_queue(double occupancy_percent, RecordedEvent *event) {
    CameraEvent *camera = &event->message.CAMERA_EVENT;
    message_set(camera, CameraEvent, queue_vehicles, occupancy_queue(occupancy_percent));
}

int convert_occupancies(const Conversion *conversion, EventSink sink, void *userdata, Problem *problem) {
    static const SensorKind kinds[] = {SENSOR_CAMERA};
    return emit_standing(conversion, kinds, ARRAY_LEN(kinds), measure_queue, sink, userdata, problem);
}
