/* A handful of rings, searched one after the other; the one used longest ago makes room. */
#include "store/spool-pages.h"

int spool_pages_init(SpoolPages *pages, unsigned n_pages) {
    int r = 0;
    for (; r >= 0 && pages->n_pages < n_pages; pages->n_pages++)
        r = frame_ring_new(&pages->pages[pages->n_pages].frames);
    return r;
}

void spool_pages_done(SpoolPages *pages) {
    for (unsigned i = 0; i < pages->n_pages; i++)
        frame_ring_free(pages->pages[i].frames);
    pages->n_pages = 0;
}

const char *spool_pages_at(SpoolPages *pages, uint64_t position, size_t *ret_size) {
    for (unsigned i = 0; i < pages->n_pages; i++) {
        const char *frame = frame_ring_at(pages->pages[i].frames, position, ret_size);
        if (!frame)
            continue;
        pages->pages[i].used = ++pages->clock;
        return frame;
    }
    return NULL;
}

FrameRing *spool_pages_make_room(SpoolPages *pages) {
    SpoolPage *page = &pages->pages[0];
    for (unsigned i = 1; i < pages->n_pages; i++)
        if (pages->pages[i].used < page->used)
            page = &pages->pages[i];
    frame_ring_drop(page->frames, UINT64_MAX);
    return page->frames;
}
