/* The prediction of arrivals, rung by rung, and what missing readings cost. */
#include "control-test.h"

#include <math.h>

static Picture picture;
static Layout layout;

static int begin(void **state) {
    SignalModel model;
    (void)state;
    two_streets(&model, &layout);
    picture_init(&picture, &layout);
    return 0;
}

static Arrivals arrivals_at(double sec) {
    Arrivals arrivals;
    picture_arrivals(&picture, 0, at(sec), &arrivals);
    return arrivals;
}

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) < 0.05)

static void a_vehicle_at_full_speed_arrives_after_its_way(void **state) {
    (void)state;
    see_one(&picture, 0, 100, 12.5, at(0));
    Arrivals arrivals = arrivals_at(0);
    assert_int_equal(arrivals.rung, PICTURE_VIEW);
    assert_int_equal(arrivals.n, 1);
    assert_near(arrivals.sec[0], 8.0);
}

static void a_standing_vehicle_has_to_accelerate(void **state) {
    (void)state;
    see_one(&picture, 0, 25, 0, at(0));
    assert_near(arrivals_at(0).sec[0], 5.0); /* 25 m at 2 m/s2 */
    see_one(&picture, 0, 0, 0, at(0));
    assert_near(arrivals_at(0).sec[0], 0.0);
}

static void a_vehicle_faster_than_allowed_is_taken_to_slow_down(void **state) {
    (void)state;
    see_one(&picture, 0, 100, 30, at(0));
    assert_near(arrivals_at(0).sec[0], 8.0);
}

static void vehicles_that_are_only_counted_stand_in_a_queue(void **state) {
    (void)state;
    see_queue(&picture, 0, 3, at(0));
    Arrivals arrivals = arrivals_at(0);
    assert_int_equal(arrivals.n, 3);
    assert_near(arrivals.sec[0], 0.0);
    assert_near(arrivals.sec[1], sqrt(2 * 7.5 / 2));
    assert_near(arrivals.sec[2], sqrt(2 * 15.0 / 2));
}

static void those_that_are_counted_but_not_placed_stand_behind_the_others(void **state) {
    (void)state;
    SeenVehicle first = {40, 0};
    picture_view(&picture, 0, 2, &first, 1, at(0));
    Arrivals arrivals = arrivals_at(0);
    assert_int_equal(arrivals.n, 2);
    assert_near(arrivals.sec[1], picture_travel_sec(47.5, 0, 12.5));
}

static void arrivals_come_in_order_even_when_who_is_behind_is_faster(void **state) {
    (void)state;
    SeenVehicle vehicles[] = {{60, 0}, {62, 12}};
    picture_view(&picture, 0, 2, vehicles, 2, at(0));
    Arrivals arrivals = arrivals_at(0);
    assert_true(arrivals.sec[0] <= arrivals.sec[1]);
}

static void a_view_grows_old_with_its_vehicles_under_way(void **state) {
    (void)state;
    see_one(&picture, 0, 100, 12.5, at(0));
    assert_near(arrivals_at(2).sec[0], 6.0);
}

static void a_passage_counts_until_its_vehicle_can_be_seen(void **state) {
    (void)state;
    picture_passage(&picture, 0, 0, at(0)); /* 150 m: in view after 4 s, at the line after 12 s */
    see_queue(&picture, 0, 0, at(3));
    assert_int_equal(arrivals_at(3).n, 1);
    assert_near(arrivals_at(3).sec[0], 9.0);
    see_queue(&picture, 0, 0, at(5));
    assert_int_equal(arrivals_at(5).n, 0);
}

static void a_vehicle_that_came_into_view_after_the_last_one_is_not_forgotten(void **state) {
    (void)state;
    see_queue(&picture, 0, 0, at(3));
    picture_passage(&picture, 0, 0, at(0));
    assert_int_equal(arrivals_at(5).n, 1); /* the views of seconds 4 and 5 were lost */
}

static void a_missed_passage_is_made_good_by_the_next_view(void **state) {
    (void)state;
    see_one(&picture, 0, 95, 12.5, at(5));
    assert_int_equal(arrivals_at(5).n, 1);
}

static void a_measured_speed_is_believed(void **state) {
    (void)state;
    picture_passage(&picture, 0, 6, at(0));
    see_queue(&picture, 0, 0, at(1));
    assert_near(arrivals_at(1).sec[0], picture_travel_sec(150, 6, 12.5) - 1);
}

static void a_view_older_than_the_last_one_is_not_taken(void **state) {
    (void)state;
    see_queue(&picture, 0, 2, at(5));
    see_queue(&picture, 0, 7, at(4));
    assert_int_equal(arrivals_at(5).n, 2);
}

static void without_fresh_views_passages_are_all_there_is(void **state) {
    (void)state;
    see_queue(&picture, 0, 2, at(0));
    picture_passage(&picture, 0, 0, at(1));
    assert_int_equal(picture_rung(&picture, 0, at(3)), PICTURE_VIEW);
    assert_int_equal(picture_rung(&picture, 0, at(3.1)), PICTURE_LOOPS);
}

