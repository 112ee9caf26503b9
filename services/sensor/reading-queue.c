/* What is pushed in one turn of the loop is sent behind it, together: each frame of its own would wake the thread that writes to
 * the network. */
#include "reading-queue.h"

#include "custody/sender.h"
#include "shell/random-id.h"
#include "store/frame-ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ReadingQueue {
    FrameRing *ring;
    Sender *sender;
    sd_event_source *send; /* once, when there is more than the sender knows of */
    bool is_best_effort;
    size_t max_frames;
    uint64_t last, acknowledged;
    ReadingQueueSpec spec;
};

static int read_ring(void *userdata, uint64_t position, const char **ret, size_t *ret_size) {
    const ReadingQueue *queue = userdata;
    const char *frame = frame_ring_at(queue->ring, position, ret_size);
    if (frame)
        *ret = frame;
    return frame != NULL;
}

static uint64_t oldest_in_ring(void *userdata) {
    const ReadingQueue *queue = userdata;
    return queue->acknowledged + 1;
}

static void on_acknowledged(void *userdata, uint64_t position) {
    ReadingQueue *queue = userdata;
    if (position <= queue->acknowledged)
        return;
    queue->acknowledged = position;
    frame_ring_drop(queue->ring, position);
    queue->spec.on_acknowledged(queue->spec.userdata);
}

/* The broker cannot know more of this stream than was sent: it is new with each process. So somebody else
 * spoke, and a new stream leaves him behind. */
static uint64_t renew_stream(void *userdata) {
    (void)userdata;
    return random_id();
}

static int on_send(sd_event_source *source, void *userdata) {
    (void)source;
    ReadingQueue *queue = userdata;
    sender_add(queue->sender, queue->last);
    return 0;
}

static int make_send(ReadingQueue *queue, Service *service) {
    int r = sd_event_add_defer(service_event(service), &queue->send, on_send, queue);
    return r < 0 ? r : sd_event_source_set_enabled(queue->send, SD_EVENT_OFF);
}

int reading_queue_new(Service *service, const ReadingQueueSpec *spec, ReadingQueue **ret, Problem *problem) {
    const Settings *settings = service_settings(service);
    Protocol protocol = (Protocol)settings->protocol_broker;
    scoped(reading_queue_freep) ReadingQueue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return problem_set(problem, -ENOMEM, "out of memory");
    queue->spec = *spec;
    queue->is_best_effort = protocol == PROTOCOL_V0;
    queue->max_frames = queue->is_best_effort ? 1 : (size_t)settings->custody_sensor_frames;
    int r = frame_ring_new(&queue->ring);
    if (r >= 0)
        r = make_send(queue, service);
    if (r < 0)
        return problem_set(problem, r, "%s", strerror(-r));
    const SenderSpec sender = {
        .data = spec->link,
        .id = link_endpoint(spec->link),
        .reader = "the broker",
        .protocol = protocol,
        .stream = random_id(),
        .source = {.read = read_ring,
                   .oldest = oldest_in_ring,
                   .on_acknowledged = on_acknowledged,
                   .renew_stream = renew_stream},
        .userdata = queue,
    };
    r = sender_new(service, &sender, &queue->sender, problem);
    if (r < 0)
        return r;
    sender_reader_is_there(queue->sender, false);
    *ret = take(queue);
    return 0;
}

ReadingQueue *reading_queue_free(ReadingQueue *queue) {
    if (queue) {
        sd_event_source_disable_unref(queue->send);
        sender_free(queue->sender);
        frame_ring_free(queue->ring);
        free(queue);
    }
    return NULL;
}

int reading_queue_push(ReadingQueue *queue, const void *frame, size_t size, uint64_t *ret_position) {
    int r = frame_ring_push(queue->ring, queue->last + 1, frame, size);
    if (r < 0)
        return r;
    *ret_position = ++queue->last;
    if (queue->is_best_effort || sd_event_source_set_enabled(queue->send, SD_EVENT_ONESHOT) < 0)
        sender_add(queue->sender, queue->last);
    return 0;
}

bool reading_queue_is_full(const ReadingQueue *queue) {
    return frame_ring_count(queue->ring) >= queue->max_frames;
}

size_t reading_queue_count(const ReadingQueue *queue) {
    return frame_ring_count(queue->ring);
}

uint64_t reading_queue_acknowledged(const ReadingQueue *queue) {
    return queue->acknowledged;
}

void reading_queue_reader_is_there(ReadingQueue *queue, bool is_there) {
    sender_reader_is_there(queue->sender, is_there);
}

int reading_queue_on_writable(ReadingQueue *queue) {
    return sender_on_writable(queue->sender);
}
