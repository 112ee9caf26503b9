/* What is sent, when it is sent again, and what each acknowledgement does: also the late, the doubled and the
 * impossible ones. */
#include "core/outflow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WINDOW = 4, RESEND_USEC = 100, RESEND_MAX_USEC = 800 };

static const OutflowLimits limits = {
    .window = WINDOW, .resend_usec = RESEND_USEC, .resend_max_usec = RESEND_MAX_USEC};

static const Mono start = {1000};

static Outflow flow_with(uint64_t acknowledged, uint64_t last) {
    Outflow flow;
    outflow_init(&flow, &limits, acknowledged, last);
    return flow;
}

/* Sends whatever may be sent; the last position of it, 0 when there was nothing. */
static uint64_t send_all(Outflow *flow, Mono now) {
    uint64_t position, newest = 0;
    while (outflow_next(flow, &position)) {
        outflow_sent(flow, now);
        newest = position;
    }
    return newest;
}

static OutflowVerdict acknowledge(Outflow *flow, uint64_t position) {
    return outflow_acknowledge(flow, position, false, flow->acknowledged + 1, start);
}

static OutflowVerdict ask(Outflow *flow, uint64_t position, uint64_t oldest) {
    return outflow_acknowledge(flow, position, true, oldest, start);
}

static void assert_next(const Outflow *flow, uint64_t expected) {
    uint64_t position = 0;
    assert_true(outflow_next(flow, &position));
    assert_int_equal(position, expected);
}

static void assert_nothing_to_send(const Outflow *flow) {
    uint64_t position = 77;
    assert_false(outflow_next(flow, &position));
    assert_int_equal(position, 77);
}

/* --- sending --- */

static void an_empty_stream_has_nothing_to_send(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 0);
    assert_nothing_to_send(&flow);
    assert_true(mono_is_never(outflow_deadline(&flow)));
    assert_int_equal(outflow_backlog(&flow), 0);
}

static void positions_follow_each_other_from_one(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 0);
    outflow_add(&flow, 2);
    assert_next(&flow, 1);
    outflow_sent(&flow, start);
    assert_next(&flow, 2);
    outflow_sent(&flow, start);
    assert_nothing_to_send(&flow);
    assert_int_equal(flow.n_resent, 0);
}

static void what_an_earlier_life_left_begins_after_what_was_acknowledged(void **state) {
    (void)state;
    Outflow flow = flow_with(41, 43);
    assert_next(&flow, 42);
    assert_int_equal(outflow_backlog(&flow), 2);
}

static void adding_less_than_there_is_changes_nothing(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 3);
    outflow_add(&flow, 2);
    assert_int_equal(flow.last, 3);
}

static void the_window_holds_back_and_each_acknowledgement_opens_it(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 10);
    assert_int_equal(send_all(&flow, start), WINDOW);
    assert_int_equal(acknowledge(&flow, 1), OUTFLOW_FURTHER);
    assert_next(&flow, WINDOW + 1);
    assert_int_equal(send_all(&flow, start), WINDOW + 1);
    assert_int_equal(acknowledge(&flow, WINDOW + 1), OUTFLOW_FURTHER);
    assert_int_equal(send_all(&flow, start), 2 * WINDOW + 1);
}

static void nothing_is_sent_while_the_reader_is_away_and_all_again_when_it_returns(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 3);
    send_all(&flow, start);
    assert_int_equal(acknowledge(&flow, 1), OUTFLOW_FURTHER);
    outflow_reader_is_there(&flow, false);
    assert_nothing_to_send(&flow);
    assert_true(mono_is_never(outflow_deadline(&flow)));
    outflow_add(&flow, 4);
    assert_nothing_to_send(&flow);
    outflow_reader_is_there(&flow, true);
    assert_next(&flow, 2);
    send_all(&flow, start);
    assert_int_equal(flow.n_resent, 2);
}

static void a_reader_that_comes_without_having_gone_gets_all_again(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 3);
    send_all(&flow, start);
    outflow_reader_is_there(&flow, true);
    assert_next(&flow, 1);
}

