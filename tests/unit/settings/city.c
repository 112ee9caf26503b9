/* The city file: what it means, and what every refusal says. Each bad input is checked for its JSON pointer,
 * what was expected, what came and the nearest known word. */
#include "settings/city.h"
#include "files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GRID "\"name\": \"Test\", \"grid\": {\"rows\": [\"A\", \"B\"], \"columns\": [1, 2]}"

static City *parsed(const char *text) {
    City *city = NULL;
    Problem problem = {""};
    if (city_parse("city", text, strlen(text), NULL, &city, &problem) != 0)
        fail_msg("%s", problem.text);
    return city;
}

/* `text` is refused with exactly this sentence, and nothing is handed out. */
static void refused_bytes(const char *text, size_t size, const char *sentence) {
    City *city = (City *)&city, *untouched = city;
    Problem problem = {""};
    assert_int_equal(city_parse("city", text, size, NULL, &city, &problem), -EINVAL);
    assert_string_equal(problem.text, sentence);
    assert_ptr_equal(city, untouched);
}

static void refused(const char *text, const char *sentence) {
    refused_bytes(text, strlen(text), sentence);
}

/* The same for a list of intersections, and of cameras, in a 2x2 city. */
static void refused_intersections(const char *list, const char *sentence) {
    char text[1024];
    (void)snprintf(text, sizeof text, "{" GRID ", \"intersections\": %s}", list);
    refused(text, sentence);
}

static void refused_cameras(const char *list, const char *sentence) {
    char text[1024];
    (void)snprintf(text, sizeof text, "{" GRID ", \"sensors\": {\"cameras\": %s}}", list);
    refused(text, sentence);
}

/* --- what a file means --- */

static void the_installed_city_is_the_four_by_four_grid(void **state) {
    (void)state;
    scoped(city_freep) City *city = NULL;
    Problem problem = {""};
    if (city_load(CONFIG_DIR "/city.json", NULL, &city, &problem) != 0)
        fail_msg("%s", problem.text);
    assert_int_equal(city->n_intersections, 16);
    assert_int_equal(city->n_sensors[SENSOR_CAMERA], 32);
    assert_int_equal(city->n_sensors[SENSOR_INDUCTIVE], 32);
    assert_int_equal(city->n_sensors[SENSOR_GPS], 16);
    const CityIntersection *corner = &city->intersections[city_find_intersection(city, "INT-D4")];
    assert_string_equal(corner->row, "D");
    assert_int_equal(corner->column, 4);
    assert_true(corner->x_metres == 600 && corner->y_metres == -600);
}

static void every_approach_of_the_installed_city_is_watched(void **state) {
    (void)state;
    scoped(city_freep) City *city = NULL;
    assert_int_equal(city_load(CONFIG_DIR "/city.json", NULL, &city, NULL), 0);
    for (size_t i = 0; i < city->n_intersections; i++) {
        const char *suffix = city->intersections[i].id + strlen("INT-");
        char id[64];
        for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
            (void)snprintf(id, sizeof id, "CAM-%s-%s", suffix, direction_words[direction]);
            const CitySensor *camera = city_find_sensor(city, SENSOR_CAMERA, id);
            (void)snprintf(id, sizeof id, "ESP-%s-%s", suffix, direction_words[direction]);
            const CitySensor *loop = city_find_sensor(city, SENSOR_INDUCTIVE, id);
            assert_non_null(camera);
            assert_non_null(loop);
            assert_true(camera->has_direction && loop->has_direction);
            assert_int_equal(camera->direction, direction);
            assert_int_equal(loop->direction, direction);
            assert_int_equal(camera->intersection, i);
            assert_int_equal(loop->intersection, i);
        }
        (void)snprintf(id, sizeof id, "GPS-%s", suffix);
        const CitySensor *gps = city_find_sensor(city, SENSOR_GPS, id);
        assert_non_null(gps);
        assert_false(gps->has_direction);
        assert_int_equal(gps->intersection, i);
    }
}

static void a_grid_alone_makes_all_its_intersections(void **state) {
    (void)state;
    scoped(city_freep) City *city = parsed("{" GRID "}\n");
    assert_string_equal(city->name, "Test");
    assert_int_equal(city->n_intersections, 4);
    const CityIntersection *b2 = &city->intersections[city_find_intersection(city, "INT-B2")];
    assert_string_equal(b2->row, "B");
    assert_int_equal(b2->column, 2);
    assert_true(b2->x_metres == 200 && b2->y_metres == -200);
    assert_int_equal(city->n_sensors[SENSOR_CAMERA], 0);
    assert_null(city_find_sensor(city, SENSOR_CAMERA, "CAM-A1"));
}

