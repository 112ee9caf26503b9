/* The service: one kind of sensor, its link, and where its readings come from. What a source sees of it. */
#pragma once

#include "base/problem.h"
#include "base/vocabulary.h"
#include "shell/service.h"
#include "wire/messages.h"

#include <stdbool.h>

typedef struct Sensor Sensor;

extern const ServiceSpec sensor_service;

Service *sensor_service_of(const Sensor *sensor);
SensorKind sensor_kind(const Sensor *sensor);

/* How many sensors of the city take part: all of the kind, or the first of them ([sensor] count). */
size_t sensor_count(const Sensor *sensor);

/* Hands an event to the link: gives it an identity unless it has one, encodes and sends it. 0: sent. -EAGAIN:
 * the link is full or nobody listens; the source keeps the event, has been told to hold() and will be told to
 * run(). Another negative errno: the event is not one that may be sent, `problem` says why. */
int sensor_publish(Sensor *sensor, Message *event, Problem *problem);

typedef enum SensorMatch { MATCH_TAKES_PART, MATCH_LEFT_OUT, MATCH_UNKNOWN } SensorMatch;

/* Whether an event that came from outside belongs to a sensor of this process. MATCH_UNKNOWN: refused, for
 * *ret_refusal and `problem`. */
SensorMatch sensor_match(const Sensor *sensor, const Message *event, Refusal *ret_refusal, Problem *problem);

/* Counts a refused piece of input and writes a rate-limited journal entry. `origin` says what and where:
 * "peak.jsonl.gz:17". */
void sensor_refuse(Sensor *sensor, const char *link, const char *origin, Refusal refusal,
                   const Problem *problem);

/* Counts events that take no part although they are good. */
void sensor_count_left_out(Sensor *sensor);
