/* From a command line to a running Service: options, settings, city, and what --check and the --print options
 * say. Knows no socket and no clock; runtime.c does.
 *
 * Whatever is wrong with the configuration ends with status 78, which the units do not restart: a restart
 * would not help, and the sentence in the journal stays the last one. */
#include "shell/service.h"

#include "shell/journal.h"
#include "shell/runtime.h"
#include "wire/endpoints.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { OVERRIDES_MAX = 64, ORIGIN_FILES_MAX = 16 };

typedef enum Action {
    ACTION_RUN,
    ACTION_CHECK,
    ACTION_PRINT_SETTINGS,
    ACTION_PRINT_ENDPOINTS,
    ACTION_VERSION
} Action;

typedef struct CommandLine {
    const ServiceSpec *spec;
    Action action;
    const char *instance;
    const char *config;
    const char *overrides[OVERRIDES_MAX];
    size_t n_overrides;
    const char *state_dir;
    const char *runtime_dir;
    Mono begun;
} CommandLine;

enum {
    OPTION_CONFIG = 'c',
    OPTION_SET = 's',
    OPTION_VERSION = 'V',
    OPTION_STATE_DIR = 256,
    OPTION_RUNTIME_DIR,
    OPTION_CHECK,
    OPTION_PRINT_SETTINGS,
    OPTION_PRINT_ENDPOINTS
};

static const struct argp_option options[] = {
    {"config", OPTION_CONFIG, "FILE", 0,
     "Read this file (and FILE.d/*.conf) instead of /etc/traffic/traffic.conf", 0},
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "Override one setting; may be given again", 0},
    {"state-dir", OPTION_STATE_DIR, "DIR", 0,
     "Keep state here (default: what systemd says in STATE_DIRECTORY)", 0},
    {"runtime-dir", OPTION_RUNTIME_DIR, "DIR", 0, "Sockets and metrics (default: /run/traffic)", 0},
    {"check", OPTION_CHECK, NULL, 0, "Check the whole configuration, say what was checked, and exit", 0},
    {"print-settings", OPTION_PRINT_SETTINGS, NULL, 0, "Print every setting as it would be used, and exit",
     0},
    {"print-endpoints", OPTION_PRINT_ENDPOINTS, NULL, 0, "Print every link of the city, and exit", 0},
    {"version", OPTION_VERSION, NULL, 0, "Print the version, and exit", 0},
    {0},
};

/* Whether `word` is one of "camera|inductive|gps". */
static bool is_instance(const char *instances, const char *word) {
    size_t size = strlen(word);
    for (const char *at = instances; *at; at += strcspn(at, "|"), at += *at == '|')
        if (strcspn(at, "|") == size && strncmp(at, word, size) == 0)
            return size > 0;
    return false;
}

static void take_instance(CommandLine *line, const char *word, struct argp_state *state) {
    if (!line->spec->instances)
        argp_error(state, "expected no argument, got \"%s\"", word);
    else if (line->instance)
        argp_error(state, "expected one of %s, got a second argument \"%s\"", line->spec->instances, word);
    else if (!is_instance(line->spec->instances, word))
        argp_error(state, "expected one of %s, got \"%s\"", line->spec->instances, word);
    line->instance = word;
}

static void take_override(CommandLine *line, const char *text, struct argp_state *state) {
    if (line->n_overrides == OVERRIDES_MAX)
        argp_error(state, "expected at most %d times --set", OVERRIDES_MAX);
    else
        line->overrides[line->n_overrides++] = text;
}

static bool needs_instance(const CommandLine *line) {
    return line->spec->instances && (line->action == ACTION_RUN || line->action == ACTION_CHECK);
}

