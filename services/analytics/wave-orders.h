/* The green waves that operators ordered and that still run. A signal service that was started again in the
 * middle of one has forgotten it, while an ambulance is still on its way: it is asked again for what is left.
 *
 * Knows neither traffic states nor records: the wave was recorded when it was ordered. */
#pragma once

#include "signal-client.h"

#include <stddef.h>
#include <stdint.h>

typedef struct WaveOrders WaveOrders;

/* For `n_intersections` of the city. `client` outlives it. */
int wave_orders_new(Service *service, SignalClient *client, size_t n_intersections, WaveOrders **ret);
WaveOrders *wave_orders_free(WaveOrders *orders);
DEFINE_FREEP(WaveOrders, wave_orders_free)

/* The signal service took this request for a wave. */
void wave_orders_note(WaveOrders *orders, const LightRequest *request);

/* A report carried this epoch of the signal service; another one than before says that it was started
 * again. */
void wave_orders_hear(WaveOrders *orders, int64_t epoch);

/* Asks again for what a new signal service does not know, as far as it takes requests yet: to be called every
 * second. Costs nothing while there is nothing to ask. */
void wave_orders_renew(WaveOrders *orders);
