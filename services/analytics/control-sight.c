/* What the policies that look see: the traffic, lane by lane; the lights, as they are reported; and how full it is beyond.
 * And how well they see it: edges of the ladder are told when they have lasted. */
#include "control-private.h"

#include "shell/city-clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An edge of the ladder is told when the new rung has lasted. */
#define RUNG_DWELL_USEC (5 * USEC_PER_SEC)

/* --- the traffic --- */

void control_view(Control *control, size_t i, unsigned lane, unsigned n_vehicles, const SeenVehicle *placed,
                  unsigned n_placed, Mono when) {
    Sight *sight = control->places[i].sight;
    if (sight && lane < city_place(control, i)->layout->n_lanes)
        picture_view(sight->picture, lane, n_vehicles, placed, n_placed, when);
}

void control_passage(Control *control, size_t i, unsigned lane, double speed_mps, Mono when) {
    Sight *sight = control->places[i].sight;
    if (sight && lane < city_place(control, i)->layout->n_lanes)
        picture_passage(sight->picture, lane, speed_mps, when);
}

void control_queue(Control *control, size_t i, LaneSet lanes, double vehicles) {
    Sight *sight = control->places[i].sight;
    unsigned n_lanes = (unsigned)__builtin_popcount(lanes);
    for (unsigned lane = 0; sight && lane < city_place(control, i)->layout->n_lanes; lane++)
        if (set_has(lanes, lane))
            picture_queue(sight->picture, lane, vehicles / n_lanes, service_city_now(control->service));
}

LaneSet control_lanes(const Control *control, size_t i, Approach approach) {
    const CityIntersection *place = city_place(control, i);
    LaneSet lanes = 0;
    for (unsigned lane = 0; lane < place->layout->n_lanes; lane++) {
        Direction direction = place->parts->approaches[place->parts->lanes[lane].approach].direction;
        if (approach == APPROACH_ANY || approach == approach_of(direction))
            lanes |= UINT32_C(1) << lane;
    }
    return lanes;
}

bool control_ahead(const Control *control, size_t i, LaneSet lanes, double sec, double *ret_vehicles) {
    const Sight *sight = control->places[i].sight;
    bool is_seen = false;
    double most = 0;
    for (unsigned lane = 0; sight && lane < city_place(control, i)->layout->n_lanes; lane++) {
        Arrivals arrivals;
        double n = 0;
        if (!set_has(lanes, lane))
            continue;
        picture_arrivals(sight->picture, lane, service_city_now(control->service), &arrivals);
        if (arrivals.rung == PICTURE_BLIND)
            continue;
        is_seen = true;
        while (n < arrivals.n && arrivals.sec[(unsigned)n] < sec)
            n++;
        most = n > most ? n : most;
    }
    if (is_seen)
        *ret_vehicles = most;
    return is_seen;
}

void sight_beyond(const Control *control, size_t i, Mono now, PolicyBeyond *ret) {
    const CityParts *parts = city_place(control, i)->parts;
    for (unsigned m = 0; m < parts->n_movements; m++) {
        const CityMovement *movement = &parts->movements[m];
        const Sight *there = movement->to == CITY_NO_INDEX ? NULL : control->places[movement->to].sight;
        ret[m] = (PolicyBeyond){0};
        for (unsigned lane = 0; there && lane < there->picture->layout->n_lanes; lane++) {
            double standing =
                set_has(movement->to_lanes, lane) ? picture_standing(there->picture, lane, now) : -1;
            if (standing < 0)
                continue;
            double places = there->picture->layout->lanes[lane].length_metres / PICTURE_SPACING_METRES;
            ret[m].is_known = true;
            ret[m].standing_vehicles += standing;
            ret[m].room_vehicles += places > standing ? places - standing : 0;
        }
    }
}

/* --- the lights --- */

