/* What the city file says of lights and lanes: what it means, what is shared, and what every refusal says: the
 * intersection, the movement and the reason. */
#include "settings/city.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One intersection's members, each of which a test may replace: a junction of two one-way streets, whose movements go
 * straight on and turn. */
typedef struct Described {
    const char *approaches, *movements, *conflicts, *phases, *more, *sensors;
} Described;

static const Described usual = {
    .approaches =
        "[{\"id\": \"N\", \"direction\": \"NS\", \"lanes\": [{\"id\": \"N_0\", \"movements\": [\"N-T\", "
        "\"N-R\"]}]},"
        "{\"id\": \"W\", \"direction\": \"EW\", \"from\": \"INT-B1\", \"lanes\": [{\"id\": \"W_0\", "
        "\"length_m\": 120, \"speed_kmh\": 36, \"movements\": [\"W-T\"]}]}]",
    .movements =
        "[{\"id\": \"N-T\", \"approach\": \"N\", \"to\": \"INT-B1\"}, {\"id\": \"N-R\", \"approach\": \"N\"},"
        "{\"id\": \"W-T\", \"approach\": \"W\", \"to\": \"INT-A2\"}]",
    .conflicts = "[[\"N-T\", \"W-T\"], [\"W-T\", \"N-R\"]]",
    .phases = "[{\"id\": \"one\", \"movements\": [\"N-T\"], \"permitted\": [\"N-R\"]},"
              "{\"id\": \"two\", \"movements\": [\"W-T\"]}]",
    .more = "",
    .sensors = "{}",
};

static const char *text_of(Described d) {
    static char text[8192];
    (void)snprintf(
        text, sizeof text,
        "{\"name\": \"Test\", \"grid\": {\"rows\": [\"A\", \"B\"], \"columns\": [1, 2]},"
        "\"intersections\": [{\"id\": \"INT-A1\", \"row\": \"A\", \"column\": 1, \"approaches\": %s,"
        "\"movements\": %s, \"conflicts\": %s, \"phases\": %s%s},"
        "{\"id\": \"INT-A2\", \"row\": \"A\", \"column\": 2},"
        "{\"id\": \"INT-B1\", \"row\": \"B\", \"column\": 1}], \"sensors\": %s}",
        d.approaches, d.movements, d.conflicts, d.phases, d.more, d.sensors);
    return text;
}

static City *parsed_with(const char *text, const CityDefaults *defaults) {
    City *city = NULL;
    Problem problem = {""};
    if (city_parse("city", text, strlen(text), defaults, &city, &problem) != 0)
        fail_msg("%s", problem.text);
    return city;
}

static City *parsed(const char *text) {
    return parsed_with(text, NULL);
}

static void refused_text(const char *text, const char *sentence) {
    City *city = NULL;
    Problem problem = {""};
    assert_int_equal(city_parse("city", text, strlen(text), NULL, &city, &problem), -EINVAL);
    assert_string_equal(problem.text, sentence);
    assert_null(city);
}

static void refused(Described described, const char *sentence) {
    refused_text(text_of(described), sentence);
}

/* The usual one with one member replaced. */
#define WITH(member, text)                                                                                   \
    ({                                                                                                       \
        Described with_ = usual;                                                                             \
        with_.member = text;                                                                                 \
        with_;                                                                                               \
    })

#define A1 "city: /intersections/0"

static City *eight_phases(void) {
    City *city = NULL;
    Problem problem = {""};
    if (city_load(TEST_DIR "/eight-phases.json", NULL, &city, &problem) != 0)
        fail_msg("%s", problem.text);
    return city;
}

/* --- what it means --- */

static void a_described_intersection_is_its_groups_phases_and_lanes(void **state) {
    (void)state;
    scoped(city_freep) City *city = parsed(text_of(usual));
    const CityIntersection *a1 = &city->intersections[0];
    const SignalModel *signals = a1->signals;
    assert_int_equal(signals->n_groups, 3);
    assert_int_equal(signals->conflicts[0], 1U << 2);
    assert_int_equal(signals->conflicts[1], 1U << 2);
    assert_int_equal(signals->conflicts[2], 3);
    assert_int_equal(signals->n_phases, 2);
    assert_int_equal(signals->phases[0], 3);
    assert_int_equal(signals->permitted[0], 2);
    assert_int_equal(signals->phases[1], 4);
    assert_int_equal(signals->direction_groups[DIRECTION_NS], 3);
    assert_int_equal(signals->direction_groups[DIRECTION_EW], 4);
    assert_int_equal(signals->direction_phase[DIRECTION_NS], 0);
    assert_int_equal(signals->direction_phase[DIRECTION_EW], 1);
    assert_int_equal(a1->layout->n_lanes, 2);
    assert_int_equal(a1->layout->lanes[0].groups, 3);
    assert_true(a1->layout->lanes[0].length_metres == 200);
    assert_true(a1->layout->lanes[1].length_metres == 120 && a1->layout->lanes[1].speed_mps == 10);
}

