/* Of the city file: what the lights of each intersection can show, and their plan. Equal descriptions are kept
 * once.
 *
 * What is refused here is what names make clearer. Whether a model is safe is core's to say: it is asked for each
 * (signal_model_check()). */
#include "settings/city-private.h"

#include "core/interlock.h"
#include "core/policy.h"
#include "settings/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GREEN_MAX_SEC = 600, OFFSET_MAX_SEC = 3600, ALL_RED_MAX_SEC = 10 };

#define SEC(usec) ((double)(usec) / (double)USEC_PER_SEC)

CityDefaults city_defaults(const Settings *settings) {
    return (CityDefaults){
        .safety = {.min_green_usec = usec_from_sec(settings->signal_min_green_sec),
                   .yellow_usec = usec_from_sec(settings->signal_yellow_sec),
                   .all_red_usec = usec_from_sec(settings->signal_all_red_sec),
                   .max_red_usec = usec_from_sec(settings->signal_max_red_sec)},
        .green_usec = usec_from_sec(settings->signal_green_sec),
    };
}

/* --- times --- */

typedef struct TimeMember {
    const char *name;
    double min_sec, max_sec;
    size_t offset;
} TimeMember;

static int read_times(const Place *object, SafetyTimes *times) {
    static const TimeMember table[] = {
        {"min_green_sec", SEC(INTERLOCK_MIN_GREEN_FLOOR_USEC), SEC(INTERLOCK_MAX_RED_CEILING_USEC),
         offsetof(SafetyTimes, min_green_usec)},
        {"yellow_sec", 0, SEC(INTERLOCK_YELLOW_CEILING_USEC), offsetof(SafetyTimes, yellow_usec)},
        {"all_red_sec", SEC(INTERLOCK_ALL_RED_FLOOR_USEC), ALL_RED_MAX_SEC,
         offsetof(SafetyTimes, all_red_usec)},
        {"max_red_sec", SEC(INTERLOCK_MIN_GREEN_FLOOR_USEC), SEC(INTERLOCK_MAX_RED_CEILING_USEC),
         offsetof(SafetyTimes, max_red_usec)},
    };
    const char *members[ARRAY_LEN(table)];
    Place place, member;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        members[i] = table[i].name;
    if (!place_member(object, "times", &place))
        return 0;
    int r = place_check_members(&place, members, ARRAY_LEN(members));
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(table); i++)
        if (place_member(&place, table[i].name, &member)) {
            double seconds = 0;
            r = place_number(&member, table[i].min_sec, table[i].max_sec, &seconds);
            *(uint64_t *)((char *)times + table[i].offset) = usec_from_sec(seconds);
        }
    return r;
}

/* --- phases --- */

static int read_phase(Place *object, Junction *junction, unsigned i) {
    static const char *const members[] = {"id", "movements", "permitted"};
    const CityParts *parts = junction->parts;
    const PartNames *names = PART_NAMES("movement", parts->movements, parts->n_movements);
    GroupSet movements = 0, permitted = 0;
    Place place;
    unsigned n;
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = city_read_part_id(object, PART_NAMES("phase", parts->phases, i), parts->phases[i].id);
    if (r == 0)
        r = city_read_list(object, "movements", SIGNAL_GROUPS_MAX, &place, &n);
    if (r == 0)
        r = city_read_part_set(&place, names, &movements);
    if (r == 0 && place_member(object, "permitted", &place))
        r = city_read_part_set(&place, names, &permitted);
    for (unsigned g = 0; r == 0 && g < parts->n_movements; g++)
        if (set_has(movements & permitted, g))
            r = place_refuse(&place, -EINVAL, "movement \"%s\" is among \"movements\" already",
                             parts->movements[g].id);
    junction->model.phases[i] = movements | permitted;
    junction->model.permitted[i] = permitted;
    return r;
}

static int read_phases(const Place *object, Junction *junction) {
    CityParts *parts = junction->parts;
    Place array;
    int r = city_read_list(object, "phases", SIGNAL_PHASES_MAX, &array, &parts->n_phases);
    if (r < 0)
        return r;
    parts->phases = calloc(parts->n_phases, sizeof *parts->phases);
    if (!parts->phases)
        return -ENOMEM;
    junction->model.n_phases = parts->n_phases;
    for (unsigned i = 0; r == 0 && i < parts->n_phases; i++) {
        Place place = place_element(&array, i);
        r = read_phase(&place, junction, i);
    }
    return r;
}

