/* Made-up readings: their ranges, their order and that they can be repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random-feed.h"

#include "wire/event.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEED = 7, READINGS = 20000 };

static City *city;

static int load_city(void **state) {
    (void)state;
    Problem problem;
    int r = city_load(CITY_FILE, NULL, &city, &problem);
    if (r < 0)
        print_error("%s\n", problem.text);
    return r;
}

static int free_city(void **state) {
    (void)state;
    city = city_free(city);
    return 0;
}

static Feed *feed_of(SensorKind kind, size_t n_sensors, double interval_sec, uint64_t seed) {
    Feed *feed = NULL;
    assert_int_equal(random_feed_new(city, kind, n_sensors, interval_sec, seed, &feed), 0);
    return feed;
}

static Reading next(Feed *feed) {
    Reading reading;
    assert_int_equal(feed->type->next(feed, &reading), FEED_READING);
    return reading;
}

/* What a receiver will see of it; the time is the pump's business. */
static void encode(Reading *reading, char text[512]) {
    Problem problem = {.text = ""};
    event_set_time(&reading->event, (Wall){reading->position_usec});
    int size = message_encode(&reading->event, text, 512, &problem);
    assert_string_equal(problem.text, "");
    assert_true(size > 0);
}

static void cameras_stay_within_their_ranges_and_reach_the_ends(void **state) {
    (void)state;
    Feed *feed = feed_of(SENSOR_CAMERA, 32, 10, SEED);
    double most_queue = 0, least_kmh = 1000, most_kmh = 0;
    for (int i = 0; i < READINGS; i++) {
        Reading reading = next(feed);
        const CameraEvent *camera = &reading.event.CAMERA_EVENT;
        assert_int_equal(reading.event.tag, MESSAGE_CAMERA_EVENT);
        assert_true(camera->queue_vehicles >= 0 && camera->queue_vehicles <= 20);
        assert_true(camera->queue_vehicles == floor(camera->queue_vehicles));
        most_queue = fmax(most_queue, camera->queue_vehicles);
        least_kmh = fmin(least_kmh, camera->speed_kmh);
        most_kmh = fmax(most_kmh, camera->speed_kmh);
    }
    assert_true(most_queue == 20 && least_kmh == 5 && most_kmh == 50);
    feed->type->free(feed);
}

static void loops_count_up_to_one_vehicle_per_second(void **state) {
    (void)state;
    static const double intervals_sec[] = {30, 60, 1};
    for (size_t k = 0; k < ARRAY_LEN(intervals_sec); k++) {
        Feed *feed = feed_of(SENSOR_INDUCTIVE, 32, intervals_sec[k], SEED);
        double least = 1000, most = 0;
        for (int i = 0; i < READINGS; i++) {
            Reading reading = next(feed);
            const LoopEvent *loop = &reading.event.LOOP_EVENT;
            assert_true(loop->interval_sec == intervals_sec[k]);
            least = fmin(least, loop->vehicles);
            most = fmax(most, loop->vehicles);
        }
        assert_true(least == 0 && most == intervals_sec[k]);
        feed->type->free(feed);
    }
}

static void gps_names_the_level_of_its_speed(void **state) {
    (void)state;
    Feed *feed = feed_of(SENSOR_GPS, 16, 10, SEED);
    bool seen[CONGESTION_LEVEL_COUNT] = {false};
    for (int i = 0; i < READINGS; i++) {
        Reading reading = next(feed);
        const GpsEvent *gps = &reading.event.GPS_EVENT;
        assert_true(gps->speed_kmh >= 5 && gps->speed_kmh <= 55);
        assert_int_equal(gps->level, gps->speed_kmh < 10   ? LEVEL_HIGH
                                     : gps->speed_kmh > 40 ? LEVEL_LOW
                                                           : LEVEL_NORMAL);
        seen[gps->level] = true;
    }
    assert_true(seen[LEVEL_HIGH] && seen[LEVEL_NORMAL] && seen[LEVEL_LOW]);
    feed->type->free(feed);
}

static void levels_change_just_beyond_ten_and_forty(void **state) {
    (void)state;
    assert_int_equal(event_congestion_level(9.9), LEVEL_HIGH);
    assert_int_equal(event_congestion_level(10), LEVEL_NORMAL);
    assert_int_equal(event_congestion_level(40), LEVEL_NORMAL);
    assert_int_equal(event_congestion_level(40.1), LEVEL_LOW);
}

