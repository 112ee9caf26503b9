#include "city-model.h"

#include <string.h>

#define DEPARTURES_PER_SEC 0.5
#define FREE_SPEED_KMH     50.0

static const char *const producers[SENSOR_KIND_COUNT] = {"sensor-camera@pc1", "sensor-inductive@pc1",
                                                         "sensor-gps@pc1"};

/* --- what happened --- */

static void note(Model *model, uint64_t what) {
    model->counts.digest = (model->counts.digest ^ what ^ model->now.usec) * UINT64_C(1099511628211);
}

static void check_green(Model *model, ModelCrossing *crossing, ModelApproach *approach) {
    const SafetyTimes *safety = &model->safety;
    model->counts.short_clearances +=
        mono_between(crossing->all_red_since, model->now) < safety->all_red_usec;
    /* a maximum red is noticed by the step after it, and the cross street's minimum green comes first */
    uint64_t longest_usec =
        safety->max_red_usec + safety->min_green_usec + 2 * safety->all_red_usec + MODEL_STEP_USEC;
    model->counts.long_reds += mono_between(approach->red_since, model->now) > longest_usec;
    approach->green_since = model->now;
}

static void check_red(Model *model, ModelCrossing *crossing, ModelApproach *approach) {
    uint64_t shown_usec = mono_between(approach->green_since, model->now);
    model->counts.short_greens += shown_usec < model->safety.min_green_usec;
    approach->shown_green_usec += shown_usec;
    approach->red_since = model->now;
    crossing->all_red_since = model->now;
}

/* --- decisions --- */

static void step_intersection(Model *model, ModelCrossing *crossing, const IntersectionEvent *event);

static void show(Model *model, ModelCrossing *crossing, const SignalChange *change) {
    if (!change->is_change)
        return;
    model->counts.changes++;
    note(model, lights_green(&change->lights));
    int n_green = 0;
    for (int d = 0; d < DIRECTION_COUNT; d++) {
        ModelApproach *approach = &crossing->approaches[d];
        bool is_green = change->lights.colour[d] == SIGNAL_GREEN;
        n_green += is_green;
        if (is_green && !approach->is_green)
            check_green(model, crossing, approach);
        if (!is_green && approach->is_green)
            check_red(model, crossing, approach);
        approach->is_green = is_green;
    }
    model->counts.both_green += n_green > 1;
    IntersectionEvent event = {.kind = INTERSECTION_LIGHTS};
    for (int d = 0; d < DIRECTION_COUNT; d++)
        event.lights[d] = change->lights.colour[d] == SIGNAL_GREEN ? COLOUR_GREEN : COLOUR_RED;
    step_intersection(model, crossing, &event);
}

static void extend(Model *model, ModelCrossing *crossing, const IntersectionActions *actions) {
    SignalRequest request = {
        .action = SIGNAL_EXTEND, .has_direction = actions->has_direction, .direction = actions->direction};
    SignalChange change = {0};
    SignalAnswer answer = signal_plan_request(&crossing->plan, &request, model->now, &change);
    model->counts.extensions_asked++;
    model->counts.extensions_granted += answer.outcome == SIGNAL_GRANTED;
    model->counts.extensions_already += answer.outcome == SIGNAL_ALREADY;
    crossing->counts.extensions_granted += answer.outcome == SIGNAL_GRANTED;
    note(model, 16 + answer.outcome);
    show(model, crossing, &change);
}

static void step_intersection(Model *model, ModelCrossing *crossing, const IntersectionEvent *event) {
    IntersectionActions actions =
        intersection_step(&crossing->intersection, &model->thresholds, event, model->now);
    if (actions.has_changed) {
        model->counts.edges[actions.after]++;
        crossing->counts.edges[actions.after]++;
        note(model, 32 + actions.after);
    }
    if (actions.must_extend && !model->rules_are_off)
        extend(model, crossing, &actions);
}

/* --- sensors and the network --- */

static void deliver(Model *model, int i, SensorKind kind, uint64_t sequence, const IntersectionEvent *event) {
    DedupAnswer answer = dedup_judge(&model->dedup, producers[kind], 1, sequence);
    model->counts.repeats += answer.verdict == DEDUP_REPEAT;
    model->counts.missing += answer.n_missing;
    if (answer.verdict != DEDUP_NEW && answer.verdict != DEDUP_GAP)
        return;
    model->counts.decided++;
    step_intersection(model, &model->crossings[i], event);
}

static void send(Model *model, int i, SensorKind kind, Approach approach, Readings readings,
                 double interval_sec) {
    IntersectionEvent event = {.kind = INTERSECTION_READ,
                               .approach = approach,
                               .readings = readings,
                               .fresh_usec = usec_from_sec(3 * interval_sec)};
    uint64_t sequence = ++model->next_sequence[kind];
    bool is_lost = random_unit(&model->random) < model->loss;
    bool is_repeated = random_unit(&model->random) < model->repetition;
    model->counts.events++;
    if (!is_lost)
        deliver(model, i, kind, sequence, &event);
    if (is_repeated && !is_lost)
        deliver(model, i, kind, sequence, &event);
}

static double speed_of(const ModelApproach *approach) {
    return FREE_SPEED_KMH / (1 + approach->queue / 4);
}

static bool is_time(const Model *model, int every_sec) {
    return model->now.usec % (USEC_PER_SEC * (uint64_t)every_sec) == 0;
}