static error_t on_option(int key, char *argument, struct argp_state *state) {
    CommandLine *line = state->input;

    switch (key) {
    case OPTION_CONFIG:
        line->config = argument;
        return 0;
    case OPTION_SET:
        take_override(line, argument, state);
        return 0;
    case OPTION_STATE_DIR:
        line->state_dir = argument;
        return 0;
    case OPTION_RUNTIME_DIR:
        line->runtime_dir = argument;
        return 0;
    case OPTION_CHECK:
    case OPTION_PRINT_SETTINGS:
    case OPTION_PRINT_ENDPOINTS:
        line->action = ACTION_CHECK + (Action)(key - OPTION_CHECK);
        return 0;
    case OPTION_VERSION:
        line->action = ACTION_VERSION;
        return 0;
    case ARGP_KEY_ARG:
        take_instance(line, argument, state);
        return 0;
    case ARGP_KEY_END:
        if (!line->instance && needs_instance(line))
            argp_error(state, "expected one of %s", line->spec->instances);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- configuration --- */

typedef struct Configuration {
    Settings settings;
    SettingOrigin *origins;
    City *city;
} Configuration;

static void configuration_clear(Configuration *configuration) {
    free(configuration->origins);
    city_free(configuration->city);
}

/* A file that is missing or wrong stays so until somebody changes it; memory and disks may recover by
 * themselves. */
static int configuration_status(int error) {
    return error == -ENOMEM || error == -EIO ? EXIT_FAILURE : EX_CONFIG;
}

static int load_settings(const CommandLine *line, Configuration *configuration, Problem *problem) {
    const SettingsSource source = {
        .file = line->config, .overrides = line->overrides, .n_overrides = line->n_overrides};
    configuration->origins = calloc(settings_count() + 1, sizeof *configuration->origins);
    if (!configuration->origins)
        return problem_set(problem, -ENOMEM, "out of memory");
    return settings_load(&source, &configuration->settings, configuration->origins, problem);
}

static int load_configuration(const CommandLine *line, Configuration *configuration, Problem *problem) {
    int r = load_settings(line, configuration, problem);
    if (r < 0)
        return r;
    CityDefaults defaults = city_defaults(&configuration->settings);
    return city_load(configuration->settings.city_file, &defaults, &configuration->city, problem);
}

/* systemd lists several directories with colons between; the first is the service's own. */
static char *find_state_dir(const CommandLine *line) {
    const char *directory = line->state_dir ? line->state_dir : getenv("STATE_DIRECTORY");
    if (!directory || !*directory)
        return NULL;
    char *copy = strdup(directory);
    if (copy && !line->state_dir)
        copy[strcspn(copy, ":")] = '\0';
    for (size_t size = copy ? strlen(copy) : 0; size > 1 && copy[size - 1] == '/'; size--)
        copy[size - 1] = '\0';
    return copy;
}

/* --- --check --- */

/* "settings: 45: 3 from /etc/traffic/traffic.conf, the others built in" */
static void print_origins(const Configuration *configuration) {
    size_t n = settings_count(), n_built_in = 0;
    const SettingOrigin *origins = configuration->origins;

    printf("  settings    %zu values are within their ranges and agree with each other\n", n);
    for (size_t i = 0; i < n; i++) {
        size_t n_same = 0;
        bool is_first = true;
        for (size_t j = 0; j < n; j++) {
            bool is_same = strcmp(origins[i].file, origins[j].file) == 0;
            n_same += is_same;
            is_first &= !(is_same && j < i);
        }
        if (!origins[i].file[0])
            n_built_in++;
        else if (is_first)
            printf("              %zu from %s\n", n_same, origins[i].file);
    }
    printf("              %zu built in\n", n_built_in);
}

static void print_city(const Configuration *configuration) {
    const City *city = configuration->city;
    printf("  city        %s: \"%s\", %zu intersections", configuration->settings.city_file, city->name,
           city->n_intersections);
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        printf(", %zu %s", city->n_sensors[kind], sensor_kind_words[kind]);
    printf(" sensors\n");
}

static void print_links(const char *full_name) {
    for (size_t i = 0; i < ENDPOINT_COUNT; i++)
        if (strcmp(endpoints[i].binder, full_name) == 0)
            printf("  link        %s on TCP port %u: %s\n", endpoints[i].name, endpoints[i].port,
                   endpoints[i].purpose);
}

static int check(const CommandLine *line, const Configuration *configuration, const char *state_dir) {
    char full_name[64];
    snprintf(full_name, sizeof full_name, "%s%s%s", line->spec->name, line->instance ? "@" : "",
             line->instance ? line->instance : "");

    if (state_dir && access(state_dir, R_OK | W_OK | X_OK) < 0) {
        journal_note(LOG_ERR, "state directory %s: expected one that %s can write: %s", state_dir, full_name,
                     strerror(errno));
        return EX_CONFIG;
    }
    printf("%s: the configuration is good\n", full_name);
    print_origins(configuration);
    print_city(configuration);
    print_links(full_name);
    if (state_dir)
        printf("  state       %s is writable\n", state_dir);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
}

/* --- main --- */

static int run(const CommandLine *line, const Configuration *configuration, const char *state_dir) {
    Problem problem = {""};
    const ServiceOptions service_options = {.name = line->spec->name,
                                            .instance = line->instance,
                                            .settings = &configuration->settings,
                                            .city = configuration->city,
                                            .state_dir = state_dir,
                                            .runtime_dir = line->runtime_dir,
                                            .begun = line->begun};
    scoped(service_freep) Service *service = NULL;
    int r = service_new(&service_options, &service, &problem);
    if (r < 0) {
        journal_note(LOG_ERR, "%s cannot start: %s", line->spec->name, problem.text);
        return r == -EINVAL ? EX_CONFIG : EXIT_FAILURE;
    }
    return service_run(service, line->spec);
}

static int act(const CommandLine *line) {
    Problem problem = {""};
    scoped(configuration_clear) Configuration configuration = {0};

    int r = line->action == ACTION_PRINT_SETTINGS ? load_settings(line, &configuration, &problem)
                                                  : load_configuration(line, &configuration, &problem);
    if (r < 0) {
        journal_note(LOG_ERR, "%s: configuration refused: %s", line->spec->name, problem.text);
        return configuration_status(r);
    }
    if (line->action == ACTION_PRINT_SETTINGS) {
        settings_print(stdout, &configuration.settings);
        return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
    }

    char *state_dir = find_state_dir(line);
    int status = line->action == ACTION_CHECK ? check(line, &configuration, state_dir)
                                              : run(line, &configuration, state_dir);
    free(state_dir);
    return status;
}

int service_main(const ServiceSpec *spec, int argc, char **argv) {
    CommandLine line = {.spec = spec, .begun = service_clock()};
    const struct argp parser = {
        .options = options, .parser = on_option, .args_doc = spec->instances, .doc = spec->summary};
    error_t error = argp_parse(&parser, argc, argv, 0, NULL, &line);
    if (error)
        return EXIT_FAILURE;

    switch (line.action) {
    case ACTION_VERSION:
        printf("%s %s\n", spec->name, PROJECT_VERSION);
        return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
    case ACTION_PRINT_ENDPOINTS:
        endpoints_print(stdout);
        return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
    default:
        return act(&line);
    }
}
