/* Made-up traffic of lanes: that it could be traffic, and that cameras and loops of one lane see the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lane-feed.h"
#include "lane-traffic.h"
#include "merged-feed.h"
#include "random-feed.h"

#include "wire/event.h"
#include "wire/view-text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEED = 7, SECONDS = 3600 };
#define LENGTH_METRES 200
#define SPEED_MPS     13.9
#define LOOP_METRES   150

static City *city;

static int load_city(void **state) {
    (void)state;
    static const char text[] =
        "{\"name\": \"Two\", \"grid\": {\"rows\": [\"A\"], \"columns\": [1, 2]}, \"sensors\": {"
        "\"cameras\": [{\"sensor_id\": \"C1\", \"interseccion\": \"INT-A1\", \"lane\": \"NS\"},"
        "{\"sensor_id\": \"C2\", \"interseccion\": \"INT-A1\", \"direction\": \"EW\"},"
        "{\"sensor_id\": \"C3\", \"interseccion\": \"INT-A2\", \"lane\": \"EW\", \"view_m\": 200}],"
        "\"inductive_loops\": [{\"sensor_id\": \"L1\", \"interseccion\": \"INT-A1\", \"lane\": \"NS\"},"
        "{\"sensor_id\": \"L2\", \"interseccion\": \"INT-A2\", \"lane\": \"EW\", \"distance_m\": 150}],"
        "\"gps\": [{\"sensor_id\": \"G\", \"interseccion\": \"INT-A1\"}]}}";
    Problem problem;
    int r = city_parse("two.json", text, sizeof text - 1, NULL, &city, &problem);
    if (r < 0)
        print_error("%s\n", problem.text);
    return r;
}

static int free_city(void **state) {
    (void)state;
    city = city_free(city);
    return 0;
}

static Feed *feed_of(SensorKind kind, uint64_t seed) {
    Feed *feed = NULL;
    assert_int_equal(lane_feed_new(city, kind, city->n_sensors[kind], seed, &feed), 0);
    return feed;
}

static Reading next(Feed *feed) {
    Reading reading;
    assert_int_equal(feed->type->next(feed, &reading), FEED_READING);
    return reading;
}

static LaneTraffic lane_of(uint64_t seed) {
    LaneTraffic lane;
    lane_traffic_init(&lane, LENGTH_METRES, SPEED_MPS, LOOP_METRES, seed, 0);
    return lane;
}

/* --- the traffic --- */

static void vehicles_stay_in_their_order_and_off_each_other(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        LaneTraffic lane = lane_of(seed);
        for (int second = 0; second < SECONDS; second++) {
            lane_traffic_step(&lane);
            for (unsigned i = 0; i < lane.n_vehicles; i++) {
                assert_true(lane.vehicles[i].metres >= 0 && lane.vehicles[i].metres <= LENGTH_METRES);
                assert_true(lane.vehicles[i].speed_mps >= 0 &&
                            lane.vehicles[i].speed_mps <= SPEED_MPS + 1e-9);
                if (i > 0)
                    assert_true(lane.vehicles[i].metres - lane.vehicles[i - 1].metres >= 7.5 - 1e-9);
            }
        }
    }
}

static void some_stand_and_some_drive_and_sometimes_nobody_is_there(void **state) {
    (void)state;
    LaneTraffic lane = lane_of(SEED);
    unsigned n_empty = 0, n_standing = 0, n_driving = 0;
    for (int second = 0; second < SECONDS; second++) {
        lane_traffic_step(&lane);
        n_empty += lane.n_vehicles == 0;
        for (unsigned i = 0; i < lane.n_vehicles; i++) {
            n_standing += lane.vehicles[i].speed_mps == 0;
            n_driving += fabs(lane.vehicles[i].speed_mps - SPEED_MPS) < 1e-9;
        }
    }
    assert_in_range(n_empty, SECONDS / 20, SECONDS);
    assert_in_range(n_standing, SECONDS / 10, SECONDS * 10);
    assert_in_range(n_driving, SECONDS / 10, SECONDS * 10);
}

