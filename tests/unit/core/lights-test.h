/* What the tests of the lights share: seconds as instants, two models, and what is shown as a text. */
#pragma once

#include "core/interlock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

/* Tests begin at a time of their own, so that zero is never right by accident. */
#define BEGIN_USEC (1000 * SEC)

static inline Mono at_usec(uint64_t usec) {
    return (Mono){BEGIN_USEC + usec};
}

static inline Mono at(uint64_t seconds) {
    return at_usec(seconds * SEC);
}

/* --- two streets, without yellow --- */

enum { NS = 1 << DIRECTION_NS, EW = 1 << DIRECTION_EW };

static const SafetyTimes usual_safety = {
    .min_green_usec = 5 * SEC, .all_red_usec = 2 * SEC, .max_red_usec = 90 * SEC};

static inline SignalModel two_streets(void) {
    return signal_model_two_streets(&usual_safety, 15 * SEC);
}

/* --- four approaches, each with a straight movement and a left turn that has a signal of its own --- */

enum { NT, ST, ET, WT, NL, SL, EL, WL, FOUR_ARMS_GROUPS };
#define ONLY(group) ((GroupSet)1 << (group))

static inline SignalModel four_arms(void) {
    /* A left turn crosses whoever comes towards it and the other street. */
    static const GroupSet streets = ONLY(NT) | ONLY(ST) | ONLY(NL) | ONLY(SL);
    static const GroupSet others = ONLY(ET) | ONLY(WT) | ONLY(EL) | ONLY(WL);
    SignalModel model = {
        .n_groups = FOUR_ARMS_GROUPS,
        .conflicts = {[NT] = others | ONLY(SL),
                      [ST] = others | ONLY(NL),
                      [NL] = others | ONLY(ST),
                      [SL] = others | ONLY(NT),
                      [ET] = streets | ONLY(WL),
                      [WT] = streets | ONLY(EL),
                      [EL] = streets | ONLY(WT),
                      [WL] = streets | ONLY(ET)},
        .yellow_usec = 3 * SEC,
        .all_red_usec = 2 * SEC,
        .n_phases = 6,
        .phases = {ONLY(NT) | ONLY(ST), ONLY(NL) | ONLY(SL), ONLY(ET) | ONLY(WT), ONLY(EL) | ONLY(WL),
                   ONLY(NT) | ONLY(NL), ONLY(ST) | ONLY(SL)},
        .direction_groups = {[DIRECTION_NS] = streets, [DIRECTION_EW] = others},
        .direction_phase = {[DIRECTION_NS] = 0, [DIRECTION_EW] = 2},
        .n_stages = 4,
        .stages = {{0, 15 * SEC}, {1, 8 * SEC}, {2, 15 * SEC}, {3, 8 * SEC}},
    };
    for (unsigned g = 0; g < model.n_groups; g++) {
        model.min_green_usec[g] = 5 * SEC;
        model.max_red_usec[g] = 90 * SEC;
    }
    return model;
}

/* What is shown must be this: a letter for each group, r, y or g. */
static inline void assert_lights_show(const Lights *lights, const char *expected) {
    char shown[SIGNAL_GROUPS_MAX + 1] = {0};
    for (unsigned g = 0; expected[g]; g++)
        shown[g] = "ryg"[lights->colour[g]];
    assert_string_equal(shown, expected);
    for (size_t g = strlen(expected); g < SIGNAL_GROUPS_MAX; g++)
        assert_int_equal(lights->colour[g], SIGNAL_RED);
}

static inline void assert_shows(const Interlock *interlock, const char *expected) {
    const Lights lights = interlock_lights(interlock);
    assert_lights_show(&lights, expected);
}
