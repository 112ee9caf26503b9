/* A spool under good conditions and at its limits: nothing that was appended may be missing, nothing readable
 * that is not on disk, no position given twice. */
#include "spool-testing.h"

#include "store/spool-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- taking and reading --- */

static void new_spool_is_empty(void **state) {
    SpoolFixture *fixture = *state;
    assert_int_equal(spool_oldest(fixture->spool), 1);
    assert_int_equal(spool_committed(fixture->spool), 0);
    assert_int_equal(spool_last(fixture->spool), 0);
    assert_int_equal(spool_bytes(fixture->spool), 0);
    assert_true(spool_stream(fixture->spool) != 0);
    assert_false(spool_is_dirty(fixture->spool));
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 0);
    assert_not_readable(fixture, 0);
    assert_not_readable(fixture, 1);
    assert_int_equal(commit(fixture), 0);
}

static void frame_is_readable_from_its_commit_on(void **state) {
    SpoolFixture *fixture = *state;
    append(fixture, 3);
    assert_true(spool_is_dirty(fixture->spool));
    assert_int_equal(spool_n_pending(fixture->spool), 3);
    assert_int_equal(spool_committed(fixture->spool), 0);
    assert_not_readable(fixture, 1);
    assert_int_equal(commit(fixture), 3);
    assert_int_equal(spool_n_pending(fixture->spool), 0);
    assert_readable(fixture, 1, 3);
    assert_not_readable(fixture, 4);
    assert_int_equal(rows_in_file(fixture), 3);
}

static void frames_are_read_from_the_file_when_memory_is_full(void **state) {
    SpoolFixture *fixture = *state;
    fixture->limits.memory_bytes = 0;
    restart(fixture);
    append_and_commit(fixture, 1000);
    append_and_commit(fixture, 234);
    assert_readable(fixture, 1, 1234);
    assert_readable(fixture, 1000, 1234);
    assert_readable(fixture, 1, 10);
    for (uint64_t p = 1; p <= 600; p++) { /* two readers, each at its own place */
        assert_readable(fixture, p, p);
        assert_readable(fixture, p + 600, p + 600);
    }
    append(fixture, 1);
    assert_readable(fixture, 1234, 1234);
    assert_not_readable(fixture, 1235);
}

static void empty_and_large_frames_come_back_as_they_were(void **state) {
    SpoolFixture *fixture = *state;
    size_t size = 700000, got;
    char *large = malloc(size);
    const char *frame;
    assert_non_null(large);
    memset(large, 'x', size);
    assert_int_equal(spool_append(fixture->spool, "", 0), 0);
    assert_int_equal(spool_append(fixture->spool, large, size), 0);
    assert_int_equal(spool_append(fixture->spool, "a\0b", 3), 0);
    assert_int_equal(commit(fixture), 3);
    restart(fixture);
    assert_int_equal(spool_read(fixture->spool, 1, &frame, &got, &fixture->problem), 1);
    assert_int_equal(got, 0);
    assert_int_equal(spool_read(fixture->spool, 2, &frame, &got, &fixture->problem), 1);
    assert_int_equal(got, size);
    assert_memory_equal(frame, large, size);
    assert_int_equal(spool_read(fixture->spool, 3, &frame, &got, &fixture->problem), 1);
    assert_int_equal(got, 3);
    assert_memory_equal(frame, "a\0b", 3);
    free(large);
}

static void everything_committed_is_there_after_a_restart(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 20);
    spool_acknowledge(fixture->spool, 0, 5);
    assert_int_equal(commit(fixture), 0);
    append(fixture, 7); /* not committed: gone */
    uint64_t stream = spool_stream(fixture->spool), bytes = spool_bytes(fixture->spool);
    restart(fixture);
    assert_int_equal(spool_stream(fixture->spool), stream);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 5);
    assert_int_equal(spool_oldest(fixture->spool), 6);
    assert_int_equal(spool_last(fixture->spool), 20);
    assert_int_equal(spool_committed(fixture->spool), 20);
    assert_true(spool_bytes(fixture->spool) < bytes);
    assert_not_readable(fixture, 5);
    assert_readable(fixture, 6, 20);
    assert_false(spool_is_dirty(fixture->spool));
}

static void position_is_never_given_twice_after_all_rows_went(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 9);
    spool_acknowledge(fixture->spool, 0, 9);
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 0);
    restart(fixture);
    assert_int_equal(spool_last(fixture->spool), 9);
    assert_int_equal(spool_oldest(fixture->spool), 10);
    append_and_commit(fixture, 1);
    assert_readable(fixture, 10, 10);
    restart(fixture);
    assert_readable(fixture, 10, 10);
}

