/* Shared by the files of control.h: a place for each intersection, and what a policy that looks has there. */
#pragma once

#include "control.h"

#include "settings/city.h"
#include "shell/journal.h"

/* What a policy that looks has: made when it gets the intersection. */
typedef struct Sight {
    Picture *picture;
    PolicyMemory memory;
    Lights lights;
    Mono since[SIGNAL_GROUPS_MAX];
    bool has_rung;
    PictureRung rung, told_rung;
    Mono rung_since;
} Sight;

typedef struct Place {
    PolicyName policy;
    PolicySource source;
    Sight *sight; /* NULL when the policy does not look */
    bool has_command;
    unsigned command;
    Mono commanded; /* the last time it was sent */
    bool has_lights, has_phase;
    uint8_t phase, mode;
    char groups[SIGNAL_GROUPS_MAX + 1];
} Place;

struct Control {
    Service *service;
    SignalClient *client;
    Place *places; /* by index of the city */
    size_t n_places;
    PlannerScratch *scratch;
    Timer *timer;
    size_t n_slices, next; /* whose second is next... */
    Mono round;            /* ... and when this round began */
    uint64_t renew_usec, lease_usec;
    int64_t epoch; /* of the signal service; 0: never heard */
    JournalLimit rung_limit;
    size_t n_policy[POLICY_COUNT], n_rung[POLICY_COUNT][PICTURE_RUNG_COUNT];
    Metric *by_policy[POLICY_COUNT], *by_rung[POLICY_COUNT][PICTURE_RUNG_COUNT];
    Metric *decided[POLICY_COUNT], *held;
};

static inline const CityIntersection *city_place(const Control *control, size_t i) {
    return &service_city(control->service)->intersections[i];
}

static inline size_t index_of(const Control *control, const Place *place) {
    return (size_t)(place - control->places);
}

/* --- control-sight.c --- */

/* A policy begins to look: sees the lights as they were reported last, and no traffic yet. */
int sight_new(Control *control, size_t intersection, Sight **ret);
Sight *sight_free(Sight *sight);

void sight_lights(Control *control, Sight *sight, size_t intersection, const char *groups);

/* What its choice stood on. */
void sight_note_rung(Control *control, Place *place, PictureRung rung, Mono now);

/* What is known beyond each movement: how full the lanes are that it leads to. `ret` has room for all movements. */
void sight_beyond(const Control *control, size_t intersection, Mono now, PolicyBeyond *ret);

/* --- control-policy.c --- */

/* Every intersection gets who chooses for it. -EINVAL, -ENOMEM. */
int control_give_all(Control *control, Problem *problem);