static void listed_intersections_replace_those_of_the_grid(void **state) {
    (void)state;
    scoped(city_freep) City *city = parsed(
        "{" GRID ", \"intersections\": [{\"id\": \"Plaza\", \"row\": \"B\", \"column\": 1, \"x\": -3.5},"
        "{\"id\": \"INT-A2\", \"row\": \"A\", \"column\": 2, \"x\": 7, \"y\": 9}]}");
    assert_int_equal(city->n_intersections, 2);
    assert_int_equal(city_find_intersection(city, "Plaza"), 0);
    assert_true(city->intersections[0].x_metres == -3.5);
    assert_true(city->intersections[0].y_metres == -200); /* left out: as on the grid */
    assert_true(city->intersections[1].x_metres == 7 && city->intersections[1].y_metres == 9);
    assert_int_equal(city_find_intersection(city, "INT-A1"), CITY_NO_INDEX);
    assert_int_equal(city_find_intersection(city, ""), CITY_NO_INDEX);
}

static void rows_and_columns_are_those_that_have_intersections(void **state) {
    (void)state;
    scoped(city_freep) City *city =
        parsed("{" GRID ", \"intersections\": [{\"id\": \"I\", \"row\": \"B\", \"column\": 1}]}");
    assert_true(city_has_row(city, "B"));
    assert_false(city_has_row(city, "A"));
    assert_false(city_has_row(city, "b"));
    assert_false(city_has_row(city, ""));
    assert_true(city_has_column(city, 1));
    assert_false(city_has_column(city, 2));
    assert_false(city_has_column(city, 0));
}

static void sensors_are_found_by_kind(void **state) {
    (void)state;
    scoped(city_freep) City *city = parsed(
        "{" GRID ", \"sensors\": {\"gps\": [{\"sensor_id\": \"G\", \"interseccion\": \"INT-B1\"}],"
        "\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A2\", \"direction\": \"EW\"}]}}");
    assert_string_equal(city_find_sensor(city, SENSOR_GPS, "G")->id, "G");
    assert_null(city_find_sensor(city, SENSOR_CAMERA, "G"));
    assert_null(city_find_sensor(city, SENSOR_INDUCTIVE, "G"));
    assert_int_equal(city_find_sensor(city, SENSOR_CAMERA, "C")->direction, DIRECTION_EW);
    assert_int_equal(city_find_sensor(city, SENSOR_GPS, "G")->intersection,
                     city_find_intersection(city, "INT-B1"));
}

static void a_large_city_finds_each_of_its_intersections(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)fputs("{\"name\": \"Large\", \"grid\": {\"rows\": [", out);
    for (int i = 0; i < 1000; i++)
        (void)fprintf(out, "%s\"R%d-\"", i ? "," : "", i);
    (void)fputs("], \"columns\": [", out);
    for (int i = 1; i <= 100; i++)
        (void)fprintf(out, "%s%d", i > 1 ? "," : "", i);
    (void)fputs("]}}", out);
    (void)fclose(out);
    scoped(city_freep) City *city = parsed(text);
    free(text);
    assert_int_equal(city->n_intersections, 100000);
    for (size_t i = 0; i < city->n_intersections; i++)
        assert_int_equal(city_find_intersection(city, city->intersections[i].id), i);
    assert_int_equal(city_find_intersection(city, "INT-R0-101"), CITY_NO_INDEX);
}

static void free_accepts_nothing(void **state) {
    (void)state;
    assert_null(city_free(NULL));
}

/* --- refusals: the file --- */

static void a_missing_file_is_refused(void **state) {
    (void)state;
    City *city = NULL;
    Problem problem = {""};
    assert_int_equal(city_load("/nonexistent/city.json", NULL, &city, &problem), -ENOENT);
    assert_string_equal(problem.text, "/nonexistent/city.json: cannot open: No such file or directory");
    assert_null(city);
}

static void a_directory_is_refused(void **state) {
    (void)state;
    City *city = NULL;
    Problem problem = {""};
    assert_int_equal(city_load("/", NULL, &city, &problem), -EIO);
    assert_non_null(strstr(problem.text, "/: cannot read: "));
}