static void an_acknowledgement_on_its_way_counts_although_the_reader_went(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 3);
    send_all(&flow, start);
    outflow_reader_is_there(&flow, false);
    assert_int_equal(acknowledge(&flow, 2), OUTFLOW_FURTHER);
    assert_true(mono_is_never(outflow_deadline(&flow)));
    outflow_reader_is_there(&flow, true);
    assert_next(&flow, 3);
}

/* --- acknowledgements --- */

static void an_acknowledgement_that_comes_late_changes_nothing(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 4);
    send_all(&flow, start);
    assert_int_equal(acknowledge(&flow, 3), OUTFLOW_FURTHER);
    assert_int_equal(acknowledge(&flow, 3), OUTFLOW_SAME);
    assert_int_equal(acknowledge(&flow, 1), OUTFLOW_SAME);
    assert_int_equal(acknowledge(&flow, 0), OUTFLOW_SAME);
    assert_int_equal(flow.acknowledged, 3);
    assert_int_equal(flow.sent, 4);
}

static void what_the_reader_has_from_an_earlier_life_is_not_sent(void **state) {
    (void)state;
    Outflow flow = flow_with(10, 20);
    outflow_sent(&flow, start);
    assert_int_equal(acknowledge(&flow, 18), OUTFLOW_FURTHER);
    assert_next(&flow, 19);
    assert_true(mono_is_never(outflow_deadline(&flow)));
}

static void an_ask_sends_again_what_follows_it(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 4);
    send_all(&flow, start);
    assert_int_equal(ask(&flow, 2, 1), OUTFLOW_AGAIN);
    assert_int_equal(flow.acknowledged, 2);
    assert_next(&flow, 3);
    assert_true(mono_is_never(outflow_deadline(&flow)));
}

static void an_ask_that_comes_twice_begins_twice(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 4);
    send_all(&flow, start);
    ask(&flow, 2, 1);
    assert_int_equal(send_all(&flow, start), 4);
    assert_int_equal(ask(&flow, 2, 3), OUTFLOW_AGAIN);
    assert_next(&flow, 3);
    assert_int_equal(send_all(&flow, start), 4);
    assert_int_equal(acknowledge(&flow, 4), OUTFLOW_FURTHER);
    assert_int_equal(outflow_backlog(&flow), 0);
}

static void an_ask_that_comes_late_costs_repetitions_only(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 4);
    send_all(&flow, start);
    acknowledge(&flow, 4);
    assert_int_equal(ask(&flow, 1, 5), OUTFLOW_AGAIN); /* nothing before 5 is left */
    assert_int_equal(flow.acknowledged, 4);
    assert_nothing_to_send(&flow);
    assert_int_equal(ask(&flow, 1, 2), OUTFLOW_AGAIN); /* another reader still needs it */
    assert_next(&flow, 2);
    send_all(&flow, start);
    assert_int_equal(acknowledge(&flow, 4), OUTFLOW_FURTHER); /* it repeats where it is */
    assert_int_equal(outflow_backlog(&flow), 0);
}

static void a_reader_that_forgot_everything_begins_at_the_oldest_there_is(void **state) {
    (void)state;
    Outflow flow = flow_with(100, 104);
    assert_int_equal(ask(&flow, 0, 90), OUTFLOW_AGAIN);
    assert_int_equal(flow.acknowledged, 89);
    assert_next(&flow, 90);
    assert_int_equal(ask(&flow, 95, 90), OUTFLOW_AGAIN);
    assert_next(&flow, 96);
}

static void what_is_gone_is_not_waited_for(void **state) {
    (void)state;
    Outflow flow = flow_with(10, 20);
    assert_int_equal(ask(&flow, 10, 15), OUTFLOW_AGAIN); /* rows 11 to 14 were lost with a page */
    assert_next(&flow, 15);
    assert_int_equal(ask(&flow, 14, 21), OUTFLOW_AGAIN); /* and all the others */
    assert_int_equal(outflow_backlog(&flow), 0);
    assert_int_equal(ask(&flow, 14, UINT64_MAX), OUTFLOW_AGAIN);
    assert_int_equal(flow.acknowledged, 20);
}

