/* traffic-recording: makes, describes and checks recordings of traffic. */
#include "commands.h"

#include "base/macro.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

static const Command commands[] = {
    {"convert", "make a recording from published detector data", convert_command},
    {"info", "say what is in a recording", info_command},
    {"check", "check every line of a recording", check_command},
};

static void print_usage(FILE *out) {
    fprintf(out, "Usage: traffic-recording COMMAND [OPTION...] FILE...\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\ntraffic-recording COMMAND --help tells more; so does traffic-recording(1).\n");
}

static int usage_error(const char *name) {
    if (name)
        fprintf(stderr, "traffic-recording: unknown command \"%s\"\n\n", name);
    print_usage(stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv) {
    argp_err_exit_status = EXIT_USAGE;
    if (argc < 2)
        return usage_error(NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("traffic-recording %s\n", PROJECT_VERSION);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            char name[64];
            (void)snprintf(name, sizeof name, "traffic-recording %s", commands[i].name);
            argv[1] = name; /* what argp puts before its messages */
            return commands[i].run(argc - 1, argv + 1);
        }
    return usage_error(argv[1]);
}
