#include "shell/reading-age.h"

#include "shell/city-clock.h"

#include <stdio.h>

void reading_age_init(ReadingAge *age, Service *service, const char *stage) {
    char labels[64];
    (void)snprintf(labels, sizeof labels, "stage=\"%s\"", stage);
    age->service = service;
    age->histogram =
        metrics_histogram(service_metrics(service), "traffic_reading_age_seconds",
                          "Time since their capture, of readings that a stage is done with.", labels);
}

void reading_age_observe(ReadingAge *age, Wall captured) {
    Wall now = service_city_wall(age->service);
    metric_observe(age->histogram, now.usec > captured.usec ? now.usec - captured.usec : 0);
}

void reading_age_follow(ReadingAge *age, uint64_t position, Wall captured) {
    if (age->n_offered++ % CAPTURES_SHARE == 0)
        captures_put(&age->captures, position, captured);
}

void reading_age_reach(ReadingAge *age, uint64_t position) {
    Wall captured;
    while (captures_take(&age->captures, position, &captured))
        reading_age_observe(age, captured);
}
