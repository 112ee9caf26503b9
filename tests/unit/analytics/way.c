/* From a row, a column or a list to the way of a wave: in the direction that can be driven, with the phase that lets it
 * through. */
#include "way.h"

#include "core/signal-model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Row A is one way, from east to west: INT-A3, INT-A2, INT-A1, with a column at each, from north to south, where one may
 * turn into the row. Row B is crossing streets of which nothing more is said, row C two places that do not lead to each
 * other. */
/* clang-format off */
#define CROSSING(row, id, column, from, to)                                                                  \
    "{\"id\": \"" id "\", \"row\": \"" row "\", \"column\": " column ", \"x\": " column "00, \"y\": 0,"         \
    " \"approaches\": [{\"id\": \"E\", \"direction\": \"EW\"" from ","                                        \
    "   \"lanes\": [{\"id\": \"E" column "\", \"length_m\": 90, \"speed_kmh\": 36, \"movements\": [\"west\"]}]}," \
    "  {\"id\": \"N\", \"direction\": \"NS\", \"lanes\": [{\"id\": \"N" column "\", \"length_m\": 80,"           \
    "   \"speed_kmh\": 54, \"movements\": [\"south\", \"turn\"]}]}],"                                        \
    " \"movements\": [{\"id\": \"west\", \"approach\": \"E\"" to "},"                                       \
    "  {\"id\": \"south\", \"approach\": \"N\"}, {\"id\": \"turn\", \"approach\": \"N\"" to "}],"             \
    " \"conflicts\": [[\"west\", \"south\"], [\"west\", \"turn\"]],"                                        \
    " \"phases\": [{\"id\": \"turns\", \"movements\": [\"turn\"]}, {\"id\": \"row\", \"movements\": [\"west\"]},"  \
    "  {\"id\": \"column\", \"movements\": [\"south\", \"turn\"]}]}"
#define FROM(id)     ", \"from\": \"" id "\""
#define TO(id, lane) ", \"to\": \"" id "\", \"to_lanes\": [\"" lane "\"]"
#define PLAIN(id, column) "{\"id\": \"" id "\", \"row\": \"B\", \"column\": " column ", \"x\": " column "00, \"y\": -150}"

static const char text[] =
    "{\"name\": \"City\", \"grid\": {\"rows\": [\"A\", \"B\", \"C\"], \"columns\": [1, 2, 3]}, \"intersections\": ["
    CROSSING("A", "INT-A1", "1", FROM("INT-A2"), "") ","
    CROSSING("A", "INT-A2", "2", FROM("INT-A3"), TO("INT-A1", "E1")) ","
    CROSSING("A", "INT-A3", "3", "", TO("INT-A2", "E2")) ","
    PLAIN("INT-B1", "1") "," PLAIN("INT-B2", "2") "," PLAIN("INT-B3", "3") ","
    CROSSING("C", "INT-C1", "1", FROM("INT-A1"), "") "," CROSSING("C", "INT-C2", "2", FROM("INT-A1"), "") "]}";
/* clang-format on */

static City *city;
static Way way;
static Problem problem;

static int load(void **state) {
    (void)state;
    int r = city_parse("city", text, strlen(text), NULL, &city, &problem);
    if (r < 0)
        print_message("%s\n", problem.text);
    return r;
}

static int unload(void **state) {
    (void)state;
    city = city_free(city);
    return 0;
}

static size_t of(const char *id) {
    return city_find_intersection(city, id);
}

static int list(const char *a, const char *b, const char *c) {
    size_t intersections[3] = {of(a), b ? of(b) : 0, c ? of(c) : 0};
    return way_of_list(city, intersections, c ? 3 : b ? 2 : 1, &way, &problem);
}

static void assert_way(const char *const *ids, size_t n) {
    assert_int_equal(way.n_points, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(city->intersections[way.points[i].intersection].id, ids[i]);
}

static void a_one_way_row_goes_in_the_direction_that_can_be_driven(void **state) {
    (void)state;
    assert_int_equal(way_of_street(city, "A", 0, &way, &problem), 0);
    assert_way((const char *[]){"INT-A3", "INT-A2", "INT-A1"}, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(way.points[i].phase, 1);
        assert_int_equal(way.points[i].direction, DIRECTION_EW);
        assert_int_equal(way.points[i].lanes, 1);
    }
}

static void where_nothing_is_said_a_row_goes_east_and_a_column_south(void **state) {
    (void)state;
    assert_int_equal(way_of_street(city, "B", 0, &way, &problem), 0);
    assert_way((const char *[]){"INT-B1", "INT-B2", "INT-B3"}, 3);
    const CityIntersection *place = &city->intersections[way.points[0].intersection];
    assert_int_equal(way.points[0].phase, place->signals->direction_phase[DIRECTION_EW]);
}

static void a_street_that_there_is_not_is_not_found(void **state) {
    (void)state;
    assert_int_equal(way_of_street(city, "Z", 0, &way, &problem), -ENOENT);
    assert_int_equal(way_of_street(city, NULL, 9, &way, &problem), -ENOENT);
}

static void a_street_that_cannot_be_driven_names_the_gap(void **state) {
    (void)state;
    assert_int_equal(way_of_street(city, "C", 0, &way, &problem), -ELOOP);
    assert_string_equal(problem.text, "INT-C1 does not lead to INT-C2.");
}

static void a_route_against_the_direction_is_refused(void **state) {
    (void)state;
    assert_int_equal(list("INT-A1", "INT-A2", NULL), -ELOOP);
    assert_string_equal(problem.text, "INT-A1 does not lead to INT-A2.");
}

static void a_place_twice_on_a_route_is_refused(void **state) {
    (void)state;
    assert_int_equal(list("INT-A2", "INT-A1", "INT-A2"), -EINVAL);
}

static void the_way_is_as_long_as_from_place_to_place_and_as_slow_as_its_lanes(void **state) {
    (void)state;
    assert_int_equal(list("INT-A2", "INT-A1", NULL), 0);
    assert_true(way.points[0].metres == 90);  /* its lane */
    assert_true(way.points[1].metres == 100); /* the coordinates */
    assert_true(way.points[1].speed_mps > 9.99 && way.points[1].speed_mps < 10.01);
}

static void who_goes_on_goes_by_the_movement_from_where_it_comes(void **state) {
    (void)state;
    assert_int_equal(list("INT-A3", "INT-A2", "INT-A1"), 0);
    assert_int_equal(way.points[1].phase, 1); /* not by the turn from the column, which leads there as well */
    assert_int_equal(way.points[2].phase, 1); /* the end: as it comes */
}

static void a_route_of_one_place_is_one(void **state) {
    (void)state;
    assert_int_equal(list("INT-B2", NULL, NULL), 0);
    assert_int_equal(way.n_points, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_one_way_row_goes_in_the_direction_that_can_be_driven),
        cmocka_unit_test(where_nothing_is_said_a_row_goes_east_and_a_column_south),
        cmocka_unit_test(a_street_that_there_is_not_is_not_found),
        cmocka_unit_test(a_street_that_cannot_be_driven_names_the_gap),
        cmocka_unit_test(a_route_against_the_direction_is_refused),
        cmocka_unit_test(a_place_twice_on_a_route_is_refused),
        cmocka_unit_test(the_way_is_as_long_as_from_place_to_place_and_as_slow_as_its_lanes),
        cmocka_unit_test(who_goes_on_goes_by_the_movement_from_where_it_comes),
        cmocka_unit_test(a_route_of_one_place_is_one),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
