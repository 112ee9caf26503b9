/* The brain's wiring: events in, decisions and records out, stores watched, operators answered. Only connects
 * the modules of this directory; each says in its header what it does. */
#pragma once

#include "shell/service.h"

extern const ServiceSpec analytics_spec;
