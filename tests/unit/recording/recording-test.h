/* Files and recordings for the tests of this directory: each test works in a directory of its own that is
 * removed afterwards. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recording.h"

/* Path of a file in the test's directory; valid until the next but one call. */
const char *test_path(const char *name);

/* Writes a file there and returns its path. */
const char *test_file(const char *name, const void *bytes, size_t size);
const char *test_text(const char *name, const char *text);

/* The whole file; the caller frees it. */
char *read_whole(const char *path, size_t *ret_size);

int make_test_directory(void **state);
int remove_test_directory(void **state);