/* --- plan --- */

static uint64_t longest_min_green_usec(const SignalModel *model, GroupSet phase) {
    uint64_t longest_usec = 0;
    for (unsigned i = 0; i < model->n_groups; i++)
        if (set_has(phase, i) && model->min_green_usec[i] > longest_usec)
            longest_usec = model->min_green_usec[i];
    return longest_usec;
}

/* The green that lets every other phase come within the maximum red, with room for the guard's own: so the plan runs
 * undisturbed. */
static uint64_t affordable_green_usec(const Junction *junction) {
    const SafetyTimes *times = &junction->times;
    uint64_t n = junction->model.n_phases, intergreen_usec = times->yellow_usec + times->all_red_usec;
    uint64_t lost_usec = (n + 1) * intergreen_usec + times->min_green_usec;
    if (n < 2)
        return junction->green_usec;
    return lost_usec < times->max_red_usec ? (times->max_red_usec - lost_usec) / (n - 1) : 0;
}

/* Each phase in turn. */
static void make_plan(Junction *junction) {
    SignalModel *model = &junction->model;
    uint64_t affordable_usec = affordable_green_usec(junction);
    model->n_stages = model->n_phases;
    for (unsigned i = 0; i < model->n_phases; i++) {
        uint64_t least_usec = longest_min_green_usec(model, model->phases[i]);
        uint64_t green_usec = junction->green_usec;
        if (green_usec > affordable_usec)
            green_usec = affordable_usec;
        model->stages[i].phase = i;
        model->stages[i].green_usec = green_usec > least_usec ? green_usec : least_usec;
    }
}

static int read_stage(const Place *object, Junction *junction, SignalStage *ret) {
    static const char *const members[] = {"phase", "green_sec"};
    const CityParts *parts = junction->parts;
    Place place;
    double seconds = 0;
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = place_required(object, "phase", &place);
    if (r == 0)
        r = city_read_part(&place, PART_NAMES("phase", parts->phases, parts->n_phases), &ret->phase);
    if (r == 0)
        r = place_required(object, "green_sec", &place);
    if (r == 0)
        r = place_number(&place, SEC(INTERLOCK_MIN_GREEN_FLOOR_USEC), GREEN_MAX_SEC, &seconds);
    ret->green_usec = usec_from_sec(seconds);
    return r;
}

static int read_stages(const Place *array, Junction *junction, unsigned n) {
    int r = 0;
    junction->model.n_stages = n;
    for (unsigned i = 0; r == 0 && i < n; i++) {
        Place place = place_element(array, i);
        r = read_stage(&place, junction, &junction->model.stages[i]);
    }
    return r;
}

static int read_plan(const Place *object, Junction *junction) {
    static const char *const members[] = {"stages", "offset_sec"};
    Place plan, place;
    unsigned n;
    double offset_sec = 0;
    if (!place_member(object, "plan", &plan))
        return 0;
    int r = place_check_members(&plan, members, ARRAY_LEN(members));
    if (r == 0 && place_member(&plan, "stages", &place)) {
        r = city_read_list(&plan, "stages", SIGNAL_STAGES_MAX, &place, &n);
        if (r == 0)
            r = read_stages(&place, junction, n);
    }
    if (r == 0 && place_member(&plan, "offset_sec", &place))
        r = place_number(&place, 0, OFFSET_MAX_SEC, &offset_sec);
    junction->model.offset_usec = usec_from_sec(offset_sec);
    return r;
}

/* How long the plan keeps a movement red at a stretch; forever when it is green in no stage. */
static uint64_t red_in_plan_usec(const SignalModel *model, unsigned group) {
    uint64_t red_usec = 0, longest_usec = 0, intergreen_usec = model->yellow_usec + model->all_red_usec;
    bool is_served = false;
    for (unsigned i = 0; i < 2 * model->n_stages;
         i++) { /* twice around: a red may go on over the cycle's end */
        const SignalStage *stage = &model->stages[i % model->n_stages];
        bool is_green = set_has(model->phases[stage->phase], group);
        is_served |= is_green;
        red_usec =
            is_green ? 0
                     : red_usec + (red_usec == 0 ? intergreen_usec : 0) + stage->green_usec + intergreen_usec;
        longest_usec = red_usec > longest_usec ? red_usec : longest_usec;
    }
    return is_served ? longest_usec : USEC_FOREVER;
}