static void everything_handed_over_may_be_acknowledged_and_nothing_beyond(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 0);
    outflow_add(&flow, 10);
    outflow_sent(&flow, start);
    assert_int_equal(acknowledge(&flow, 2), OUTFLOW_FOREIGN); /* there is one, but nobody can have it */
    assert_int_equal(ask(&flow, 2, 1), OUTFLOW_FOREIGN);
    assert_int_equal(flow.acknowledged, 0);
    assert_int_equal(acknowledge(&flow, 1), OUTFLOW_FURTHER);
}

static void what_an_earlier_life_may_have_handed_over_may_be_acknowledged(void **state) {
    (void)state;
    Outflow flow = flow_with(3, 10);
    outflow_add(&flow, 20);
    assert_int_equal(acknowledge(&flow, 11), OUTFLOW_FOREIGN);
    assert_int_equal(acknowledge(&flow, 10), OUTFLOW_FURTHER);
    assert_next(&flow, 11);
}

static void a_writer_with_a_past_hands_over_one_new_frame_before_it_hears_its_reader(void **state) {
    (void)state;
    Outflow flow = flow_with(10, 11);
    outflow_add(&flow, 20);
    assert_int_equal(send_all(&flow, start), 12); /* one that it inherited and one more */
    outflow_reader_is_there(&flow, true);
    assert_int_equal(send_all(&flow, start), 12);
    assert_int_equal(acknowledge(&flow, 13), OUTFLOW_FOREIGN); /* that is no answer */
    assert_nothing_to_send(&flow);
    assert_int_equal(acknowledge(&flow, 10), OUTFLOW_SAME); /* but this is one, although it is no news */
    assert_int_equal(send_all(&flow, start), 14);
}

static void a_writer_without_a_past_waits_for_no_answer(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 0);
    outflow_add(&flow, 10);
    assert_int_equal(send_all(&flow, start), WINDOW);
    flow = flow_with(3, 3);
    assert_int_equal(acknowledge(&flow, 4), OUTFLOW_FOREIGN);
    outflow_stream_is_new(&flow);
    outflow_add(&flow, 10);
    assert_int_equal(send_all(&flow, start), 3 + WINDOW);
}

static void what_was_sent_stays_known_after_sending_began_again(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 0);
    outflow_add(&flow, 4);
    send_all(&flow, start);
    outflow_reader_is_there(&flow, true);
    assert_int_equal(acknowledge(&flow, 4), OUTFLOW_FURTHER);
}

static void a_new_stream_begins_again_with_what_is_not_acknowledged(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 4);
    send_all(&flow, start);
    acknowledge(&flow, 2);
    assert_int_equal(acknowledge(&flow, 9), OUTFLOW_FOREIGN);
    outflow_stream_is_new(&flow);
    assert_next(&flow, 3);
    assert_int_equal(acknowledge(&flow, 3), OUTFLOW_FOREIGN); /* under this number nothing was sent yet */
    send_all(&flow, start);
    assert_int_equal(acknowledge(&flow, 4), OUTFLOW_FURTHER);
}

/* --- patience --- */

static void patience_ends_at_its_deadline_and_not_before(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 2);
    assert_true(mono_is_never(outflow_deadline(&flow)));
    send_all(&flow, start);
    assert_int_equal(outflow_deadline(&flow).usec, start.usec + RESEND_USEC);
    assert_false(outflow_tick(&flow, mono_after(start, RESEND_USEC - 1)));
    assert_nothing_to_send(&flow);
    assert_true(outflow_tick(&flow, mono_after(start, RESEND_USEC)));
    assert_next(&flow, 1);
    assert_true(mono_is_never(outflow_deadline(&flow))); /* until something is under way again */
}

static void it_is_counted_from_the_first_frame_under_way(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 2);
    outflow_sent(&flow, start);
    outflow_sent(&flow, mono_after(start, 50));
    assert_int_equal(outflow_deadline(&flow).usec, start.usec + RESEND_USEC);
}