static void names_are_kept_beside_the_numbers(void **state) {
    (void)state;
    scoped(city_freep) City *city =
        parsed(text_of(WITH(more, ", \"name\": \"Main and First\", \"policy\": \"planner\"")));
    const CityIntersection *a1 = &city->intersections[0];
    assert_string_equal(a1->name, "Main and First");
    assert_string_equal(a1->policy, "planner");
    assert_string_equal(city->intersections[1].policy, "");
    assert_int_equal(a1->parts->n_approaches, 2);
    assert_int_equal(a1->parts->n_lanes, 2);
    assert_string_equal(a1->parts->approaches[1].id, "W");
    assert_int_equal(a1->parts->approaches[1].direction, DIRECTION_EW);
    assert_string_equal(a1->parts->movements[1].id, "N-R");
    assert_string_equal(a1->parts->phases[1].id, "two");
    assert_string_equal(a1->parts->lanes[1].id, "W_0");
    assert_int_equal(a1->parts->lanes[1].approach, 1);
}

static void links_lead_to_the_neighbours(void **state) {
    (void)state;
    scoped(city_freep) City *city = parsed(text_of(usual));
    const CityParts *parts = city->intersections[0].parts;
    assert_int_equal(parts->approaches[0].from, CITY_NO_INDEX);
    assert_int_equal(parts->approaches[1].from, 2);
    assert_int_equal(parts->movements[0].to, 2);
    assert_int_equal(parts->movements[0].to_lanes, 0); /* nothing there says it comes from here */
    assert_int_equal(parts->movements[1].to, CITY_NO_INDEX);
    assert_int_equal(parts->movements[2].to, 1);
}

static void the_lanes_that_a_movement_leads_to_are_those_from_here_or_as_given(void **state) {
    (void)state;
    static const char other[] =
        "{\"name\": \"Test\", \"grid\": {\"rows\": [\"A\"], \"columns\": [1, 2]}, \"intersections\": ["
        "{\"id\": \"I\", \"row\": \"A\", \"column\": 1,"
        "\"approaches\": [{\"id\": \"W\", \"direction\": \"EW\", \"lanes\": [{\"id\": \"W_0\", "
        "\"movements\": "
        "[\"T\", \"L\"]}]}],"
        "\"movements\": [{\"id\": \"T\", \"approach\": \"W\", \"to\": \"J\"},"
        "{\"id\": \"L\", \"approach\": \"W\", \"to\": \"J\", \"to_lanes\": [\"W_1\"]}],"
        "\"conflicts\": [], \"phases\": [{\"id\": \"1\", \"movements\": [\"T\", \"L\"]}]},"
        "{\"id\": \"J\", \"row\": \"A\", \"column\": 2,"
        "\"approaches\": [{\"id\": \"S\", \"direction\": \"NS\", \"lanes\": [{\"id\": \"S_0\", "
        "\"movements\": "
        "[\"S-T\"]}]},"
        "{\"id\": \"W\", \"direction\": \"EW\", \"from\": \"I\", \"lanes\": [{\"id\": \"W_0\", "
        "\"movements\": "
        "[\"W-T\"]}, {\"id\": \"W_1\", \"movements\": [\"W-T\"]}]}],"
        "\"movements\": [{\"id\": \"S-T\", \"approach\": \"S\"}, {\"id\": \"W-T\", \"approach\": \"W\"}],"
        "\"conflicts\": [[\"S-T\", \"W-T\"]],"
        "\"phases\": [{\"id\": \"1\", \"movements\": [\"S-T\"]}, {\"id\": \"2\", \"movements\": "
        "[\"W-T\"]}]}]}";
    scoped(city_freep) City *city = parsed(other);
    assert_int_equal(city->intersections[0].parts->movements[0].to_lanes, 6);
    assert_int_equal(city->intersections[0].parts->movements[1].to_lanes, 4);
}

static void an_intersection_without_movements_is_two_streets(void **state) {
    (void)state;
    static const CityDefaults defaults = {
        .safety = {.min_green_usec = 6 * USEC_PER_SEC,
                   .yellow_usec = 3 * USEC_PER_SEC,
                   .all_red_usec = 1 * USEC_PER_SEC,
                   .max_red_usec = 80 * USEC_PER_SEC},
        .green_usec = 17 * USEC_PER_SEC,
    };
    scoped(city_freep) City *city = parsed_with(text_of(usual), &defaults);
    const CityIntersection *a2 = &city->intersections[1];
    assert_true(a2->is_usual && !city->intersections[0].is_usual);
    assert_int_equal(a2->signals->n_groups, 2);
    assert_int_equal(a2->signals->yellow_usec, 3 * USEC_PER_SEC);
    assert_int_equal(a2->signals->min_green_usec[DIRECTION_NS], 6 * USEC_PER_SEC);
    assert_int_equal(a2->signals->max_red_usec[DIRECTION_EW], 80 * USEC_PER_SEC);
    assert_int_equal(a2->signals->stages[0].green_usec, 17 * USEC_PER_SEC);
    assert_int_equal(a2->layout->n_lanes, 2);
    assert_int_equal(a2->layout->lanes[DIRECTION_EW].groups, 1U << DIRECTION_EW);
    assert_true(a2->layout->lanes[0].length_metres == 200 && a2->layout->lanes[0].view_metres == 0);
    assert_string_equal(a2->parts->lanes[DIRECTION_EW].id, "EW");
    assert_string_equal(a2->parts->phases[DIRECTION_NS].id, "NS");
    /* and the described one has its times from there too */
    assert_int_equal(city->intersections[0].signals->min_green_usec[0], 6 * USEC_PER_SEC);
    assert_int_equal(city->intersections[0].signals->stages[1].green_usec, 17 * USEC_PER_SEC);
}

