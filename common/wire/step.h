/* Lines among those of the commands' and the reports' link that are neither: which is which. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether `frame` begins as message_encode() begins a Step: a cheap look, made before each frame is
 * decoded as what the link is for. Only ours speak lock-step, so no other way to write one is known. */
bool step_is_one(const char *frame, size_t size);

/* The same for Missed. */
bool missed_is_one(const char *frame, size_t size);
