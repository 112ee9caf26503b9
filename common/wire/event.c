/* Events are different structs with some members in common. Where those members lie in each
 * struct stands in one table, so that every function below is written once. */
#include "wire/event.h"

#include "wire/message-table.h"

#include <stdio.h>
#include <string.h>

typedef struct EventLayout {
    MessageTag tag;
    SensorKind kind;
    const char *word;
    /* where they are in the struct */
    size_t sensor_id, intersection, producer, epoch, sequence, captured_usec, timestamp;
    /* their bits in `present`; place is sensor_id and intersection, identity the three members of
     * EventIdentity */
    uint32_t place_bits, identity_bits, captured_bit, timestamp_bit;
} EventLayout;

#define BIT(Type, member) (UINT32_C(1) << Type##_has_##member)
/* clang-format off */
#define LAYOUT(TAG, Type, sensor, name)                                                                      \
    {.tag = MESSAGE_##TAG,                                                                                   \
     .kind = sensor,                                                                                         \
     .word = name,                                                                                           \
     .sensor_id = offsetof(Type, sensor_id),                                                                 \
     .intersection = offsetof(Type, intersection),                                                           \
     .producer = offsetof(Type, producer),                                                                   \
     .epoch = offsetof(Type, epoch),                                                                         \
     .sequence = offsetof(Type, sequence),                                                                   \
     .captured_usec = offsetof(Type, captured_usec),                                                         \
     .timestamp = offsetof(Type, timestamp),                                                                 \
     .place_bits = BIT(Type, sensor_id) | BIT(Type, intersection),                                           \
     .identity_bits = BIT(Type, producer) | BIT(Type, epoch) | BIT(Type, sequence),                          \
     .captured_bit = BIT(Type, captured_usec),                                                               \
     .timestamp_bit = BIT(Type, timestamp)}
/* clang-format on */

/* Those of the first implementation by their kind, then ours. */
static const EventLayout layouts[EVENT_COUNT] = {
    [SENSOR_CAMERA] = LAYOUT(CAMERA_EVENT, CameraEvent, SENSOR_CAMERA, "camera"),
    [SENSOR_INDUCTIVE] = LAYOUT(LOOP_EVENT, LoopEvent, SENSOR_INDUCTIVE, "inductive"),
    [SENSOR_GPS] = LAYOUT(GPS_EVENT, GpsEvent, SENSOR_GPS, "gps"),
    LAYOUT(VIEW_EVENT, ViewEvent, SENSOR_CAMERA, "view"),
    LAYOUT(PASSAGE_EVENT, PassageEvent, SENSOR_INDUCTIVE, "passage"),
};

const MessageTag event_tags[EVENT_COUNT] = {MESSAGE_CAMERA_EVENT, MESSAGE_LOOP_EVENT, MESSAGE_GPS_EVENT,
                                            MESSAGE_VIEW_EVENT, MESSAGE_PASSAGE_EVENT};

enum {
    SENSOR_ID_SIZE = sizeof((CameraEvent){0}.sensor_id),
    INTERSECTION_SIZE = sizeof((CameraEvent){0}.intersection),
    PRODUCER_SIZE = sizeof((CameraEvent){0}.producer)
};

/* Every struct of messages.def begins with it. */
static uint32_t *event_present(Message *event) {
    return &event->CAMERA_EVENT.present;
}

static uint32_t event_bits(const Message *event) {
    return event->CAMERA_EVENT.present;
}

static void *event_member(Message *event, size_t offset) {
    return (char *)&event->CAMERA_EVENT + offset;
}

static const void *event_peek(const Message *event, size_t offset) {
    return (const char *)&event->CAMERA_EVENT + offset;
}

static const EventLayout *layout_of(MessageTag tag) {
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (layouts[i].tag == tag)
            return &layouts[i];
    return NULL;
}

static const EventLayout *event_layout(const Message *event) {
    return layout_of(event->tag);
}

MessageTag event_tag(SensorKind kind) {
    return layouts[kind].tag;
}

bool event_kind(MessageTag tag, SensorKind *ret) {
    const EventLayout *layout = layout_of(tag);
    if (layout)
        *ret = layout->kind;
    return layout != NULL;
}

size_t event_index(MessageTag tag) {
    const EventLayout *layout = layout_of(tag);
    return layout ? (size_t)(layout - layouts) : EVENT_COUNT;
}

