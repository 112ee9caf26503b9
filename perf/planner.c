/* How long the planner thinks about one decision.
 *
 *     build/perf/planner [DECISIONS]
 *
 * Three intersections: two streets with one lane each, two streets with two, and eight lanes with lefts of their own in
 * four phases. Traffic is drawn anew for every decision, from empty lanes to full ones; the table says how long the
 * median decision took, and the slowest in a hundred. The machine's own noise is in the figures. */
#include "core/policy.h"
#include "core/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SEC USEC_PER_SEC

static const Mono now = {1000 * SEC};

typedef struct Crossing {
    const char *name;
    unsigned n_groups, n_lanes_each, n_phases;
    GroupSet conflicts[8], phases[4], permitted[4];
} Crossing;

/* Groups of the last one: ahead from north, south, east, west, and the four lefts. */
static const Crossing crossings[] = {
    {"two streets", 2, 1, 2, {2, 1}, {1, 2}, {0}},
    {"two streets, two lanes", 2, 2, 2, {2, 1}, {1, 2}, {0}},
    {"four arms with lefts",
     8,
     1,
     4,
     {0xCC, 0xCC, 0x33, 0x33, 0xCC, 0xCC, 0x33, 0x33},
     {0x33, 0x30, 0xCC, 0xC0},
     {0x30, 0, 0xC0, 0}},
};

static void lay_out(const Crossing *crossing, SignalModel *model, Layout *layout) {
    *model = (SignalModel){
        .n_groups = crossing->n_groups, .n_phases = crossing->n_phases, .all_red_usec = 3 * SEC};
    *layout = (Layout){.n_lanes = crossing->n_groups * crossing->n_lanes_each};
    for (unsigned g = 0; g < crossing->n_groups; g++) {
        model->conflicts[g] = crossing->conflicts[g];
        model->min_green_usec[g] = 5 * SEC;
        model->max_red_usec[g] = 90 * SEC;
    }
    for (unsigned p = 0; p < crossing->n_phases; p++) {
        model->phases[p] = crossing->phases[p];
        model->permitted[p] = crossing->permitted[p];
    }
    for (unsigned l = 0; l < layout->n_lanes; l++)
        layout->lanes[l] = (LayoutLane){.groups = (GroupSet)1 << l % crossing->n_groups,
                                        .length_metres = 200,
                                        .speed_mps = 13.9,
                                        .view_metres = 100,
                                        .loop_metres = 150};
}

static void draw_traffic(Random *random, Picture *picture) {
    for (unsigned l = 0; l < picture->layout->n_lanes; l++) {
        SeenVehicle vehicles[14];
        unsigned n = 0;
        double metres = 0, gap = random_between(random, 7.5, 80);
        while (n < 14 && (metres += random_between(random, 7.5, gap)) < 100)
            vehicles[n++] =
                (SeenVehicle){metres, random_below(random, 2) ? 0 : random_between(random, 0, 13.9)};
        picture_view(picture, l, n, vehicles, n, now);
        if (random_below(random, 2))
            picture_passage(picture, l, 0, (Mono){now.usec - random_below(random, 4 * SEC)});
    }
}

static double usec_of_a_decision(Random *random, const Crossing *crossing, PlannerScratch *scratch) {
    SignalModel model;
    Layout layout;
    Picture picture;
    PolicyMemory memory;
    PolicyInput input = {.model = &model, .layout = &layout, .picture = &picture, .has_phase = true};
    struct timespec begun, done;
    lay_out(crossing, &model, &layout);
    picture_init(&picture, &layout);
    policy_init(&memory, &model, &layout, scratch);
    draw_traffic(random, &picture);
    input.phase = (unsigned)random_below(random, model.n_phases);
    for (unsigned g = 0; g < model.n_groups; g++) {
        input.lights.colour[g] = set_has(model.phases[input.phase], g) ? SIGNAL_GREEN : SIGNAL_RED;
        input.since[g] = (Mono){now.usec - random_below(random, 40 * SEC)};
    }
    clock_gettime(CLOCK_MONOTONIC, &begun);
    (void)policy_choose(policy_of(POLICY_PLANNER), &memory, &input, now);
    clock_gettime(CLOCK_MONOTONIC, &done);
    return (double)(done.tv_sec - begun.tv_sec) * 1e6 + (double)(done.tv_nsec - begun.tv_nsec) / 1e3;
}

static int in_order(const void *a, const void *b) {
    double one = *(const double *)a, two = *(const double *)b;
    return one < two ? -1 : one > two;
}

int main(int argc, char **argv) {
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    double *usec = n ? calloc(n, sizeof *usec) : NULL;
    PlannerScratch *scratch = malloc(sizeof *scratch);
    if (!usec || !scratch) {
        (void)fprintf(stderr, "planner: expected a number of decisions above 0\n");
        return EXIT_FAILURE;
    }
    printf("%-26s %12s %12s\n", "us per decision", "median", "99 in 100");
    for (size_t c = 0; c < sizeof crossings / sizeof *crossings; c++) {
        Random random = random_seeded(1, c);
        for (size_t i = 0; i < n; i++)
            usec[i] = usec_of_a_decision(&random, &crossings[c], scratch);
        qsort(usec, n, sizeof *usec, in_order);
        printf("%-26s %12.1f %12.1f\n", crossings[c].name, usec[n / 2], usec[n * 99 / 100]);
    }
    free(scratch);
    free(usec);
    return EXIT_SUCCESS;
}