static bool is_lit(char letter, SignalColour *ret) {
    static const char letters[] = {[SIGNAL_RED] = 'r', [SIGNAL_YELLOW] = 'y', [SIGNAL_GREEN] = 'G'};
    for (int colour = 0; colour < SIGNAL_COLOUR_COUNT; colour++)
        if (letter == letters[colour]) {
            *ret = (SignalColour)colour;
            return true;
        }
    *ret = SIGNAL_RED; /* f: a latched intersection flashes red */
    return letter == 'f';
}

void sight_lights(Control *control, Sight *sight, size_t i, const char *groups) {
    unsigned n_groups = city_place(control, i)->signals->n_groups;
    if (strlen(groups) != n_groups)
        return; /* the signal service has another city file: its intersections are told by name only */
    for (unsigned group = 0; group < n_groups; group++) {
        SignalColour colour;
        if (!is_lit(groups[group], &colour) || colour == sight->lights.colour[group])
            continue;
        sight->lights.colour[group] = colour;
        sight->since[group] = service_city_now(control->service);
    }
}

/* --- the ladder --- */

static void tell_rung(Control *control, Place *place, Mono now) {
    Sight *sight = place->sight;
    uint64_t held_back;
    if (sight->rung == sight->told_rung || !mono_reached(now, mono_after(sight->rung_since, RUNG_DWELL_USEC)))
        return;
    PictureRung before = sight->told_rung;
    sight->told_rung = sight->rung;
    if (!journal_limit_pass(&control->rung_limit, service_now(control->service), &held_back))
        return;
    char more[80] = "";
    if (held_back > 0)
        (void)snprintf(more, sizeof more, " (and %" PRIu64 " more such changes since the last entry)",
                       held_back);
    const char *id = city_place(control, index_of(control, place))->id;
    JournalField fields[3];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_INTERSECTION=%s", id);
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_POLICY=%s", policy_words[place->policy]);
    (void)snprintf(fields[2], sizeof fields[2], "TRAFFIC_RUNG=%s", picture_rung_words[sight->rung]);
    journal_event(sight->rung > before ? JOURNAL_SIGHT_WORSE : JOURNAL_SIGHT_BETTER, fields,
                  ARRAY_LEN(fields), "[%s] %s: %s->%s%s%s", id, policy_words[place->policy],
                  picture_rung_words[before], picture_rung_words[sight->rung],
                  sight->rung == PICTURE_BLIND ? ", the lights are left to their plan" : "", more);
}

void sight_note_rung(Control *control, Place *place, PictureRung rung, Mono now) {
    Sight *sight = place->sight;
    if (sight->has_rung && sight->rung == rung) {
        tell_rung(control, place, now);
        return;
    }
    if (sight->has_rung)
        control->n_rung[place->policy][sight->rung]--;
    sight->has_rung = true;
    sight->rung = rung;
    sight->rung_since = now;
    control->n_rung[place->policy][rung]++;
}

/* --- a sight --- */

Sight *sight_free(Sight *sight) {
    if (sight)
        free(sight->picture);
    free(sight);
    return NULL;
}

/* What its sensors can tell at best: less is told in the journal, also at the start. */
static PictureRung best_rung(const Layout *layout) {
    PictureRung best = PICTURE_QUEUE;
    for (unsigned lane = 0; lane < layout->n_lanes; lane++) {
        if (layout->lanes[lane].view_metres > 0)
            return PICTURE_VIEW;
        if (layout->lanes[lane].loop_metres > 0)
            best = PICTURE_LOOPS;
    }
    return best;
}

int sight_new(Control *control, size_t i, Sight **ret) {
    const CityIntersection *place = city_place(control, i);
    Sight *sight = calloc(1, sizeof *sight);
    if (sight)
        sight->picture = malloc(picture_bytes(place->layout));
    if (!sight || !sight->picture) {
        sight_free(sight);
        return -ENOMEM;
    }
    picture_init(sight->picture, place->layout);
    sight->told_rung = best_rung(place->layout);
    policy_init(&sight->memory, place->signals, place->layout, control->scratch);
    for (unsigned group = 0; group < SIGNAL_GROUPS_MAX; group++)
        sight->since[group] = service_city_now(control->service);
    sight_lights(control, sight, i, control->places[i].groups);
    *ret = sight;
    return 0;
}
