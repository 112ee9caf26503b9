/* trafficctl: the operator's command line. One verb, or a prompt that takes the same verbs. */
#include "command-line.h"
#include "prompt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static ExitStatus fail(const char *what, const Problem *problem, ExitStatus status) {
    fprintf(stderr, "trafficctl: %s%s\n", what, problem->text);
    return status;
}

/* Asks again and again until interrupted; on a terminal each answer replaces the last. */
static ExitStatus watch(Context *context) {
    struct timespec period = {.tv_sec = (time_t)context->request->watch_sec};
    period.tv_nsec = (long)((context->request->watch_sec - (double)period.tv_sec) * 1e9);
    for (;;) {
        if (isatty(STDOUT_FILENO))
            fputs("\033[H\033[2J", stdout);
        ExitStatus status = verb_run(context);
        fflush(stdout);
        if (status != EXIT_OK && status != EXIT_DEGRADED && status != EXIT_UNREACHABLE)
            return status;
        if (clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL) != 0)
            return status;
    }
}

static void origins_freep(SettingOrigin **origins) {
    free(*origins);
}

int main(int argc, char **argv) {
    CommandLine line;
    Settings settings;
    scoped(city_freep) City *city = NULL;
    scoped(client_freep) Client *client = NULL;
    Problem problem = {""};

    if (command_line_parse(argc, argv, false, &line) < 0)
        return EXIT_USAGE_ERROR;
    scoped(origins_freep) SettingOrigin *origins = calloc(settings_count(), sizeof *origins);
    if (!origins)
        return EXIT_FAILED;
    SettingsSource source = {
        .file = line.config_file, .overrides = line.overrides, .n_overrides = line.n_overrides};
    if (settings_load(&source, &settings, origins, &problem) < 0)
        return fail("", &problem, EXIT_FAILED);
    if (client_new(&settings, line.request.host, line.request.timeout_sec, &client, &problem) < 0)
        return fail("", &problem, EXIT_FAILED);

    Context context = {.settings = &settings, .origins = origins, .request = &line.request, .client = client};
    if (line.request.verb)
        return (int)(line.request.watch_sec > 0 ? watch(&context) : verb_run(&context));
    if (city_load(settings.city_file, &city, &problem) < 0)
        fprintf(stderr, "trafficctl: no completion of intersections: %s\n", problem.text);
    return (int)prompt_run(&context, city);
}