/* Else the guard of the maximum red would break into the plan in every cycle. */
static int check_plan(const Place *object, const Junction *junction) {
    const SignalModel *model = &junction->model;
    for (unsigned i = 0; i < model->n_groups; i++) {
        uint64_t red_usec = red_in_plan_usec(model, i);
        const char *id = junction->parts->movements[i].id;
        if (red_usec == USEC_FOREVER)
            return place_refuse(object, -EINVAL,
                                "movement \"%s\": expected it green in a stage of the plan, got it in none",
                                id);
        if (red_usec > model->max_red_usec[i])
            return place_refuse(
                object, -EINVAL,
                "movement \"%s\": expected a plan that keeps it red for at most its maximum of %g s, got %g",
                id, SEC(model->max_red_usec[i]), SEC(red_usec));
    }
    return 0;
}

/* --- directions --- */

static uint64_t green_in_plan_usec(const SignalModel *model, unsigned phase) {
    uint64_t green_usec = 0;
    for (unsigned i = 0; i < model->n_stages; i++)
        green_usec += model->stages[i].phase == phase ? model->stages[i].green_usec : 0;
    return green_usec;
}

/* Whether phase `a` is more of a green for the direction than phase `b`: more of its movements, fewer others, longer
 * in the plan. */
static bool is_more_of(const SignalModel *model, Direction direction, unsigned a, unsigned b) {
    GroupSet own = model->direction_groups[direction];
    int more_own = __builtin_popcount(model->phases[a] & own) - __builtin_popcount(model->phases[b] & own);
    int more_others =
        __builtin_popcount(model->phases[a] & ~own) - __builtin_popcount(model->phases[b] & ~own);
    if (more_own != 0)
        return more_own > 0;
    if (more_others != 0)
        return more_others < 0;
    return green_in_plan_usec(model, a) > green_in_plan_usec(model, b);
}

/* What a request for a direction means. */
static void choose_direction_phases(SignalModel *model) {
    for (unsigned direction = 0; direction < DIRECTION_COUNT; direction++) {
        unsigned best = 0;
        for (unsigned i = 1; i < model->n_phases; i++)
            if (is_more_of(model, (Direction)direction, i, best))
                best = i;
        model->direction_phase[direction] = best;
    }
}

/* --- two streets --- */

/* Groups, phases and lanes of two crossing streets are directions. */
static CityParts *two_streets_parts(void) {
    CityParts *parts = city_parts_new();
    if (!parts)
        return NULL;
    parts->n_approaches = parts->n_movements = parts->n_phases = parts->n_lanes = DIRECTION_COUNT;
    parts->approaches = calloc(DIRECTION_COUNT, sizeof *parts->approaches);
    parts->movements = calloc(DIRECTION_COUNT, sizeof *parts->movements);
    parts->phases = calloc(DIRECTION_COUNT, sizeof *parts->phases);
    parts->lanes = calloc(DIRECTION_COUNT, sizeof *parts->lanes);
    if (!parts->approaches || !parts->movements || !parts->phases || !parts->lanes)
        return city_parts_free(parts);
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        (void)strcpy(parts->approaches[i].id, direction_words[i]);
        (void)strcpy(parts->movements[i].id, direction_words[i]);
        (void)strcpy(parts->phases[i].id, direction_words[i]);
        (void)strcpy(parts->lanes[i].id, direction_words[i]);
        parts->approaches[i].direction = (Direction)i;
        parts->approaches[i].from = CITY_NO_INDEX;
        parts->movements[i].approach = parts->lanes[i].approach = i;
        parts->movements[i].to = CITY_NO_INDEX;
    }
    return parts;
}

static void make_two_streets(Junction *junction) {
    junction->model = signal_model_two_streets(&junction->times, junction->green_usec);
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        junction->layout.lanes[i].groups = 1U << i;
        city_usual_lane(&junction->layout.lanes[i]);
    }
    junction->layout.n_lanes = DIRECTION_COUNT;
}

/* What needs movements, without them. */
static int read_undescribed(const Place *object, Junction *junction) {
    static const char *const members[] = {"approaches", "conflicts", "phases"};
    Place place;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (place_member(object, members[i], &place))
            return place_refuse(&place, -EINVAL, "expected \"movements\" beside it");
    make_two_streets(junction);
    return 0;
}

/* --- one intersection --- */

static int read_described(const Place *object, Junction *junction) {
    int r = city_read_movements(object, junction);
    if (r == 0)
        r = read_phases(object, junction);
    junction->model.yellow_usec = junction->times.yellow_usec;
    junction->model.all_red_usec = junction->times.all_red_usec;
    if (r == 0)
        make_plan(junction);
    return r;
}