static void a_file_larger_than_the_first_buffer_is_read_whole(void **state) {
    (void)state;
    static char text[200 * 1024];
    Scratch scratch = scratch_new();
    char path[128];
    (void)snprintf(text, sizeof text, "{%*s" GRID "}", 190 * 1024, "");
    (void)snprintf(path, sizeof path, "%s/city.json", scratch.root);
    scratch_write(&scratch, "/city.json", text);
    scoped(city_freep) City *city = NULL;
    assert_int_equal(city_load(path, NULL, &city, NULL), 0);
    assert_int_equal(city->n_intersections, 4);
    scratch_clear(&scratch);
}

static void a_refusal_of_a_file_names_it(void **state) {
    (void)state;
    Scratch scratch = scratch_new();
    City *city = NULL;
    Problem problem = {""};
    char path[128], sentence[256];
    (void)snprintf(path, sizeof path, "%s/city.json", scratch.root);
    (void)snprintf(sentence, sizeof sentence, "%s: member \"name\" is missing", path);
    scratch_write(&scratch, "/city.json", "{}");
    assert_int_equal(city_load(path, NULL, &city, &problem), -EINVAL);
    assert_string_equal(problem.text, sentence);
    scratch_clear(&scratch);
}

static void what_is_not_json_is_refused_with_line_and_column(void **state) {
    (void)state;
    refused("", "city:1:1: expected JSON: the file ends too early");
    refused("{\n  \"name\": \"x\",\n", "city:3:1: expected JSON: the file ends too early");
    refused("{} x", "city:1:4: expected JSON: unexpected character");
    refused("{\"name\"", "city:1:8: expected JSON: the file ends too early");
    refused("{\n \"name\": 'x'}", "city:2:10: expected JSON: unexpected character");
    refused("{\"name\": \"\xff\"}", "city:1:11: expected JSON: invalid utf-8 string");
    refused("[[[[[[[[[[[[", "city:1:11: expected JSON: nesting too deep");
    refused_bytes("{} \0", 4, "city:1:4: expected JSON: something follows the end");
    refused_bytes("{}\0", 3, "city:1:3: expected JSON: something follows the end");
}

static void what_is_not_an_object_is_refused(void **state) {
    (void)state;
    refused("[]", "city: expected an object, got an array");
    refused("null", "city: expected an object, got null");
    refused("3", "city: expected an object, got 3");
    refused("{\"name\": \"x\", \"grid\": []}", "city: /grid: expected an object, got an array");
}

static void an_unknown_member_is_refused_with_the_nearest(void **state) {
    (void)state;
    refused("{\"nam\": \"x\"}", "city: unknown member \"nam\"; did you mean \"name\"?");
    refused(
        "{\"zzzz\": 1}",
        "city: unknown member \"zzzz\"; expected one of \"name\", \"grid\", \"intersections\", \"sensors\"");
    refused("{\"name\": \"x\", \"grid\": {\"row\": []}}",
            "city: /grid: unknown member \"row\"; did you mean \"rows\"?");
    refused_intersections("[{\"id\": \"I\", \"row\": \"A\", \"colum\": 1}]",
                          "city: /intersections/0: unknown member \"colum\"; did you mean \"column\"?");
    refused_cameras("[{\"sensor\": \"C\"}]",
                    "city: /sensors/cameras/0: unknown member \"sensor\"; expected one of \"sensor_id\", "
                    "\"interseccion\", \"direction\", \"approach\", \"lane\", \"view_m\"");
    refused("{" GRID ", \"sensors\": {\"camera\": []}}",
            "city: /sensors: unknown member \"camera\"; did you mean \"cameras\"?");
}

static void a_missing_member_is_refused(void **state) {
    (void)state;
    refused("{\"grid\": {}}", "city: member \"name\" is missing");
    refused("{\"name\": \"x\"}", "city: member \"grid\" is missing");
    refused("{\"name\": \"x\", \"grid\": {\"columns\": [1]}}", "city: /grid: member \"rows\" is missing");
    refused("{\"name\": \"x\", \"grid\": {\"rows\": [\"A\"]}}", "city: /grid: member \"columns\" is missing");
    refused_intersections("[{}]", "city: /intersections/0: member \"id\" is missing");
    refused_intersections("[{\"id\": \"I\"}]", "city: /intersections/0: member \"row\" is missing");
    refused_intersections("[{\"id\": \"I\", \"row\": \"A\"}]",
                          "city: /intersections/0: member \"column\" is missing");
    refused_cameras("[{}]", "city: /sensors/cameras/0: member \"sensor_id\" is missing");
    refused_cameras("[{\"sensor_id\": \"C\"}]",
                    "city: /sensors/cameras/0: member \"interseccion\" is missing");
}

