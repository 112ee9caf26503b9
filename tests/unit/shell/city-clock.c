/* City time that is a simulator's: it stands still between ticks, and what is due fires in order. */
#include "shell/city-clock.h"
#include "shell/runtime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC
static const Wall eight = {UINT64_C(1767254400) * USEC_PER_SEC};

static Service *make_service(ClockSource source) {
    const Settings settings = {.clock_source = (int)source};
    const ServiceOptions options = {.name = "test", .settings = &settings, .runtime_dir = "/nonexistent"};
    Service *service = NULL;
    Problem problem = {""};
    assert_int_equal(service_new(&options, &service, &problem), 0);
    return service;
}

static Wall at(uint64_t sec) {
    return (Wall){eight.usec + sec * SECOND};
}

/* --- timers that write down what happens --- */

typedef struct Diary {
    char text[128];
} Diary;

typedef struct Alarm {
    Diary *diary;
    char letter;
    Timer *timer;
    Mono fired;
    uint64_t again_after;   /* 0: never */
    Timer *clears, **frees; /* what it does to others */
} Alarm;

static int on_alarm(Timer *timer, Mono now, void *userdata) {
    Alarm *alarm = userdata;
    strncat(alarm->diary->text, &alarm->letter, 1);
    alarm->fired = now;
    if (alarm->again_after)
        timer_set(timer, mono_after(now, alarm->again_after));
    if (alarm->clears)
        timer_clear(alarm->clears);
    if (alarm->frees)
        *alarm->frees = timer_free(*alarm->frees);
    return alarm->letter == '!' ? -EIO : 0;
}

static Alarm *set_alarm(Service *service, Alarm *alarm, uint64_t after_usec) {
    if (!alarm->timer)
        assert_int_equal(city_timer_new(service, on_alarm, alarm, &alarm->timer), 0);
    timer_set(alarm->timer, mono_after(service_city_now(service), after_usec));
    return alarm;
}

/* --- the tests --- */

static void city_time_stands_still_between_ticks_and_jumps_at_each(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_TICK);
    assert_true(city_clock_ticks(service));
    assert_int_equal(service_city_wall(service).usec, 0);
    Mono begin = service_city_now(service);
    assert_int_equal(city_clock_tick(service, at(0)), 0);
    assert_int_equal(service_city_now(service).usec, begin.usec); /* the first only says when it is */
    assert_int_equal(service_city_wall(service).usec, eight.usec);
    assert_int_equal(city_clock_tick(service, at(90)), 0);
    assert_int_equal(mono_between(begin, service_city_now(service)), 90 * SECOND);
    assert_int_equal(service_city_wall(service).usec, at(90).usec);
    assert_int_equal(city_clock_tick(service, at(90)), 0); /* no time needs to pass */
}

static void each_run_counts_from_the_same_moment(void **state) {
    (void)state;
    scoped(service_freep) Service *one = make_service(CLOCK_TICK);
    scoped(service_freep) Service *other = make_service(CLOCK_TICK);
    assert_int_equal(city_clock_tick(one, at(0)), 0);
    assert_int_equal(city_clock_tick(one, at(7)), 0);
    assert_int_equal(city_clock_tick(other, at(5000)), 0);
    assert_int_equal(city_clock_tick(other, at(5007)), 0);
    assert_int_equal(service_city_now(one).usec, service_city_now(other).usec);
}

static void a_tick_that_goes_back_is_refused_until_the_run_is_over(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_TICK);
    assert_int_equal(city_clock_tick(service, at(10)), 0);
    assert_int_equal(city_clock_tick(service, at(9)), -EINVAL);
    assert_int_equal(service_city_wall(service).usec, at(10).usec);
    Mono before = service_city_now(service);
    city_clock_end_run(service);
    assert_int_equal(city_clock_tick(service, at(0)), 0);
    assert_int_equal(service_city_now(service).usec, before.usec);
    assert_int_equal(service_city_wall(service).usec, at(0).usec);
}

static void due_timers_fire_in_order_and_equal_ones_as_they_were_set(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_TICK);
    Diary diary = {""};
    Alarm late = {.diary = &diary, .letter = 'l'}, early = {.diary = &diary, .letter = 'e'},
          first = {.diary = &diary, .letter = '1'}, second = {.diary = &diary, .letter = '2'},
          never = {.diary = &diary, .letter = 'n'};
    assert_int_equal(city_clock_tick(service, at(0)), 0);
    set_alarm(service, &late, 9 * SECOND);
    set_alarm(service, &second, 5 * SECOND);
    set_alarm(service, &first, 5 * SECOND);
    set_alarm(service, &early, SECOND / 2);
    set_alarm(service, &never, 20 * SECOND);
    set_alarm(service, &second, 5 * SECOND); /* again: it comes behind `first` now */
    assert_int_equal(city_clock_tick(service, at(10)), 0);
    assert_string_equal(diary.text, "e12l");
    assert_int_equal(early.fired.usec, service_city_now(service).usec); /* time jumps */
    assert_int_equal(city_clock_tick(service, at(19)), 0);
    assert_string_equal(diary.text, "e12l");
    assert_int_equal(city_clock_tick(service, at(20)), 0);
    assert_string_equal(diary.text, "e12ln");
    for (Alarm *alarms[] = {&late, &early, &first, &second, &never}, **i = alarms; i < alarms + 5; i++)
        timer_free((*i)->timer);
}

