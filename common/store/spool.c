/* What a spool knows between two commits: how far the frames, the file and the readers are. Statements are
 * spool-file.c's, reading in advance spool-pages.c's, a damaged file spool-salvage.c's.
 *
 * Five positions, never out of this order:
 *
 *     first        the oldest row in the file
 *     oldest       the first that a reader still needs; rows before it go, a bounded number with each commit
 *     committed    the newest that may be read
 *     in_file      the newest row in the file. Behind `committed` only after a commit failed, the file was
 *                  opened anew, and what failed was found to be in it: then it must not be inserted twice
 *     last         the newest that was appended; what is behind `committed` is pending, and in memory */
#include "store/spool.h"

#include "store/frame-ring.h"
#include "store/intake-table.h"
#include "store/spool-file.h"
#include "store/spool-pages.h"
#include "store/spool-salvage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_ROWS = 512,
    DELETED_MAX = 20000,          /* rows in one commit: some 20 ms */
    DELETED_MAX_BYTES = 32 << 20, /* of frames in them: half a second when they are large, many pages each */
    NAME_SIZE = 64,
};

typedef struct SpoolReader {
    char name[NAME_SIZE];
    uint64_t acknowledged, saved; /* `saved` is what the file says */
} SpoolReader;

typedef struct SpoolLink {
    Intake *intake;
    IntakeTable *table;
} SpoolLink;

struct Spool {
    char *path;
    SpoolLimits limits;
    SpoolFile *file; /* NULL when reopening failed */

    SpoolReader readers[SPOOL_READERS_MAX];
    unsigned n_readers;
    SpoolLink links[SPOOL_LINKS_MAX];
    unsigned n_links;

    uint64_t stream, stream_in_file;
    uint64_t first, committed, in_file, last;
    uint64_t odometer_before, odometer; /* of the rows in the file, see SpoolHead */
    uint64_t bytes_to_insert;           /* of the frames behind in_file */

    FrameRing *recent; /* ends with `last`; holds everything pending, and what of the rest fits */
    SpoolPages pages;
};

/* --- opening --- */

static int set_readers(Spool *spool, const char *const *readers, Problem *problem) {
    for (; readers[spool->n_readers]; spool->n_readers++) {
        if (spool->n_readers == SPOOL_READERS_MAX)
            return problem_set(problem, -EINVAL, "spool: expected at most %d readers", SPOOL_READERS_MAX);
        SpoolReader *reader = &spool->readers[spool->n_readers];
        if (snprintf(reader->name, NAME_SIZE, "%s", readers[spool->n_readers]) >= NAME_SIZE)
            return problem_set(problem, -EINVAL, "spool: the reader's name '%s' is too long",
                               readers[spool->n_readers]);
    }
    return spool->n_readers > 0 ? 0 : problem_set(problem, -EINVAL, "spool: expected a reader");
}

static int make_memory(Spool *spool, Problem *problem) {
    int r = frame_ring_new(&spool->recent);
    if (r >= 0)
        r = spool_pages_init(&spool->pages, spool->n_readers);
    return r < 0 ? problem_set(problem, r, "out of memory") : 0;
}

static void follow_head(Spool *spool, const SpoolHead *head) {
    spool->stream_in_file = head->stream;
    spool->first = head->first;
    spool->in_file = head->last;
    spool->odometer_before = head->odometer_before;
    spool->odometer = head->odometer;
    for (unsigned i = 0; i < spool->n_readers; i++)
        spool->readers[i].saved = head->acknowledged[i];
}

static int open_file(Spool *spool, SpoolHead *ret_head, Problem *problem) {
    const char *names[SPOOL_READERS_MAX + 1] = {NULL};
    for (unsigned i = 0; i < spool->n_readers; i++)
        names[i] = spool->readers[i].name;
    return spool_file_open(spool->path, names, &spool->file, ret_head, problem);
}