static void patience_doubles_up_to_its_limit(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 1);
    Mono now = start;
    const uint64_t waits_usec[] = {100, 200, 400, 800, 800, 800};
    for (size_t i = 0; i < sizeof waits_usec / sizeof *waits_usec; i++) {
        send_all(&flow, now);
        assert_int_equal(outflow_deadline(&flow).usec, now.usec + waits_usec[i]);
        now = outflow_deadline(&flow);
        assert_true(outflow_tick(&flow, now));
    }
    assert_int_equal(flow.n_resent, 5);
}

static void a_limit_below_the_first_wait_does_not_shorten_it(void **state) {
    (void)state;
    OutflowLimits odd = {.window = 1, .resend_usec = 100, .resend_max_usec = 50};
    Outflow flow;
    outflow_init(&flow, &odd, 0, 1);
    send_all(&flow, start);
    assert_true(outflow_tick(&flow, mono_after(start, 100)));
    send_all(&flow, start);
    assert_int_equal(outflow_deadline(&flow).usec, start.usec + 100);
}

/* Runs out of patience twice. */
static Outflow impatient_flow(void) {
    Outflow flow = flow_with(0, 4);
    for (int i = 0; i < 2; i++) {
        send_all(&flow, start);
        outflow_tick(&flow, outflow_deadline(&flow));
    }
    send_all(&flow, start);
    assert_int_equal(outflow_deadline(&flow).usec, start.usec + 4 * RESEND_USEC);
    return flow;
}

static void progress_restores_patience_and_counts_from_now(void **state) {
    (void)state;
    Outflow flow = impatient_flow();
    Mono later = mono_after(start, 250);
    assert_int_equal(outflow_acknowledge(&flow, 1, false, 1, later), OUTFLOW_FURTHER);
    assert_int_equal(outflow_deadline(&flow).usec, later.usec + RESEND_USEC);
    assert_int_equal(outflow_acknowledge(&flow, 4, false, 1, later), OUTFLOW_FURTHER);
    assert_true(mono_is_never(outflow_deadline(&flow)));
}

static void an_acknowledgement_without_progress_does_not(void **state) {
    (void)state;
    Outflow flow = impatient_flow();
    assert_int_equal(outflow_acknowledge(&flow, 0, false, 1, mono_after(start, 250)), OUTFLOW_SAME);
    assert_int_equal(outflow_deadline(&flow).usec, start.usec + 4 * RESEND_USEC);
}

static void a_reader_that_asks_or_returns_restores_patience(void **state) {
    (void)state;
    Outflow flow = impatient_flow();
    ask(&flow, 0, 1);
    send_all(&flow, start);
    assert_int_equal(outflow_deadline(&flow).usec, start.usec + RESEND_USEC);
    flow = impatient_flow();
    outflow_reader_is_there(&flow, true);
    send_all(&flow, start);
    assert_int_equal(outflow_deadline(&flow).usec, start.usec + RESEND_USEC);
}

static void an_acknowledgement_after_patience_ended_skips_what_it_covers(void **state) {
    (void)state;
    Outflow flow = flow_with(0, 4);
    send_all(&flow, start);
    outflow_tick(&flow, mono_after(start, RESEND_USEC));
    assert_int_equal(acknowledge(&flow, 3), OUTFLOW_FURTHER);
    assert_next(&flow, 4);
}

/* --- best effort --- */

static void best_effort_counts_as_acknowledged_what_is_sent(void **state) {
    (void)state;
    OutflowLimits best_effort = limits;
    best_effort.is_best_effort = true;
    Outflow flow;
    outflow_init(&flow, &best_effort, 0, 3);
    outflow_add(&flow, 100);
    assert_int_equal(send_all(&flow, start), 100); /* no window: nothing is ever under way */
    assert_int_equal(outflow_backlog(&flow), 0);
    assert_true(mono_is_never(outflow_deadline(&flow)));
    assert_false(outflow_tick(&flow, mono_after(start, USEC_PER_SEC)));
    assert_int_equal(ask(&flow, 3, 1), OUTFLOW_SAME);
    assert_int_equal(acknowledge(&flow, 1000), OUTFLOW_SAME);
    assert_nothing_to_send(&flow);
}

