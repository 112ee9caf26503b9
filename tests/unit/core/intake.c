/* Which frames are taken, in every order in which they may come; fences; what is dirty, owed and
 * forgotten. */
#include "core/intake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { STREAM = 7, OTHER = 8 };

static Intake intake;

static int fresh_intake(void **state) {
    (void)state;
    intake_init(&intake);
    return 0;
}

static IntakeAnswer judge_hop(uint64_t stream, int64_t epoch, uint64_t position, uint64_t oldest) {
    return intake_judge(&intake, &(Hop){stream, epoch, position, oldest});
}

static void assert_verdict(uint64_t position, uint64_t oldest, IntakeVerdict expected) {
    assert_int_equal(judge_hop(STREAM, 1, position, oldest).verdict, expected);
}

static void take(uint64_t first, uint64_t last) {
    for (uint64_t position = first; position <= last; position++)
        assert_verdict(position, first, INTAKE_ACCEPT);
}

static void assert_owed(uint64_t stream, uint64_t committed) {
    const IntakeCursor *cursor = intake_take_owed(&intake);
    assert_non_null(cursor);
    assert_int_equal(cursor->stream, stream);
    assert_int_equal(cursor->committed, committed);
}

static void assert_nothing_owed(void) {
    assert_null(intake_take_owed(&intake));
}

/* --- order --- */

static void frames_in_order_are_accepted(void **state) {
    (void)state;
    take(1, 100);
}

static void a_frame_taken_before_is_a_repeat(void **state) {
    (void)state;
    take(1, 3);
    assert_verdict(3, 1, INTAKE_REPEAT);
    assert_verdict(1, 1, INTAKE_REPEAT);
    assert_verdict(4, 1, INTAKE_ACCEPT);
}

static void a_frame_before_which_one_is_missing_is_not_taken(void **state) {
    (void)state;
    take(1, 3);
    assert_verdict(5, 1, INTAKE_GAP);
    assert_verdict(4, 1, INTAKE_ACCEPT);
    assert_verdict(5, 1, INTAKE_ACCEPT);
}

static void a_gap_asks_once_until_something_comes(void **state) {
    (void)state;
    take(1, 3);
    assert_true(judge_hop(STREAM, 1, 5, 1).must_ask);
    assert_false(judge_hop(STREAM, 1, 6, 1).must_ask);
    assert_verdict(3, 1, INTAKE_REPEAT); /* no news */
    assert_false(judge_hop(STREAM, 1, 7, 1).must_ask);
    assert_verdict(4, 1, INTAKE_ACCEPT);
    assert_true(judge_hop(STREAM, 1, 8, 1).must_ask);
}

static void a_new_life_of_the_writer_is_asked_anew(void **state) {
    (void)state;
    take(1, 3);
    assert_true(judge_hop(STREAM, 1, 5, 1).must_ask);
    assert_true(judge_hop(STREAM, 2, 5, 1).must_ask);
    assert_false(judge_hop(STREAM, 2, 6, 1).must_ask);
}

/* --- where a stream begins --- */

static void a_stream_never_heard_begins_at_its_oldest(void **state) {
    (void)state;
    IntakeAnswer answer = judge_hop(STREAM, 1, 50, 50);
    assert_int_equal(answer.verdict, INTAKE_ACCEPT);
    assert_int_equal(answer.n_given_up, 0);
    assert_verdict(49, 49, INTAKE_REPEAT);
}

static void a_stream_never_heard_asks_from_its_oldest_when_that_was_missed(void **state) {
    (void)state;
    IntakeAnswer answer = judge_hop(STREAM, 1, 53, 50);
    assert_int_equal(answer.verdict, INTAKE_GAP);
    assert_true(answer.must_ask);
    assert_int_equal(intake_newest(&intake)->committed, 49);
    assert_verdict(50, 50, INTAKE_ACCEPT);
}

static void a_restored_stream_goes_on_where_it_was(void **state) {
    (void)state;
    intake_restore(&intake, STREAM, 1, 41);
    assert_verdict(41, 30, INTAKE_REPEAT);
    assert_verdict(43, 30, INTAKE_GAP);
    assert_verdict(42, 30, INTAKE_ACCEPT);
}

