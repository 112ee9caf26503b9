/* The descriptors that systemd passed to this process, by name. */
#pragma once

#include "base/macro.h"

#include <stddef.h>

typedef struct Activation Activation;

/* Takes over what sd_listen_fds_with_names() reports and clears its environment, so that children inherit
 * none of it. */
int activation_new(Activation **ret);

/* Closes what nobody took. */
Activation *activation_free(Activation *activation);
DEFINE_FREEP(Activation, activation_free)

/* The descriptor of this name, the caller's from now on; -ENOENT when there is none (left). */
int activation_take(Activation *activation, const char *name);

/* The name of the i-th descriptor that nobody took, or NULL when there are fewer. */
const char *activation_left(const Activation *activation, size_t i);
