/* The link table against itself and against the socket units that systemd opens its ports with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/endpoints.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Unit {
    char listen[128], name[64], service[64];
} Unit;

static void take_value(const char *line, const char *key, char *ret, size_t size) {
    size_t length = strlen(key);
    if (strncmp(line, key, length) == 0)
        snprintf(ret, size, "%.*s", (int)strcspn(line + length, "\n"), line + length);
}

static Unit unit_read(const char *path) {
    Unit unit = {.listen = ""};
    char line[256];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        take_value(line, "ListenStream=", unit.listen, sizeof unit.listen);
        take_value(line, "FileDescriptorName=", unit.name, sizeof unit.name);
        take_value(line, "Service=", unit.service, sizeof unit.service);
    }
    fclose(file);
    return unit;
}

static const Endpoint *find(const char *name) {
    for (size_t i = 0; i < ENDPOINT_COUNT; i++)
        if (strcmp(endpoints[i].name, name) == 0)
            return &endpoints[i];
    return NULL;
}

/* "5555", "0.0.0.0:5555" and "[::]:5555" all listen on 5555. */
static unsigned listen_port(const char *listen) {
    const char *colon = strrchr(listen, ':');
    return (unsigned)strtoul(colon ? colon + 1 : listen, NULL, 10);
}

static glob_t socket_units(void) {
    glob_t found;
    assert_int_equal(glob(SYSTEMD_DIR "/*.socket", 0, NULL, &found), 0);
    return found;
}

static void every_socket_unit_listens_where_the_table_says(void **state) {
    (void)state;
    glob_t units = socket_units();
    for (size_t i = 0; i < units.gl_pathc; i++) {
        Unit unit = unit_read(units.gl_pathv[i]);
        if (!*unit.listen) /* a relay: no link of the city, a local door into one sensor process */
            continue;
        const Endpoint *e = find(unit.name);
        if (!e)
            fail_msg("%s: FileDescriptorName=%s is no link of endpoints.def", units.gl_pathv[i], unit.name);
        if (listen_port(unit.listen) != e->port)
            fail_msg("%s: ListenStream=%s, endpoints.def says %u", units.gl_pathv[i], unit.listen,
                     (unsigned)e->port);
        char service[80];
        snprintf(service, sizeof service, "%s.service", e->binder);
        assert_string_equal(unit.service, service);
    }
    globfree(&units);
}

static void every_link_has_exactly_one_socket_unit(void **state) {
    (void)state;
    glob_t units = socket_units();
    for (size_t e = 0; e < ENDPOINT_COUNT; e++) {
        unsigned n_units = 0;
        for (size_t i = 0; i < units.gl_pathc; i++) {
            Unit unit = unit_read(units.gl_pathv[i]);
            n_units += strcmp(unit.name, endpoints[e].name) == 0;
        }
        if (n_units != 1)
            fail_msg("%s: expected one socket unit, found %u", endpoints[e].name, n_units);
    }
    globfree(&units);
}

static void names_and_ports_are_unique(void **state) {
    (void)state;
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        assert_ptr_equal(find(endpoints[i].name), &endpoints[i]);
        for (size_t j = i + 1; j < ENDPOINT_COUNT; j++)
            assert_int_not_equal(endpoints[i].port, endpoints[j].port);
    }
}

static void both_ends_of_a_link_speak_patterns_that_fit(void **state) {
    (void)state;
    static const WirePattern partner[] = {
        [WIRE_XPUB] = WIRE_SUB, [WIRE_PULL] = WIRE_PUSH, [WIRE_ROUTER] = WIRE_DEALER};
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        const Endpoint *e = &endpoints[i];
        assert_true(e->bind_pattern == WIRE_XPUB || e->bind_pattern == WIRE_PULL ||
                    e->bind_pattern == WIRE_ROUTER);
        assert_int_equal(e->connect_pattern, partner[e->bind_pattern]);
    }
}

static void ports_of_the_first_implementation_are_kept(void **state) {
    (void)state;
    static const struct {
        EndpointId id;
        uint16_t port;
    } kept[] = {
        {ENDPOINT_SENSOR_CAMERA, 5555}, {ENDPOINT_SENSOR_INDUCTIVE, 5556}, {ENDPOINT_SENSOR_GPS, 5557},
        {ENDPOINT_BROKER, 5560},        {ENDPOINT_QUERIES, 5561},          {ENDPOINT_SIGNAL_COMMANDS, 5562},
        {ENDPOINT_STORE_PRIMARY, 5563}, {ENDPOINT_STORE_REPLICA, 5564},    {ENDPOINT_HEALTH, 5565},
    };
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        assert_int_equal(endpoints[kept[i].id].port, kept[i].port);
}

static void printed_table_has_a_line_for_every_link(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0, n_lines = 0;
    FILE *out = open_memstream(&text, &size);
    endpoints_print(out);
    fclose(out);
    for (const char *c = text; *c; c++)
        n_lines += *c == '\n';
    assert_int_equal(n_lines, ENDPOINT_COUNT + 1);
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        char start[64];
        snprintf(start, sizeof start, "\n%-18s %u ", endpoints[i].name, (unsigned)endpoints[i].port);
        assert_non_null(strstr(text, start));
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_socket_unit_listens_where_the_table_says),
        cmocka_unit_test(every_link_has_exactly_one_socket_unit),
        cmocka_unit_test(names_and_ports_are_unique),
        cmocka_unit_test(both_ends_of_a_link_speak_patterns_that_fit),
        cmocka_unit_test(ports_of_the_first_implementation_are_kept),
        cmocka_unit_test(printed_table_has_a_line_for_every_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
