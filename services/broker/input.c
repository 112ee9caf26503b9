/* The order of a sensor's events is the order of its link: what cannot be taken now stays here, in front of
 * all that follow, while the link or the pipe behind it is paused.
 *
 * Taking the hop off and looking at the contents is the expensive part, and needs nothing that the loop
 * knows: it happens first, in the thread where there is one. Whether a frame is the next one of its stream,
 * and which number an event without identity gets, is decided in the loop and in order. So a frame that is
 * refused and comes again is refused, and counted, again. */
#include "input.h"

#include "gate.h"
#include "shell/journal.h"
#include "shell/pipe.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_HIGH_WATER_MARK = 1000 };

/* A frame that was looked at; so it travels through the pipe, up to its size. */
typedef struct Judged {
    Hop hop;
    bool has_hop;
    bool is_refused; /* only of a frame under custody: there is nothing to take, but it has arrived */
    bool needs_identity;
    bool has_captured;
    bool is_tick;
    Wall captured;
    char event[FRAME_MAX_BYTES];
} Judged;

#define JUDGED_SIZE(event_size) (offsetof(Judged, event) + (event_size))

struct Input {
    Link *link; /* to the sensor, or the reading end of the pipe */
    Gate *gate; /* this and `judged` are the thread's when there is one */
    Judged judged;
    InputHandlers handlers;
    void *userdata;
    const Judged *waiting; /* NULL, or what could not be taken yet: no further frame comes meanwhile */
    size_t waiting_size;   /* of the event in it */
    /* threaded only */
    Judged arrived; /* what came out of the pipe */
    ThreadLink *thread_link;
    pthread_t thread;
    bool has_thread;
};

typedef void (*RefuseFn)(Input *input, const LinkFrame *frame, Refusal refusal, const Problem *problem);

/* Blanks behind the object mean nothing, and a hop is put behind its brace. */
static size_t trimmed_size(const char *event, size_t size) {
    while (size > 0 && event[size - 1] != '}')
        size--;
    return size;
}

/* Takes the hop off, looks at the contents and reports what is wrong with them. 1: input->judged has to be
 * settled, with *ret_size bytes of event; 0: done with; negative errno. */
static int judge(Input *input, const LinkFrame *frame, RefuseFn refuse, size_t *ret_size) {
    Judged *judged = &input->judged;
    Refusal refusal;
    Problem problem;
    size_t size = frame->size;
    if (size > sizeof judged->event)
        return -EMSGSIZE; /* a link lets no such frame through */
    judged->has_hop = hop_take(frame->data, frame->size, &judged->hop, judged->event, &size);
    if (!judged->has_hop)
        memcpy(judged->event, frame->data, size);
    int r = gate_judge(input->gate, judged->event, size, &judged->needs_identity, &refusal, &problem);
    if (r < 0 && r != -EBADMSG)
        return r;
    judged->is_refused = r == -EBADMSG;
    judged->is_tick = r == 0 && gate_is_tick(input->gate);
    judged->has_captured = r == 0 && !judged->is_tick && gate_captured(input->gate, &judged->captured);
    if (judged->is_refused)
        refuse(input, frame, refusal, &problem);
    *ret_size = judged->is_refused ? 0 : trimmed_size(judged->event, size);
    return judged->has_hop || !judged->is_refused;
}

/* --- in the loop: what becomes of it --- */

static int settle(Input *input, const Judged *judged, size_t size) {
    if (judged->has_hop && !input->handlers.is_wanted(&judged->hop, input->userdata))
        return 0;
    if (judged->is_refused)
        return 0;
    Problem problem;
    const InputEvent told = {.text = judged->event,
                             .size = size,
                             .needs_identity = judged->needs_identity,
                             .has_captured = judged->has_captured,
                             .captured = judged->captured};
    int r = judged->is_tick ? input->handlers.on_tick(judged->event, size, &problem, input->userdata)
                            : input->handlers.on_event(&told, &problem, input->userdata);
    if (r != -EBADMSG)
        return r;
    const LinkFrame event = {.data = judged->event, .size = size};
    link_refuse(input->link, &event, judged->is_tick ? REFUSAL_UNKNOWN_TYPE : REFUSAL_TOO_LARGE, &problem);
    return 0;
}

static int settle_or_hold(Input *input, const Judged *judged, size_t size) {
    if (input->handlers.can_take(input->userdata))
        return settle(input, judged, size);
    input->waiting = judged;
    input->waiting_size = size;
    link_pause(input->link, true);
    return 0;
}

