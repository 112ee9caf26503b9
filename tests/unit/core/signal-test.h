/* What the tests of the lights share: the usual times, seconds as instants, and a way to look at what is
 * shown. */
#pragma once

#include "core/signal-plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static const SignalTimes usual_times = {
    .interlock = {.min_green_usec = 5 * SEC, .all_red_usec = 2 * SEC, .max_red_usec = 90 * SEC},
    .green_usec = 15 * SEC,
    .extension_usec = 10 * SEC,
    .cross_reduction_usec = 5 * SEC,
    .wave_usec = 30 * SEC,
};

/* Tests begin at a time of their own, so that zero is never right by accident. */
#define BEGIN_USEC (1000 * SEC)

static inline Mono at_usec(uint64_t usec) {
    return (Mono){BEGIN_USEC + usec};
}

static inline Mono at(uint64_t seconds) {
    return at_usec(seconds * SEC);
}

#define ALL_RED_SHOWN ((Lights){{COLOUR_RED, COLOUR_RED}})
#define NS_SHOWN      ((Lights){{COLOUR_GREEN, COLOUR_RED}})
#define EW_SHOWN      ((Lights){{COLOUR_RED, COLOUR_GREEN}})
#define BOTH_SHOWN    ((Lights){{COLOUR_GREEN, COLOUR_GREEN}})

#define assert_lights(lights, ns, ew)                                                                        \
    do {                                                                                                     \
        Lights lights_ = (lights);                                                                           \
        assert_int_equal(lights_.colour[DIRECTION_NS], ns);                                                  \
        assert_int_equal(lights_.colour[DIRECTION_EW], ew);                                                  \
    } while (0)

#define assert_all_red(lights)  assert_lights(lights, COLOUR_RED, COLOUR_RED)
#define assert_ns_green(lights) assert_lights(lights, COLOUR_GREEN, COLOUR_RED)
#define assert_ew_green(lights) assert_lights(lights, COLOUR_RED, COLOUR_GREEN)
