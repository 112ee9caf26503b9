#include "recording-test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[64];

const char *test_path(const char *name) {
    static char paths[2][512];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *test_file(const char *name, const void *bytes, size_t size) {
    const char *path = test_path(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *test_text(const char *name, const char *text) {
    return test_file(name, text, strlen(text));
}

char *read_whole(const char *path, size_t *ret_size) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *ret_size = fread(bytes, 1, (1 << 20) - 1, file);
    bytes[*ret_size] = '\0';
    fclose(file);
    return bytes;
}

int make_test_directory(void **state) {
    (void)state;
    strcpy(directory, "/tmp/recording-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

int remove_test_directory(void **state) {
    (void)state;
    DIR *all = opendir(directory);
    for (struct dirent *entry = all ? readdir(all) : NULL; entry; entry = readdir(all))
        if (entry->d_name[0] != '.')
            unlink(test_path(entry->d_name));
    closedir(all);
    return rmdir(directory);
}