static void two_streets_may_have_times_and_a_plan_of_their_own(void **state) {
    (void)state;
    scoped(city_freep) City *city =
        parsed("{\"name\": \"Test\", \"grid\": {\"rows\": [\"A\"], \"columns\": [1, 2]}, \"intersections\": ["
               "{\"id\": \"I\", \"row\": \"A\", \"column\": 1},"
               "{\"id\": \"J\", \"row\": \"A\", \"column\": 2, \"times\": {\"all_red_sec\": 3},"
               "\"plan\": {\"stages\": [{\"phase\": \"NS\", \"green_sec\": 20}, {\"phase\": \"EW\", "
               "\"green_sec\": 10.5}], "
               "\"offset_sec\": 7}}]}");
    const SignalModel *j = city->intersections[1].signals;
    assert_int_equal(city->intersections[0].signals->offset_usec, 0);
    assert_true(city->intersections[0].is_usual && !city->intersections[1].is_usual);
    assert_int_equal(j->all_red_usec, 3 * USEC_PER_SEC);
    assert_int_equal(j->stages[0].phase, DIRECTION_NS);
    assert_int_equal(j->stages[1].green_usec, 10500000);
    assert_int_equal(j->offset_usec, 7 * USEC_PER_SEC);
}

static void times_are_the_intersections_or_the_movements_own(void **state) {
    (void)state;
    Described described =
        WITH(more, ", \"times\": {\"min_green_sec\": 7, \"yellow_sec\": 3, \"max_red_sec\": 60}");
    described.movements = "[{\"id\": \"N-T\", \"approach\": \"N\", \"min_green_sec\": 12},"
                          "{\"id\": \"N-R\", \"approach\": \"N\"},"
                          "{\"id\": \"W-T\", \"approach\": \"W\", \"max_red_sec\": 50}]";
    scoped(city_freep) City *city = parsed(text_of(described));
    const SignalModel *signals = city->intersections[0].signals;
    assert_int_equal(signals->min_green_usec[0], 12 * USEC_PER_SEC);
    assert_int_equal(signals->min_green_usec[1], 7 * USEC_PER_SEC);
    assert_int_equal(signals->yellow_usec, 3 * USEC_PER_SEC);
    assert_int_equal(signals->all_red_usec, 2 * USEC_PER_SEC);
    assert_int_equal(signals->max_red_usec[0], 60 * USEC_PER_SEC);
    assert_int_equal(signals->max_red_usec[2], 50 * USEC_PER_SEC);
}

static void a_plan_that_is_left_out_gives_each_phase_what_the_maximum_red_affords(void **state) {
    (void)state;
    static const CityDefaults defaults = {
        .safety = {.min_green_usec = 5 * USEC_PER_SEC,
                   .yellow_usec = 3 * USEC_PER_SEC,
                   .all_red_usec = 1 * USEC_PER_SEC,
                   .max_red_usec = 40 * USEC_PER_SEC},
        .green_usec = 30 * USEC_PER_SEC,
    };
    scoped(city_freep) City *city = parsed_with(text_of(usual), &defaults);
    const SignalModel *signals = city->intersections[0].signals;
    /* red for the other's green and two intergreens; then the guard needs a minimum green and an intergreen */
    assert_int_equal(signals->n_stages, 2);
    assert_int_equal(signals->stages[0].green_usec, (40 - 3 * 4 - 5) * USEC_PER_SEC);
}

static void the_example_of_eight_phases_is_read(void **state) {
    (void)state;
    scoped(city_freep) City *city = eight_phases();
    const SignalModel *signals = city->intersections[0].signals;
    const Layout *layout = city->intersections[0].layout;
    assert_int_equal(signals->n_groups, 8);
    assert_int_equal(signals->n_phases, 8);
    assert_int_equal(signals->n_stages, 4);
    assert_int_equal(signals->offset_usec, 12 * USEC_PER_SEC);
    assert_int_equal(layout->n_lanes, 8);
    assert_true(layout->lanes[0].view_metres == 80 && layout->lanes[0].loop_metres == 150);
    assert_true(layout->lanes[1].view_metres == 80 && layout->lanes[1].loop_metres == 0);
    /* several phases have two movements of a direction: the one with the longest green is meant */
    assert_int_equal(signals->direction_phase[DIRECTION_NS], 3);
    assert_int_equal(signals->direction_phase[DIRECTION_EW], 7);
}

/* --- what is shared --- */

