/* Where readings come from: one table entry per source, chosen by [sensor] source.
 *
 * The sensor tells a source when its readings are wanted (run) and when they are not (hold), which may happen
 * while it publishes. Between the two it publishes; afterwards it keeps what it has, and nothing is thrown
 * away. */
#pragma once

#include "sensor.h"
#include "settings/settings.h"

typedef struct Source Source;

typedef struct SourceType {
    /* -EINVAL: what the settings name cannot be used, which ends the service as a configuration error. */
    int (*open)(Sensor *sensor, Source **ret, Problem *problem);
    Source *(*free)(Source *source); /* accepts NULL, returns NULL */
    int (*run)(Source *source, Mono now);
    void (*hold)(Source *source, Mono now);
    /* sensor_acknowledged() has moved on. Nothing may be published here. NULL when it makes no difference. */
    void (*acknowledged)(Source *source);
    /* Readings that are lost with this process were never acknowledged to whoever made them, and come
     * again. */
    bool is_given_again;
    /* For STATUS=: what is being done, without the counts that the sensor has itself. */
    void (*describe)(const Source *source, char *buffer, size_t size);
} SourceType;

/* Every source begins with its type. */
struct Source {
    const SourceType *type;
};

extern const SourceType source_random, source_replay, source_relay;
