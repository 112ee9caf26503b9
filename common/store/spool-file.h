/* The file of a spool: its statements, each a page of rows or less, and what it holds when it is opened.
 * Knows transactions as begin and commit; what belongs into one is spool.c's. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "store/frame-ring.h"
#include "store/spool.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SpoolFile SpoolFile;

/* What the file holds. Rows first..last, none when first is last + 1. */
typedef struct SpoolHead {
    uint64_t stream, first, last;
    uint64_t odometer_before, odometer; /* bytes of all frames before the first row, and to the last */
    uint64_t acknowledged[SPOOL_READERS_MAX];
} SpoolHead;

/* Opens, checks every row, and makes the table of readers that of `readers` (at most SPOOL_READERS_MAX). 0,
 * or as db_open(). Cost: two passes over the file. */
int spool_file_open(const char *path, const char *const *readers, SpoolFile **ret, SpoolHead *ret_head,
                    Problem *problem);
SpoolFile *spool_file_free(SpoolFile *file);
DEFINE_FREEP(SpoolFile, spool_file_free)

sqlite3 *spool_file_db(SpoolFile *file);

/* All of the following: 0 or db_error(), and then the caller rolls back. */
int spool_file_begin(SpoolFile *file, Problem *problem);
int spool_file_commit(SpoolFile *file, Problem *problem);
void spool_file_rollback(SpoolFile *file); /* after any failure of the transaction */

int spool_file_insert(SpoolFile *file, uint64_t position, uint64_t odometer, const void *frame, size_t size,
                      Problem *problem);
/* The odometer of the row at `position`. -EUCLEAN when it has no row. */
int spool_file_odometer(SpoolFile *file, uint64_t position, uint64_t *ret, Problem *problem);
int spool_file_delete(SpoolFile *file, uint64_t until, Problem *problem); /* everything up to `until` */
int spool_file_save_head(SpoolFile *file, uint64_t stream, uint64_t last, Problem *problem);
int spool_file_save_reader(SpoolFile *file, const char *name, uint64_t acknowledged, Problem *problem);

/* Pushes the frames from `position` on to `page`, which is empty: at least one, at most `n_max`, fewer when
 * they are large. -EUCLEAN when a row is missing or not what was written, -ENOMEM. */
int spool_file_read(SpoolFile *file, uint64_t position, size_t n_max, FrameRing *page, Problem *problem);

/* What stands beside each frame, to know it again. */
uint32_t spool_checksum(const void *frame, size_t size);