/* --- refusals: the grid --- */

static void refused_grid(const char *grid, const char *sentence) {
    char text[256];
    (void)snprintf(text, sizeof text, "{\"name\": \"x\", \"grid\": %s}", grid);
    refused(text, sentence);
}

static void an_empty_grid_is_refused(void **state) {
    (void)state;
    refused_grid("{\"rows\": [], \"columns\": [1]}", "city: /grid/rows: expected 1 to 1000 rows, got 0");
    refused_grid("{\"rows\": [\"A\"], \"columns\": []}",
                 "city: /grid/columns: expected 1 to 1000 columns, got 0");
}

static void a_grid_of_the_wrong_kind_is_refused(void **state) {
    (void)state;
    refused_grid("{\"rows\": \"ABCD\", \"columns\": [1]}",
                 "city: /grid/rows: expected an array, got \"ABCD\"");
    refused_grid("{\"rows\": [\"A\"], \"columns\": 4}", "city: /grid/columns: expected an array, got 4");
    refused_grid("{\"rows\": [\"A\", 2], \"columns\": [1]}",
                 "city: /grid/rows/1: expected a string of 1 to 15 bytes without spaces, got 2");
    refused_grid("{\"rows\": [\"A\", \"\"], \"columns\": [1]}",
                 "city: /grid/rows/1: expected a string of 1 to 15 bytes without spaces, got \"\"");
    refused_grid(
        "{\"rows\": [\"ABCDEFGHIJKLMNOP\"], \"columns\": [1]}",
        "city: /grid/rows/0: expected a string of 1 to 15 bytes without spaces, got \"ABCDEFGHIJKLMNOP\"");
    refused_grid("{\"rows\": [\"A\"], \"columns\": [\"1\"]}",
                 "city: /grid/columns/0: expected a whole number from 1 to 1000000, got \"1\"");
    refused_grid("{\"rows\": [\"A\"], \"columns\": [1, 2.5]}",
                 "city: /grid/columns/1: expected a whole number from 1 to 1000000, got 2.5");
    refused_grid("{\"rows\": [\"A\"], \"columns\": [0]}",
                 "city: /grid/columns/0: expected a whole number from 1 to 1000000, got 0");
    refused_grid("{\"rows\": [\"A\"], \"columns\": [1000001]}",
                 "city: /grid/columns/0: expected a whole number from 1 to 1000000, got 1000001");
}

static void a_row_or_column_that_is_there_twice_is_refused(void **state) {
    (void)state;
    refused_grid("{\"rows\": [\"A\", \"B\", \"A\"], \"columns\": [1]}",
                 "city: /grid/rows/2: row \"A\" is there twice");
    refused_grid("{\"rows\": [\"A\"], \"columns\": [3, 3]}",
                 "city: /grid/columns/1: column 3 is there twice");
}

static void a_grid_that_would_fill_the_memory_is_refused(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)fputs("{\"name\": \"x\", \"grid\": {\"rows\": [", out);
    for (int i = 0; i < 400; i++)
        (void)fprintf(out, "%s\"R%d\"", i ? "," : "", i);
    (void)fputs("], \"columns\": [", out);
    for (int i = 1; i <= 251; i++)
        (void)fprintf(out, "%s%d", i > 1 ? "," : "", i);
    (void)fputs("]}}", out);
    (void)fclose(out);
    refused(text, "city: /grid: expected at most 100000 intersections, got 400 rows and 251 columns");
    free(text);
}

static void a_grid_whose_ids_would_be_the_same_is_refused(void **state) {
    (void)state;
    refused_grid("{\"rows\": [\"A\", \"A1\"], \"columns\": [1, 11]}",
                 "city: the rows and columns of /grid make the id \"INT-A11\" twice");
}

/* --- refusals: intersections --- */

static void a_city_without_intersections_is_refused(void **state) {
    (void)state;
    refused_intersections("[]",
                          "city: /intersections: expected at least one intersection, got an empty array");
    refused_intersections("null", "city: /intersections: expected an array, got null");
    refused_intersections("{}", "city: /intersections: expected an array, got an object");
}

static void an_intersection_outside_the_grid_is_refused(void **state) {
    (void)state;
    refused_intersections("[{\"id\": \"I\", \"row\": \"C\", \"column\": 1}]",
                          "city: /intersections/0/row: expected a row of /grid/rows, got \"C\"");
    refused_intersections("[{\"id\": \"I\", \"row\": \"A\", \"column\": 3}]",
                          "city: /intersections/0/column: expected a column of /grid/columns, got 3");
}

