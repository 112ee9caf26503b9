/* One order for each intersection, the newest. The subtle thing is that a new signal service tells its lights
 * on one link before it can be reached on the other, so an order stays marked until a request got through. */
#include "wave-orders.h"

#include "shell/city-clock.h"
#include "shell/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct WaveOrder {
    Mono until; /* 0: none */
    Direction direction;
    char reason[sizeof((SignalCommand){0}.reason)];
    bool is_to_renew;
} WaveOrder;

struct WaveOrders {
    Service *service;
    SignalClient *client;
    WaveOrder *orders; /* by index of the city */
    size_t n_orders, n_to_renew;
    int64_t epoch; /* of the signal service; 0: never heard */
};

int wave_orders_new(Service *service, SignalClient *client, size_t n_intersections, WaveOrders **ret) {
    scoped(wave_orders_freep) WaveOrders *orders = calloc(1, sizeof *orders);
    if (!orders)
        return -ENOMEM;
    orders->service = service;
    orders->client = client;
    orders->n_orders = n_intersections;
    orders->orders = calloc(n_intersections, sizeof *orders->orders);
    if (!orders->orders)
        return -ENOMEM;
    *ret = take(orders);
    return 0;
}

WaveOrders *wave_orders_free(WaveOrders *orders) {
    if (orders) {
        free(orders->orders);
        free(orders);
    }
    return NULL;
}

static void settle(WaveOrders *orders, WaveOrder *order) {
    orders->n_to_renew -= order->is_to_renew;
    order->is_to_renew = false;
}

void wave_orders_note(WaveOrders *orders, const LightRequest *request) {
    WaveOrder *order = &orders->orders[request->intersection];
    settle(orders, order);
    order->until = mono_after(service_city_now(orders->service), usec_from_sec(request->duration_sec));
    order->direction = request->direction;
    (void)snprintf(order->reason, sizeof order->reason, "%s", request->reason);
}

void wave_orders_hear(WaveOrders *orders, int64_t epoch) {
    bool is_new = orders->epoch != 0 && epoch != orders->epoch;
    orders->epoch = epoch;
    if (!is_new)
        return;
    Mono now = service_city_now(orders->service);
    orders->n_to_renew = 0;
    for (size_t i = 0; i < orders->n_orders; i++) {
        orders->orders[i].is_to_renew = !mono_reached(now, orders->orders[i].until);
        orders->n_to_renew += orders->orders[i].is_to_renew;
    }
    if (orders->n_to_renew > 0)
        journal_note(LOG_NOTICE,
                     "The signal service was started again during a green wave: %zu intersections are asked "
                     "again for what is left of it.",
                     orders->n_to_renew);
}

/* False when the signal service takes no request yet. */
static bool renew(WaveOrders *orders, size_t i) {
    WaveOrder *order = &orders->orders[i];
    Mono now = service_city_now(orders->service);
    LightRequest request = {.intersection = i,
                            .action = SIGNAL_WAVE,
                            .direction = order->direction,
                            .duration_sec = (double)mono_between(now, order->until) / (double)USEC_PER_SEC,
                            .reason = order->reason};
    bool is_over = mono_reached(now, order->until);
    if (!is_over && signal_client_request(orders->client, &request) < 0)
        return false;
    settle(orders, order);
    return true;
}

void wave_orders_renew(WaveOrders *orders) {
    for (size_t i = 0; orders->n_to_renew > 0 && i < orders->n_orders; i++)
        if (orders->orders[i].is_to_renew && !renew(orders, i))
            return;
}
