/* The wire's and the databases' time: YYYY-MM-DDTHH:MM:SSZ, whole seconds, UTC. Compared as text by older
 * peers, so there is no other form. */
#pragma once

#include "base/time.h"

#include <stddef.h>

#define TIMESTAMP_SIZE 21 /* with the NUL */

typedef struct TimestampText {
    char text[TIMESTAMP_SIZE];
} TimestampText;

/* Years 1970 to 9999; later instants are shown as the last second of 9999. Fractions are cut off. */
TimestampText timestamp_format(Wall instant);

/* 0, or -EINVAL when the text is not exactly such a timestamp of an existing second (leap seconds do not
 * exist). */
int timestamp_parse(const char *text, size_t size, Wall *ret);
