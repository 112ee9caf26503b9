/* Named invariants and their edges. Knows no watchdog and no clock; runtime.c asks and pets.
 *
 * All invariants are asked even after one failed: the operator reads every reason at once, and each is logged
 * when it starts to fail and when it holds again, never while it stays so. */
#include "shell/health-private.h"
#include "shell/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEALTH_INVARIANTS_MAX = 16 };

typedef struct Invariant {
    const char *name;
    HealthFn holds;
    void *userdata;
    bool is_failing;
} Invariant;

struct Health {
    Invariant invariants[HEALTH_INVARIANTS_MAX];
    size_t n_invariants;
};

int health_new(Health **ret) {
    Health *health = calloc(1, sizeof *health);
    if (!health)
        return -ENOMEM;
    *ret = health;
    return 0;
}

Health *health_free(Health *health) {
    free(health);
    return NULL;
}

int health_add(Health *health, const char *name, HealthFn holds, void *userdata) {
    if (health->n_invariants == HEALTH_INVARIANTS_MAX)
        return -ENOSPC;
    health->invariants[health->n_invariants++] =
        (Invariant){.name = name, .holds = holds, .userdata = userdata};
    return 0;
}

static bool ask(Invariant *invariant, Mono now) {
    Problem problem = {""};
    bool holds = invariant->holds(invariant->userdata, now, &problem);

    if (!holds && !invariant->is_failing) {
        JournalField fields[] = {""};
        snprintf(fields[0], sizeof fields[0], "TRAFFIC_INVARIANT=%s", invariant->name);
        journal_event(JOURNAL_UNHEALTHY, fields, 1,
                      "%s does not hold: %s; the watchdog is not petted until it does", invariant->name,
                      problem.text);
    } else if (holds && invariant->is_failing) {
        journal_note(LOG_NOTICE, "%s holds again", invariant->name);
    }
    invariant->is_failing = !holds;
    return holds;
}

bool health_holds(Health *health, Mono now) {
    bool all_hold = true;
    for (size_t i = 0; i < health->n_invariants; i++)
        all_hold &= ask(&health->invariants[i], now);
    return all_hold;
}
