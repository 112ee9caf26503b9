/* What an operator types for an instant: "2026-02-09T15:10:00Z", "2026-02-09 15:10[:00]", "2026-02-09",
 * "now", or so long ago as "-90s", "-15m", "-2h", "-7d". Always UTC, as everything on the wire. Pure: the
 * present is a parameter. */
#pragma once

#include "base/problem.h"
#include "base/time.h"

/* 0, or -EINVAL with the accepted forms in `problem`. Instants before 1970 are 1970. */
int when_parse(const char *text, Wall now, Wall *ret, Problem *problem);
