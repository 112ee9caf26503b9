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

/* Takes an event over: gives it an identity unless it has one, encodes it, keeps it until the broker has it,
 * and sends it. Only while the source is to run: then there is room, and when this was the last of it the
 * source has been told to hold() on return. 0, and *ret_position is what sensor_acknowledged() will reach; or
 * a negative errno: the event is not one that may be sent, `problem` says why. */
int sensor_publish(Sensor *sensor, Message *event, uint64_t *ret_position, Problem *problem);

/* Takes a simulator's tick over, which goes out behind everything published before, and sets city time. As
 * sensor_publish(); -EBADMSG: there are no ticks in this city, or this is not the next one, which makes
 * the run invalid. */
int sensor_tick(Sensor *sensor, TickEvent *tick, uint64_t *ret_position, Problem *problem);

/* The broker has committed every event up to this position (with [protocol] broker = v0: the link has taken
 * it). */
uint64_t sensor_acknowledged(const Sensor *sensor);

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
