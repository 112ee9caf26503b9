/* Random intersections and random traffic against what every policy promises: a phase that there is, the same answer to
 * the same question whatever groups are called, and that nobody waits for ever, even without the guard of the maximum
 * red.
 *
 * A million steps by default; property-run.h says how to ask for more, or for the same again. */
#include "core/policy.h"
#include "core/random.h"
#include "property-run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static uint64_t n_steps = 1000 * 1000;
static uint64_t seed;

#define expect(condition, ...)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            print_error("seed %" PRIu64 ": ", seed);                                                         \
            print_error(__VA_ARGS__);                                                                        \
            fail();                                                                                          \
        }                                                                                                    \
    } while (0)

/* --- a random intersection --- */

static void random_conflicts(Random *random, SignalModel *model) {
    for (unsigned g = 0; g < model->n_groups; g++)
        for (unsigned h = 0; h < g; h++)
            if (random_below(random, 2)) {
                model->conflicts[g] |= (GroupSet)1 << h;
                model->conflicts[h] |= (GroupSet)1 << g;
            }
}

/* The group, and whichever others go with it. */
static GroupSet random_phase(Random *random, const SignalModel *model, unsigned group) {
    GroupSet phase = (GroupSet)1 << group;
    unsigned first = (unsigned)random_below(random, model->n_groups);
    for (unsigned i = 0; i < model->n_groups; i++) {
        unsigned g = (first + i) % model->n_groups;
        if (!(model->conflicts[g] & phase) && random_below(random, 4))
            phase |= (GroupSet)1 << g;
    }
    return phase;
}

static void random_model(Random *random, SignalModel *model, Layout *layout) {
    *model = (SignalModel){.n_groups = 2 + (unsigned)random_below(random, 10),
                           .all_red_usec = (1 + random_below(random, 4)) * SEC,
                           .yellow_usec = random_below(random, 2) * 3 * SEC};
    random_conflicts(random, model);
    model->n_phases = model->n_groups;
    *layout = (Layout){.n_lanes = model->n_groups};
    for (unsigned g = 0; g < model->n_groups; g++) {
        model->min_green_usec[g] = (5 + random_below(random, 5)) * SEC;
        model->max_red_usec[g] = 90 * SEC;
        model->phases[g] = random_phase(random, model, g);
        model->permitted[g] = model->phases[g] & (GroupSet)random_next(random) &
                              (GroupSet)random_next(random) & ~((GroupSet)1 << g);
        layout->lanes[g] = (LayoutLane){.groups = (GroupSet)1 << g,
                                        .length_metres = 200,
                                        .speed_mps = random_between(random, 8, 20),
                                        .view_metres = 100,
                                        .loop_metres = 150};
    }
}

/* --- the same question --- */

static void random_picture(Random *random, Picture *picture, unsigned n_lanes, Mono now) {
    for (unsigned l = 0; l < n_lanes; l++) {
        SeenVehicle vehicles[20];
        unsigned n = (unsigned)random_below(random, 20);
        double metres = 0;
        for (unsigned i = 0; i < n; i++) {
            metres += random_between(random, 5, 20);
            vehicles[i] = (SeenVehicle){metres, random_between(random, 0, 20)};
        }
        if (random_below(random, 10))
            picture_view(picture, l, n, vehicles, (unsigned)random_below(random, n + 1), now);
        for (uint64_t i = random_below(random, 5); i > 0; i--)
            picture_passage(picture, l, 0, (Mono){now.usec - random_below(random, 15 * SEC)});
        if (random_below(random, 2))
            picture_queue(picture, l, random_between(random, 0, 12), now);
    }
}