static void ten_thousand_intersections_that_are_alike_cost_one(void **state) {
    (void)state;
    char text[4096] = "{\"name\": \"Large\", \"grid\": {\"rows\": [";
    for (int i = 0; i < 100; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"r%d-\"", i ? "," : "", i);
    strcat(text, "], \"columns\": [");
    for (int i = 0; i < 100; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i ? "," : "", i + 1);
    strcat(text,
           "]}, \"sensors\": {\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-r7-7\", \"lane\": "
           "\"NS\"}]}}");
    scoped(city_freep) City *city = parsed(text);
    size_t n_others = 0;
    assert_int_equal(city->n_intersections, 10000);
    for (size_t i = 0; i < city->n_intersections; i++) {
        assert_ptr_equal(city->intersections[i].signals, city->intersections[0].signals);
        assert_ptr_equal(city->intersections[i].parts, city->intersections[0].parts);
        n_others += city->intersections[i].layout != city->intersections[0].layout;
    }
    assert_int_equal(n_others, 1); /* the one with a camera */
}

static void descriptions_that_say_the_same_are_one(void **state) {
    (void)state;
    static const char format[] =
        "{\"name\": \"T\", \"grid\": {\"rows\": [\"A\"], \"columns\": [1, 2]}, \"intersections\": ["
        "{\"id\": \"I\", \"row\": \"A\", \"column\": 1, %s}, {\"id\": \"J\", \"row\": \"A\", \"column\": 2, "
        "%s}]}";
    char text[2048];
    static const char same[] = "\"approaches\": [{\"id\": \"W\", \"direction\": \"EW\", \"lanes\": [{\"id\": "
                               "\"l\", \"movements\": [\"t\"]}]}],"
                               "\"movements\": [{\"id\": \"t\", \"approach\": \"W\"}], \"conflicts\": [],"
                               "\"phases\": [{\"id\": \"1\", \"movements\": [\"t\"]}]";
    (void)snprintf(text, sizeof text, format, same, same);
    scoped(city_freep) City *city = parsed(text);
    assert_ptr_equal(city->intersections[0].signals, city->intersections[1].signals);
    assert_ptr_equal(city->intersections[0].layout, city->intersections[1].layout);
    assert_ptr_not_equal(city->intersections[0].parts, city->intersections[1].parts);
}

/* --- detectors --- */

static void a_sensor_of_a_lane_watches_its_approach_and_direction(void **state) {
    (void)state;
    scoped(city_freep) City *city = parsed(text_of(WITH(
        sensors, "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"W_0\", "
                 "\"view_m\": 60}, {\"sensor_id\": \"D\", \"interseccion\": \"INT-A1\", \"lane\": \"N_0\"},"
                 "{\"sensor_id\": \"E\", \"interseccion\": \"INT-A1\", \"approach\": \"N\"}],"
                 "\"inductive_loops\": [{\"sensor_id\": \"L\", \"interseccion\": \"INT-A1\", \"lane\": "
                 "\"W_0\", \"distance_m\": 110.5}, {\"sensor_id\": \"M\", \"interseccion\": \"INT-A1\", "
                 "\"lane\": \"W_0\"}]}")));
    const CitySensor *camera = city_find_sensor(city, SENSOR_CAMERA, "C");
    assert_true(camera->has_lane && camera->has_approach && camera->has_direction);
    assert_int_equal(camera->lane, 1);
    assert_int_equal(camera->approach, 1);
    assert_int_equal(camera->direction, DIRECTION_EW);
    assert_true(camera->view_metres == 60);
    assert_true(city_find_sensor(city, SENSOR_CAMERA, "D")->view_metres == 100);
    const CitySensor *of_approach = city_find_sensor(city, SENSOR_CAMERA, "E");
    assert_false(of_approach->has_lane);
    assert_int_equal(of_approach->direction, DIRECTION_NS);
    assert_true(of_approach->view_metres == 0);
    const Layout *layout = city->intersections[0].layout;
    assert_true(layout->lanes[1].view_metres == 60 && layout->lanes[1].loop_metres == 110.5);
    assert_true(layout->lanes[0].view_metres == 100 && layout->lanes[0].loop_metres == 0);
    assert_true(city_find_sensor(city, SENSOR_INDUCTIVE, "M")->has_lane);
    assert_true(city_find_sensor(city, SENSOR_INDUCTIVE, "M")->loop_metres == 0);
}

static void a_camera_sees_no_further_than_its_lane_goes(void **state) {
    (void)state;
    Described described =
        WITH(approaches, "[{\"id\": \"N\", \"direction\": \"NS\", \"lanes\": [{\"id\": \"N_0\", "
                         "\"length_m\": 40, \"movements\": [\"N-T\", \"N-R\"]}]},"
                         "{\"id\": \"W\", \"direction\": \"EW\", \"lanes\": [{\"id\": \"W_0\", "
                         "\"movements\": [\"W-T\"]}]}]");
    described.sensors =
        "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"N_0\"}]}";
    scoped(city_freep) City *city = parsed(text_of(described));
    assert_true(city->intersections[0].layout->lanes[0].view_metres == 40);
    described.sensors =
        "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"N_0\", "
        "\"view_m\": 41}]}";
    refused(described, "city: /sensors/cameras/0/view_m: expected a number from 1 to 40, got 41");
}

