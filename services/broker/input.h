/* One link to a sensor, as the broker reads it: in the loop (standard), or in a thread of its own that passes
 * what it has judged to the loop through a pipe (threaded). Both end in the same calls. */
#pragma once

#include "base/hop.h"
#include "base/problem.h"
#include "shell/link.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Input Input;

/* An event, without its hop. */
typedef struct InputEvent {
    const char *text;
    size_t size;
    bool needs_identity;
    bool has_captured; /* it says when the reading was taken */
    Wall captured;
} InputEvent;

/* Asked in this order, in the loop. */
typedef struct InputHandlers {
    /* Whether anything can be taken now. If not, the input keeps what it has, reads nothing more and waits
     * for input_resume(). */
    bool (*can_take)(void *userdata);
    /* A frame under custody: whether it is to be taken, or is done with. Asked once for each, of those whose
     * contents are refused too: they count as arrived. */
    bool (*is_wanted)(const Hop *hop, void *userdata);
    /* 0; -EBADMSG: refused with `problem`; another negative errno ends the process. */
    int (*on_event)(const InputEvent *event, Problem *problem, void *userdata);
    /* The same for a simulator's tick. */
    int (*on_tick)(const void *tick, size_t size, Problem *problem, void *userdata);
} InputHandlers;

int input_open_in_loop(Service *service, EndpointId id, const InputHandlers *handlers, void *userdata,
                       Input **ret, Problem *problem);
int input_open_in_thread(Service *service, EndpointId id, const InputHandlers *handlers, void *userdata,
                         Input **ret, Problem *problem);

/* Ends the thread, if any. Accepts NULL. */
Input *input_free(Input *input);

/* Takes what was kept, and reads on when it could be. 0 or a negative errno that ends the process. */
int input_resume(Input *input);