static void streams_of_two_spools_differ(void **state) {
    SpoolFixture *fixture = *state;
    uint64_t stream = spool_stream(fixture->spool);
    fixture->spool = spool_free(fixture->spool);
    assert_int_equal(unlink(fixture->path), 0);
    open_spool(fixture);
    assert_true(spool_stream(fixture->spool) != stream);
}

static void renewed_stream_is_durable_with_the_next_commit(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 2);
    spool_renew_stream(fixture->spool, UINT64_MAX);
    assert_int_equal(spool_stream(fixture->spool), UINT64_MAX);
    assert_true(spool_is_dirty(fixture->spool));
    assert_int_equal(commit(fixture), 0);
    assert_false(spool_is_dirty(fixture->spool));
    restart(fixture);
    assert_int_equal(spool_stream(fixture->spool), UINT64_MAX);
    assert_readable(fixture, 1, 2);
}

/* --- limits --- */

static void spool_is_full_at_exactly_its_limit(void **state) {
    SpoolFixture *fixture = *state;
    char frame[100] = "";
    fixture->limits.max_bytes = 1000;
    restart(fixture);
    for (int i = 0; i < 9; i++)
        assert_int_equal(spool_append(fixture->spool, frame, 100), 0);
    assert_int_equal(spool_append(fixture->spool, frame, 99), 0);
    assert_int_equal(spool_append(fixture->spool, frame, 2), -ENOSPC);
    assert_int_equal(spool_append(fixture->spool, frame, 1), 0);
    assert_int_equal(spool_append(fixture->spool, frame, 1), -ENOSPC);
    assert_int_equal(spool_last(fixture->spool), 11);
    assert_int_equal(spool_bytes(fixture->spool), 1000);
    assert_int_equal(commit(fixture), 11);
    assert_int_equal(spool_append(fixture->spool, frame, 1), -ENOSPC);
    restart(fixture);
    assert_int_equal(spool_bytes(fixture->spool), 1000);
    assert_int_equal(spool_append(fixture->spool, frame, 1), -ENOSPC);
}

static void full_spool_has_room_when_its_readers_went_on(void **state) {
    SpoolFixture *fixture = *state;
    char frame[100] = "";
    fixture->limits.max_bytes = 1000;
    restart(fixture);
    for (int i = 0; i < 10; i++)
        assert_int_equal(spool_append(fixture->spool, frame, 100), 0);
    assert_int_equal(commit(fixture), 10);
    spool_acknowledge(fixture->spool, 0, 4);
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(spool_bytes(fixture->spool), 600);
    assert_int_equal(spool_append(fixture->spool, frame, 100), 0);
    assert_int_equal(spool_bytes(fixture->spool), 700);
}

static void expected_are_one_to_four_readers(void **state) {
    SpoolFixture *fixture = *state;
    const char *const none[] = {NULL}, *const four[] = {"a", "b", "c", "d", NULL}, *const five[] = {"a",
                                                                                                    "b",
                                                                                                    "c",
                                                                                                    "d",
                                                                                                    "e",
                                                                                                    NULL};
    Spool *spool = NULL;
    fixture->spool = spool_free(fixture->spool);
    assert_int_equal(spool_open(fixture->path, none, &fixture->limits, &spool, &fixture->problem), -EINVAL);
    assert_int_equal(spool_open(fixture->path, five, &fixture->limits, &spool, &fixture->problem), -EINVAL);
    assert_null(spool);
    assert_int_equal(spool_open(fixture->path, four, &fixture->limits, &spool, &fixture->problem), 0);
    spool_free(spool);
}

/* --- readers --- */

static void frame_goes_when_the_slower_reader_has_it(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 10);
    spool_acknowledge(fixture->spool, 0, 8);
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 10);
    assert_int_equal(spool_oldest(fixture->spool), 1);
    spool_acknowledge(fixture->spool, 1, 3);
    assert_int_equal(spool_oldest(fixture->spool), 4);
    assert_not_readable(fixture, 3);
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 7);
    assert_readable(fixture, 4, 10);
    restart(fixture);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 8);
    assert_int_equal(spool_acknowledged(fixture->spool, 1), 3);
    assert_readable(fixture, 4, 10);
}

static void reader_has_never_more_than_there_is(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 5);
    append(fixture, 5);
    spool_acknowledge(fixture->spool, 0, 6);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 5);
    spool_acknowledge(fixture->spool, 0, UINT64_MAX);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 5);
    assert_int_equal(commit(fixture), 5);
    assert_readable(fixture, 6, 10);
}

static void reader_that_lost_what_it_had_gets_what_is_still_here(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 10);
    spool_acknowledge(fixture->spool, 0, 4);
    spool_acknowledge(fixture->spool, 1, 9);
    assert_int_equal(commit(fixture), 0);
    spool_acknowledge(fixture->spool, 1, 0);
    assert_int_equal(spool_acknowledged(fixture->spool, 1), 4);
    assert_int_equal(commit(fixture), 0);
    spool_acknowledge(fixture->spool, 0, 10); /* does not take it away from the other one */
    assert_int_equal(commit(fixture), 0);
    assert_readable(fixture, 5, 10);
    restart(fixture);
    assert_int_equal(spool_acknowledged(fixture->spool, 1), 4);
    assert_readable(fixture, 5, 10);
}

