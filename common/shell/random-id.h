/* Numbers that nobody else has: streams of custody. From the kernel's randomness; never 0. */
#pragma once

#include <stdint.h>

uint64_t random_id(void);