static void every_reading_can_be_sent(void **state) {
    (void)state;
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        Feed *feed = feed_of((SensorKind)kind, 16, 10, SEED);
        for (int i = 0; i < 1000; i++) {
            Reading reading = next(feed);
            char text[512];
            encode(&reading, text);
        }
        feed->type->free(feed);
    }
}

static void same_seed_gives_the_same_readings(void **state) {
    (void)state;
    Feed *a = feed_of(SENSOR_CAMERA, 32, 10, SEED), *b = feed_of(SENSOR_CAMERA, 32, 10, SEED);
    for (int i = 0; i < 1000; i++) {
        Reading x = next(a), y = next(b);
        char first[512], second[512];
        encode(&x, first);
        encode(&y, second);
        assert_string_equal(first, second);
    }
    a->type->free(a);
    b->type->free(b);
}

static void another_seed_gives_other_readings(void **state) {
    (void)state;
    Feed *a = feed_of(SENSOR_CAMERA, 32, 10, SEED), *b = feed_of(SENSOR_CAMERA, 32, 10, SEED + 1);
    int equal = 0;
    for (int i = 0; i < 1000; i++)
        equal += next(a).event.CAMERA_EVENT.speed_kmh == next(b).event.CAMERA_EVENT.speed_kmh;
    assert_in_range(equal, 0, 20); /* one in 451 by chance */
    a->type->free(a);
    b->type->free(b);
}

/* The values of sensor 3, whether it is one of 4 or one of 32. */
static void readings_of_a_sensor_do_not_depend_on_the_others(void **state) {
    (void)state;
    Feed *few = feed_of(SENSOR_CAMERA, 4, 10, SEED), *all = feed_of(SENSOR_CAMERA, 32, 10, SEED);
    for (int round = 0; round < 100; round++) {
        Reading of_few = {0}, of_all = {0};
        for (int i = 0; i < 4; i++)
            of_few = next(few);
        for (int i = 0; i < 32; i++) {
            Reading reading = next(all);
            if (i == 3)
                of_all = reading;
        }
        assert_string_equal(event_sensor_id(&of_few.event), event_sensor_id(&of_all.event));
        assert_true(of_few.event.CAMERA_EVENT.speed_kmh == of_all.event.CAMERA_EVENT.speed_kmh);
    }
    few->type->free(few);
    all->type->free(all);
}

/* One second of 3.2 sensors each, not 32 sensors in one instant. */
static void readings_are_spread_over_the_interval(void **state) {
    (void)state;
    Feed *feed = feed_of(SENSOR_CAMERA, 32, 10, SEED);
    int in_second[10] = {0};
    uint64_t before = 0;
    for (int i = 0; i < 32; i++) {
        Reading reading = next(feed);
        assert_true(i == 0 || reading.position_usec > before);
        before = reading.position_usec;
        in_second[reading.position_usec / USEC_PER_SEC]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(in_second[i], 2, 5);
    feed->type->free(feed);
}

static void each_sensor_reports_once_per_interval(void **state) {
    (void)state;
    Feed *feed = feed_of(SENSOR_GPS, 16, 10, SEED);
    uint64_t first[16];
    for (int round = 0; round < 50; round++)
        for (int i = 0; i < 16; i++) {
            Reading reading = next(feed);
            assert_string_equal(event_sensor_id(&reading.event), city->sensors[SENSOR_GPS][i].id);
            if (round == 0)
                first[i] = reading.position_usec;
            assert_int_equal(reading.position_usec, first[i] + (uint64_t)round * 10 * USEC_PER_SEC);
        }
    feed->type->free(feed);
}

int main(void) {
    print_message("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cameras_stay_within_their_ranges_and_reach_the_ends),
        cmocka_unit_test(loops_count_up_to_one_vehicle_per_second),
        cmocka_unit_test(gps_names_the_level_of_its_speed),
        cmocka_unit_test(levels_change_just_beyond_ten_and_forty),
        cmocka_unit_test(every_reading_can_be_sent),
        cmocka_unit_test(same_seed_gives_the_same_readings),
        cmocka_unit_test(another_seed_gives_other_readings),
        cmocka_unit_test(readings_of_a_sensor_do_not_depend_on_the_others),
        cmocka_unit_test(readings_are_spread_over_the_interval),
        cmocka_unit_test(each_sensor_reports_once_per_interval),
    };
    return cmocka_run_group_tests(tests, load_city, free_city);
}
