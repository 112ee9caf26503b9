/* A scratch directory that stands for the root of a machine, for tests that read files. */
#pragma once

#include "base/macro.h"

typedef struct Scratch {
    char root[64];
} Scratch;

/* An empty directory of its own. */
Scratch scratch_new(void);

/* Writes `text` into root/path and makes the directories on the way. */
void scratch_write(const Scratch *scratch, const char *path, const char *text);
void scratch_write_bytes(const Scratch *scratch, const char *path, const void *bytes, size_t size);

/* Removes it with all it holds. */
void scratch_clear(Scratch *scratch);
