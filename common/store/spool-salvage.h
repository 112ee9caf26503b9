/* Between spool.c and spool-salvage.c. */
#pragma once

#include <stdbool.h>

/* A salvage has made its copy and was interrupted before the names were changed: the file is not the one to
 * open. */
bool spool_salvage_is_unfinished(const char *path);