static void time_that_is_opened_makes_nothing_due_before_its_tick(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_TICK);
    Diary diary = {""};
    Alarm alarm = {.diary = &diary, .letter = 'a'};
    assert_int_equal(city_clock_open(service, at(0)), 0);
    set_alarm(service, &alarm, SECOND);
    assert_int_equal(city_clock_tick(service, at(0)), 0);
    assert_int_equal(city_clock_open(service, at(5)), 0);
    assert_int_equal(service_city_wall(service).usec, at(5).usec);
    assert_string_equal(diary.text, "");
    assert_int_equal(city_clock_tick(service, at(5)), 0);
    assert_string_equal(diary.text, "a");
    assert_int_equal(city_clock_open(service, at(4)), -EINVAL);
    timer_free(alarm.timer);
}

static void a_handler_may_set_clear_and_free_timers(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_TICK);
    Diary diary = {""};
    Alarm often = {.diary = &diary, .letter = 'o', .again_after = 2 * SECOND},
          cleared = {.diary = &diary, .letter = 'c'}, freed = {.diary = &diary, .letter = 'f'},
          bad = {.diary = &diary, .letter = 'b'};
    assert_int_equal(city_clock_tick(service, at(0)), 0);
    set_alarm(service, &cleared, 2 * SECOND);
    set_alarm(service, &freed, 2 * SECOND);
    set_alarm(service, &bad, SECOND);
    bad.clears = cleared.timer;
    bad.frees = &freed.timer;
    set_alarm(service, &often, SECOND);
    assert_int_equal(city_clock_tick(service, at(3)), 0);
    assert_string_equal(diary.text,
                        "bo"); /* `often` is due again at 5: from now on, not from when it was due */
    assert_int_equal(city_clock_tick(service, at(4)), 0);
    assert_int_equal(city_clock_tick(service, at(5)), 0);
    assert_string_equal(diary.text, "boo");
    timer_free(often.timer);
    timer_free(cleared.timer);
    timer_free(bad.timer);
}

static void what_a_handler_ends_the_process_with_comes_back(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_TICK);
    Diary diary = {""};
    Alarm broken = {.diary = &diary, .letter = '!'};
    set_alarm(service, &broken, 0);
    assert_int_equal(city_clock_tick(service, at(0)), -EIO);
    timer_free(broken.timer);
}

static void what_says_when_it_happened_is_placed_on_the_count(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_TICK);
    assert_int_equal(city_clock_tick(service, at(100)), 0);
    Mono now = service_city_now(service);
    assert_int_equal(service_city_at(service, at(97)).usec, now.usec - 3 * SECOND);
    assert_int_equal(service_city_at(service, at(101)).usec, now.usec + SECOND);
    assert_int_equal(service_city_at(service, (Wall){0}).usec, 1);
}

static void without_ticks_city_time_is_the_machines(void **state) {
    (void)state;
    scoped(service_freep) Service *service = make_service(CLOCK_SYSTEM);
    Diary diary = {""};
    Alarm alarm = {.diary = &diary, .letter = 'a'};
    assert_false(city_clock_ticks(service));
    assert_int_equal(city_clock_tick(service, at(0)), -EINVAL);
    set_alarm(service, &alarm, 1000);
    while (!*diary.text)
        assert_true(sd_event_run(service_event(service), USEC_FOREVER) >= 0);
    assert_int_equal(service_city_now(service).usec, service_now(service).usec);
    assert_int_equal(service_city_wall(service).usec, service_wall(service).usec);
    timer_free(alarm.timer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(city_time_stands_still_between_ticks_and_jumps_at_each),
        cmocka_unit_test(each_run_counts_from_the_same_moment),
        cmocka_unit_test(a_tick_that_goes_back_is_refused_until_the_run_is_over),
        cmocka_unit_test(due_timers_fire_in_order_and_equal_ones_as_they_were_set),
        cmocka_unit_test(time_that_is_opened_makes_nothing_due_before_its_tick),
        cmocka_unit_test(a_handler_may_set_clear_and_free_timers),
        cmocka_unit_test(what_a_handler_ends_the_process_with_comes_back),
        cmocka_unit_test(what_says_when_it_happened_is_placed_on_the_count),
        cmocka_unit_test(without_ticks_city_time_is_the_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
