/* The interactive prompt: the verbs of the command line, with history and completion. */
#pragma once

#include "verbs.h"

/* Until end of file or "quit". `context->request` is replaced for every line. The city serves completion and
 * may be NULL. */
ExitStatus prompt_run(Context *context, const City *city);