int spool_open(const char *path, const char *const *readers, const SpoolLimits *limits, Spool **ret,
               Problem *problem) {
    SpoolHead head;
    if (spool_salvage_is_unfinished(path))
        return problem_set(problem, -EUCLEAN,
                           "%s: damaged, and what could be saved of it is not in its place yet", path);
    scoped(spool_freep) Spool *spool = calloc(1, sizeof *spool);
    if (!spool || !(spool->path = strdup(path)))
        return problem_set(problem, -ENOMEM, "out of memory");
    spool->limits = *limits;
    int r = set_readers(spool, readers, problem);
    if (r >= 0)
        r = make_memory(spool, problem);
    if (r >= 0)
        r = open_file(spool, &head, problem);
    if (r < 0)
        return r;
    follow_head(spool, &head);
    spool->stream = head.stream;
    spool->committed = spool->last = head.last;
    for (unsigned i = 0; i < spool->n_readers; i++)
        spool->readers[i].acknowledged = head.acknowledged[i];
    *ret = take(spool);
    return 0;
}

static void close_file(Spool *spool) {
    for (unsigned i = 0; i < spool->n_links; i++)
        (void)intake_table_set_db(spool->links[i].table, NULL, NULL);
    spool->file = spool_file_free(spool->file);
}

Spool *spool_free(Spool *spool) {
    if (!spool)
        return NULL;
    close_file(spool);
    for (unsigned i = 0; i < spool->n_links; i++)
        intake_table_free(spool->links[i].table);
    spool_pages_done(&spool->pages);
    frame_ring_free(spool->recent);
    free(spool->path);
    free(spool);
    return NULL;
}

int spool_add_intake(Spool *spool, const char *link, Intake *intake, Problem *problem) {
    if (spool->n_links == SPOOL_LINKS_MAX)
        return problem_set(problem, -EINVAL, "spool: expected at most %d links", SPOOL_LINKS_MAX);
    SpoolLink *added = &spool->links[spool->n_links];
    int r = intake_table_new(spool_file_db(spool->file), link, intake, &added->table, problem);
    if (r < 0)
        return r;
    added->intake = intake;
    spool->n_links++;
    return 0;
}

/* --- opening again --- */

/* It must be the file that was open before: neither one that somebody put in its place nor an older state of
 * it. */
static int check_same(const Spool *spool, const SpoolHead *head, Problem *problem) {
    bool is_same_stream = head->stream == spool->stream_in_file || head->stream == spool->stream;
    if (is_same_stream && head->last >= spool->committed && head->last <= spool->last &&
        head->first >= spool->first)
        return 0;
    return problem_set(problem, -EUCLEAN,
                       "%s: expected stream %016llx up to position %llu, found stream %016llx up to %llu",
                       spool->path, (unsigned long long)spool->stream, (unsigned long long)spool->committed,
                       (unsigned long long)head->stream, (unsigned long long)head->last);
}

static int attach_links(Spool *spool, Problem *problem) {
    int r = 0;
    for (unsigned i = 0; r >= 0 && i < spool->n_links; i++)
        r = intake_table_set_db(spool->links[i].table, spool_file_db(spool->file), problem);
    return r;
}

static void count_bytes_to_insert(Spool *spool) {
    size_t size;
    spool->bytes_to_insert = 0;
    for (uint64_t p = spool->in_file + 1; frame_ring_at(spool->recent, p, &size); p++)
        spool->bytes_to_insert += size;
}

int spool_reopen(Spool *spool, Problem *problem) {
    SpoolHead head;
    close_file(spool);
    int r = open_file(spool, &head, problem);
    if (r >= 0)
        r = check_same(spool, &head, problem);
    if (r >= 0)
        r = attach_links(spool, problem);
    if (r < 0) {
        close_file(spool);
        return r;
    }
    follow_head(spool, &head);
    count_bytes_to_insert(spool);
    return 0;
}

