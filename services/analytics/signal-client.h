/* The other side of the signal service: requests go out, what the lights show comes back. Decides nothing:
 * what is asked for and why is decisions.c's and the operator's matter.
 *
 * A request is for now. When the signal service is away it is refused here instead of waiting in a queue,
 * because a green asked for a minute ago is no longer wanted. */
#pragma once

#include "base/problem.h"
#include "base/vocabulary.h"
#include "shell/service.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct SignalClient SignalClient;

/* The lights of an intersection (an index into the city) as reported. `report` is valid during the call. */
typedef void (*SignalReportFn)(size_t intersection, const SignalReport *report, void *userdata);

int signal_client_new(Service *service, SignalReportFn on_report, void *userdata, SignalClient **ret,
                      Problem *problem);
SignalClient *signal_client_free(SignalClient *client);
DEFINE_FREEP(SignalClient, signal_client_free)

typedef struct LightRequest {
    size_t intersection;
    SignalAction action;
    Direction direction; /* that is to be, or to stay, green... */
    bool for_any; /* ... EXTEND: whichever is green; `direction` is then for a peer that knows no such word */
    bool
        has_phase; /* PHASE, WAVE, RELEASE of a wave: this one; `direction` is then for a peer that knows none */
    unsigned phase;
    double duration_sec; /* 0: as long as the signal service's settings say */
    bool has_priority;   /* WAVE: a higher number goes first */
    unsigned priority;
    double delay_sec; /* WAVE: until it starts */
    const char *reason;
} LightRequest;

/* 0: handed to the signal service, which alone decides. -EAGAIN: it is away, nothing was asked. */
int signal_client_request(SignalClient *client, const LightRequest *request);

/* Lock-step with a simulator. What the signal service says of a step (HELLO, DONE, INVALID); and when the link
 * takes frames again after a step could not be sent. A negative errno ends the process. */
typedef struct StepHandlers {
    int (*on_step)(const Step *step, void *userdata);
    int (*on_writable)(void *userdata);
} StepHandlers;
void signal_client_on_steps(SignalClient *client, const StepHandlers *handlers, void *userdata);

/* HELLO or MARK, behind every request before it. 0, or -EAGAIN: the signal service is away, on_writable
 * follows. */
int signal_client_step(SignalClient *client, StepKind kind, int64_t number);

/* While muted no request goes out: signal_client_request() says -EAGAIN. */
void signal_client_mute(SignalClient *client, bool is_muted);

/* Nothing is read from the signal service while paused, or while its reports are held; it waits. */
void signal_client_pause(SignalClient *client, bool is_paused);
void signal_client_hold_reports(SignalClient *client, bool are_held);
