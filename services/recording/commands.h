/* The commands of traffic-recording: from an argument vector to an exit status. */
#pragma once

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct Command {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is "traffic-recording NAME" */
} Command;

int convert_command(int argc, char **argv);
int info_command(int argc, char **argv);
int check_command(int argc, char **argv);