static void a_sensor_that_watches_what_there_is_not_is_refused(void **state) {
    (void)state;
    refused(WITH(sensors,
                 "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"W_1\"}]}"),
            "city: /sensors/cameras/0/lane: unknown lane \"W_1\"; did you mean \"W_0\"?");
    refused(WITH(sensors,
                 "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A2\", \"lane\": \"W_0\"}]}"),
            "city: /sensors/cameras/0/lane: unknown lane \"W_0\"; expected one of those there are, such as "
            "\"NS\"");
    refused(
        WITH(sensors,
             "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"approach\": \"Ost\"}]}"),
        "city: /sensors/cameras/0/approach: unknown approach \"Ost\"; expected one of those there are, "
        "such as "
        "\"N\"");
    refused(
        WITH(sensors, "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"view_m\": 9}]}"),
        "city: /sensors/cameras/0/view_m: expected \"lane\" beside it");
    refused(
        WITH(sensors, "{\"gps\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"N_0\"}]}"),
        "city: /sensors/gps/0: unknown member \"lane\"; expected one of \"sensor_id\", \"interseccion\", "
        "\"direction\"");
}

static void a_sensor_that_contradicts_itself_is_refused(void **state) {
    (void)state;
    refused(WITH(sensors,
                 "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"W_0\", "
                 "\"direction\": \"NS\"}]}"),
            "city: /sensors/cameras/0/direction: expected \"EW\" as approach \"W\" has it, got \"NS\"");
    refused(WITH(sensors,
                 "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"W_0\", "
                 "\"approach\": \"N\"}]}"),
            "city: /sensors/cameras/0/approach: lane \"W_0\" is one of approach \"W\"");
}

static void a_lane_has_one_camera_and_one_upstream_loop(void **state) {
    (void)state;
    refused(WITH(sensors,
                 "{\"cameras\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": \"W_0\"},"
                 "{\"sensor_id\": \"D\", \"interseccion\": \"INT-A1\", \"lane\": \"W_0\"}]}"),
            "city: /sensors/cameras/1: its lane has a camera already");
    refused(
        WITH(sensors,
             "{\"inductive_loops\": [{\"sensor_id\": \"C\", \"interseccion\": \"INT-A1\", \"lane\": "
             "\"W_0\", \"distance_m\": 100},"
             "{\"sensor_id\": \"D\", \"interseccion\": \"INT-A1\", \"lane\": \"W_0\", \"distance_m\": 5}]}"),
        "city: /sensors/inductive_loops/1: its lane has an upstream loop already");
}

/* --- refusals: movements --- */

static void parts_without_movements_are_refused(void **state) {
    (void)state;
    refused_text("{\"name\": \"Test\", \"grid\": {\"rows\": [\"A\"], \"columns\": [1]}, \"intersections\": ["
                 "{\"id\": \"I\", \"row\": \"A\", \"column\": 1, \"phases\": []}]}",
                 A1 "/phases: intersection \"I\": expected \"movements\" beside it");
    refused(WITH(movements, "[]"),
            A1 "/movements: intersection \"INT-A1\": expected 1 to 32 movements, got 0");
}

static void a_missing_approach_is_refused(void **state) {
    (void)state;
    refused(WITH(movements, "[{\"id\": \"N-T\", \"approach\": \"S\"}]"),
            A1 "/movements/0/approach: intersection \"INT-A1\", movement \"N-T\": unknown approach \"S\"; "
               "expected one of those there are, such as \"N\"");
    refused(WITH(movements, "[{\"id\": \"N-T\"}]"),
            A1 "/movements/0: intersection \"INT-A1\", movement \"N-T\": member \"approach\" is missing");
    refused(WITH(approaches, "[]"),
            A1 "/approaches: intersection \"INT-A1\": expected 1 to 32 approaches, got 0");
}

static void an_approach_without_lanes_is_refused(void **state) {
    (void)state;
    refused(WITH(approaches,
                 "[{\"id\": \"N\", \"direction\": \"NS\", \"lanes\": []}, {\"id\": \"W\", \"direction\": "
                 "\"EW\", \"lanes\": []}]"),
            A1 "/approaches/0/lanes: intersection \"INT-A1\", approach \"N\": expected 1 to 32 lanes, got 0");
    refused(
        WITH(approaches, "[{\"id\": \"N\", \"direction\": \"NS\"}, {\"id\": \"W\", \"direction\": \"EW\"}]"),
        A1 "/approaches/0: intersection \"INT-A1\", approach \"N\": member \"lanes\" is missing");
}

static void an_approach_without_a_direction_is_refused(void **state) {
    (void)state;
    refused(WITH(approaches, "[{\"id\": \"N\", \"lanes\": []}]"),
            A1 "/approaches/0: intersection \"INT-A1\", approach \"N\": member \"direction\" is missing");
}

