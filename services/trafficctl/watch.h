/* --watch: a verb again and again. */
#pragma once

#include "verbs.h"

/* Runs the request's verb once, or with --watch until interrupted or until its answer says that asking again
 * is no use. `returns`: an interrupt ends the watching only, not the process. The status is that of the last
 * answer. */
ExitStatus watch_run(Context *context, bool returns);
