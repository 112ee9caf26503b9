/* From numbers to events: an hour's vehicles are spread but never lost or made up; speeds and occupancies
 * change their unit. */
#include "recording-test.h"

#include "convert.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_USEC (3600 * USEC_PER_SEC)

enum { SEED = 11 };

static City *city;

static int load_city(void **state) {
    (void)state;
    return city_load(CITY_FILE, NULL, &city, NULL);
}

static int free_city(void **state) {
    (void)state;
    city = city_free(city);
    return 0;
}

typedef struct Seen {
    uint64_t n, last_usec;
    double vehicles, per_hour[8], per_loop[64];
    uint64_t events_per_hour[8];
    double least_kmh, most_kmh, most_queue;
    uint64_t kinds[SENSOR_KIND_COUNT];
    uint64_t hash; /* of the lines */
    size_t n_in_order;
} Seen;

static int look(const RecordedEvent *event, void *userdata, Problem *problem) {
    Seen *seen = userdata;
    char line[1024];
    int size = recording_format_event(event, line, sizeof line, problem);
    assert_true(size > 0);
    for (int i = 0; i < size; i++)
        seen->hash = (seen->hash ^ (unsigned char)line[i]) * UINT64_C(1099511628211);
    assert_true(event->offset_usec >= seen->last_usec);
    seen->last_usec = event->offset_usec;
    seen->n++;
    seen->kinds[event->kind]++;
    size_t hour = (event->offset_usec - 1) / HOUR_USEC;
    if (event->kind == SENSOR_INDUCTIVE) {
        const CitySensor *loop = city_find_sensor(city, SENSOR_INDUCTIVE, event_sensor_id(&event->message));
        assert_non_null(loop);
        seen->vehicles += event->message.LOOP_EVENT.vehicles;
        seen->per_hour[hour] += event->message.LOOP_EVENT.vehicles;
        seen->events_per_hour[hour]++;
        seen->per_loop[loop - city->sensors[SENSOR_INDUCTIVE]] += event->message.LOOP_EVENT.vehicles;
    } else if (event->kind == SENSOR_GPS) {
        seen->least_kmh = fmin(seen->least_kmh, event->message.GPS_EVENT.speed_kmh);
        seen->most_kmh = fmax(seen->most_kmh, event->message.GPS_EVENT.speed_kmh);
    } else {
        seen->most_queue = fmax(seen->most_queue, event->message.CAMERA_EVENT.queue_vehicles);
    }
    return 0;
}

static Seen convert(int (*emit)(const Conversion *, EventSink, void *, Problem *), const Sample *items,
                    size_t n, uint64_t step_usec, double interval_sec, uint64_t seed) {
    Samples samples = {.items = (Sample *)items, .n = n, .step_usec = step_usec};
    Conversion conversion = {
        .city = city,
        .samples = &samples,
        .start = items[0].at,
        .end = {items[n - 1].at.usec + step_usec},
        .interval_usec = usec_from_sec(interval_sec),
        .seed = seed,
    };
    Seen seen = {.least_kmh = 1e9, .hash = 1};
    Problem problem = {.text = ""};
    int r = emit(&conversion, look, &seen, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(r, 0);
    return seen;
}

static const Sample hours[] = {{.at = {10 * HOUR_USEC}, .value = 5545},
                               {.at = {11 * HOUR_USEC}, .value = 0},
                               {.at = {12 * HOUR_USEC}, .value = 1},
                               /* a gap */ {.at = {14 * HOUR_USEC}, .value = 7280}};

static void every_hour_adds_up_to_exactly_its_count(void **state) {
    (void)state;
    static const double intervals_sec[] = {30, 60, 3600, 7.5};
    for (size_t i = 0; i < ARRAY_LEN(intervals_sec); i++) {
        Seen seen = convert(convert_hourly_counts, hours, 4, HOUR_USEC, intervals_sec[i], SEED);
        assert_true(seen.per_hour[0] == 5545 && seen.per_hour[1] == 0 && seen.per_hour[2] == 1);
        assert_true(seen.per_hour[4] == 7280);
        assert_true(seen.vehicles == 5545 + 0 + 1 + 7280);
    }
}

static void a_missing_hour_has_no_events_at_all(void **state) {
    (void)state;
    Seen seen = convert(convert_hourly_counts, hours, 4, HOUR_USEC, 30, SEED);
    assert_int_equal(seen.events_per_hour[3], 0);
    /* while an hour of nobody has all of them: nobody was seen */
    assert_int_equal(seen.events_per_hour[1], 120 * city->n_sensors[SENSOR_INDUCTIVE]);
}

static void vehicles_are_spread_over_all_approaches(void **state) {
    (void)state;
    Seen seen = convert(convert_hourly_counts, hours, 4, HOUR_USEC, 30, SEED);
    size_t n = city->n_sensors[SENSOR_INDUCTIVE];
    double expected = seen.vehicles / (double)n, six_deviations = 6 * sqrt(expected);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(seen.per_loop[i] - expected) < six_deviations);
}