/* --- how far --- */

uint64_t spool_stream(const Spool *spool) {
    return spool->stream;
}

void spool_renew_stream(Spool *spool, uint64_t stream) {
    spool->stream = stream;
}

uint64_t spool_oldest(const Spool *spool) {
    uint64_t least = spool->readers[0].acknowledged;
    for (unsigned i = 1; i < spool->n_readers; i++)
        if (spool->readers[i].acknowledged < least)
            least = spool->readers[i].acknowledged;
    return least + 1 > spool->first ? least + 1 : spool->first;
}

uint64_t spool_committed(const Spool *spool) {
    return spool->committed;
}

uint64_t spool_last(const Spool *spool) {
    return spool->last;
}

size_t spool_n_pending(const Spool *spool) {
    return (size_t)(spool->last - spool->committed);
}

uint64_t spool_bytes(const Spool *spool) {
    return spool->odometer - spool->odometer_before + spool->bytes_to_insert;
}

uint64_t spool_acknowledged(const Spool *spool, unsigned reader) {
    return spool->readers[reader].acknowledged;
}

bool spool_is_dirty(const Spool *spool) {
    if (spool->last > spool->committed || spool->stream != spool->stream_in_file ||
        spool_oldest(spool) > spool->first)
        return true;
    for (unsigned i = 0; i < spool->n_readers; i++)
        if (spool->readers[i].acknowledged != spool->readers[i].saved)
            return true;
    for (unsigned i = 0; i < spool->n_links; i++)
        if (intake_next_dirty(spool->links[i].intake, NULL))
            return true;
    return false;
}

/* --- taking and letting go --- */

/* Memory is for what is pending; of the rest, the newest that a reader still needs. */
static void trim_recent(Spool *spool) {
    FrameRing *recent = spool->recent;
    frame_ring_drop(recent, spool_oldest(spool) - 1);
    while (frame_ring_bytes(recent) > spool->limits.memory_bytes &&
           frame_ring_first(recent) <= spool->committed)
        frame_ring_drop(recent, frame_ring_first(recent));
}

int spool_append(Spool *spool, const void *frame, size_t size) {
    if (spool_bytes(spool) + size > spool->limits.max_bytes)
        return -ENOSPC;
    int r = frame_ring_push(spool->recent, spool->last + 1, frame, size);
    if (r < 0)
        return r;
    spool->last++;
    spool->bytes_to_insert += size;
    trim_recent(spool);
    return 0;
}

void spool_acknowledge(Spool *spool, unsigned reader, uint64_t position) {
    if (position > spool->committed)
        position = spool->committed;
    if (position < spool->first - 1)
        position = spool->first - 1;
    spool->readers[reader].acknowledged = position;
    trim_recent(spool);
}

/* --- committing --- */

/* What a transaction changes here when it is on disk. */
typedef struct Change {
    uint64_t deleted; /* up to this position; first - 1 when nothing */
    uint64_t odometer_before, odometer;
} Change;

static int delete_passed(Spool *spool, Change *change, Problem *problem) {
    uint64_t until = spool_oldest(spool) - 1;
    if (until < spool->first)
        return 0;
    if (until - spool->first >= DELETED_MAX)
        until = spool->first + DELETED_MAX - 1;
    uint64_t odometer;
    int r = spool_file_odometer(spool->file, until, &odometer, problem);
    while (r >= 0 && odometer - spool->odometer_before > DELETED_MAX_BYTES && until > spool->first) {
        until = spool->first + (until - spool->first) / 2;
        r = spool_file_odometer(spool->file, until, &odometer, problem);
    }
    if (r < 0)
        return r;
    change->deleted = until;
    change->odometer_before = odometer;
    return spool_file_delete(spool->file, until, problem);
}