static void a_lane_of_movements_of_another_approach_is_refused(void **state) {
    (void)state;
    refused(
        WITH(approaches,
             "[{\"id\": \"N\", \"direction\": \"NS\", \"lanes\": [{\"id\": \"N_0\", \"movements\": "
             "[\"N-T\", \"W-T\"]}]},{\"id\": \"W\", \"direction\": \"EW\", \"lanes\": []}]"),
        A1 "/approaches/0/lanes/0/movements: intersection \"INT-A1\", approach \"N\", lane \"N_0\": movement "
           "\"W-T\" is one of approach \"W\"");
}

static void a_movement_that_no_lane_leads_to_is_refused(void **state) {
    (void)state;
    refused(WITH(approaches,
                 "[{\"id\": \"N\", \"direction\": \"NS\", \"lanes\": [{\"id\": \"N_0\", \"movements\": "
                 "[\"N-T\"]}]},{\"id\": \"W\", \"direction\": \"EW\", \"lanes\": [{\"id\": \"W_0\", "
                 "\"movements\": [\"W-T\"]}]}]"),
            A1 ": intersection \"INT-A1\": movement \"N-R\": no lane of approach \"N\" leads to it");
}

static void parts_of_one_name_are_refused(void **state) {
    (void)state;
    refused(
        WITH(movements, "[{\"id\": \"N-T\", \"approach\": \"N\"}, {\"id\": \"N-T\", \"approach\": \"W\"}]"),
        A1 "/movements/1/id: intersection \"INT-A1\": movement \"N-T\" is there twice");
    refused(WITH(approaches,
                 "[{\"id\": \"N\", \"direction\": \"NS\", \"lanes\": [{\"id\": \"a\", \"movements\": "
                 "[\"N-T\", \"N-R\"]}]},{\"id\": \"W\", \"direction\": \"EW\", \"lanes\": [{\"id\": \"a\", "
                 "\"movements\": [\"W-T\"]}]}]"),
            A1
            "/approaches/1/lanes/0/id: intersection \"INT-A1\", approach \"W\": lane \"a\" is there twice");
    refused(WITH(phases,
                 "[{\"id\": \"1\", \"movements\": [\"N-T\"]}, {\"id\": \"1\", \"movements\": [\"W-T\"]}]"),
            A1 "/phases/1/id: intersection \"INT-A1\": phase \"1\" is there twice");
}

static void links_to_nowhere_are_refused(void **state) {
    (void)state;
    refused(WITH(movements, "[{\"id\": \"N-T\", \"approach\": \"N\", \"to\": \"INT-B9\"}]"),
            A1 "/movements/0/to: intersection \"INT-A1\", movement \"N-T\": unknown intersection \"INT-B9\"; "
               "did you "
               "mean \"INT-B1\"?");
    refused(WITH(movements,
                 "[{\"id\": \"N-T\", \"approach\": \"N\", \"to\": \"INT-A2\", \"to_lanes\": [\"W_0\"]},"
                 "{\"id\": \"N-R\", \"approach\": \"N\"}, {\"id\": \"W-T\", \"approach\": \"W\"}]"),
            A1 "/movements/0/to_lanes/0: intersection \"INT-A1\", movement \"N-T\": unknown lane \"W_0\"; "
               "expected one of those there are, such as \"NS\"");
    refused(WITH(movements,
                 "[{\"id\": \"N-T\", \"approach\": \"N\", \"to_lanes\": [\"NS\"]},"
                 "{\"id\": \"N-R\", \"approach\": \"N\"}, {\"id\": \"W-T\", \"approach\": \"W\"}]"),
            A1 "/movements/0/to_lanes: intersection \"INT-A1\", movement \"N-T\": expected \"to\" beside it");
}

/* --- refusals: conflicts and phases --- */

static void a_conflict_that_is_none_is_refused(void **state) {
    (void)state;
    refused(WITH(conflicts, "[[\"N-T\", \"N-T\"]]"),
            A1 "/conflicts/0: intersection \"INT-A1\": movement \"N-T\" cannot conflict with itself");
    refused(WITH(conflicts, "[[\"N-T\"]]"),
            A1 "/conflicts/0: intersection \"INT-A1\": expected two movements, got 1");
    refused(WITH(conflicts, "[[\"N-T\", \"W-L\"]]"),
            A1 "/conflicts/0/1: intersection \"INT-A1\": unknown movement \"W-L\"; did you mean \"W-T\"?");
}

static void conflicts_may_be_none_but_not_forgotten(void **state) {
    (void)state;
    static const char forgotten[] =
        "{\"name\": \"T\", \"grid\": {\"rows\": [\"A\"], \"columns\": [1]}, \"intersections\": ["
        "{\"id\": \"I\", \"row\": \"A\", \"column\": 1,"
        "\"approaches\": [{\"id\": \"W\", \"direction\": \"EW\", \"lanes\": [{\"id\": \"l\", \"movements\": "
        "[\"t\"]}]}],"
        "\"movements\": [{\"id\": \"t\", \"approach\": \"W\"}],"
        "\"phases\": [{\"id\": \"1\", \"movements\": [\"t\"]}]}]}";
    refused_text(forgotten, A1 ": intersection \"I\": member \"conflicts\" is missing");
}

