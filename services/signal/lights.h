/* Every intersection's plan, which of them is due next, and in whose words each change happened. Knows
 * neither links nor the journal: it says what changed to whoever made it.
 *
 * One heap of deadlines serves all intersections, so ten thousand cost one timer and a few comparisons per
 * change. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "core/signal-plan.h"
#include "settings/settings.h"

#include <stddef.h>

#define LIGHTS_REASON_MAX_BYTES 255 /* as on the wire */

typedef struct CityLights CityLights;

/* What an intersection shows, and the story of its last change. */
typedef struct LightsView {
    const SignalModel *model;
    Lights lights;
    Lights last_green; /* what was shown when the green before began: all red before the first */
    SignalCause cause; /* of the last change... */
    /* ... in words: the request's own when it gave some; borrowed until the next change */
    const char *reason;
    bool begins_green;   /* the last change was the beginning of a phase's green... */
    uint64_t green_usec; /* ... whose planned length this is, or that of the one before */
    Mono changed_at;     /* the last change, or the start */
    Mono next_change_at; /* unless a request comes first; never when latched */
    bool has_phase;      /* the phase in charge is shown as a whole */
    unsigned phase;
    SignalMode mode;
    InterlockVerdict verdict; /* why it is latched */
} LightsView;

/* GREEN when any group of the direction is. */
Colour lights_of_direction(const LightsView *view, const Lights *lights, Direction direction);

/* A letter for each group: r, y, G, or f while the intersection flashes. */
typedef struct GroupsText {
    char text[SIGNAL_GROUPS_MAX + 1];
} GroupsText;
GroupsText lights_text(const LightsView *view);

/* Called for every change of what an intersection shows. */
typedef void (*LightsChangedFn)(size_t intersection, const LightsView *view, void *userdata);

/* `models` has the model of each intersection, checked and outliving the lights, or NULL for two streets with the
 * settings' times; `models` itself may be NULL. -EINVAL: the settings leave the interlock's times no room, or go
 * below its floors. All lights start in all-red. */
int lights_new(const Settings *settings, const SignalModel *const *models, size_t n_intersections, Mono now,
               LightsChangedFn on_change, void *userdata, CityLights **ret, Problem *problem);
CityLights *lights_free(CityLights *lights);
DEFINE_FREEP(CityLights, lights_free)

/* When lights_step() is next due. */
Mono lights_deadline(const CityLights *lights);

/* Lets what is due happen, at most `budget` intersections at a time, so that a large city's common change
 * does not hold up the loop. */
void lights_step(CityLights *lights, Mono now, size_t budget);

/* A request in the words of `reason` (may be NULL or ""). */
SignalAnswer lights_request(CityLights *lights, size_t intersection, const SignalRequest *request,
                            const char *reason, Mono now);

LightsView lights_view(const CityLights *lights, size_t intersection);

/* How urgent the wave in a place of an intersection's table is. */
unsigned lights_wave_priority(const CityLights *lights, size_t intersection, int place);

/* How long a green wave still holds it at `now`; 0 without one. One that waits for its green has all of its
 * time. */
uint64_t lights_wave_usec(const CityLights *lights, size_t intersection, Mono now);

/* How many intersections are in `mode` now. */
size_t lights_count(const CityLights *lights, SignalMode mode);