/* A lane of its flow: more than 200 and less than 900 an hour, none closer than two seconds behind another. */
static void vehicles_come_in_platoons(void **state) {
    (void)state;
    LaneTraffic lane = lane_of(SEED);
    unsigned n_passed = 0, n_close = 0;
    double last_sec = -100;
    for (int second = 0; second < SECONDS; second++) {
        lane_traffic_step(&lane);
        for (unsigned i = 0; i < lane.n_passages; i++) {
            double at_sec = second + lane.passages[i].after_sec;
            assert_true(lane.passages[i].after_sec >= 0 && lane.passages[i].after_sec <= 1);
            assert_true(at_sec > last_sec);
            n_close += at_sec - last_sec < 2.5;
            n_passed++;
            last_sec = at_sec;
        }
    }
    assert_in_range(n_passed, 200, 900);
    assert_in_range(n_close, n_passed / 3, n_passed);
}

/* --- the readings --- */

static void a_view_is_every_second_and_of_what_is_within_sight(void **state) {
    (void)state;
    Feed *feed = feed_of(SENSOR_CAMERA, SEED);
    size_t n_most = 0;
    for (int i = 0; i < 2 * SECONDS; i++) {
        Reading reading = next(feed);
        const ViewEvent *view = &reading.event.VIEW_EVENT;
        PlacedVehicle placed[VIEW_PLACED_MAX];
        size_t n = 0;
        Problem problem = {""};
        assert_int_equal(reading.event.tag, MESSAGE_VIEW_EVENT);
        assert_string_equal(view->sensor_id, i % 2 ? "C3" : "C1");
        assert_string_equal(view->intersection, i % 2 ? "INT-A2" : "INT-A1");
        assert_int_equal(reading.position_usec, (1 + i / 2) * USEC_PER_SEC + (i % 2) * USEC_PER_SEC / 2);
        assert_int_equal(view_text_parse(view, placed, VIEW_PLACED_MAX, &n, &problem), 0);
        assert_int_equal(n, view->vehicles);
        if (n > 0 && i % 2 == 0)
            assert_true(placed[n - 1].metres <= 100);
        n_most = n > n_most ? n : n_most;
    }
    assert_in_range(n_most, 3, VIEW_PLACED_MAX);
    feed->type->free(feed);
}

static void a_passage_has_its_moment_and_its_speed(void **state) {
    (void)state;
    Feed *feed = feed_of(SENSOR_INDUCTIVE, SEED);
    uint64_t last_usec = 0;
    for (int i = 0; i < 200; i++) {
        Reading reading = next(feed);
        assert_int_equal(reading.event.tag, MESSAGE_PASSAGE_EVENT);
        assert_string_equal(reading.event.PASSAGE_EVENT.sensor_id,
                            "L2"); /* the other one is at the stop line */
        assert_true(reading.position_usec >= last_usec);
        assert_true(reading.event.PASSAGE_EVENT.speed_kmh > 0 && reading.event.PASSAGE_EVENT.speed_kmh <= 50);
        last_usec = reading.position_usec;
    }
    feed->type->free(feed);
}

/* The camera of INT-A2 sees the whole lane: each vehicle that it sees come nearer than the loop has passed it. */
static void a_camera_and_a_loop_see_the_same_vehicles(void **state) {
    (void)state;
    Feed *cameras = feed_of(SENSOR_CAMERA, SEED), *loops = feed_of(SENSOR_INDUCTIVE, SEED);
    Reading passage = next(loops);
    int n_inside = 0, n_passed = 0, n_changes = 0;
    for (int second = 1; second < 1000; second++) {
        (void)next(cameras);
        Reading reading = next(cameras);
        PlacedVehicle placed[VIEW_PLACED_MAX];
        size_t n = 0;
        int n_before = n_inside;
        n_passed = n_inside = 0;
        assert_int_equal(view_text_parse(&reading.event.VIEW_EVENT, placed, VIEW_PLACED_MAX, &n, NULL), 0);
        for (size_t i = 0; i < n; i++)
            n_inside += placed[i].metres < LOOP_METRES;
        for (; passage.position_usec < (uint64_t)(second + 1) * USEC_PER_SEC; passage = next(loops))
            n_passed++;
        assert_true(n_inside <= n_before + n_passed); /* and fewer when one has left */
        n_changes += n_passed;
    }
    assert_in_range(n_changes, 50, 250);
    cameras->type->free(cameras);
    loops->type->free(loops);
}

