/* One step at a time, as in the signal service, which has the last word on what is done.
 *
 * The subtle thing is the first tick of this process: it is begun only when the signal service has answered a
 * HELLO. A request that finds no connection yet would be lost, and how a run begins must not depend on who
 * came first; and one that comes back must know which of the steps that it still gets are over. */
#include "lockstep.h"

#include "core/tick-order.h"
#include "shell/city-clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef enum Waiting {
    WAITING_FOR_NOTHING,
    WAITING_FOR_LINK,  /* it takes no HELLO yet */
    WAITING_FOR_HELLO, /* to be answered */
    WAITING_FOR_MARK,  /* the link takes none yet */
    WAITING_FOR_DONE,
} Waiting;

struct Lockstep {
    Service *service;
    const AnswerSources *parts;
    SignalClient *signal;
    TickOrder order;
    TickEvent tick; /* the newest, one that opens a step too */
    bool is_first;  /* it is the first that ends one in this run */
    bool is_greeted;
    Waiting waiting;
    TickOrder done; /* the newest that is; not of this process alone */
    Timer *deadline;
};

static bool is_absent(const TickEvent *tick) {
    return message_has(tick, TickEvent, absent) && strcmp(tick->absent, "analytics") == 0;
}

/* Events are taken while nothing is waited for, reports while something is: what the lights do in a step is
 * heard behind its mark, however fast the report is. */
static void wait_for(Lockstep *lockstep, Waiting what) {
    bool is_waiting = what != WAITING_FOR_NOTHING;
    lockstep->waiting = what;
    ingest_pause(lockstep->parts->ingest, INGEST_STEP, is_waiting);
    signal_client_hold_reports(lockstep->signal, !is_waiting && !is_absent(&lockstep->tick));
}

static bool opens(const TickEvent *tick) {
    return message_has(tick, TickEvent, opens) && tick->opens;
}

static bool is_last(const TickEvent *tick) {
    return message_has(tick, TickEvent, is_last) && tick->is_last;
}

/* The run has gone on without this process. */
static bool is_past(const Lockstep *lockstep) {
    return lockstep->done.has_begun && lockstep->tick.number <= lockstep->done.number;
}

/* --- a step --- */

static void end_step(Lockstep *lockstep) {
    timer_clear(lockstep->deadline);
    wait_for(lockstep, WAITING_FOR_NOTHING);
    if (!is_last(&lockstep->tick))
        return;
    tick_order_end(&lockstep->order);
    tick_order_end(&lockstep->done);
    city_clock_end_run(lockstep->service);
}

static int send_mark(Lockstep *lockstep) {
    int r = signal_client_step(lockstep->signal, STEP_MARK, lockstep->tick.number);
    if (r < 0 && r != -EAGAIN)
        return r;
    wait_for(lockstep, r < 0 ? WAITING_FOR_MARK : WAITING_FOR_DONE);
    return 0;
}

static void arm_deadline(Lockstep *lockstep) {
    uint64_t usec = usec_from_sec(service_settings(lockstep->service)->clock_deadline_sec);
    if (!lockstep->is_first) /* that one waits for everybody as long as they need */
        timer_set(lockstep->deadline, mono_after(service_now(lockstep->service), usec));
}

/* What is due is decided, and a mark set behind it, unless the lights go on without it. Nobody waits for the
 * commit, but the next step should not meet it. */
static int run_step(Lockstep *lockstep) {
    Wall wall = {(uint64_t)lockstep->tick.city_usec};
    bool is_unheard = is_past(lockstep) || is_absent(&lockstep->tick);
    signal_client_mute(lockstep->signal, is_unheard);
    wait_for(lockstep, WAITING_FOR_NOTHING);
    if (opens(&lockstep->tick))
        return city_clock_open(lockstep->service, wall);
    int r = city_clock_tick(lockstep->service, wall);
    if (r < 0)
        return r;
    delivery_hurry(lockstep->parts->delivery);
    if (is_unheard) {
        end_step(lockstep);
        return 0;
    }
    arm_deadline(lockstep);
    return send_mark(lockstep);
}