static void random_lights(Random *random, PolicyInput *input, Mono now) {
    const SignalModel *model = input->model;
    input->has_phase = random_below(random, 4);
    input->phase = (unsigned)random_below(random, model->n_phases);
    unsigned shown = random_below(random, 4) ? input->phase : (unsigned)random_below(random, model->n_phases);
    for (unsigned g = 0; g < model->n_groups; g++) {
        input->lights.colour[g] = set_has(model->phases[shown], g) ? SIGNAL_GREEN : SIGNAL_RED;
        input->since[g] = (Mono){now.usec - random_below(random, 100 * SEC)};
    }
}

static GroupSet renamed_set(GroupSet set, const unsigned *name, unsigned n) {
    GroupSet renamed = 0;
    for (unsigned g = 0; g < n; g++)
        renamed |= set_has(set, g) ? (GroupSet)1 << name[g] : 0;
    return renamed;
}

static void rename_groups(const SignalModel *model, const Layout *layout, const PolicyInput *input,
                          const unsigned *name, SignalModel *ret_model, Layout *ret_layout,
                          PolicyInput *ret_input) {
    const unsigned n = model->n_groups;
    *ret_model = *model;
    *ret_layout = *layout;
    *ret_input = *input;
    for (unsigned g = 0; g < n; g++) {
        ret_model->conflicts[name[g]] = renamed_set(model->conflicts[g], name, n);
        ret_model->min_green_usec[name[g]] = model->min_green_usec[g];
        ret_model->max_red_usec[name[g]] = model->max_red_usec[g];
        ret_input->lights.colour[name[g]] = input->lights.colour[g];
        ret_input->since[name[g]] = input->since[g];
    }
    for (unsigned p = 0; p < model->n_phases; p++) {
        ret_model->phases[p] = renamed_set(model->phases[p], name, n);
        ret_model->permitted[p] = renamed_set(model->permitted[p], name, n);
    }
    for (unsigned l = 0; l < layout->n_lanes; l++)
        ret_layout->lanes[l].groups = renamed_set(layout->lanes[l].groups, name, n);
}

static PolicyChoice answer(PolicyName policy, const PolicyInput *input, PlannerScratch *scratch, Mono now) {
    PolicyMemory memory;
    policy_init(&memory, input->model, input->layout, scratch);
    return policy_choose(policy_of(policy), &memory, input, now);
}

static void the_same_question_has_the_same_answer_whatever_groups_are_called(void **state) {
    (void)state;
    Random random = random_seeded(seed, 1);
    PlannerScratch *scratch = calloc(2, sizeof *scratch);
    memset(&scratch[1], 0x5A, sizeof *scratch); /* what was there before does not matter */
    for (uint64_t i = 0; i < n_steps / 500; i++) {
        SignalModel model, other_model;
        Layout layout, other_layout;
        Picture picture;
        PolicyInput input = {.model = &model, .layout = &layout, .picture = &picture}, other;
        const Mono now = {1000 * SEC};
        unsigned name[SIGNAL_GROUPS_MAX];
        random_model(&random, &model, &layout);
        picture_init(&picture, &layout);
        random_picture(&random, &picture, layout.n_lanes, now);
        random_lights(&random, &input, now);
        for (unsigned g = 0; g < model.n_groups; g++) {
            unsigned other_place = (unsigned)random_below(&random, g + 1);
            name[g] = name[other_place];
            name[other_place] = g;
        }
        rename_groups(&model, &layout, &input, name, &other_model, &other_layout, &other);
        other.model = &other_model;
        other.layout = &other_layout;
        for (int p = 0; p < POLICY_COUNT; p++) {
            PolicyChoice one = answer((PolicyName)p, &input, &scratch[0], now);
            PolicyChoice two = answer((PolicyName)p, &other, &scratch[1], now);
            expect(!one.has_phase || one.phase < model.n_phases, "phase %u of %u\n", one.phase,
                   model.n_phases);
            expect(one.has_phase == two.has_phase && one.phase == two.phase,
                   "%s: phase %u, and by other names %u\n", policy_words[p], one.phase, two.phase);
        }
    }
    free(scratch);
}

/* --- nobody waits for ever --- */