/* Core judges, and names what it refuses; the intersection is in the place. */
static int check_junction(const Place *object, const Junction *junction) {
    const char *movements[SIGNAL_GROUPS_MAX], *phases[SIGNAL_PHASES_MAX];
    const CityParts *parts = junction->parts;
    Problem why = {""};
    for (unsigned i = 0; i < parts->n_movements; i++)
        movements[i] = parts->movements[i].id;
    for (unsigned i = 0; i < parts->n_phases; i++)
        phases[i] = parts->phases[i].id;
    const SignalNames names = {movements, phases};
    if (signal_model_check(&junction->model, &names, &why) < 0)
        return place_refuse(object, -EINVAL, "%s", why.text);
    return check_plan(object, junction);
}

static int read_words(const Place *object, CityIntersection *intersection) {
    Place place;
    int r = 0, word;
    if (place_member(object, "name", &place))
        r = place_text(&place, intersection->name, sizeof intersection->name, true);
    if (r < 0 || !place_member(object, "policy", &place))
        return r;
    r = place_word(&place, policy_words, &word);
    if (r == 0)
        (void)snprintf(intersection->policy, sizeof intersection->policy, "%s", policy_words[word]);
    return r;
}

static int keep(City *city, size_t i, const Junction *junction) {
    CityIntersection *intersection = &city->intersections[i];
    intersection->parts = junction->parts;
    intersection->signals = value_pool_put(city->index->models, &junction->model);
    intersection->layout = value_pool_put(city->index->drafts, &junction->layout);
    return intersection->signals && intersection->layout ? 0 : -ENOMEM;
}

static int read_junction(Place *object, const Junction *usual, City *city, size_t i) {
    Place place;
    bool is_described = place_member(object, "movements", &place);
    bool is_usual =
        !is_described && !place_member(object, "times", &place) && !place_member(object, "plan", &place);
    Junction junction = *usual;
    object->kind = "intersection";
    object->id = city->intersections[i].id;
    city->intersections[i].is_usual = is_usual;
    if (is_described) {
        memset(&junction.model, 0, sizeof junction.model);
        memset(&junction.layout, 0, sizeof junction.layout);
        junction.parts = city->index->parts[i] = city_parts_new();
    }
    int r = junction.parts ? read_words(object, &city->intersections[i]) : -ENOMEM;
    if (r == 0)
        r = read_times(object, &junction.times);
    if (r == 0)
        r = is_described ? read_described(object, &junction) : read_undescribed(object, &junction);
    if (r == 0)
        r = read_plan(object, &junction);
    if (r == 0 && is_described)
        choose_direction_phases(&junction.model);
    if (r == 0)
        r = check_junction(object, &junction);
    return r < 0 ? r : keep(city, i, &junction);
}

/* --- all of them --- */

static int read_listed(const Place *array, const Junction *usual, City *city) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < city->n_intersections; i++) {
        Place place = place_element(array, i);
        r = read_junction(&place, usual, city, i);
    }
    for (size_t i = 0; r == 0 && i < city->n_intersections; i++) {
        Place place = place_element(array, i);
        place.kind = "intersection";
        place.id = city->intersections[i].id;
        r = city->index->parts[i] ? city_link_movements(&place, city, i) : 0;
    }
    return r;
}

int city_read_signals(const Place *root, const CityDefaults *defaults, City *city) {
    struct CityIndex *index = city->index;
    Place array;
    index->models = value_pool_new(sizeof(SignalModel));
    index->layouts = value_pool_new(sizeof(Layout));
    index->drafts = value_pool_new(sizeof(Layout));
    index->parts = calloc(city->n_intersections, sizeof *index->parts);
    index->two_streets = two_streets_parts();
    if (!index->models || !index->layouts || !index->drafts || !index->parts || !index->two_streets)
        return -ENOMEM;
    Junction usual = {.city = city,
                      .times = defaults->safety,
                      .green_usec = defaults->green_usec,
                      .parts = index->two_streets};
    make_two_streets(&usual);
    int r = check_junction(root, &usual);
    if (r == 0 && place_member(root, "intersections", &array))
        return read_listed(&array, &usual, city);
    for (size_t i = 0; r == 0 && i < city->n_intersections; i++) {
        city->intersections[i].is_usual = true;
        r = keep(city, i, &usual);
    }
    return r;
}
