/* See files.h. Failures end the test at once: nothing here is under test. */
#include "files.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define must(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            perror(#condition);                                                                              \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

Scratch scratch_new(void) {
    Scratch scratch = {"/tmp/traffic-test-XXXXXX"};
    must(mkdtemp(scratch.root));
    return scratch;
}

void scratch_write_bytes(const Scratch *scratch, const char *path, const void *bytes, size_t size) {
    char full[512];
    (void)snprintf(full, sizeof full, "%s%s", scratch->root, path);
    for (char *slash = strchr(full + strlen(scratch->root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "we");
    must(file);
    must(fwrite(bytes, 1, size, file) == size);
    must(fclose(file) == 0);
}

void scratch_write(const Scratch *scratch, const char *path, const char *text) {
    scratch_write_bytes(scratch, path, text, strlen(text));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void scratch_clear(Scratch *scratch) {
    (void)nftw(scratch->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
