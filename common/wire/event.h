/* What the events of sensors have in common: which sensor, which intersection, when, and who made it. Everybody who
 * treats an event as an event, whatever it measures, asks here instead of switching over them.
 *
 * A kind of sensor sends its events on one link: first of all the one that the first implementation knows, and, where
 * a sensor watches a lane, one that says more and has a topic of its own, which older peers do not hear. */
#pragma once

#include "wire/messages.h"

/* Who made an event, in which life of the process, and which one of its events it is. All three or none. */
typedef struct EventIdentity {
    const char *producer; /* at most 63 bytes; from event_identity() it is borrowed from the message */
    int64_t epoch;
    int64_t sequence;
} EventIdentity;

/* All of them; event_tags[kind] is the first one of a kind. */
enum { EVENT_COUNT = 5 };
extern const MessageTag event_tags[EVENT_COUNT];

MessageTag event_tag(SensorKind kind);

/* Where a sensor event is in event_tags; EVENT_COUNT for what is none. */
size_t event_index(MessageTag tag);

/* True when `tag` is a sensor event; then *ret is the kind of sensor that sends it. */
bool event_kind(MessageTag tag, SensorKind *ret);

/* The topic of a kind's first event: "espira". */
const char *event_topic(SensorKind kind);

/* The type of sensor that an event names ("espira_inductiva"), and our own word for it ("inductive"): the kind's for
 * its first event. */
const char *event_sensor_type(MessageTag tag);
const char *event_word(MessageTag tag);

/* The event of a kind that names this type of sensor; the kind's first one when none does. */
MessageTag event_of_type(SensorKind kind, const char *sensor_type);

/* The GPS kind's word for a speed: ALTA (high congestion) below 10 km/h, BAJA above 40, NORMAL between, both
 * ends included. */
CongestionLevel event_congestion_level(double speed_kmh);

/* All functions below take a message that is an event. Texts are borrowed from it. */
const char *event_sensor_id(const Message *event);
const char *event_intersection(const Message *event);
void event_set_place(Message *event, const char *sensor_id, const char *intersection);

/* True when the event carries a whole identity; `ret` may be NULL. False for a tick, the only event that
 * none of the other functions takes. */
bool event_identity(const Message *event, EventIdentity *ret);
void event_set_identity(Message *event, const EventIdentity *identity);
void event_clear_identity(Message *event);

/* True when the event says to the microsecond when it was taken; `ret` may be NULL. */
bool event_captured(const Message *event, Wall *ret);

/* When the reading was taken. A loop's interval ends then: timestamp_inicio and timestamp_fin are set, not
 * timestamp. The microseconds, which timestamps have no room for, become captured_us. */
void event_set_time(Message *event, Wall at);

/* Forgets all of its times: only its sensor and what it measured remain. */
void event_clear_time(Message *event);