static void a_phase_of_conflicting_movements_is_refused(void **state) {
    (void)state;
    refused(WITH(phases,
                 "[{\"id\": \"one\", \"movements\": [\"N-T\", \"W-T\"]}, {\"id\": \"two\", \"movements\": "
                 "[\"N-R\"]}]"),
            A1 ": intersection \"INT-A1\": phase 0 (one): expected groups that do not conflict, got group 0 "
               "(N-T) and "
               "group 2 (W-T)");
    /* yielding is no excuse */
    refused(WITH(phases,
                 "[{\"id\": \"one\", \"movements\": [\"N-T\"]}, {\"id\": \"two\", \"movements\": [\"W-T\"], "
                 "\"permitted\": [\"N-R\"]}]"),
            A1 ": intersection \"INT-A1\": phase 1 (two): expected groups that do not conflict, got group 1 "
               "(N-R) and "
               "group 2 (W-T)");
}

static void a_movement_in_no_phase_is_refused(void **state) {
    (void)state;
    refused(
        WITH(phases,
             "[{\"id\": \"one\", \"movements\": [\"N-T\"]}, {\"id\": \"two\", \"movements\": [\"W-T\"]}]"),
        A1 ": intersection \"INT-A1\": group 1 (N-R): expected it in a phase, got it in none");
}

static void a_phase_that_is_none_is_refused(void **state) {
    (void)state;
    refused(WITH(phases, "[{\"id\": \"one\", \"movements\": []}]"), A1
            "/phases/0/movements: intersection \"INT-A1\", phase \"one\": expected 1 to 32 movements, got 0");
    refused(WITH(phases, "[{\"id\": \"one\", \"movements\": [\"N-T\", \"N-T\"]}]"), A1
            "/phases/0/movements/1: intersection \"INT-A1\", phase \"one\": movement \"N-T\" is there twice");
    refused(WITH(phases, "[{\"id\": \"one\", \"movements\": [\"N-T\"], \"permitted\": [\"N-T\"]}]"),
            A1 "/phases/0/permitted: intersection \"INT-A1\", phase \"one\": movement \"N-T\" is among "
               "\"movements\" "
               "already");
    refused(WITH(phases, "[{\"id\": \"one\", \"movements\": [\"E-T\"]}]"),
            A1 "/phases/0/movements/0: intersection \"INT-A1\", phase \"one\": unknown movement \"E-T\"; did "
               "you mean "
               "\"N-T\"?");
}

/* --- refusals: times and plans --- */

static void a_time_below_its_floor_is_refused(void **state) {
    (void)state;
    refused(WITH(more, ", \"times\": {\"min_green_sec\": 4.9}"),
            A1 "/times/min_green_sec: intersection \"INT-A1\": expected a number from 5 to 600, got 4.9");
    refused(WITH(more, ", \"times\": {\"all_red_sec\": 0.9}"),
            A1 "/times/all_red_sec: intersection \"INT-A1\": expected a number from 1 to 10, got 0.9");
    refused(WITH(more, ", \"times\": {\"yellow_sec\": -1}"),
            A1 "/times/yellow_sec: intersection \"INT-A1\": expected a number from 0 to 10, got -1");
    refused(WITH(more, ", \"times\": {\"max_red_sec\": 601}"),
            A1 "/times/max_red_sec: intersection \"INT-A1\": expected a number from 5 to 600, got 601");
    refused(
        WITH(movements, "[{\"id\": \"N-T\", \"approach\": \"N\", \"min_green_sec\": 4}]"), A1
        "/movements/0/min_green_sec: intersection \"INT-A1\", movement \"N-T\": expected a number from 5 to "
        "600, got 4");
}

static void times_without_room_for_each_other_are_refused(void **state) {
    (void)state;
    refused(
        WITH(more, ", \"times\": {\"max_red_sec\": 8}"), A1
        ": intersection \"INT-A1\": group 0 (N-T): maximum red: expected at least the minimum green of each "
        "conflicting group (up to 5.000 s) and two intergreens of 2.000 s, got 8.000 s");
}

static void a_stage_of_what_there_is_not_is_refused(void **state) {
    (void)state;
    refused(WITH(more, ", \"plan\": {\"stages\": [{\"phase\": \"three\", \"green_sec\": 9}]}"),
            A1 "/plan/stages/0/phase: intersection \"INT-A1\": unknown phase \"three\"; expected one of "
               "those there are, such as \"one\"");
    refused(WITH(more, ", \"plan\": {\"stages\": [{\"phase\": \"one\", \"green_sec\": 4}]}"),
            A1 "/plan/stages/0/green_sec: intersection \"INT-A1\": expected a number from 5 to 600, got 4");
    refused(WITH(more, ", \"plan\": {\"stages\": []}"),
            A1 "/plan/stages: intersection \"INT-A1\": expected 1 to 16 stages, got 0");
    refused(WITH(more, ", \"plan\": {\"offset\": 3}"),
            A1 "/plan: intersection \"INT-A1\": unknown member \"offset\"; expected one of \"stages\", "
               "\"offset_sec\"");
}