static void best_effort_waits_for_a_reader_that_is_away(void **state) {
    (void)state;
    OutflowLimits best_effort = limits;
    best_effort.is_best_effort = true;
    Outflow flow;
    outflow_init(&flow, &best_effort, 0, 1);
    outflow_reader_is_there(&flow, false);
    assert_nothing_to_send(&flow);
    assert_int_equal(outflow_backlog(&flow), 1);
}

/* --- the ends of the numbers --- */

static void the_last_position_of_all_is_sent_and_acknowledged(void **state) {
    (void)state;
    OutflowLimits wide = {.window = UINT64_MAX, .resend_usec = UINT64_MAX, .resend_max_usec = UINT64_MAX};
    Outflow flow;
    outflow_init(&flow, &wide, UINT64_MAX - 2, UINT64_MAX);
    assert_int_equal(send_all(&flow, start), UINT64_MAX);
    assert_nothing_to_send(&flow);
    assert_true(mono_is_never(outflow_deadline(&flow))); /* saturated: for ever */
    assert_int_equal(acknowledge(&flow, UINT64_MAX), OUTFLOW_FURTHER);
    assert_int_equal(outflow_backlog(&flow), 0);
}

static void a_beginning_that_acknowledges_more_than_there_is_has_no_backlog(void **state) {
    (void)state;
    Outflow flow = flow_with(7, 3);
    assert_int_equal(outflow_backlog(&flow), 0);
    assert_nothing_to_send(&flow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_stream_has_nothing_to_send),
        cmocka_unit_test(positions_follow_each_other_from_one),
        cmocka_unit_test(what_an_earlier_life_left_begins_after_what_was_acknowledged),
        cmocka_unit_test(adding_less_than_there_is_changes_nothing),
        cmocka_unit_test(the_window_holds_back_and_each_acknowledgement_opens_it),
        cmocka_unit_test(nothing_is_sent_while_the_reader_is_away_and_all_again_when_it_returns),
        cmocka_unit_test(a_reader_that_comes_without_having_gone_gets_all_again),
        cmocka_unit_test(an_acknowledgement_on_its_way_counts_although_the_reader_went),
        cmocka_unit_test(an_acknowledgement_that_comes_late_changes_nothing),
        cmocka_unit_test(what_the_reader_has_from_an_earlier_life_is_not_sent),
        cmocka_unit_test(an_ask_sends_again_what_follows_it),
        cmocka_unit_test(an_ask_that_comes_twice_begins_twice),
        cmocka_unit_test(an_ask_that_comes_late_costs_repetitions_only),
        cmocka_unit_test(a_reader_that_forgot_everything_begins_at_the_oldest_there_is),
        cmocka_unit_test(what_is_gone_is_not_waited_for),
        cmocka_unit_test(everything_handed_over_may_be_acknowledged_and_nothing_beyond),
        cmocka_unit_test(what_an_earlier_life_may_have_handed_over_may_be_acknowledged),
        cmocka_unit_test(a_writer_with_a_past_hands_over_one_new_frame_before_it_hears_its_reader),
        cmocka_unit_test(a_writer_without_a_past_waits_for_no_answer),
        cmocka_unit_test(what_was_sent_stays_known_after_sending_began_again),
        cmocka_unit_test(a_new_stream_begins_again_with_what_is_not_acknowledged),
        cmocka_unit_test(patience_ends_at_its_deadline_and_not_before),
        cmocka_unit_test(it_is_counted_from_the_first_frame_under_way),
        cmocka_unit_test(patience_doubles_up_to_its_limit),
        cmocka_unit_test(a_limit_below_the_first_wait_does_not_shorten_it),
        cmocka_unit_test(progress_restores_patience_and_counts_from_now),
        cmocka_unit_test(an_acknowledgement_without_progress_does_not),
        cmocka_unit_test(a_reader_that_asks_or_returns_restores_patience),
        cmocka_unit_test(an_acknowledgement_after_patience_ended_skips_what_it_covers),
        cmocka_unit_test(best_effort_counts_as_acknowledged_what_is_sent),
        cmocka_unit_test(best_effort_waits_for_a_reader_that_is_away),
        cmocka_unit_test(the_last_position_of_all_is_sent_and_acknowledged),
        cmocka_unit_test(a_beginning_that_acknowledges_more_than_there_is_has_no_backlog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