/* Lights that do what is asked as soon as minimum greens and clearances allow, and no more: there is no guard. */
static void obey(const SignalModel *model, PolicyInput *input, GroupSet wanted, Mono now) {
    for (unsigned g = 0; g < model->n_groups; g++)
        if (input->lights.colour[g] == SIGNAL_GREEN && !set_has(wanted, g) &&
            mono_between(input->since[g], now) >= model->min_green_usec[g]) {
            input->lights.colour[g] = SIGNAL_RED;
            input->since[g] = now;
        }
    for (unsigned g = 0; g < model->n_groups; g++) {
        bool is_clear = input->lights.colour[g] == SIGNAL_RED && set_has(wanted, g);
        for (unsigned h = 0; h < model->n_groups; h++)
            if (set_has(model->conflicts[g], h))
                is_clear &= input->lights.colour[h] == SIGNAL_RED &&
                            mono_between(input->since[h], now) >= model->all_red_usec;
        if (is_clear) {
            input->lights.colour[g] = SIGNAL_GREEN;
            input->since[g] = now;
        }
    }
}

/* Every group is owed its green within the maximum red; several may be owed at once. */
static uint64_t longest_wait_usec(const SignalModel *model) {
    return 90 * SEC + model->n_groups * (10 * SEC + model->all_red_usec + model->yellow_usec);
}

static void watch_one_intersection(Random *random, PlannerScratch *scratch) {
    SignalModel model;
    Layout layout;
    Picture picture;
    PolicyMemory memory;
    PolicyInput input = {.model = &model, .layout = &layout, .picture = &picture};
    double per_sec[LAYOUT_LANES_MAX];
    unsigned queue[LAYOUT_LANES_MAX] = {0};
    random_model(random, &model, &layout);
    model.yellow_usec = 0;
    picture_init(&picture, &layout);
    policy_init(&memory, &model, &layout, scratch);
    for (unsigned l = 0; l < layout.n_lanes; l++) {
        per_sec[l] = random_below(random, 3) ? random_between(random, 0, 0.3) : 0.01;
        input.since[l] = (Mono){1000 * SEC};
    }
    for (Mono now = {1000 * SEC}; now.usec < 1600 * SEC; now.usec += SEC) {
        for (unsigned l = 0; l < layout.n_lanes; l++) {
            queue[l] += queue[l] < 13 && random_unit(random) < per_sec[l];
            queue[l] -= queue[l] > 0 && input.lights.colour[l] == SIGNAL_GREEN && now.usec / SEC % 2 == 0;
            picture_view(&picture, l, queue[l], NULL, 0, now);
            uint64_t red_usec = input.lights.colour[l] == SIGNAL_RED ? mono_between(input.since[l], now) : 0;
            expect(queue[l] == 0 || red_usec <= longest_wait_usec(&model),
                   "lane %u waits for %" PRIu64 " s\n", l, red_usec / SEC);
        }
        PolicyChoice choice = policy_choose(policy_of(POLICY_PLANNER), &memory, &input, now);
        expect(choice.has_phase, "no phase\n");
        input.has_phase = true;
        input.phase = choice.phase;
        obey(&model, &input, model.phases[choice.phase], now);
    }
}

static void the_planner_lets_nobody_wait_for_ever_even_without_a_guard(void **state) {
    (void)state;
    Random random = random_seeded(seed, 2);
    PlannerScratch *scratch = malloc(sizeof *scratch);
    for (uint64_t i = 0; i < n_steps / 20000; i++)
        watch_one_intersection(&random, scratch);
    free(scratch);
}

/* --- main --- */

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_question_has_the_same_answer_whatever_groups_are_called),
        cmocka_unit_test(the_planner_lets_nobody_wait_for_ever_even_without_a_guard),
    };
    property_begin(&n_steps, &seed);
    return cmocka_run_group_tests_name("policy-random", tests, NULL, NULL);
}
