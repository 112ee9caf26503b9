/* The vehicles that a view has placed: written, read back, and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/view-text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static ViewEvent view_of(int64_t vehicles, const char *placed) {
    ViewEvent view = {0};
    message_set(&view, ViewEvent, vehicles, vehicles);
    if (placed)
        message_set(&view, ViewEvent, placed, (JsonText){placed, strlen(placed)});
    return view;
}

static size_t parsed(int64_t vehicles, const char *placed, PlacedVehicle *ret, size_t capacity) {
    ViewEvent view = view_of(vehicles, placed);
    Problem problem = {""};
    size_t n = 99;
    if (view_text_parse(&view, ret, capacity, &n, &problem) != 0)
        fail_msg("%s", problem.text);
    return n;
}

static void refused(int64_t vehicles, const char *placed, const char *sentence) {
    ViewEvent view = view_of(vehicles, placed);
    PlacedVehicle vehicles_read[4];
    Problem problem = {""};
    size_t n = 99;
    assert_int_equal(view_text_parse(&view, vehicles_read, 4, &n, &problem), -EBADMSG);
    assert_string_equal(problem.text, sentence);
    assert_int_equal(n, 99);
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    static const PlacedVehicle vehicles[] = {{0, 0}, {7.5, 0}, {41.2, 38.9}, {10000, 300}};
    PlacedVehicle read[4];
    ViewText text = view_text_format(vehicles, ARRAY_LEN(vehicles));
    assert_string_equal(text.text, "[[0.0,0.0],[7.5,0.0],[41.2,38.9],[10000.0,300.0]]");
    assert_int_equal(text.size, strlen(text.text));
    assert_int_equal(parsed(4, text.text, read, 4), 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(read[i].metres == vehicles[i].metres && read[i].speed_kmh == vehicles[i].speed_kmh);
}

static void nothing_in_view_is_an_empty_list(void **state) {
    (void)state;
    assert_string_equal(view_text_format(NULL, 0).text, "[]");
    assert_int_equal(parsed(0, "[]", NULL, 0), 0);
}

static void a_view_may_place_none_of_its_vehicles(void **state) {
    (void)state;
    PlacedVehicle read[4];
    assert_int_equal(parsed(7, NULL, read, 4), 0);
    assert_int_equal(parsed(7, "[]", read, 4), 0);
    assert_int_equal(parsed(7, "[[1,2]]", read, 4), 1);
}

static void spaces_and_whole_numbers_are_as_good(void **state) {
    (void)state;
    PlacedVehicle read[4];
    assert_int_equal(parsed(2, " [ [ 1 , 2e1 ] ,\n[3.25, 0] ] ", read, 4), 2);
    assert_true(read[0].metres == 1 && read[0].speed_kmh == 20 && read[1].metres == 3.25);
}

static void the_nearest_are_kept_when_there_is_no_room(void **state) {
    (void)state;
    PlacedVehicle read[2] = {0};
    assert_int_equal(parsed(3, "[[1,0],[2,0],[3,0]]", read, 2), 2);
    assert_true(read[1].metres == 2);
}

static void the_longest_text_has_room(void **state) {
    (void)state;
    PlacedVehicle vehicles[VIEW_PLACED_MAX + 1], read[VIEW_PLACED_MAX];
    for (size_t i = 0; i < ARRAY_LEN(vehicles); i++)
        vehicles[i] = (PlacedVehicle){10000, 300};
    ViewText text = view_text_format(vehicles, ARRAY_LEN(vehicles));
    assert_int_equal(text.size, strlen(text.text));
    assert_int_equal(parsed(1000, text.text, read, VIEW_PLACED_MAX), VIEW_PLACED_MAX);
}

#define EXPECTED                                                                                             \
    "member \"vehiculos\": expected [[metres, km/h], ...], nearest first, of at most 10000 m and 300 km/h, " \
    "got "

static void what_is_no_list_of_pairs_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",   "[1]",        "[[1]]",    "[[1,2,3]]",  "[[1,2],3]",     "[[\"1\",2]]", "[[null,2]]",
        "[[]]", "[[1,2],{}]", "[[-1,2]]", "[[1,-0.1]]", "[[10000.1,2]]", "[[1,300.1]]", "[[2,0],[1.9,0]]",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char sentence[256];
        (void)snprintf(sentence, sizeof sentence, EXPECTED "%s", texts[i]);
        refused(9, texts[i], sentence);
    }
}

static void more_placed_than_seen_are_refused(void **state) {
    (void)state;
    refused(1, "[[1,0],[2,0]]",
            "member \"vehiculos\": expected at most as many as \"vehiculos_en_vista\", 1, got 2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(nothing_in_view_is_an_empty_list),
        cmocka_unit_test(a_view_may_place_none_of_its_vehicles),
        cmocka_unit_test(spaces_and_whole_numbers_are_as_good),
        cmocka_unit_test(the_nearest_are_kept_when_there_is_no_room),
        cmocka_unit_test(the_longest_text_has_room),
        cmocka_unit_test(what_is_no_list_of_pairs_is_refused),
        cmocka_unit_test(more_placed_than_seen_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
