/* trafficctl: the operator's command line. One verb, or a prompt that takes the same verbs. */
#include "command-line.h"
#include "prompt.h"
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(const Problem *problem) {
    fprintf(stderr, "trafficctl: %s\n", problem->text);
    return EXIT_FAILED;
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
        return fail(&problem);
    if (client_new(&settings, line.request.host, line.request.timeout_sec, &client, &problem) < 0)
        return fail(&problem);

    Context context = {.settings = &settings, .origins = origins, .request = &line.request, .client = client};
    if (line.request.verb)
        return (int)watch_run(&context, false);
    CityDefaults defaults = city_defaults(&settings);
    if (city_load(settings.city_file, &defaults, &city, &problem) < 0)
        fprintf(stderr, "trafficctl: no completion of intersections: %s\n", problem.text);
    return (int)prompt_run(&context, city);
}
