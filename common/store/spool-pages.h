/* Frames that were read from a spool's file in advance, a page of rows at a time. As many pages as there are
 * readers, so that readers at different places do not throw out each other's. */
#pragma once

#include "store/frame-ring.h"
#include "store/spool.h"

typedef struct SpoolPage {
    FrameRing *frames;
    uint64_t used; /* when it was asked for last: a count of askings */
} SpoolPage;

typedef struct SpoolPages {
    SpoolPage pages[SPOOL_READERS_MAX];
    unsigned n_pages;
    uint64_t clock;
} SpoolPages;

int spool_pages_init(SpoolPages *pages, unsigned n_pages); /* of zeroed memory. 0 or -ENOMEM */
void spool_pages_done(SpoolPages *pages);

/* The frame at `position`, borrowed until the next call; NULL when no page has it. */
const char *spool_pages_at(SpoolPages *pages, uint64_t position, size_t *ret_size);

/* The page that was of no use for longest, emptied, to be filled. */
FrameRing *spool_pages_make_room(SpoolPages *pages);
