/* The relay socket of a sensor whose readings come from elsewhere: systemd listens on it whatever the source
 * is, so whoever connects gets an answer instead of waiting for ever. */
#pragma once

#include "base/macro.h"
#include "shell/service.h"

typedef struct RelayAway RelayAway;

/* Takes the descriptor that systemd passed as "relay"; *ret is NULL when there was none. */
int relay_away_open(Service *service, RelayAway **ret);
RelayAway *relay_away_free(RelayAway *away);
DEFINE_FREEP(RelayAway, relay_away_free)
