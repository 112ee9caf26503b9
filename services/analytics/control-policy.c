/* Who chooses for an intersection, and giving the choice to somebody else. */
#include "control-private.h"

#include <errno.h>
#include <stdlib.h>

VOCABULARY_DEFINE(POLICY_SOURCE, POLICY_SOURCE_LIST, policy_source_words);

static int give(Control *control, size_t i, PolicyName policy, PolicySource source) {
    Place *place = &control->places[i];
    bool must_look = policy_of(policy)->acts == POLICY_ACTS_BY_PHASE;
    Sight *sight = NULL;
    int r = must_look ? sight_new(control, i, &sight) : 0;
    if (r < 0)
        return r;
    if (place->sight && place->sight->has_rung)
        control->n_rung[place->policy][place->sight->rung]--;
    sight_free(place->sight);
    place->sight = sight;
    place->has_command = false;
    place->policy = policy;
    place->source = source;
    control->n_policy[policy]++;
    return 0;
}

int control_set_policy(Control *control, size_t i, PolicyName policy) {
    PolicyName before = control->places[i].policy;
    int r = give(control, i, policy, POLICY_FROM_OPERATOR);
    if (r >= 0)
        control->n_policy[before]--;
    return r;
}

PolicyName control_policy(const Control *control, size_t i) {
    return control->places[i].policy;
}

/* Marks the intersections that have a sensor on a lane. */
static void find_sighted(const City *city, bool *sighted) {
    static const SensorKind kinds[] = {SENSOR_CAMERA, SENSOR_INDUCTIVE};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (size_t s = 0; s < city->n_sensors[kinds[k]]; s++) {
            const CitySensor *sensor = &city->sensors[kinds[k]][s];
            if (sensor->has_lane && (kinds[k] == SENSOR_CAMERA || sensor->loop_metres > 0))
                sighted[sensor->intersection] = true;
        }
}

static int choose_policy(const Control *control, size_t i, bool is_sighted, PolicyName *ret,
                         PolicySource *ret_source, Problem *problem) {
    const CityIntersection *place = city_place(control, i);
    int setting = service_settings(control->service)->control_policy; /* 0: auto */
    if (*place->policy) {
        int word = word_index(policy_words, place->policy);
        if (word < 0)
            return problem_set(problem, -EINVAL,
                               "The city file gives %s the policy \"%s\", which there is not.", place->id,
                               place->policy);
        *ret = (PolicyName)word;
        *ret_source = POLICY_FROM_CITY;
    } else if (setting > 0) {
        *ret = (PolicyName)(setting - 1);
        *ret_source = POLICY_FROM_SETTINGS;
    } else {
        *ret = is_sighted ? POLICY_PLANNER : POLICY_RULES;
        *ret_source = POLICY_FROM_SENSORS;
    }
    return 0;
}

int control_give_all(Control *control, Problem *problem) {
    bool *sighted = calloc(control->n_places, sizeof *sighted);
    int r = sighted ? 0 : -ENOMEM;
    if (sighted)
        find_sighted(service_city(control->service), sighted);
    for (size_t i = 0; r >= 0 && i < control->n_places; i++) {
        PolicyName policy = POLICY_FIXED;
        PolicySource source = POLICY_FROM_SENSORS;
        r = choose_policy(control, i, sighted[i], &policy, &source, problem);
        if (r >= 0)
            r = give(control, i, policy, source);
    }
    free(sighted);
    return r;
}
