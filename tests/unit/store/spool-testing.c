#include "spool-testing.h"

#include <stdio.h>
#include <string.h>

const char *const one_reader[] = {"analytics", NULL};
const char *const two_readers[] = {"primary", "replica", NULL};

void open_spool(SpoolFixture *fixture) {
    if (spool_open(fixture->path, fixture->readers, &fixture->limits, &fixture->spool, &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
}

void restart(SpoolFixture *fixture) {
    fixture->spool = spool_free(fixture->spool);
    open_spool(fixture);
}

static int setup_with(void **state, const char *const *readers) {
    static SpoolFixture fixture;
    void *file;
    test_file_setup(&file);
    fixture = (SpoolFixture){
        .file = file, .readers = readers, .limits = {.max_bytes = 1 << 20, .memory_bytes = 1 << 20}};
    (void)snprintf(fixture.path, sizeof fixture.path, "%s/spool.db", fixture.file->directory);
    open_spool(&fixture);
    *state = &fixture;
    return 0;
}

int spool_setup(void **state) {
    return setup_with(state, one_reader);
}

int spool_setup_two_readers(void **state) {
    return setup_with(state, two_readers);
}

int spool_teardown(void **state) {
    SpoolFixture *fixture = *state;
    void *file = fixture->file;
    spool_free(fixture->spool);
    return test_file_teardown(&file);
}

size_t frame_at(uint64_t position, char ret[static 64]) {
    return (size_t)snprintf(ret, 64, "camara {\"n\":%llu}", (unsigned long long)position);
}

void append(SpoolFixture *fixture, int n) {
    char frame[64];
    for (int i = 0; i < n; i++) {
        uint64_t position = spool_last(fixture->spool) + 1;
        size_t size = frame_at(position, frame);
        assert_int_equal(spool_append(fixture->spool, frame, size), 0);
        assert_int_equal(spool_last(fixture->spool), position);
    }
}

int commit(SpoolFixture *fixture) {
    return spool_commit(fixture->spool, &fixture->problem);
}

void append_and_commit(SpoolFixture *fixture, int n) {
    append(fixture, n);
    assert_int_equal(commit(fixture), n);
}

void assert_readable(SpoolFixture *fixture, uint64_t first, uint64_t last) {
    char expected[64];
    for (uint64_t p = first; p <= last; p++) {
        const char *frame = NULL;
        size_t size = 0, expected_size = frame_at(p, expected);
        int r = spool_read(fixture->spool, p, &frame, &size, &fixture->problem);
        if (r != 1)
            fail_msg("position %llu: %d %s", (unsigned long long)p, r, fixture->problem.text);
        assert_int_equal(size, expected_size);
        assert_memory_equal(frame, expected, size);
    }
}

void assert_not_readable(SpoolFixture *fixture, uint64_t position) {
    const char *frame = NULL;
    size_t size;
    assert_int_equal(spool_read(fixture->spool, position, &frame, &size, &fixture->problem), 0);
    assert_null(frame);
}

/* As another connection sees the file. */
int64_t in_file(SpoolFixture *fixture, const char *sql) {
    sqlite3 *db = NULL;
    assert_int_equal(db_open_reader(fixture->path, &db, &fixture->problem), 0);
    int64_t value = test_integer(db, sql);
    db_close(db);
    return value;
}

int64_t rows_in_file(SpoolFixture *fixture) {
    return in_file(fixture, "SELECT count(*) FROM frames");
}

Hop hop_at(uint64_t position) {
    return (Hop){.stream = 77, .epoch = 5, .position = position, .oldest = 1};
}
