/* One link to a sensor, as the broker reads it: in the loop (standard), or in a thread of its own that passes
 * what it has judged to the loop through a pipe (threaded). Both end in the same call: an event that is to be
 * forwarded. */
#pragma once

#include "base/problem.h"
#include "shell/link.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Input Input;

/* An event to be forwarded. 0, -EAGAIN: not taken (the input keeps it, reads nothing more and waits for
 * input_resume()), -EBADMSG: refused with `problem`, or another negative errno that ends the process. */
typedef int (*InputForwardFn)(const void *frame, size_t size, bool needs_identity, Problem *problem,
                              void *userdata);

int input_open_in_loop(Service *service, EndpointId id, InputForwardFn forward, void *userdata, Input **ret,
                       Problem *problem);
int input_open_in_thread(Service *service, EndpointId id, InputForwardFn forward, void *userdata, Input **ret,
                         Problem *problem);

/* Ends the thread, if any. Accepts NULL. */
Input *input_free(Input *input);

/* Offers the event that was not taken again, and reads on when it is. 0 or a negative errno that ends the
 * process. */
int input_resume(Input *input);

bool input_is_waiting(const Input *input);
