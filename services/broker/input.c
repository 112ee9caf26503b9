/* The order of a sensor's events is the order of its link: an event that could not be forwarded stays here,
 * in front of all that follow, while the link or the pipe behind it is paused.
 *
 * Through the pipe a frame travels as it came. One that still needs an identity has a mark before it; no
 * topic begins with the mark. Identity itself is given by the loop, so that numbers leave in order. */
#include "input.h"

#include "gate.h"
#include "shell/journal.h"
#include "shell/pipe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_HIGH_WATER_MARK = 1000, NEEDS_IDENTITY_MARK = '+' };

struct Input {
    Link *link; /* to the sensor, or the reading end of the pipe */
    Gate *gate; /* the thread's when there is one */
    InputForwardFn forward;
    void *userdata;
    bool is_waiting, held_needs_identity;
    size_t held_size;
    char held[EVENT_MAX_BYTES];
    /* threaded only */
    ThreadLink *thread_link;
    pthread_t thread;
    bool has_thread;
    char marked[EVENT_MAX_BYTES + 1];
};

bool input_is_waiting(const Input *input) {
    return input->is_waiting;
}

/* Forwards an event that has been judged; keeps it when it is not taken. */
static int pass_on(Input *input, const LinkFrame *frame, bool needs_identity) {
    Problem problem;
    int r = input->forward(frame->data, frame->size, needs_identity, &problem, input->userdata);
    if (r == -EBADMSG) {
        link_refuse(input->link, frame, REFUSAL_TOO_LARGE, &problem);
        return 0;
    }
    if (r != -EAGAIN)
        return r;
    memcpy(input->held, frame->data, frame->size);
    input->held_size = frame->size;
    input->held_needs_identity = needs_identity;
    input->is_waiting = true;
    link_pause(input->link, true);
    return 0;
}

int input_resume(Input *input) {
    if (!input->is_waiting)
        return 0;
    Problem problem;
    int r =
        input->forward(input->held, input->held_size, input->held_needs_identity, &problem, input->userdata);
    if (r == -EAGAIN)
        return 0;
    if (r < 0 && r != -EBADMSG)
        return r;
    input->is_waiting = false;
    link_pause(input->link, false);
    return 0;
}

/* --- standard --- */

static int on_sensor_frame(Link *link, const LinkFrame *frame, void *userdata) {
    Input *input = userdata;
    bool needs_identity;
    Refusal refusal;
    Problem problem;
    int r = gate_judge(input->gate, frame->data, frame->size, &needs_identity, &refusal, &problem);
    if (r == -EBADMSG)
        link_refuse(link, frame, refusal, &problem);
    if (r < 0)
        return r == -EBADMSG ? 0 : r;
    return pass_on(input, frame, needs_identity);
}

static int input_new(InputForwardFn forward, void *userdata, Input **ret) {
    Input *input = calloc(1, sizeof *input);
    if (!input)
        return -ENOMEM;
    input->forward = forward;
    input->userdata = userdata;
    int r = gate_new(&input->gate);
    if (r < 0) {
        input_free(input);
        return r;
    }
    *ret = input;
    return 0;
}

int input_open_in_loop(Service *service, EndpointId id, InputForwardFn forward, void *userdata, Input **ret,
                       Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_sensor_frame};
    Input *input;
    int r = input_new(forward, userdata, &input);
    if (r < 0)
        return r;
    r = link_connect(service, id, &handlers, input, &input->link, problem);
    if (r < 0) {
        input_free(input);
        return r;
    }
    *ret = input;
    return 0;
}

/* --- threaded --- */

/* In the thread: one frame from the link into the pipe. */
static int judge_and_pass(Input *input, const LinkFrame *frame) {
    bool needs_identity;
    Refusal refusal;
    Problem problem;
    int r = gate_judge(input->gate, frame->data, frame->size, &needs_identity, &refusal, &problem);
    if (r == -EBADMSG)
        thread_link_refuse(input->thread_link, frame, refusal, &problem);
    if (r < 0)
        return r == -EBADMSG ? 0 : r;
    if (!needs_identity)
        return thread_link_forward(input->thread_link, frame->data, frame->size);
    input->marked[0] = NEEDS_IDENTITY_MARK;
    memcpy(input->marked + 1, frame->data, frame->size);
    return thread_link_forward(input->thread_link, input->marked, frame->size + 1);
}

static void *thread_main(void *userdata) {
    Input *input = userdata;
    LinkFrame frame;
    int r;
    while ((r = thread_link_receive(input->thread_link, &frame)) > 0) {
        r = judge_and_pass(input, &frame);
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

static int on_pipe_frame(Link *pipe, const LinkFrame *frame, void *userdata) {
    (void)pipe;
    bool needs_identity = frame->size > 0 && frame->data[0] == NEEDS_IDENTITY_MARK;
    LinkFrame event = *frame;
    event.data += needs_identity;
    event.size -= needs_identity;
    return pass_on(userdata, &event, needs_identity);
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

int input_open_in_thread(Service *service, EndpointId id, InputForwardFn forward, void *userdata, Input **ret,
                         Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_pipe_frame};
    Input *input;
    int r = input_new(forward, userdata, &input);
    if (r < 0)
        return r;
    char name[64]; /* not the link's own: frames would be counted twice under it */
    (void)snprintf(name, sizeof name, "pipe.%s", endpoints[id].name);
    r = pipe_open(service, name, PIPE_HIGH_WATER_MARK, &handlers, input, &input->link, problem);
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
