/* The kinds of event are different structs with some members in common. Where those members lie in each
 * struct stands in one table, so that every function below is written once. */
#include "wire/event.h"

#include <stdio.h>

typedef struct EventLayout {
    MessageTag tag;
    size_t sensor_id, intersection, producer, epoch, sequence, captured_usec,
        timestamp;                                                               /* offsets in the struct */
    uint32_t producer_bit, epoch_bit, sequence_bit, captured_bit, timestamp_bit; /* in `present` */
} EventLayout;

#define BIT(Type, member) (UINT32_C(1) << Type##_has_##member)
#define LAYOUT(TAG, Type)                                                                                    \
    {                                                                                                        \
        .tag = MESSAGE_##TAG, .sensor_id = offsetof(Type, sensor_id),                                        \
        .intersection = offsetof(Type, intersection), .producer = offsetof(Type, producer),                  \
        .epoch = offsetof(Type, epoch), .sequence = offsetof(Type, sequence),                                \
        .captured_usec = offsetof(Type, captured_usec), .timestamp = offsetof(Type, timestamp),              \
        .producer_bit = BIT(Type, producer), .epoch_bit = BIT(Type, epoch),                                  \
        .sequence_bit = BIT(Type, sequence), .captured_bit = BIT(Type, captured_usec),                       \
        .timestamp_bit = BIT(Type, timestamp)                                                                \
    }

static const EventLayout layouts[SENSOR_KIND_COUNT] = {
    [SENSOR_CAMERA] = LAYOUT(CAMERA_EVENT, CameraEvent),
    [SENSOR_INDUCTIVE] = LAYOUT(LOOP_EVENT, LoopEvent),
    [SENSOR_GPS] = LAYOUT(GPS_EVENT, GpsEvent),
};

enum { PRODUCER_SIZE = sizeof((CameraEvent){0}.producer) };

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
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        if (layouts[kind].tag == tag)
            return &layouts[kind];
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
        *ret = (SensorKind)(layout - layouts);
    return layout != NULL;
}

const char *event_topic(SensorKind kind) {
    return message_wire_name(layouts[kind].tag);
}

const char *event_sensor_id(const Message *event) {
    return event_peek(event, event_layout(event)->sensor_id);
}

const char *event_intersection(const Message *event) {
    return event_peek(event, event_layout(event)->intersection);
}

bool event_identity(const Message *event, EventIdentity *ret) {
    const EventLayout *layout = event_layout(event);
    uint32_t needed = layout->producer_bit | layout->epoch_bit | layout->sequence_bit;
    if ((event_bits(event) & needed) != needed)
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
    *event_present(event) |= layout->producer_bit | layout->epoch_bit | layout->sequence_bit;
}

void event_clear_identity(Message *event) {
    const EventLayout *layout = event_layout(event);
    *event_present(event) &=
        ~(layout->producer_bit | layout->epoch_bit | layout->sequence_bit | layout->captured_bit);
}

bool event_has_captured(const Message *event) {
    return event_bits(event) & event_layout(event)->captured_bit;
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