static void sense(Model *model, int i) {
    ModelCrossing *crossing = &model->crossings[i];
    for (int d = 0; d < DIRECTION_COUNT; d++) {
        ModelApproach *approach = &crossing->approaches[d];
        Approach side = approach_of((Direction)d);
        if (is_time(model, MODEL_CAMERA_SEC))
            send(model, i, SENSOR_CAMERA, side,
                 (Readings){.has_queue = true,
                            .queue_vehicles = (double)(int)approach->queue,
                            .has_speed = true,
                            .speed_kmh = speed_of(approach)},
                 MODEL_CAMERA_SEC);
        if (is_time(model, MODEL_LOOP_SEC)) {
            send(model, i, SENSOR_INDUCTIVE, side,
                 (Readings){.has_count = true,
                            .count_per_30sec =
                                rules_count_per_30sec((double)(int)approach->since_count, MODEL_LOOP_SEC)},
                 MODEL_LOOP_SEC);
            approach->since_count = 0;
        }
    }
    if (is_time(model, MODEL_GPS_SEC)) {
        double mean_kmh = (speed_of(&crossing->approaches[0]) + speed_of(&crossing->approaches[1])) / 2;
        send(model, i, SENSOR_GPS, APPROACH_ANY, (Readings){.has_speed = true, .speed_kmh = mean_kmh},
             MODEL_GPS_SEC);
    }
}

/* --- traffic --- */

static void move(Model *model, ModelCrossing *crossing) {
    const double step_sec = (double)MODEL_STEP_USEC / (double)USEC_PER_SEC;
    for (int d = 0; d < DIRECTION_COUNT; d++) {
        ModelApproach *approach = &crossing->approaches[d];
        if (random_unit(&model->random) < approach->arrivals_per_sec * step_sec)
            approach->queue += 1;
        double leaving = approach->is_green ? DEPARTURES_PER_SEC * step_sec : 0;
        leaving = leaving < approach->queue ? leaving : approach->queue;
        approach->queue -= leaving;
        approach->since_count += leaving;
        crossing->counts.waited_vehicle_sec += approach->queue * step_sec;
    }
}

/* --- the model --- */

void model_init(Model *model, uint64_t seed) {
    memset(model, 0, sizeof *model);
    model->now = (Mono){USEC_PER_SEC};
    model->random = random_seeded(seed, 0);
    model->thresholds = (RuleThresholds){.congestion_queue_min = 10,
                                         .congestion_speed_max_kmh = 20,
                                         .congestion_count_min = 40,
                                         .normal_queue_below = 5,
                                         .normal_speed_above_kmh = 35,
                                         .normal_count_below = 20};
    model->safety = (SafetyTimes){.min_green_usec = 5 * USEC_PER_SEC,
                                  .all_red_usec = 2 * USEC_PER_SEC,
                                  .max_red_usec = 90 * USEC_PER_SEC};
    model->streets = signal_model_two_streets(&model->safety, 15 * USEC_PER_SEC);
    model->times = (SignalTimes){.force_usec = 15 * USEC_PER_SEC,
                                 .extension_usec = 10 * USEC_PER_SEC,
                                 .cross_reduction_usec = 5 * USEC_PER_SEC,
                                 .wave_usec = 30 * USEC_PER_SEC,
                                 .lease_usec = 5 * USEC_PER_SEC};
    const Mono zero = mono_after(model->now, model->safety.all_red_usec);
    dedup_init(&model->dedup, model->producers, 1);
    for (int i = 0; i < MODEL_INTERSECTIONS; i++) {
        ModelCrossing *crossing = &model->crossings[i];
        intersection_init(&crossing->intersection);
        signal_plan_init(&crossing->plan, &model->streets, &model->times, zero, model->now);
        crossing->all_red_since = model->now;
        for (int d = 0; d < DIRECTION_COUNT; d++)
            crossing->approaches[d] = (ModelApproach){.arrivals_per_sec = 0.1, .red_since = model->now};
    }
}

void model_set_demand(Model *model, int crossing, Direction direction, double arrivals_per_sec) {
    model->crossings[crossing].approaches[direction].arrivals_per_sec = arrivals_per_sec;
}

void model_run(Model *model, double seconds) {
    const IntersectionEvent time_passes = {.kind = INTERSECTION_TIME};
    Mono end = mono_after(model->now, usec_from_sec(seconds));
    while (!mono_reached(model->now, end)) {
        model->now = mono_after(model->now, MODEL_STEP_USEC);
        for (int i = 0; i < MODEL_INTERSECTIONS; i++) {
            ModelCrossing *crossing = &model->crossings[i];
            SignalChange change = signal_plan_step(&crossing->plan, model->now);
            show(model, crossing, &change);
            move(model, crossing);
            if (!model->sensors_are_silent)
                sense(model, i);
            if (is_time(model, 1))
                step_intersection(model, crossing, &time_passes);
        }
    }
}

void model_wave(Model *model, int row, double seconds) {
    for (int column = 0; column < MODEL_COLUMNS; column++) {
        ModelCrossing *crossing = model_at(model, row, column);
        SignalRequest request = {.action = SIGNAL_WAVE,
                                 .has_direction = true,
                                 .direction = DIRECTION_EW,
                                 .duration_usec = usec_from_sec(seconds)};
        SignalChange change = {0};
        (void)signal_plan_request(&crossing->plan, &request, model->now, &change);
        IntersectionEvent event = {.kind = INTERSECTION_WAVE, .wave_usec = usec_from_sec(seconds)};
        step_intersection(model, crossing, &event);
        show(model, crossing, &change);
    }
}
