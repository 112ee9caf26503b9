/* Writes a manual page's source to standard output. A line `@SETTINGS@` becomes the reference of all
 * settings, from the table that the services parse with; a line `@NAME@` becomes the file NAME.scdi beside
 * the page, for what several pages say. A tool of the build. */
#include "settings/settings.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The NAME of a line `@NAME@`, written into `line`; NULL when it is another line. */
static const char *directive(char *line) {
    size_t size = strcspn(line, "\n");
    if (size < 3 || line[0] != '@' || line[size - 1] != '@')
        return NULL;
    line[size - 1] = '\0';
    return line + 1;
}

static int expand(const char *path, const char *directory) {
    char line[1024], part[PATH_MAX];
    int r = 0;
    FILE *page = fopen(path, "re");
    if (!page) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    while (r == 0 && fgets(line, sizeof line, page)) {
        const char *name = directive(line);
        if (!name) {
            (void)fputs(line, stdout);
        } else if (strcmp(name, "SETTINGS") == 0) {
            settings_print_manual(stdout);
        } else {
            (void)snprintf(part, sizeof part, "%s/%s.scdi", directory, name);
            r = expand(part, directory);
        }
    }
    (void)fclose(page);
    return r;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "Usage: expand-page PAGE\n");
        return EXIT_FAILURE;
    }
    char *copy = strdup(argv[1]);
    if (!copy || expand(argv[1], dirname(copy)) < 0 || fflush(stdout) != 0)
        return EXIT_FAILURE;
    free(copy);
    return EXIT_SUCCESS;
}