static void the_same_seed_gives_the_same_views_and_another_others(void **state) {
    (void)state;
    Feed *a = feed_of(SENSOR_CAMERA, SEED), *b = feed_of(SENSOR_CAMERA, SEED),
         *c = feed_of(SENSOR_CAMERA, SEED + 1);
    int n_different = 0;
    for (int i = 0; i < 1000; i++) {
        Reading x = next(a), y = next(b), z = next(c);
        assert_string_equal(x.event.VIEW_EVENT.placed.text, y.event.VIEW_EVENT.placed.text);
        n_different += strcmp(x.event.VIEW_EVENT.placed.text, z.event.VIEW_EVENT.placed.text) != 0;
    }
    assert_in_range(n_different, 500, 1000);
    a->type->free(a);
    b->type->free(b);
    c->type->free(c);
}

static void sensors_without_lanes_have_no_such_feed(void **state) {
    (void)state;
    Feed *feed = (Feed *)&feed;
    assert_int_equal(lane_feed_new(city, SENSOR_GPS, 1, SEED, &feed), 0);
    assert_null(feed);
    assert_int_equal(lane_feed_new(city, SENSOR_INDUCTIVE, 1, SEED, &feed), 0);
    assert_null(feed);
}

/* --- both on one timeline --- */

static void readings_of_both_kinds_come_by_their_time(void **state) {
    (void)state;
    Feed *old = NULL, *merged = NULL;
    assert_int_equal(random_feed_new(city, SENSOR_CAMERA, 3, 10, SEED, &old), 0);
    assert_int_equal(merged_feed_new(old, feed_of(SENSOR_CAMERA, SEED), &merged), 0);
    assert_true(merged->is_live);
    uint64_t last_usec = 0;
    int n_old = 0;
    char text[256];
    for (int i = 0; i < 2300; i++) {
        Reading reading = next(merged);
        assert_true(reading.position_usec >= last_usec);
        last_usec = reading.position_usec;
        n_old += reading.event.tag == MESSAGE_CAMERA_EVENT;
    }
    assert_in_range(n_old, 298, 302); /* three each ten seconds beside two each second */
    merged->type->describe(merged, text, sizeof text);
    assert_string_equal(
        text, "random readings (seed 7) of 3 sensors every 10 s, made-up traffic (seed 7) on 2 lanes");
    merged->type->free(merged);
}

static void one_feed_alone_stays_itself(void **state) {
    (void)state;
    Feed *feed = feed_of(SENSOR_CAMERA, SEED), *merged = NULL;
    assert_int_equal(merged_feed_new(feed, NULL, &merged), 0);
    assert_ptr_equal(merged, feed);
    feed->type->free(feed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vehicles_stay_in_their_order_and_off_each_other),
        cmocka_unit_test(some_stand_and_some_drive_and_sometimes_nobody_is_there),
        cmocka_unit_test(vehicles_come_in_platoons),
        cmocka_unit_test(a_view_is_every_second_and_of_what_is_within_sight),
        cmocka_unit_test(a_passage_has_its_moment_and_its_speed),
        cmocka_unit_test(a_camera_and_a_loop_see_the_same_vehicles),
        cmocka_unit_test(the_same_seed_gives_the_same_views_and_another_others),
        cmocka_unit_test(sensors_without_lanes_have_no_such_feed),
        cmocka_unit_test(readings_of_both_kinds_come_by_their_time),
        cmocka_unit_test(one_feed_alone_stays_itself),
    };
    return cmocka_run_group_tests(tests, load_city, free_city);
}