static void then_the_old_queues_and_then_nothing(void **state) {
    (void)state;
    see_queue(&picture, 0, 2, at(0));
    picture_passage(&picture, 0, 0, at(0));
    picture_queue(&picture, 0, 4, at(170));
    assert_int_equal(arrivals_at(180).rung, PICTURE_LOOPS);
    Arrivals arrivals = arrivals_at(181);
    assert_int_equal(arrivals.rung, PICTURE_QUEUE);
    assert_int_equal(arrivals.n, 4);
    assert_int_equal(arrivals_at(195).rung, PICTURE_QUEUE);
    assert_int_equal(arrivals_at(195.1).rung, PICTURE_BLIND);
    assert_int_equal(arrivals_at(195.1).n, 0);
}

static void loops_alone_reckon_a_queue_that_waits_at_red(void **state) {
    (void)state;
    picture_lights(&picture, 0, at(0));
    picture_passage(&picture, 0, 0, at(1));
    picture_passage(&picture, 0, 0, at(3));
    for (int sec = 1; sec <= 20; sec++)
        picture_lights(&picture, 0, at(sec));
    Arrivals arrivals = arrivals_at(20);
    assert_int_equal(arrivals.rung, PICTURE_LOOPS);
    assert_int_equal(arrivals.n, 2);
    assert_near(arrivals.sec[0], 0.0);
}

static void and_let_it_go_at_green(void **state) {
    loops_alone_reckon_a_queue_that_waits_at_red(state);
    for (int sec = 21; sec <= 24; sec++)
        picture_lights(&picture, 1, at(sec));
    assert_int_equal(arrivals_at(24).n, 0);
}

static void a_view_ends_what_was_reckoned(void **state) {
    loops_alone_reckon_a_queue_that_waits_at_red(state);
    see_queue(&picture, 0, 1, at(21));
    picture_lights(&picture, 0, at(21));
    picture_lights(&picture, 0, at(25));
    assert_int_equal(arrivals_at(25).rung, PICTURE_LOOPS);
    assert_int_equal(arrivals_at(25).n, 1);
}

static void more_vehicles_than_there_is_room_for_are_no_harm(void **state) {
    (void)state;
    see_queue(&picture, 0, 1000, at(0));
    for (int i = 0; i < 1000; i++)
        picture_passage(&picture, 0, 0, at(0));
    assert_in_range(arrivals_at(0).n, PICTURE_VEHICLES_MAX, PICTURE_ARRIVALS_MAX);
}

static void who_stands_is_told_from_who_drives(void **state) {
    (void)state;
    SeenVehicle vehicles[] = {{2, 0}, {10, 0.3}, {60, 12}};
    picture_view(&picture, 0, 3, vehicles, 3, at(0));
    assert_near(picture_standing(&picture, 0, at(0)), 2.0);
    assert_true(picture_standing(&picture, 0, at(10)) < 0);
    picture_queue(&picture, 0, 5, at(10));
    assert_near(picture_standing(&picture, 0, at(10)), 5.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_vehicle_at_full_speed_arrives_after_its_way, begin),
        cmocka_unit_test_setup(a_standing_vehicle_has_to_accelerate, begin),
        cmocka_unit_test_setup(a_vehicle_faster_than_allowed_is_taken_to_slow_down, begin),
        cmocka_unit_test_setup(vehicles_that_are_only_counted_stand_in_a_queue, begin),
        cmocka_unit_test_setup(those_that_are_counted_but_not_placed_stand_behind_the_others, begin),
        cmocka_unit_test_setup(arrivals_come_in_order_even_when_who_is_behind_is_faster, begin),
        cmocka_unit_test_setup(a_view_grows_old_with_its_vehicles_under_way, begin),
        cmocka_unit_test_setup(a_passage_counts_until_its_vehicle_can_be_seen, begin),
        cmocka_unit_test_setup(a_vehicle_that_came_into_view_after_the_last_one_is_not_forgotten, begin),
        cmocka_unit_test_setup(a_missed_passage_is_made_good_by_the_next_view, begin),
        cmocka_unit_test_setup(a_measured_speed_is_believed, begin),
        cmocka_unit_test_setup(a_view_older_than_the_last_one_is_not_taken, begin),
        cmocka_unit_test_setup(without_fresh_views_passages_are_all_there_is, begin),
        cmocka_unit_test_setup(then_the_old_queues_and_then_nothing, begin),
        cmocka_unit_test_setup(loops_alone_reckon_a_queue_that_waits_at_red, begin),
        cmocka_unit_test_setup(and_let_it_go_at_green, begin),
        cmocka_unit_test_setup(a_view_ends_what_was_reckoned, begin),
        cmocka_unit_test_setup(more_vehicles_than_there_is_room_for_are_no_harm, begin),
        cmocka_unit_test_setup(who_stands_is_told_from_who_drives, begin),
    };
    return cmocka_run_group_tests_name("picture", tests, NULL, NULL);
}