static void a_green_shorter_than_its_movements_minimum_is_refused(void **state) {
    (void)state;
    refused(WITH(more, ", \"times\": {\"min_green_sec\": 9}, \"plan\": {\"stages\": [{\"phase\": \"one\", "
                       "\"green_sec\": 8}, {\"phase\": \"two\", \"green_sec\": 9}]}"),
            A1 ": intersection \"INT-A1\": stage 0 (phase 0 (one)): green: expected at least the minimum "
               "green of group "
               "0 (N-T), 9.000 s, got 8.000 s");
}

static void a_plan_that_leaves_a_movement_red_is_refused(void **state) {
    (void)state;
    refused(WITH(more, ", \"plan\": {\"stages\": [{\"phase\": \"one\", \"green_sec\": 9}]}"),
            A1 ": intersection \"INT-A1\": movement \"W-T\": expected it green in a stage of the plan, got "
               "it in none");
    refused(WITH(more,
                 ", \"plan\": {\"stages\": [{\"phase\": \"one\", \"green_sec\": 90}, {\"phase\": \"two\", "
                 "\"green_sec\": 9}]}"),
            A1 ": intersection \"INT-A1\": movement \"W-T\": expected a plan that keeps it red for at most "
               "its maximum "
               "of 90 s, got 94");
}

static void an_unknown_member_is_refused_with_the_nearest(void **state) {
    (void)state;
    refused(WITH(movements, "[{\"id\": \"N-T\", \"approach\": \"N\", \"min_green_se\": 9}]"),
            A1 "/movements/0: intersection \"INT-A1\": unknown member \"min_green_se\"; did you mean "
               "\"min_green_sec\"?");
    refused(WITH(more, ", \"policy\": 3"),
            A1 "/policy: intersection \"INT-A1\": expected \"fixed\" or \"rules\" or \"actuated\" or "
               "\"max-pressure\" or \"planner\", got 3");
    refused(WITH(more, ", \"policy\": \"plan\""),
            A1 "/policy: intersection \"INT-A1\": expected \"fixed\" or \"rules\" or \"actuated\" or "
               "\"max-pressure\" or \"planner\", got \"plan\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_described_intersection_is_its_groups_phases_and_lanes),
        cmocka_unit_test(names_are_kept_beside_the_numbers),
        cmocka_unit_test(links_lead_to_the_neighbours),
        cmocka_unit_test(the_lanes_that_a_movement_leads_to_are_those_from_here_or_as_given),
        cmocka_unit_test(an_intersection_without_movements_is_two_streets),
        cmocka_unit_test(two_streets_may_have_times_and_a_plan_of_their_own),
        cmocka_unit_test(times_are_the_intersections_or_the_movements_own),
        cmocka_unit_test(a_plan_that_is_left_out_gives_each_phase_what_the_maximum_red_affords),
        cmocka_unit_test(the_example_of_eight_phases_is_read),
        cmocka_unit_test(ten_thousand_intersections_that_are_alike_cost_one),
        cmocka_unit_test(descriptions_that_say_the_same_are_one),
        cmocka_unit_test(a_sensor_of_a_lane_watches_its_approach_and_direction),
        cmocka_unit_test(a_camera_sees_no_further_than_its_lane_goes),
        cmocka_unit_test(a_sensor_that_watches_what_there_is_not_is_refused),
        cmocka_unit_test(a_sensor_that_contradicts_itself_is_refused),
        cmocka_unit_test(a_lane_has_one_camera_and_one_upstream_loop),
        cmocka_unit_test(parts_without_movements_are_refused),
        cmocka_unit_test(a_missing_approach_is_refused),
        cmocka_unit_test(an_approach_without_lanes_is_refused),
        cmocka_unit_test(an_approach_without_a_direction_is_refused),
        cmocka_unit_test(a_lane_of_movements_of_another_approach_is_refused),
        cmocka_unit_test(a_movement_that_no_lane_leads_to_is_refused),
        cmocka_unit_test(parts_of_one_name_are_refused),
        cmocka_unit_test(links_to_nowhere_are_refused),
        cmocka_unit_test(a_conflict_that_is_none_is_refused),
        cmocka_unit_test(conflicts_may_be_none_but_not_forgotten),
        cmocka_unit_test(a_phase_of_conflicting_movements_is_refused),
        cmocka_unit_test(a_movement_in_no_phase_is_refused),
        cmocka_unit_test(a_phase_that_is_none_is_refused),
        cmocka_unit_test(a_time_below_its_floor_is_refused),
        cmocka_unit_test(times_without_room_for_each_other_are_refused),
        cmocka_unit_test(a_stage_of_what_there_is_not_is_refused),
        cmocka_unit_test(a_green_shorter_than_its_movements_minimum_is_refused),
        cmocka_unit_test(a_plan_that_leaves_a_movement_red_is_refused),
        cmocka_unit_test(an_unknown_member_is_refused_with_the_nearest),
    };
    return cmocka_run_group_tests_name("city-signals", tests, NULL, NULL);
}
