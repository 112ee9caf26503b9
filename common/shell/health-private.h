/* The side of health.h that only the skeleton uses: it owns the invariants and asks them. */
#pragma once

#include "base/macro.h"
#include "shell/health.h"

int health_new(Health **ret);
Health *health_free(Health *health);
DEFINE_FREEP(Health, health_free)

/* Asks every invariant; true when all hold. Logs each edge. */
bool health_holds(Health *health, Mono now);