static int insert_pending(Spool *spool, Change *change, Problem *problem) {
    int r = 0;
    for (uint64_t p = spool->in_file + 1; r >= 0 && p <= spool->last; p++) {
        size_t size = 0;
        const char *frame = frame_ring_at(spool->recent, p, &size);
        change->odometer += size;
        r = spool_file_insert(spool->file, p, change->odometer, frame, size, problem);
    }
    if (r >= 0 && (spool->last > spool->in_file || spool->stream != spool->stream_in_file))
        r = spool_file_save_head(spool->file, spool->stream, spool->last, problem);
    return r;
}

static int save_cursors(Spool *spool, Problem *problem) {
    int r = 0;
    for (unsigned i = 0; r >= 0 && i < spool->n_readers; i++) {
        const SpoolReader *reader = &spool->readers[i];
        if (reader->acknowledged != reader->saved)
            r = spool_file_save_reader(spool->file, reader->name, reader->acknowledged, problem);
    }
    for (unsigned i = 0; r >= 0 && i < spool->n_links; i++)
        r = intake_table_save(spool->links[i].table, problem);
    return r;
}

static int write_all(Spool *spool, Change *change, Problem *problem) {
    int r = spool_file_begin(spool->file, problem);
    if (r >= 0)
        r = delete_passed(spool, change, problem);
    if (r >= 0)
        r = insert_pending(spool, change, problem);
    if (r >= 0)
        r = save_cursors(spool, problem);
    if (r >= 0)
        r = spool_file_commit(spool->file, problem);
    if (r < 0)
        spool_file_rollback(spool->file);
    return r;
}

static void follow_commit(Spool *spool, const Change *change) {
    spool->first = change->deleted + 1;
    spool->committed = spool->in_file = spool->last;
    spool->odometer_before = change->odometer_before;
    spool->odometer = change->odometer;
    spool->bytes_to_insert = 0;
    spool->stream_in_file = spool->stream;
    for (unsigned i = 0; i < spool->n_readers; i++)
        spool->readers[i].saved = spool->readers[i].acknowledged;
    for (unsigned i = 0; i < spool->n_links; i++)
        intake_committed(spool->links[i].intake);
    trim_recent(spool);
}

int spool_commit(Spool *spool, Problem *problem) {
    if (!spool_is_dirty(spool))
        return 0;
    if (!spool->file)
        return problem_set(problem, -EIO, "%s: closed after an error, and not open again yet", spool->path);
    int n = (int)spool_n_pending(spool);
    Change change = {
        .deleted = spool->first - 1, .odometer_before = spool->odometer_before, .odometer = spool->odometer};
    int r = write_all(spool, &change, problem);
    if (r < 0)
        return r;
    follow_commit(spool, &change);
    return n;
}

/* --- reading --- */

/* Reads the rows from `position` on, up to where memory goes on. */
static int fill_page(Spool *spool, uint64_t position, Problem *problem) {
    if (!spool->file)
        return problem_set(problem, -EIO, "%s: closed after an error, and not open again yet", spool->path);
    uint64_t n = spool->committed - position + 1;
    if (!frame_ring_is_empty(spool->recent) && frame_ring_first(spool->recent) - position < n)
        n = frame_ring_first(spool->recent) - position;
    FrameRing *page = spool_pages_make_room(&spool->pages);
    return spool_file_read(spool->file, position, n < PAGE_ROWS ? (size_t)n : PAGE_ROWS, page, problem);
}

int spool_read(Spool *spool, uint64_t position, const char **ret, size_t *ret_size, Problem *problem) {
    if (position < spool_oldest(spool) || position > spool->committed)
        return 0;
    const char *frame = frame_ring_at(spool->recent, position, ret_size);
    if (!frame)
        frame = spool_pages_at(&spool->pages, position, ret_size);
    if (!frame) {
        int r = fill_page(spool, position, problem);
        if (r < 0)
            return r;
        frame = spool_pages_at(&spool->pages, position, ret_size);
    }
    *ret = frame;
    return 1;
}
