/* Writes a manual page's source to standard output, with the line @SETTINGS@ replaced by the reference of all
 * settings. A tool of the build: the page and the parser come from the same table. */
#include "settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    FILE *page = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!page) {
        (void)fprintf(stderr, "Usage: expand-settings PAGE\n");
        return EXIT_FAILURE;
    }
    char line[1024];
    while (fgets(line, sizeof line, page)) {
        if (strcmp(line, "@SETTINGS@\n") == 0)
            settings_print_manual(stdout);
        else
            (void)fputs(line, stdout);
    }
    bool is_good = !ferror(page) && fflush(stdout) == 0;
    (void)fclose(page);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