static int greet(Lockstep *lockstep) {
    int r = signal_client_step(lockstep->signal, STEP_HELLO, lockstep->tick.number);
    if (r < 0 && r != -EAGAIN)
        return r;
    wait_for(lockstep, r < 0 ? WAITING_FOR_LINK : WAITING_FOR_HELLO);
    return 0;
}

static int on_tick(const TickEvent *tick, void *userdata) {
    Lockstep *lockstep = userdata;
    TickVerdict verdict = tick_order_judge(&lockstep->order, tick->number, (uint64_t)tick->city_usec);
    if (verdict != TICK_NEXT) {
        Problem why;
        problem_set(&why, 0, "expected tick %" PRId64 ", got %" PRId64 " (%s)", lockstep->order.number + 1,
                    tick->number, tick_verdict_words[verdict]);
        city_clock_tell_invalid(lockstep->service, tick->number, why.text);
        return 0;
    }
    lockstep->tick = *tick;
    lockstep->is_first = !lockstep->order.has_begun;
    if (!opens(tick))
        tick_order_take(&lockstep->order, tick->number, (uint64_t)tick->city_usec);
    return lockstep->is_greeted ? run_step(lockstep) : greet(lockstep);
}

/* --- what the signal service says --- */

static int on_writable(void *userdata) {
    Lockstep *lockstep = userdata;
    if (lockstep->waiting == WAITING_FOR_LINK)
        return greet(lockstep);
    return lockstep->waiting == WAITING_FOR_MARK ? send_mark(lockstep) : 0;
}

/* The end of another run says nothing of this one. */
static bool is_of_this_run(const Lockstep *lockstep, const Step *step) {
    bool is_awaited = lockstep->waiting == WAITING_FOR_DONE && step->number == lockstep->tick.number;
    return is_awaited || !message_has(step, Step, is_last);
}

static int on_step(const Step *step, void *userdata) {
    Lockstep *lockstep = userdata;
    if (step->kind == STEP_DONE && is_of_this_run(lockstep, step))
        tick_order_take(&lockstep->done, step->number, (uint64_t)step->city_usec);
    if (lockstep->waiting == WAITING_FOR_HELLO) {
        lockstep->is_greeted = true;
        return run_step(lockstep);
    }
    if (lockstep->waiting == WAITING_FOR_DONE && is_past(lockstep))
        end_step(lockstep);
    return 0;
}

static int on_deadline(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    const Lockstep *lockstep = userdata;
    Problem why;
    problem_set(&why, 0, "expected the signal service to say within %g s that it is done, it has not",
                service_settings(lockstep->service)->clock_deadline_sec);
    city_clock_tell_invalid(lockstep->service, lockstep->tick.number, why.text);
    return 0;
}

/* --- the module --- */

int lockstep_new(Service *service, const AnswerSources *parts, Lockstep **ret) {
    static const StepHandlers handlers = {.on_step = on_step, .on_writable = on_writable};
    if (!city_clock_ticks(service)) {
        *ret = NULL;
        return 0;
    }
    scoped(lockstep_freep) Lockstep *lockstep = calloc(1, sizeof *lockstep);
    if (!lockstep)
        return -ENOMEM;
    lockstep->service = service;
    lockstep->parts = parts;
    lockstep->signal = decisions_signal(parts->decisions);
    int r = timer_new(service, on_deadline, lockstep, &lockstep->deadline);
    if (r < 0)
        return r;
    signal_client_on_steps(lockstep->signal, &handlers, lockstep);
    signal_client_mute(lockstep->signal, true); /* until it is known what time it is */
    ingest_on_tick(parts->ingest, on_tick, lockstep);
    *ret = take(lockstep);
    return 0;
}

Lockstep *lockstep_free(Lockstep *lockstep) {
    if (!lockstep)
        return NULL;
    signal_client_on_steps(lockstep->signal, NULL, NULL);
    ingest_on_tick(lockstep->parts->ingest, NULL, NULL);
    timer_free(lockstep->deadline);
    free(lockstep);
    return NULL;
}