static void the_same_seed_gives_the_same_recording_and_another_does_not(void **state) {
    (void)state;
    Seen first = convert(convert_hourly_counts, hours, 4, HOUR_USEC, 30, SEED);
    Seen again = convert(convert_hourly_counts, hours, 4, HOUR_USEC, 30, SEED);
    Seen other = convert(convert_hourly_counts, hours, 4, HOUR_USEC, 30, SEED + 1);
    assert_int_equal(first.hash, again.hash);
    assert_int_not_equal(first.hash, other.hash);
}

/* The last hour alone: the same vehicles as when it comes after others. */
static void an_hour_does_not_depend_on_its_neighbours(void **state) {
    (void)state;
    Seen first = convert(convert_hourly_counts, hours, 1, HOUR_USEC, 30, SEED);
    Seen all = convert(convert_hourly_counts, hours, 4, HOUR_USEC, 30, SEED);
    Seen others = convert(convert_hourly_counts, hours + 1, 3, HOUR_USEC, 30, SEED);
    for (size_t i = 0; i < city->n_sensors[SENSOR_INDUCTIVE]; i++)
        assert_true(all.per_loop[i] == first.per_loop[i] + others.per_loop[i]);
}

static void intervals_must_fill_an_hour(void **state) {
    (void)state;
    Samples samples = {.items = (Sample *)hours, .n = 1, .step_usec = HOUR_USEC};
    Conversion conversion = {
        .city = city, .samples = &samples, .start = hours[0].at, .interval_usec = 7 * USEC_PER_SEC};
    Seen seen = {0};
    Problem problem;
    assert_int_equal(convert_hourly_counts(&conversion, look, &seen, &problem), -EINVAL);
    assert_string_equal(problem.text, "expected an interval that fills an hour exactly, got 7 s");
}

static const Sample values[] = {{.at = {0}, .value = 60},
                                {.at = {300 * USEC_PER_SEC}, .value = 6},
                                {.at = {600 * USEC_PER_SEC}, .value = 100}};

static void miles_become_kilometres_for_gps_and_cameras(void **state) {
    (void)state;
    Seen seen = convert(convert_speeds, values, 3, 300 * USEC_PER_SEC, 30, SEED);
    assert_true(seen.most_kmh == 160.9 && seen.least_kmh == 9.7);
    assert_int_equal(seen.kinds[SENSOR_GPS], 30 * city->n_sensors[SENSOR_GPS]);
    assert_int_equal(seen.kinds[SENSOR_CAMERA], 30 * city->n_sensors[SENSOR_CAMERA]);
    assert_int_equal(seen.kinds[SENSOR_INDUCTIVE], 0);
}

static void what_stands_is_not_reported_into_a_gap(void **state) {
    (void)state;
    const Sample apart[] = {{.at = {0}, .value = 60}, {.at = {3000 * USEC_PER_SEC}, .value = 6}};
    Seen seen = convert(convert_speeds, apart, 2, 300 * USEC_PER_SEC, 30, SEED);
    /* a step and a half after the first, one step after the second, where the recording ends */
    assert_int_equal(seen.kinds[SENSOR_GPS], (15 + 10) * city->n_sensors[SENSOR_GPS]);
}

static void occupancy_becomes_a_queue_beyond_the_critical_one(void **state) {
    (void)state;
    assert_true(occupancy_queue(0) == 0);
    assert_true(occupancy_queue(12) == 0);
    assert_true(occupancy_queue(15.3) == 0); /* 3.3 % of 100 m are half a vehicle, nearly */
    assert_true(occupancy_queue(15.4) == 1);
    assert_true(occupancy_queue(50) == 6);
    assert_true(occupancy_queue(100) == 13);
    Seen seen = convert(convert_occupancies, values, 3, 300 * USEC_PER_SEC, 30, SEED);
    assert_true(seen.most_queue == 13);
    assert_int_equal(seen.kinds[SENSOR_CAMERA], seen.n);
}

int main(void) {
    print_message("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hour_adds_up_to_exactly_its_count),
        cmocka_unit_test(a_missing_hour_has_no_events_at_all),
        cmocka_unit_test(vehicles_are_spread_over_all_approaches),
        cmocka_unit_test(the_same_seed_gives_the_same_recording_and_another_does_not),
        cmocka_unit_test(an_hour_does_not_depend_on_its_neighbours),
        cmocka_unit_test(intervals_must_fill_an_hour),
        cmocka_unit_test(miles_become_kilometres_for_gps_and_cameras),
        cmocka_unit_test(what_stands_is_not_reported_into_a_gap),
        cmocka_unit_test(occupancy_becomes_a_queue_beyond_the_critical_one),
    };
    return cmocka_run_group_tests(tests, load_city, free_city);
}