const char *event_topic(SensorKind kind) {
    return message_wire_name(layouts[kind].tag);
}

/* The one member that is the same in all events of a tag. */
const char *event_sensor_type(MessageTag tag) {
    const MessageDescriptor *descriptor = &message_descriptors[tag];
    size_t i = 0;
    while (descriptor->members[i].kind != MEMBER_LITERAL)
        i++;
    return descriptor->members[i].literal;
}

const char *event_word(MessageTag tag) {
    return layout_of(tag)->word;
}

MessageTag event_of_type(SensorKind kind, const char *sensor_type) {
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (layouts[i].kind == kind && strcmp(event_sensor_type(layouts[i].tag), sensor_type) == 0)
            return layouts[i].tag;
    return event_tag(kind);
}

CongestionLevel event_congestion_level(double speed_kmh) {
    if (speed_kmh < 10)
        return LEVEL_HIGH;
    return speed_kmh > 40 ? LEVEL_LOW : LEVEL_NORMAL;
}

const char *event_sensor_id(const Message *event) {
    return event_peek(event, event_layout(event)->sensor_id);
}

const char *event_intersection(const Message *event) {
    return event_peek(event, event_layout(event)->intersection);
}

void event_set_place(Message *event, const char *sensor_id, const char *intersection) {
    const EventLayout *layout = event_layout(event);
    (void)snprintf(event_member(event, layout->sensor_id), SENSOR_ID_SIZE, "%s", sensor_id);
    (void)snprintf(event_member(event, layout->intersection), INTERSECTION_SIZE, "%s", intersection);
    *event_present(event) |= layout->place_bits;
}

bool event_identity(const Message *event, EventIdentity *ret) {
    const EventLayout *layout = event_layout(event);
    if (!layout) /* a tick: no sensor made it */
        return false;
    if ((event_bits(event) & layout->identity_bits) != layout->identity_bits)
        return false;
    if (ret)
        *ret = (EventIdentity){
            .producer = event_peek(event, layout->producer),
            .epoch = *(const int64_t *)event_peek(event, layout->epoch),
            .sequence = *(const int64_t *)event_peek(event, layout->sequence),
        };
    return true;
}

void event_set_identity(Message *event, const EventIdentity *identity) {
    const EventLayout *layout = event_layout(event);
    (void)snprintf(event_member(event, layout->producer), PRODUCER_SIZE, "%s", identity->producer);
    *(int64_t *)event_member(event, layout->epoch) = identity->epoch;
    *(int64_t *)event_member(event, layout->sequence) = identity->sequence;
    *event_present(event) |= layout->identity_bits;
}

void event_clear_identity(Message *event) {
    const EventLayout *layout = event_layout(event);
    *event_present(event) &= ~(layout->identity_bits | layout->captured_bit);
}

bool event_captured(const Message *event, Wall *ret) {
    const EventLayout *layout = event_layout(event);
    if (!(event_bits(event) & layout->captured_bit))
        return false;
    if (ret)
        *ret = (Wall){(uint64_t) * (const int64_t *)event_peek(event, layout->captured_usec)};
    return true;
}

/* A loop's reading stands for the interval that ends now. */
static void loop_set_interval(LoopEvent *loop, Wall at) {
    uint64_t interval_usec = usec_from_sec(loop->interval_sec);
    loop->ended = at;
    loop->started = (Wall){at.usec > interval_usec ? at.usec - interval_usec : 0};
    loop->present &= ~BIT(LoopEvent, timestamp);
    message_mark(loop, LoopEvent, started);
    message_mark(loop, LoopEvent, ended);
}

void event_set_time(Message *event, Wall at) {
    const EventLayout *layout = event_layout(event);
    *(int64_t *)event_member(event, layout->captured_usec) = (int64_t)at.usec;
    *event_present(event) |= layout->captured_bit;
    if (event->tag == MESSAGE_LOOP_EVENT) {
        loop_set_interval(&event->LOOP_EVENT, at);
        return;
    }
    *(Wall *)event_member(event, layout->timestamp) = at;
    *event_present(event) |= layout->timestamp_bit;
}

void event_clear_time(Message *event) {
    const EventLayout *layout = event_layout(event);
    *event_present(event) &= ~(layout->captured_bit | layout->timestamp_bit);
    if (event->tag == MESSAGE_LOOP_EVENT)
        event->LOOP_EVENT.present &= ~(BIT(LoopEvent, started) | BIT(LoopEvent, ended));
}
