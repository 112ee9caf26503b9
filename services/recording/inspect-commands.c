/* The commands that only read: info and check. */
#include "commands.h"
#include "summary.h"

#include <argp.h>
#include <stdbool.h>

typedef struct InspectOptions {
    const char *path, *city_file;
    bool hours, json;
} InspectOptions;

static error_t parse_option(int key, char *value, struct argp_state *state) {
    InspectOptions *into = state->input;
    switch (key) {
    case 'H':
        into->hours = true;
        return 0;
    case 'j':
        into->json = true;
        return 0;
    case 'c':
        into->city_file = value;
        return 0;
    case ARGP_KEY_ARG:
        if (into->path)
            argp_error(state, "expected one file, got \"%s\" and \"%s\"", into->path, value);
        into->path = value;
        return 0;
    case ARGP_KEY_END:
        if (!into->path)
            argp_error(state, "expected a file");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int failed(const char *name, const Problem *problem) {
    fprintf(stderr, "%s: %s\n", name, problem->text);
    return EXIT_FAILED;
}

int info_command(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"hours", 'H', NULL, 0, "Sums of every hour, as comma-separated values", 1},
        {"json", 'j', NULL, 0, "Everything as JSON", 1},
        {0},
    };
    static const struct argp parser = {.options = options,
                                       .parser = parse_option,
                                       .args_doc = "FILE",
                                       .doc = "Says what is in a recording."};
    InspectOptions asked = {0};
    Problem problem = {.text = "out of memory"};
    scoped(summary_clear) Summary summary = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &asked);
    if (summary_read(asked.path, NULL, stderr, &summary, &problem) < 0)
        return failed(argv[0], &problem);
    if (asked.json)
        summary_print_json(&summary, asked.path, asked.hours, stdout);
    else if (asked.hours)
        summary_print_hours_csv(&summary, stdout);
    else
        summary_print_text(&summary, asked.path, stdout);
    return 0;
}

int check_command(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"city", 'c', "FILE", 0, "Check also that this city has every sensor", 1},
        {0},
    };
    static const struct argp parser = {.options = options,
                                       .parser = parse_option,
                                       .args_doc = "FILE",
                                       .doc = "Checks every line of a recording. What is wrong is named with "
                                              "its line; the exit status is 1 then."};
    InspectOptions asked = {0};
    Problem problem = {.text = "out of memory"};
    scoped(city_freep) City *city = NULL;
    scoped(summary_clear) Summary summary = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &asked);
    if (asked.city_file && city_load(asked.city_file, NULL, &city, &problem) < 0)
        return failed(argv[0], &problem);
    if (summary_read(asked.path, city, stdout, &summary, &problem) < 0)
        return failed(argv[0], &problem);
    bool are_true = summary_counts_are_true(&summary, asked.path, stdout);
    if (summary.n_refused > 0 || !are_true)
        return EXIT_FAILED;
    printf("%s: good\n", asked.path);
    return 0;
}