static void restoring_twice_keeps_the_further_one(void **state) {
    (void)state;
    intake_restore(&intake, STREAM, 2, 41);
    intake_restore(&intake, STREAM, 1, 40);
    assert_int_equal(intake_newest(&intake)->committed, 41);
    intake_restore(&intake, STREAM, 1, 42);
    assert_int_equal(intake_newest(&intake)->committed, 42);
    assert_int_equal(intake_newest(&intake)->epoch, 2);
    intake_restore(&intake, 0, 9, 9);
    assert_int_equal(intake.writer_epoch, 2);
}

static void a_stream_beside_another_one_is_told_until_something_of_it_is_committed(void **state) {
    (void)state;
    assert_false(judge_hop(STREAM, 1, 1, 1).is_another);
    assert_false(judge_hop(STREAM + 1, 1, 52, 51).is_another);
    assert_true(judge_hop(STREAM + 1, 1, 51, 51).is_another);
    assert_true(judge_hop(STREAM + 1, 1, 52, 51).is_another);
    intake_rolled_back(&intake);
    assert_true(judge_hop(STREAM + 1, 1, 51, 51).is_another);
    intake_committed(&intake);
    assert_false(judge_hop(STREAM + 1, 1, 52, 51).is_another);
    assert_false(judge_hop(STREAM, 1, 1, 1).is_another);
}

static void a_stream_beside_a_restored_one_is_told(void **state) {
    (void)state;
    intake_restore(&intake, STREAM, 1, 41);
    assert_false(judge_hop(STREAM, 1, 42, 1).is_another);
    assert_true(judge_hop(STREAM + 1, 1, 1, 1).is_another);
}

/* --- what the writer no longer has --- */

static void a_jump_of_the_oldest_is_followed_after_asking_and_counted(void **state) {
    (void)state;
    intake_restore(&intake, STREAM, 1, 10); /* an older copy of the reader's disk: the writer has from 21 */
    IntakeAnswer answer = judge_hop(STREAM, 1, 21, 21);
    assert_int_equal(answer.verdict, INTAKE_GAP);
    assert_true(answer.must_ask);
    assert_int_equal(intake_newest(&intake)->accepted, 10);
    answer = judge_hop(STREAM, 1, 21, 21);
    assert_int_equal(answer.verdict, INTAKE_ACCEPT);
    assert_int_equal(answer.n_given_up, 10);
    assert_verdict(22, 21, INTAKE_ACCEPT);
}

static void frames_between_the_oldest_and_the_one_in_hand_are_waited_for(void **state) {
    (void)state;
    intake_restore(&intake, STREAM, 1, 10);
    assert_true(judge_hop(STREAM, 1, 25, 21).must_ask);
    assert_verdict(26, 21, INTAKE_GAP);
    assert_int_equal(intake_newest(&intake)->accepted, 10);
    assert_int_equal(judge_hop(STREAM, 1, 21, 21).n_given_up, 10);
    assert_verdict(25, 21, INTAKE_GAP);
    assert_verdict(22, 21, INTAKE_ACCEPT);
}

static void one_frame_that_lies_about_its_oldest_does_not_move_the_cursor(void **state) {
    (void)state;
    take(1, 3);
    assert_verdict(INT64_MAX, INT64_MAX, INTAKE_GAP);
    assert_verdict(4, 1, INTAKE_ACCEPT);
    assert_verdict(INT64_MAX, INT64_MAX, INTAKE_GAP);
    assert_verdict(5, 1, INTAKE_ACCEPT);
}

/* --- impossible hops --- */

static void a_hop_that_nobody_can_have_sent_changes_nothing(void **state) {
    (void)state;
    take(1, 3);
    const Hop impossible[] = {
        {0, 1, 4, 1},
        {STREAM, 1, 0, 0},
        {STREAM, 1, 4, 0},
        {STREAM, 1, 4, 5},
        {STREAM, -1, 4, 1},
        {STREAM, INT64_MAX, 4, 1},
        {STREAM, 1, (uint64_t)INT64_MAX + 1, 1},
        {STREAM, 1, UINT64_MAX, UINT64_MAX},
    };
    const Intake before = intake;
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        IntakeAnswer answer = intake_judge(&intake, &impossible[i]);
        assert_int_equal(answer.verdict, INTAKE_GAP);
        assert_false(answer.must_ask);
    }
    assert_memory_equal(&intake, &before, sizeof before);
}

