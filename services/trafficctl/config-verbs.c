/* config cat: every setting and where it came from. config check: the same files and the city, checked, and
 * every link tried. */
#include "verbs.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REACH_TIMEOUT_MSEC = 1000 };

/* 0 when somebody accepts connections at host:port, else the negative errno of the attempt. */
static int reach(const char *host, uint16_t port) {
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    char service[8];
    int error = 0;
    socklen_t size = sizeof error;

    (void)snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &addresses) != 0)
        return -EHOSTUNREACH;
    int fd = socket(addresses->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, addresses->ai_addr, addresses->ai_addrlen) < 0 && errno != EINPROGRESS))
        error = errno;
    freeaddrinfo(addresses);
    if (!error) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        int n = poll(&ready, 1, REACH_TIMEOUT_MSEC);
        if (n == 0)
            error = ETIMEDOUT;
        else if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
    }
    if (fd >= 0)
        close(fd);
    return -error;
}

static ExitStatus check_links(Context *context) {
    static const Column columns[] = {{"LINK", "/link"},
                                     {"MACHINE", "/machine"},
                                     {"PORT", "/port"},
                                     {"SERVICE", "/service"},
                                     {"REACHED", "/reached"}};
    const Settings *settings = context->settings;
    const char *const hosts[] = {"", settings->pc1, settings->pc2, settings->pc3};
    struct json_object *rows = json_object_new_array();
    unsigned n_unreached = 0;

    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        const Endpoint *endpoint = &endpoints[i];
        int r = reach(hosts[endpoint->machine], endpoint->port);
        char machine[300];
        struct json_object *row = json_object_new_object();
        (void)snprintf(machine, sizeof machine, "pc%u (%s)", endpoint->machine, hosts[endpoint->machine]);
        json_object_object_add(row, "link", json_object_new_string(endpoint->name));
        json_object_object_add(row, "machine", json_object_new_string(machine));
        json_object_object_add(row, "port", json_object_new_int(endpoint->port));
        json_object_object_add(row, "service", json_object_new_string(endpoint->binder));
        json_object_object_add(row, "reached", json_object_new_string(r == 0 ? "yes" : strerror(-r)));
        json_object_array_add(rows, row);
        n_unreached += r != 0;
    }
    OutputFormat format = context->request->format;
    if (format == OUTPUT_JSON)
        output_json(stdout, rows);
    else if (output_rows(stdout, format, rows, columns, ARRAY_LEN(columns)) < 0)
        n_unreached++;
    json_object_put(rows);
    if (n_unreached)
        problem_set(
            &context->problem, 0,
            "%u of %d links cannot be reached: start their services, or correct [network] in traffic.conf",
            n_unreached, ENDPOINT_COUNT);
    return n_unreached ? EXIT_UNREACHABLE : EXIT_OK;
}

ExitStatus verb_config(Context *context) {
    const char *what = context->request->arguments[0];
    if (strcmp(what, "cat") == 0) {
        if (context->request->format != OUTPUT_TABLE) {
            problem_set(&context->problem, 0, "config cat has one form: --json and --csv do not go with it");
            return EXIT_USAGE_ERROR;
        }
        settings_print_origins(stdout, context->settings, context->origins);
        return EXIT_OK;
    }
    if (strcmp(what, "check") != 0) {
        problem_set(&context->problem, 0, "expected: config check, or config cat");
        return EXIT_USAGE_ERROR;
    }
    scoped(city_freep) City *city = NULL;
    CityDefaults defaults = city_defaults(context->settings);
    if (city_load(context->settings->city_file, &defaults, &city, &context->problem) < 0)
        return EXIT_FAILED;
    fprintf(stderr, "settings: ok\ncity: ok, %s: %zu intersections, %zu cameras, %zu loops, %zu GPS (%s)\n",
            city->name, city->n_intersections, city->n_sensors[SENSOR_CAMERA],
            city->n_sensors[SENSOR_INDUCTIVE], city->n_sensors[SENSOR_GPS], context->settings->city_file);
    return check_links(context);
}
