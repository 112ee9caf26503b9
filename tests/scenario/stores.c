/* Hours of store outages, lost heartbeats and stalls of our own, against the truth that only the test
 * knows. */
#include "core/failover.h"
#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    BEAT_MS = 100,
    SUSPECT_MS = 300,
    DEAD_MS = 600,
    DWELL_MS = 2000,
    RETURN_BEATS = 5,
    HOUR_MS = 3600 * 1000
};

typedef struct World {
    Failover failover;
    Random random;
    uint64_t now_ms;
    bool is_up[STORE_ROLE_COUNT];
    double beat_loss;
    uint64_t deaths[STORE_ROLE_COUNT], returns[STORE_ROLE_COUNT];
    uint64_t longest_detection_ms; /* from the last good beat */
} World;

static World world;

static uint64_t seed(void) {
    const char *given = getenv("SCENARIO_SEED");
    return given ? strtoull(given, NULL, 10) : 20261;
}

static Mono now(void) {
    return (Mono){world.now_ms * USEC_PER_MSEC};
}

static int fresh_world(void **state) {
    (void)state;
    static const FailoverTimes times = {.beat_usec = BEAT_MS * USEC_PER_MSEC,
                                        .suspect_usec = SUSPECT_MS * USEC_PER_MSEC,
                                        .dead_usec = DEAD_MS * USEC_PER_MSEC,
                                        .return_beats = RETURN_BEATS,
                                        .dwell_usec = DWELL_MS * USEC_PER_MSEC};
    print_message("SCENARIO_SEED=%llu\n", (unsigned long long)seed());
    world = (World){.random = random_seeded(seed(), 0), .now_ms = 1000, .is_up = {true, true}};
    failover_init(&world.failover, &times, now());
    return 0;
}

static void note(const FailoverChange *change) {
    if (!change->has_changed)
        return;
    if (change->after == STORE_DEAD) {
        world.deaths[change->role]++;
        uint64_t took_ms = change->silence_usec / USEC_PER_MSEC;
        world.longest_detection_ms =
            took_ms > world.longest_detection_ms ? took_ms : world.longest_detection_ms;
    }
    world.returns[change->role] += change->before == STORE_DEAD;
}

/* One beat period: stores that are up answer, some beats are lost, then our own timer ticks, up to 85 ms
 * late as was measured. */
static void period(void) {
    for (int role = 0; role < STORE_ROLE_COUNT; role++) {
        bool is_lost = random_unit(&world.random) < world.beat_loss;
        if (world.is_up[role] && !is_lost) {
            FailoverChange change = failover_beat(&world.failover, (StoreRole)role, true, now());
            note(&change);
        }
    }
    world.now_ms += BEAT_MS + random_below(&world.random, 86);
    FailoverChanges changes = failover_tick(&world.failover, now());
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        note(&changes.of[role]);
}

static void run_ms(uint64_t ms) {
    for (uint64_t end = world.now_ms + ms; world.now_ms < end;)
        period();
}

static void two_healthy_stores_are_never_called_dead(void **state) {
    (void)state;
    run_ms(6 * HOUR_MS);
    assert_int_equal(world.deaths[STORE_ROLE_PRIMARY] + world.deaths[STORE_ROLE_REPLICA], 0);
    assert_int_equal(world.failover.n_own_stalls, 0);
}

static void a_lost_beat_now_and_then_is_no_death(void **state) {
    (void)state;
    world.beat_loss = 0.001;
    run_ms(6 * HOUR_MS);
    assert_int_equal(world.deaths[STORE_ROLE_PRIMARY] + world.deaths[STORE_ROLE_REPLICA], 0);
}

static void every_outage_is_found_in_time_and_ends_in_a_return(void **state) {
    (void)state;
    enum { OUTAGES = 500 };
    for (int i = 0; i < OUTAGES; i++) {
        StoreRole answering = STORE_ROLE_PRIMARY;
        run_ms(5000 + random_below(&world.random, 20000));
        world.is_up[STORE_ROLE_PRIMARY] = false;
        run_ms(1000);
        assert_true(failover_answering(&world.failover, &answering));
        assert_int_equal(answering, STORE_ROLE_REPLICA);
        run_ms(random_below(&world.random, 60000));
        world.is_up[STORE_ROLE_PRIMARY] = true;
        run_ms(DWELL_MS + 2 * RETURN_BEATS * BEAT_MS);
        assert_true(failover_answering(&world.failover, &answering));
        assert_int_equal(answering, STORE_ROLE_PRIMARY);
    }
    assert_int_equal(world.deaths[STORE_ROLE_PRIMARY], OUTAGES);
    assert_int_equal(world.returns[STORE_ROLE_PRIMARY], OUTAGES);
    assert_int_equal(world.deaths[STORE_ROLE_REPLICA], 0);
    assert_in_range(world.longest_detection_ms, DEAD_MS, DEAD_MS + 2 * BEAT_MS);
}

static void a_store_that_flaps_changes_at_most_once_in_the_dwell(void **state) {
    (void)state;
    uint64_t begin_ms = world.now_ms;
    for (int i = 0; i < 2000; i++) {
        world.is_up[STORE_ROLE_PRIMARY] = !world.is_up[STORE_ROLE_PRIMARY];
        run_ms(100 + random_below(&world.random, 2000));
    }
    assert_true(world.returns[STORE_ROLE_PRIMARY] > 0);
    assert_true(world.returns[STORE_ROLE_PRIMARY] * DWELL_MS <= world.now_ms - begin_ms);
}

static void stalls_of_our_own_kill_nobody(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) {
        run_ms(1000 + random_below(&world.random, 5000));
        world.now_ms += 250 + random_below(&world.random, 5000); /* stopped: nothing heard, nothing ticked */
        FailoverChanges changes = failover_tick(&world.failover, now());
        note(&changes.of[STORE_ROLE_PRIMARY]);
        note(&changes.of[STORE_ROLE_REPLICA]);
    }
    assert_int_equal(world.deaths[STORE_ROLE_PRIMARY] + world.deaths[STORE_ROLE_REPLICA], 0);
    assert_int_equal(world.failover.n_own_stalls, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_healthy_stores_are_never_called_dead, fresh_world),
        cmocka_unit_test_setup(a_lost_beat_now_and_then_is_no_death, fresh_world),
        cmocka_unit_test_setup(every_outage_is_found_in_time_and_ends_in_a_return, fresh_world),
        cmocka_unit_test_setup(a_store_that_flaps_changes_at_most_once_in_the_dwell, fresh_world),
        cmocka_unit_test_setup(stalls_of_our_own_kill_nobody, fresh_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