static void the_largest_numbers_are_judged_like_others(void **state) {
    (void)state;
    const int64_t epoch = INT64_MAX - 1;
    intake_restore(&intake, STREAM, epoch, INT64_MAX - 2);
    assert_int_equal(judge_hop(STREAM, epoch, INT64_MAX, 1).verdict, INTAKE_GAP);
    assert_int_equal(judge_hop(STREAM, epoch, INT64_MAX - 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, epoch, INT64_MAX, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, epoch, INT64_MAX, INT64_MAX).verdict, INTAKE_REPEAT);
}

/* --- fences --- */

static void a_writer_of_a_lower_epoch_is_fenced_and_told(void **state) {
    (void)state;
    assert_int_equal(judge_hop(STREAM, 5, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, 4, 2, 1).verdict, INTAKE_FENCED);
    assert_owed(STREAM, 0);
    assert_int_equal(intake.writer_epoch, 5);
    assert_int_equal(judge_hop(STREAM, 5, 2, 1).verdict, INTAKE_ACCEPT);
}

static void the_same_epoch_and_a_higher_one_pass(void **state) {
    (void)state;
    assert_int_equal(judge_hop(STREAM, 5, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, 5, 2, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, 6, 3, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, 5, 4, 1).verdict, INTAKE_FENCED);
}