static void new_reader_begins_with_the_oldest_frame_in_the_file(void **state) {
    SpoolFixture *fixture = *state;
    const char *const three[] = {"primary", "replica", "archive", NULL};
    append_and_commit(fixture, 10);
    spool_acknowledge(fixture->spool, 0, 6);
    spool_acknowledge(fixture->spool, 1, 4);
    assert_int_equal(commit(fixture), 0);
    fixture->readers = three;
    restart(fixture);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 6);
    assert_int_equal(spool_acknowledged(fixture->spool, 2), 4);
    spool_acknowledge(fixture->spool, 0, 10);
    spool_acknowledge(fixture->spool, 1, 10);
    assert_int_equal(commit(fixture), 0);
    assert_readable(fixture, 5, 10);
}

static void new_reader_of_an_empty_file_waits_for_the_next_frame(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 10);
    spool_acknowledge(fixture->spool, 0, 10);
    assert_int_equal(commit(fixture), 0);
    fixture->readers = two_readers;
    restart(fixture);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 10);
    assert_int_equal(spool_acknowledged(fixture->spool, 1), 10);
    assert_int_equal(spool_oldest(fixture->spool), 11);
}

static void reader_that_is_no_longer_named_holds_nothing_back(void **state) {
    SpoolFixture *fixture = *state;
    const char *const replica_only[] = {"replica", NULL};
    append_and_commit(fixture, 10);
    spool_acknowledge(fixture->spool, 1, 7);
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 10);
    fixture->readers = replica_only;
    restart(fixture);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 7);
    assert_int_equal(spool_oldest(fixture->spool), 8);
    assert_true(spool_is_dirty(fixture->spool));
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 3);
    assert_int_equal(in_file(fixture, "SELECT count(*) FROM readers"), 1);
}

static void order_of_the_names_says_nothing(void **state) {
    SpoolFixture *fixture = *state;
    const char *const turned[] = {"replica", "primary", NULL};
    append_and_commit(fixture, 10);
    spool_acknowledge(fixture->spool, 0, 3);
    spool_acknowledge(fixture->spool, 1, 8);
    assert_int_equal(commit(fixture), 0);
    fixture->readers = turned;
    restart(fixture);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 8);
    assert_int_equal(spool_acknowledged(fixture->spool, 1), 3);
}

/* The pages of large frames are walked one by one: 20,000 of 16 KiB would take longer than a watchdog waits. */
static void what_is_deleted_is_bounded_in_bytes_too(void **state) {
    SpoolFixture *fixture = *state;
    enum { LARGE_BYTES = 60000, LARGE = 1500 }; /* 86 MiB */
    char *frame = calloc(1, LARGE_BYTES);
    fixture->limits = (SpoolLimits){.max_bytes = 1 << 30, .memory_bytes = 1 << 20};
    restart(fixture);
    for (int i = 0; i < LARGE; i++) {
        assert_int_equal(spool_append(fixture->spool, frame, LARGE_BYTES), 0);
        if (i % 100 == 99)
            assert_int_equal(commit(fixture), 100);
    }
    free(frame);
    append_and_commit(fixture, 100);
    uint64_t before = spool_bytes(fixture->spool), n_commits = 0;
    spool_acknowledge(fixture->spool, 0, spool_last(fixture->spool));
    for (; spool_is_dirty(fixture->spool); n_commits++) {
        assert_int_equal(commit(fixture), 0);
        assert_true(before - spool_bytes(fixture->spool) <= 32 << 20);
        assert_true(spool_bytes(fixture->spool) < before);
        before = spool_bytes(fixture->spool);
        restart(fixture);
    }
    assert_in_range(n_commits, 3, 7);
    assert_int_equal(spool_bytes(fixture->spool), 0);
}

/* One commit deletes 20,000 rows; the rest follows with the next ones. */
static void many_passed_rows_go_with_several_commits(void **state) {
    SpoolFixture *fixture = *state;
    fixture->limits.max_bytes = 100 << 20;
    restart(fixture);
    append_and_commit(fixture, 40001);
    uint64_t bytes = spool_bytes(fixture->spool);
    spool_acknowledge(fixture->spool, 0, 40001);
    spool_acknowledge(fixture->spool, 1, 40001);
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 20001);
    assert_true(spool_bytes(fixture->spool) < bytes && spool_bytes(fixture->spool) > 0);
    assert_true(spool_is_dirty(fixture->spool));
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 1);
    assert_true(spool_is_dirty(fixture->spool));
    assert_int_equal(commit(fixture), 0);
    assert_int_equal(rows_in_file(fixture), 0);
    assert_int_equal(spool_bytes(fixture->spool), 0);
    assert_false(spool_is_dirty(fixture->spool));
}