int input_resume(Input *input) {
    if (!input->waiting || !input->handlers.can_take(input->userdata))
        return 0;
    link_pause(input->link, false);
    return settle(input, take(input->waiting), input->waiting_size);
}

static int input_new(const InputHandlers *handlers, void *userdata, Input **ret) {
    Input *input = calloc(1, sizeof *input);
    if (!input)
        return -ENOMEM;
    input->handlers = *handlers;
    input->userdata = userdata;
    int r = gate_new(&input->gate);
    if (r < 0) {
        input_free(input);
        return r;
    }
    *ret = input;
    return 0;
}

/* --- standard --- */

static void refuse_in_loop(Input *input, const LinkFrame *frame, Refusal refusal, const Problem *problem) {
    link_refuse(input->link, frame, refusal, problem);
}

static int on_sensor_frame(Link *link, const LinkFrame *frame, void *userdata) {
    (void)link;
    Input *input = userdata;
    size_t size;
    int r = judge(input, frame, refuse_in_loop, &size);
    return r <= 0 ? r : settle_or_hold(input, &input->judged, size);
}

int input_open_in_loop(Service *service, EndpointId id, const InputHandlers *handlers, void *userdata,
                       Input **ret, Problem *problem) {
    static const LinkHandlers link_handlers = {.on_frame = on_sensor_frame};
    Input *input;
    int r = input_new(handlers, userdata, &input);
    if (r < 0)
        return r;
    r = link_connect(service, id, &link_handlers, input, &input->link, problem);
    if (r < 0) {
        input_free(input);
        return r;
    }
    *ret = input;
    return 0;
}

/* --- threaded --- */

static void refuse_in_thread(Input *input, const LinkFrame *frame, Refusal refusal, const Problem *problem) {
    thread_link_refuse(input->thread_link, frame, refusal, problem);
}

static void *thread_main(void *userdata) {
    Input *input = userdata;
    LinkFrame frame;
    size_t size;
    int r;
    while ((r = thread_link_receive(input->thread_link, &frame)) > 0) {
        r = judge(input, &frame, refuse_in_thread, &size);
        if (r > 0)
            r = thread_link_forward(input->thread_link, &input->judged, JUDGED_SIZE(size));
        if (r < 0)
            break;
    }
    if (r < 0 && r != -ECANCELED) {
        /* a thread less would be a kind of sensor less, in silence: the process ends and is started again */
        journal_note(LOG_ERR, "The thread of a topic failed: %s", strerror(-r));
        (void)kill(getpid(), SIGTERM);
    }
    return NULL;
}

/* What the thread wrote comes back as bytes that need not be aligned. */
static int on_pipe_frame(Link *pipe, const LinkFrame *frame, void *userdata) {
    (void)pipe;
    Input *input = userdata;
    if (frame->size < JUDGED_SIZE(0))
        return -EBADMSG;
    memcpy(&input->arrived, frame->data, frame->size);
    return settle_or_hold(input, &input->arrived, frame->size - JUDGED_SIZE(0));
}

/* Signals are the loop's: the thread blocks them all. */
static int start_thread(Input *input) {
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&input->thread, NULL, thread_main, input);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    input->has_thread = error == 0;
    return -error;
}

int input_open_in_thread(Service *service, EndpointId id, const InputHandlers *handlers, void *userdata,
                         Input **ret, Problem *problem) {
    static const LinkHandlers link_handlers = {.on_frame = on_pipe_frame};
    Input *input;
    int r = input_new(handlers, userdata, &input);
    if (r < 0)
        return r;
    char name[64]; /* not the link's own: frames would be counted twice under it */
    (void)snprintf(name, sizeof name, "pipe.%s", endpoints[id].name);
    r = pipe_open(service, name, PIPE_HIGH_WATER_MARK, &link_handlers, input, &input->link, problem);
    if (r >= 0)
        r = thread_link_new(service, id, NULL, input->link, PIPE_HIGH_WATER_MARK, &input->thread_link,
                            problem);
    if (r >= 0)
        r = start_thread(input);
    if (r < 0) {
        input_free(input);
        return r;
    }
    *ret = input;
    return 0;
}

Input *input_free(Input *input) {
    if (input) {
        if (input->has_thread) {
            thread_link_stop(input->thread_link);
            (void)pthread_join(input->thread, NULL);
        }
        thread_link_free(input->thread_link);
        link_free(input->link);
        gate_free(input->gate);
        free(input);
    }
    return NULL;
}