static void two_intersections_at_one_place_are_refused(void **state) {
    (void)state;
    refused_intersections(
        "[{\"id\": \"I\", \"row\": \"A\", \"column\": 1}, {\"id\": \"J\", \"row\": \"A\", \"column\": 1}]",
        "city: /intersections/1: row \"A\", column 1 already has an intersection");
    /* one more than the grid has places */
    refused_intersections(
        "[{\"id\": \"I\", \"row\": \"A\", \"column\": 1}, {\"id\": \"J\", \"row\": \"A\", \"column\": 2},"
        "{\"id\": \"K\", \"row\": \"B\", \"column\": 1}, {\"id\": \"L\", \"row\": \"B\", \"column\": 2},"
        "{\"id\": \"M\", \"row\": \"B\", \"column\": 2}]",
        "city: /intersections/4: row \"B\", column 2 already has an intersection");
}

static void two_intersections_of_one_id_are_refused(void **state) {
    (void)state;
    refused_intersections(
        "[{\"id\": \"I\", \"row\": \"A\", \"column\": 1}, {\"id\": \"J\", \"row\": \"A\", \"column\": 2},"
        "{\"id\": \"I\", \"row\": \"B\", \"column\": 1}]",
        "city: /intersections/2: id \"I\" is already that of /intersections/0");
}

static void an_id_that_would_confuse_logs_is_refused(void **state) {
    (void)state;
    static const char *const ids[] = {"\"\"",          "\"a b\"", "\"a\\n\"",
                                      "\"a\\u0000b\"", "7",       "\"01234567890123456789012345678901\""};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        char list[128], sentence[256];
        (void)snprintf(list, sizeof list, "[{\"id\": %s, \"row\": \"A\", \"column\": 1}]", ids[i]);
        (void)snprintf(sentence, sizeof sentence,
                       "city: /intersections/0/id: expected a string of 1 to 31 bytes without spaces, got %s",
                       ids[i]);
        refused_intersections(list, sentence);
    }
    scoped(city_freep) City *city =
        parsed("{" GRID ", \"intersections\": [{\"id\": \"0123456789012345678901234567890\", \"row\": \"A\", "
               "\"column\": 1}]}");
    assert_int_equal(city_find_intersection(city, "0123456789012345678901234567890"), 0);
}

static void a_coordinate_that_is_no_place_is_refused(void **state) {
    (void)state;
    refused_intersections(
        "[{\"id\": \"I\", \"row\": \"A\", \"column\": 1, \"x\": \"0\"}]",
        "city: /intersections/0/x: expected a number from -10000000 to 10000000, got \"0\"");
    refused_intersections(
        "[{\"id\": \"I\", \"row\": \"A\", \"column\": 1, \"y\": 10000001}]",
        "city: /intersections/0/y: expected a number from -10000000 to 10000000, got 10000001");
    refused_intersections("[{\"id\": \"I\", \"row\": \"A\", \"column\": 1, \"y\": null}]",
                          "city: /intersections/0/y: expected a number from -10000000 to 10000000, got null");
    refused_intersections("[{\"id\": \"I\", \"row\": \"A\", \"column\": 1, \"y\": NaN}]",
                          "city: /intersections/0/y: expected a number from -10000000 to 10000000, got NaN");
}

/* --- refusals: sensors --- */

static void a_sensor_at_an_unknown_intersection_is_refused_with_the_nearest(void **state) {
    (void)state;
    refused_cameras(
        "[{\"sensor_id\": \"C\", \"interseccion\": \"INT-B3\"}]",
        "city: /sensors/cameras/0/interseccion: unknown intersection \"INT-B3\"; did you mean \"INT-B1\"?");
    refused_cameras(
        "[{\"sensor_id\": \"C\", \"interseccion\": \"Plaza\"}]",
        "city: /sensors/cameras/0/interseccion: unknown intersection \"Plaza\"; expected an id of this "
        "city, such as \"INT-A1\"");
}

static void sensors_that_are_no_list_are_refused(void **state) {
    (void)state;
    refused_cameras("{}", "city: /sensors/cameras: expected an array, got an object");
    refused_cameras("[3]", "city: /sensors/cameras/0: expected an object, got 3");
    refused("{" GRID ", \"sensors\": []}", "city: /sensors: expected an object, got an array");
}