static void an_epoch_fences_every_other_stream_of_the_hop(void **state) {
    (void)state;
    assert_int_equal(judge_hop(STREAM, 4, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(OTHER, 5, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, 4, 2, 1).verdict, INTAKE_FENCED);
    assert_int_equal(intake_newest(&intake)->stream, OTHER);
}

static void even_a_repeat_and_a_gap_fence(void **state) {
    (void)state;
    assert_int_equal(judge_hop(STREAM, 4, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(STREAM, 5, 1, 1).verdict, INTAKE_REPEAT);
    assert_int_equal(judge_hop(STREAM, 4, 2, 1).verdict, INTAKE_FENCED);
    assert_int_equal(judge_hop(STREAM, 6, 3, 1).verdict, INTAKE_GAP);
    assert_int_equal(judge_hop(STREAM, 5, 2, 1).verdict, INTAKE_FENCED);
}

static void a_restored_epoch_fences(void **state) {
    (void)state;
    intake_restore(&intake, STREAM, 4, 10);
    intake_restore(&intake, OTHER, 5, 10);
    assert_int_equal(judge_hop(STREAM, 4, 11, 1).verdict, INTAKE_FENCED);
    assert_int_equal(judge_hop(STREAM, 5, 11, 1).verdict, INTAKE_ACCEPT);
}

static void a_fenced_writer_of_an_unknown_stream_is_told_too(void **state) {
    (void)state;
    assert_int_equal(judge_hop(STREAM, 5, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(OTHER, 4, 30, 20).verdict, INTAKE_FENCED);
    assert_owed(OTHER, 19);
    assert_int_equal(intake_newest(&intake)->stream, STREAM);
}

/* --- transactions and acknowledgements --- */

static void what_is_accepted_is_acknowledged_after_its_commit_only(void **state) {
    (void)state;
    take(1, 3);
    assert_nothing_owed();
    intake_committed(&intake);
    assert_owed(STREAM, 3);
    assert_nothing_owed();
}

static void a_commit_without_news_owes_nothing(void **state) {
    (void)state;
    take(1, 3);
    intake_committed(&intake);
    assert_owed(STREAM, 3);
    intake_committed(&intake);
    assert_nothing_owed();
}

static void a_repeat_is_acknowledged_again_with_what_is_committed(void **state) {
    (void)state;
    take(1, 3);
    intake_committed(&intake);
    assert_owed(STREAM, 3);
    assert_verdict(4, 1, INTAKE_ACCEPT);
    assert_verdict(4, 1, INTAKE_REPEAT);
    assert_owed(STREAM, 3);
    assert_nothing_owed();
}

static void a_gap_owes_no_more_than_its_ask(void **state) {
    (void)state;
    assert_verdict(3, 1, INTAKE_GAP);
    assert_nothing_owed();
}

static void a_new_connection_is_owed_where_every_stream_stands(void **state) {
    (void)state;
    intake_restore(&intake, STREAM, 1, 10);
    judge_hop(OTHER, 2, 4, 4);
    intake_owe_all(&intake);
    assert_owed(STREAM, 10);
    assert_owed(OTHER, 3);
    assert_nothing_owed();
}

static void only_what_changed_is_written(void **state) {
    (void)state;
    assert_null(intake_next_dirty(&intake, NULL));
    judge_hop(STREAM, 1, 1, 1);
    judge_hop(OTHER, 1, 5, 4); /* a gap: no cursor moved */
    const IntakeCursor *dirty = intake_next_dirty(&intake, NULL);
    assert_non_null(dirty);
    assert_int_equal(dirty->stream, STREAM);
    assert_int_equal(dirty->accepted, 1);
    assert_null(intake_next_dirty(&intake, dirty));
    judge_hop(OTHER, 1, 4, 4);
    dirty = intake_next_dirty(&intake, intake_next_dirty(&intake, NULL));
    assert_non_null(dirty);
    assert_null(intake_next_dirty(&intake, dirty));
    intake_committed(&intake);
    assert_null(intake_next_dirty(&intake, NULL));
}

static void what_was_rolled_back_is_wanted_again(void **state) {
    (void)state;
    take(1, 2);
    intake_committed(&intake);
    take(3, 5);
    intake_rolled_back(&intake);
    assert_null(intake_next_dirty(&intake, NULL));
    assert_true(judge_hop(STREAM, 1, 6, 1).must_ask);
    assert_verdict(3, 1, INTAKE_ACCEPT);
    intake_committed(&intake);
    assert_owed(STREAM, 3);
}

static void a_rollback_asks_although_an_ask_is_under_way(void **state) {
    (void)state;
    take(1, 2);
    assert_true(judge_hop(STREAM, 1, 5, 1).must_ask); /* for what follows 2 */
    intake_rolled_back(&intake);                      /* 1 is missing now */
    assert_true(judge_hop(STREAM, 1, 6, 1).must_ask);
}

/* --- the table --- */

static void a_full_table_forgets_the_stream_heard_longest_ago(void **state) {
    (void)state;
    for (uint64_t stream = 1; stream <= INTAKE_STREAMS; stream++)
        assert_int_equal(judge_hop(stream, 1, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(1, 1, 1, 1).verdict, INTAKE_REPEAT); /* now 2 was silent longest */
    assert_int_equal(judge_hop(INTAKE_STREAMS + 1, 1, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(1, 1, 1, 1).verdict, INTAKE_REPEAT);
    for (uint64_t stream = 3; stream <= INTAKE_STREAMS + 1; stream++)
        assert_int_equal(judge_hop(stream, 1, 1, 1).verdict, INTAKE_REPEAT);
    assert_int_equal(judge_hop(2, 1, 2, 2).verdict, INTAKE_ACCEPT); /* as if never heard: from its oldest */
}

static void a_full_table_forgets_what_was_only_restored_first_and_its_lowest_epoch_before_all(void **state) {
    (void)state;
    for (uint64_t stream = 1; stream <= INTAKE_STREAMS; stream++)
        intake_restore(&intake, stream, (int64_t)(100 - stream), 10);
    assert_int_equal(judge_hop(INTAKE_STREAMS, 200, 11, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(99, 200, 1, 1).verdict, INTAKE_ACCEPT);
    assert_int_equal(judge_hop(INTAKE_STREAMS, 200, 11, 1).verdict, INTAKE_REPEAT);
    assert_int_equal(judge_hop(INTAKE_STREAMS - 1, 200, 5, 5).verdict, INTAKE_ACCEPT); /* forgotten */
    assert_int_equal(judge_hop(1, 200, 10, 1).verdict, INTAKE_REPEAT);
}

static void more_streams_than_places_are_restored_by_their_epochs(void **state) {
    (void)state;
    for (uint64_t stream = 1; stream <= INTAKE_STREAMS + 4; stream++)
        intake_restore(&intake, stream, (int64_t)stream, 10);
    assert_int_equal(intake_newest(&intake)->stream, INTAKE_STREAMS + 4);
    for (uint64_t stream = 5; stream <= INTAKE_STREAMS + 4; stream++)
        assert_int_equal(judge_hop(stream, INTAKE_STREAMS + 4, 10, 1).verdict, INTAKE_REPEAT);
}

static void the_newest_stream_is_the_one_heard_last(void **state) {
    (void)state;
    assert_null(intake_newest(&intake));
    intake_restore(&intake, STREAM, 3, 10);
    intake_restore(&intake, OTHER, 2, 10);
    assert_int_equal(intake_newest(&intake)->stream, STREAM);
    judge_hop(OTHER, 3, 11, 1);
    assert_int_equal(intake_newest(&intake)->stream, OTHER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(frames_in_order_are_accepted, fresh_intake),
        cmocka_unit_test_setup(a_frame_taken_before_is_a_repeat, fresh_intake),
        cmocka_unit_test_setup(a_frame_before_which_one_is_missing_is_not_taken, fresh_intake),
        cmocka_unit_test_setup(a_gap_asks_once_until_something_comes, fresh_intake),
        cmocka_unit_test_setup(a_new_life_of_the_writer_is_asked_anew, fresh_intake),
        cmocka_unit_test_setup(a_stream_never_heard_begins_at_its_oldest, fresh_intake),
        cmocka_unit_test_setup(a_stream_never_heard_asks_from_its_oldest_when_that_was_missed, fresh_intake),
        cmocka_unit_test_setup(a_stream_beside_another_one_is_told_until_something_of_it_is_committed,
                               fresh_intake),
        cmocka_unit_test_setup(a_stream_beside_a_restored_one_is_told, fresh_intake),
        cmocka_unit_test_setup(a_restored_stream_goes_on_where_it_was, fresh_intake),
        cmocka_unit_test_setup(restoring_twice_keeps_the_further_one, fresh_intake),
        cmocka_unit_test_setup(a_jump_of_the_oldest_is_followed_after_asking_and_counted, fresh_intake),
        cmocka_unit_test_setup(frames_between_the_oldest_and_the_one_in_hand_are_waited_for, fresh_intake),
        cmocka_unit_test_setup(one_frame_that_lies_about_its_oldest_does_not_move_the_cursor, fresh_intake),
        cmocka_unit_test_setup(a_hop_that_nobody_can_have_sent_changes_nothing, fresh_intake),
        cmocka_unit_test_setup(the_largest_numbers_are_judged_like_others, fresh_intake),
        cmocka_unit_test_setup(a_writer_of_a_lower_epoch_is_fenced_and_told, fresh_intake),
        cmocka_unit_test_setup(the_same_epoch_and_a_higher_one_pass, fresh_intake),
        cmocka_unit_test_setup(an_epoch_fences_every_other_stream_of_the_hop, fresh_intake),
        cmocka_unit_test_setup(even_a_repeat_and_a_gap_fence, fresh_intake),
        cmocka_unit_test_setup(a_restored_epoch_fences, fresh_intake),
        cmocka_unit_test_setup(a_fenced_writer_of_an_unknown_stream_is_told_too, fresh_intake),
        cmocka_unit_test_setup(what_is_accepted_is_acknowledged_after_its_commit_only, fresh_intake),
        cmocka_unit_test_setup(a_commit_without_news_owes_nothing, fresh_intake),
        cmocka_unit_test_setup(a_repeat_is_acknowledged_again_with_what_is_committed, fresh_intake),
        cmocka_unit_test_setup(a_gap_owes_no_more_than_its_ask, fresh_intake),
        cmocka_unit_test_setup(a_new_connection_is_owed_where_every_stream_stands, fresh_intake),
        cmocka_unit_test_setup(only_what_changed_is_written, fresh_intake),
        cmocka_unit_test_setup(what_was_rolled_back_is_wanted_again, fresh_intake),
        cmocka_unit_test_setup(a_rollback_asks_although_an_ask_is_under_way, fresh_intake),
        cmocka_unit_test_setup(a_full_table_forgets_the_stream_heard_longest_ago, fresh_intake),
        cmocka_unit_test_setup(
            a_full_table_forgets_what_was_only_restored_first_and_its_lowest_epoch_before_all, fresh_intake),
        cmocka_unit_test_setup(more_streams_than_places_are_restored_by_their_epochs, fresh_intake),
        cmocka_unit_test_setup(the_newest_stream_is_the_one_heard_last, fresh_intake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
