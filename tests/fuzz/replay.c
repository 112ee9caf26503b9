/* Runs a fuzz target over a committed corpus without libFuzzer, so that every build on every compiler replays
 * it: each file, and each prefix of the shorter ones, from a heap block of exactly that size (a sanitizer
 * then sees every byte read too far). */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

enum { INPUT_MAX_BYTES = 2 * 1024 * 1024, PREFIXED_MAX_BYTES = 2048 };

static void run(const char *bytes, size_t size) {
    char *exact = malloc(size ? size : 1);
    promise(exact);
    memcpy(exact, bytes, size);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)exact, size);
    free(exact);
}

static int replay_file(const char *path, char *buffer) {
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t size = fread(buffer, 1, INPUT_MAX_BYTES, file);
    fclose(file);
    run(buffer, size);
    for (size_t prefix = 0; size <= PREFIXED_MAX_BYTES && prefix < size; prefix++)
        run(buffer, prefix);
    return 0;
}

/* The number of files replayed, or -1. */
static int replay_directory(const char *path, char *buffer) {
    DIR *directory = opendir(path);
    int n_files = 0;
    if (!directory) {
        fprintf(stderr, "%s: expected a corpus directory: %s\n", path, strerror(errno));
        return -1;
    }
    for (struct dirent *entry; n_files >= 0 && (entry = readdir(directory));) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        n_files = replay_file(file, buffer) < 0 ? -1 : n_files + 1;
    }
    closedir(directory);
    return n_files;
}

int main(int argc, char **argv) {
    char *buffer = malloc(INPUT_MAX_BYTES);
    int n_files = buffer && argc == 2 ? replay_directory(argv[1], buffer) : -1;
    free(buffer);
    printf("%d inputs replayed\n", n_files);
    return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