static void two_sensors_of_one_id_are_refused_across_kinds(void **state) {
    (void)state;
    refused_cameras("[{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\"}, {\"sensor_id\": \"C\", "
                    "\"interseccion\": \"INT-A2\"}]",
                    "city: /sensors/cameras/1: sensor_id \"C\" is already that of /sensors/cameras/0");
    refused("{" GRID ", \"sensors\": {\"gps\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\"}],"
            "\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\"}]}}",
            "city: /sensors/gps/0: sensor_id \"C\" is already that of /sensors/cameras/0");
}

static void an_unknown_direction_is_refused(void **state) {
    (void)state;
    refused_cameras("[{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"direction\": \"N\"}]",
                    "city: /sensors/cameras/0/direction: expected \"NS\" or \"EW\", got \"N\"");
    refused_cameras("[{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"direction\": 1}]",
                    "city: /sensors/cameras/0/direction: expected \"NS\" or \"EW\", got 1");
    refused_cameras("[{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"direction\": \"NS\\u0000\"}]",
                    "city: /sensors/cameras/0/direction: expected \"NS\" or \"EW\", got \"NS\\u0000\"");
}

static void a_message_shows_what_came_as_far_as_a_terminal_can_bear(void **state) {
    (void)state;
    refused_cameras(
        "[{\"sensor_id\": \"C\\u001b[2J\\u00f1\"}]",
        "city: /sensors/cameras/0/sensor_id: expected a string of 1 to 63 bytes without spaces, got "
        "\"C\\u001b[2J\\xc3\\xb1\"");
    refused_cameras(
        "[{\"sensor_id\": \"0123456789012345678901234567890123456789012345678901234567890123\"}]",
        "city: /sensors/cameras/0/sensor_id: expected a string of 1 to 63 bytes without spaces, got "
        "\"01234567890123456789012345678901234567890123456...");
    refused("{\"\\u001b[2J\": 1}", "city: unknown member \"\\x1b[2J\"; expected one of \"name\", \"grid\", "
                                   "\"intersections\", \"sensors\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_installed_city_is_the_four_by_four_grid),
        cmocka_unit_test(every_approach_of_the_installed_city_is_watched),
        cmocka_unit_test(a_grid_alone_makes_all_its_intersections),
        cmocka_unit_test(listed_intersections_replace_those_of_the_grid),
        cmocka_unit_test(rows_and_columns_are_those_that_have_intersections),
        cmocka_unit_test(sensors_are_found_by_kind),
        cmocka_unit_test(a_large_city_finds_each_of_its_intersections),
        cmocka_unit_test(free_accepts_nothing),
        cmocka_unit_test(a_missing_file_is_refused),
        cmocka_unit_test(a_directory_is_refused),
        cmocka_unit_test(a_file_larger_than_the_first_buffer_is_read_whole),
        cmocka_unit_test(a_refusal_of_a_file_names_it),
        cmocka_unit_test(what_is_not_json_is_refused_with_line_and_column),
        cmocka_unit_test(what_is_not_an_object_is_refused),
        cmocka_unit_test(an_unknown_member_is_refused_with_the_nearest),
        cmocka_unit_test(a_missing_member_is_refused),
        cmocka_unit_test(an_empty_grid_is_refused),
        cmocka_unit_test(a_grid_of_the_wrong_kind_is_refused),
        cmocka_unit_test(a_row_or_column_that_is_there_twice_is_refused),
        cmocka_unit_test(a_grid_that_would_fill_the_memory_is_refused),
        cmocka_unit_test(a_grid_whose_ids_would_be_the_same_is_refused),
        cmocka_unit_test(a_city_without_intersections_is_refused),
        cmocka_unit_test(an_intersection_outside_the_grid_is_refused),
        cmocka_unit_test(two_intersections_at_one_place_are_refused),
        cmocka_unit_test(two_intersections_of_one_id_are_refused),
        cmocka_unit_test(an_id_that_would_confuse_logs_is_refused),
        cmocka_unit_test(a_coordinate_that_is_no_place_is_refused),
        cmocka_unit_test(a_sensor_at_an_unknown_intersection_is_refused_with_the_nearest),
        cmocka_unit_test(sensors_that_are_no_list_are_refused),
        cmocka_unit_test(two_sensors_of_one_id_are_refused_across_kinds),
        cmocka_unit_test(an_unknown_direction_is_refused),
        cmocka_unit_test(a_message_shows_what_came_as_far_as_a_terminal_can_bear),
    };
    return cmocka_run_group_tests_name("city", tests, NULL, NULL);
}