/* --- links --- */

static void cursor_of_a_link_is_durable_with_the_frames(void **state) {
    SpoolFixture *fixture = *state;
    Intake intake, restored, *before = &intake;
    intake_init(before);
    intake_init(&restored);
    assert_int_equal(spool_add_intake(fixture->spool, "sensor-readings", &intake, &fixture->problem), 0);
    for (uint64_t p = 1; p <= 3; p++) {
        Hop hop = hop_at(p);
        assert_int_equal(intake_judge(&intake, &hop).verdict, INTAKE_ACCEPT);
        append(fixture, 1);
    }
    assert_null(intake_take_owed(&intake));
    assert_int_equal(commit(fixture), 3);
    const IntakeCursor *owed = intake_take_owed(&intake);
    assert_non_null(owed);
    assert_int_equal(owed->committed, 3);

    Hop hop = hop_at(4);
    assert_int_equal(intake_judge(&intake, &hop).verdict, INTAKE_ACCEPT);
    assert_true(spool_is_dirty(fixture->spool)); /* also what brought no frame must be remembered */
    assert_int_equal(commit(fixture), 0);
    assert_false(spool_is_dirty(fixture->spool));

    restart(fixture);
    assert_int_equal(spool_add_intake(fixture->spool, "sensor-readings", &restored, &fixture->problem), 0);
    assert_int_equal(intake_newest(&restored)->committed, 4);
    assert_false(spool_is_dirty(fixture->spool));
}

static void links_beyond_the_limit_are_refused(void **state) {
    SpoolFixture *fixture = *state;
    static Intake intakes[SPOOL_LINKS_MAX + 1];
    char name[32];
    for (int i = 0; i <= SPOOL_LINKS_MAX; i++) {
        intake_init(&intakes[i]);
        (void)snprintf(name, sizeof name, "link-%d", i);
        assert_int_equal(spool_add_intake(fixture->spool, name, &intakes[i], &fixture->problem),
                         i < SPOOL_LINKS_MAX ? 0 : -EINVAL);
    }
}

/* --- statements --- */

static void statements_go_by_the_primary_key(void **state) {
    SpoolFixture *fixture = *state;
    SpoolFile *file = NULL;
    SpoolHead head;
    fixture->spool = spool_free(fixture->spool);
    assert_int_equal(spool_file_open(fixture->path, one_reader, &file, &head, &fixture->problem), 0);
    /* odometer, delete, head, reader, read */
    assert_int_equal(test_search_by_primary_key(spool_file_db(file)), 5);
    spool_file_free(file);
}

#define SPOOL_TEST(test)  cmocka_unit_test_setup_teardown(test, spool_setup, spool_teardown)
#define READER_TEST(test) cmocka_unit_test_setup_teardown(test, spool_setup_two_readers, spool_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(new_spool_is_empty),
        SPOOL_TEST(frame_is_readable_from_its_commit_on),
        READER_TEST(frames_are_read_from_the_file_when_memory_is_full),
        SPOOL_TEST(empty_and_large_frames_come_back_as_they_were),
        SPOOL_TEST(everything_committed_is_there_after_a_restart),
        SPOOL_TEST(position_is_never_given_twice_after_all_rows_went),
        SPOOL_TEST(streams_of_two_spools_differ),
        SPOOL_TEST(renewed_stream_is_durable_with_the_next_commit),
        SPOOL_TEST(spool_is_full_at_exactly_its_limit),
        SPOOL_TEST(full_spool_has_room_when_its_readers_went_on),
        SPOOL_TEST(expected_are_one_to_four_readers),
        READER_TEST(frame_goes_when_the_slower_reader_has_it),
        READER_TEST(reader_has_never_more_than_there_is),
        READER_TEST(reader_that_lost_what_it_had_gets_what_is_still_here),
        READER_TEST(new_reader_begins_with_the_oldest_frame_in_the_file),
        SPOOL_TEST(new_reader_of_an_empty_file_waits_for_the_next_frame),
        READER_TEST(reader_that_is_no_longer_named_holds_nothing_back),
        READER_TEST(order_of_the_names_says_nothing),
        READER_TEST(many_passed_rows_go_with_several_commits),
        SPOOL_TEST(what_is_deleted_is_bounded_in_bytes_too),
        SPOOL_TEST(cursor_of_a_link_is_durable_with_the_frames),
        SPOOL_TEST(links_beyond_the_limit_are_refused),
        SPOOL_TEST(statements_go_by_the_primary_key),
    };
    return cmocka_run_group_tests_name("store: spool", tests, NULL, NULL);
}
