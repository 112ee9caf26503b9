/* What the tests of the spool share: one that is open in a directory of its own, and frames that say at which
 * position they belong. */
#pragma once

#include "store-testing.h"

#include "store/spool.h"

extern const char *const one_reader[];  /* "analytics" */
extern const char *const two_readers[]; /* "primary", "replica" */

typedef struct SpoolFixture {
    TestFile *file; /* NULL on a disk of power-cut-vfs.h */
    char path[96];
    const char *const *readers;
    SpoolLimits limits; /* a MiB on disk, and as much in memory */
    Spool *spool;
    Problem problem;
} SpoolFixture;

int spool_setup(void **state); /* one reader */
int spool_setup_two_readers(void **state);
int spool_teardown(void **state);

void open_spool(SpoolFixture *fixture);
void restart(SpoolFixture *fixture);

/* The frame that belongs to a position; its size. */
size_t frame_at(uint64_t position, char ret[static 64]);

void append(SpoolFixture *fixture, int n);
int commit(SpoolFixture *fixture);
void append_and_commit(SpoolFixture *fixture, int n);

void assert_readable(SpoolFixture *fixture, uint64_t first, uint64_t last);
void assert_not_readable(SpoolFixture *fixture, uint64_t position);

/* As another connection sees the file. */
int64_t in_file(SpoolFixture *fixture, const char *sql);
int64_t rows_in_file(SpoolFixture *fixture);

Hop hop_at(uint64_t position); /* of a writer that begins with 1 */
