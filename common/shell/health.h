/* The watchdog is petted only while work is proven: named invariants are asked at half the watchdog's period;
 * when one fails it is logged with its sentence and petting stops, so systemd restarts the service. */
#pragma once

#include "base/problem.h"
#include "base/time.h"

#include <stdbool.h>

typedef struct Health Health;

/* True while the invariant holds; else writes what is wrong into `problem`. */
typedef bool (*HealthFn)(void *userdata, Mono now, Problem *problem);

/* `name` must outlive the service. */
int health_add(Health *health, const char *name, HealthFn holds, void *userdata);
