/* One step at a time. Ticks come from the broker as plain frames, which it tells again to whoever subscribes;
 * those with a hop are for analytics, which acknowledges them.
 *
 * The subtle thing is who is waited for: the mark of analytics, unless the tick says that it is absent. A
 * mark that comes late, or a HELLO, is from an analytics that was away: it is told how far the run is. */
#include "lockstep.h"

#include "core/tick-order.h"
#include "shell/city-clock.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Lockstep {
    Service *service;
    LockstepHandlers handlers;
    void *userdata;
    Link *ticks;
    Decoder *decoder;
    Timer *deadline;
    TickOrder order;
    TickEvent tick;  /* the newest */
    bool is_waiting; /* its step is not done */
    TickOrder done;  /* the newest that is */
    int64_t marked;  /* the newest mark; -1: none in this run */
    char fault[sizeof((Step){0}.reason)];
    Metric *n_done;
};

/* --- saying --- */

static void say(Lockstep *lockstep, StepKind kind, int64_t number, uint64_t city_usec) {
    Step step = {0};
    bool ends_run = lockstep->done.has_begun && !lockstep->order.has_begun;
    message_set(&step, Step, kind, kind);
    message_set(&step, Step, number, number);
    message_set(&step, Step, city_usec, (int64_t)city_usec);
    if (lockstep->fault[0]) {
        message_set_text(&step, Step, reason, lockstep->fault);
    }
    if (ends_run) {
        message_set(&step, Step, is_last, true);
    }
    lockstep->handlers.on_step(&step, lockstep->userdata);
}

static void say_done(Lockstep *lockstep) {
    say(lockstep, STEP_DONE, lockstep->done.number, lockstep->done.city_usec);
}

/* The first fault is the one that counts: what follows may follow from it. */
static void tell_fault(Lockstep *lockstep, int64_t number, const char *why, bool is_told) {
    if (!is_told)
        city_clock_tell_invalid(lockstep->service, number, why);
    if (lockstep->fault[0])
        return;
    (void)snprintf(lockstep->fault, sizeof lockstep->fault, "%s", why);
    say(lockstep, STEP_INVALID, number, service_city_wall(lockstep->service).usec);
}

static bool is_absent(const TickEvent *tick) {
    return message_has(tick, TickEvent, absent) && strcmp(tick->absent, "analytics") == 0;
}

static bool is_last(const TickEvent *tick) {
    return message_has(tick, TickEvent, is_last) && tick->is_last;
}

static void end_step(Lockstep *lockstep) {
    lockstep->is_waiting = false;
    lockstep->done = lockstep->order;
    timer_clear(lockstep->deadline);
    metric_add(lockstep->n_done, 1);
    lockstep->handlers.on_requests(false, lockstep->userdata);
    if (is_last(&lockstep->tick)) {
        tick_order_end(&lockstep->order);
        city_clock_end_run(lockstep->service);
        lockstep->marked = -1;
    }
    say_done(lockstep);
}

static int on_deadline(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    Lockstep *lockstep = userdata;
    Problem why;
    problem_set(&why, 0, "expected analytics to mark it within %g s, it has not",
                service_settings(lockstep->service)->clock_deadline_sec);
    tell_fault(lockstep, lockstep->tick.number, why.text, false);
    return 0;
}

/* --- ticks --- */

/* The lights change first, then what is asked at this time is heard. */
static int begin_step(Lockstep *lockstep, const TickEvent *tick) {
    bool is_first = !lockstep->order.has_begun;
    if (is_first)
        tick_order_end(&lockstep->done);
    tick_order_take(&lockstep->order, tick->number, (uint64_t)tick->city_usec);
    lockstep->tick = *tick;
    lockstep->is_waiting = true;
    int r = city_clock_tick(lockstep->service, (Wall){(uint64_t)tick->city_usec});
    if (r < 0)
        return r;
    if (is_absent(tick) || lockstep->marked >= tick->number) {
        end_step(lockstep);
        return 0;
    }
    lockstep->handlers.on_requests(true, lockstep->userdata);
    if (!is_first)
        timer_set(lockstep->deadline,
                  mono_after(service_now(lockstep->service),
                             usec_from_sec(service_settings(lockstep->service)->clock_deadline_sec)));
    return 0;
}

static int take_tick(Lockstep *lockstep, const TickEvent *tick) {
    Problem why;
    if (message_has(tick, TickEvent, fault)) {
        tell_fault(lockstep, tick->number, tick->fault, true);
        return 0;
    }
    TickVerdict verdict = tick_order_judge(&lockstep->order, tick->number, (uint64_t)tick->city_usec);
    if (verdict == TICK_REPEAT)
        return 0;
    if (verdict != TICK_NEXT) {
        problem_set(&why, 0, "expected tick %" PRId64 ", got %" PRId64 " (%s)", lockstep->order.number + 1,
                    tick->number, tick_verdict_words[verdict]);
        tell_fault(lockstep, tick->number, why.text, false);
        return 0;
    }
    if (lockstep->is_waiting) {
        problem_set(&why, 0, "expected it after tick %" PRId64 " was done, it came before",
                    lockstep->order.number);
        tell_fault(lockstep, tick->number, why.text, false);
    }
    return begin_step(lockstep, tick);
}

static int on_tick_frame(Link *link, const LinkFrame *frame, void *userdata) {
    Lockstep *lockstep = userdata;
    Message message;
    Hop ignored;
    size_t size;
    if (hop_find(frame->data, frame->size, &ignored, &size))
        return 0;
    int r = link_decode(link, frame, lockstep->decoder, MESSAGE_FAMILY_EVENT, &message);
    return r <= 0 || message.tag != MESSAGE_TICK_EVENT ? r : take_tick(lockstep, &message.TICK_EVENT);
}

/* --- marks --- */

int lockstep_hear(Lockstep *lockstep, Link *link, const LinkFrame *frame) {
    Message message;
    Problem problem;
    if (!lockstep) {
        problem_set(&problem, -EBADMSG, "expected requests and no steps: [clock] source is system");
        link_refuse(link, frame, REFUSAL_UNKNOWN_TYPE, &problem);
        return 0;
    }
    int r = link_decode(link, frame, lockstep->decoder, MESSAGE_FAMILY_STEP, &message);
    if (r <= 0)
        return r;
    const Step *step = &message.STEP;
    if (step->kind == STEP_MARK && step->number > lockstep->marked)
        lockstep->marked = step->number;
    if (lockstep->is_waiting && lockstep->marked >= lockstep->tick.number)
        end_step(lockstep);
    else if (lockstep->done.has_begun && (step->kind == STEP_HELLO || step->number <= lockstep->done.number))
        say_done(lockstep);
    else if (step->kind == STEP_HELLO)
        say(lockstep, STEP_HELLO, step->number, service_city_wall(lockstep->service).usec);
    else if (step->kind == STEP_HELLO)
        say(lockstep, STEP_HELLO, step->number, (uint64_t)step->city_usec);
    return 0;
}

/* --- the module --- */

int lockstep_new(Service *service, const LockstepHandlers *handlers, void *userdata, Lockstep **ret,
                 Problem *problem) {
    static const char *const topics[] = {"tick ", NULL};
    static const LinkHandlers link_handlers = {.on_frame = on_tick_frame};
    if (!city_clock_ticks(service)) {
        *ret = NULL;
        return 0;
    }
    scoped(lockstep_freep) Lockstep *lockstep = calloc(1, sizeof *lockstep);
    if (!lockstep)
        return -ENOMEM;
    lockstep->service = service;
    lockstep->handlers = *handlers;
    lockstep->userdata = userdata;
    lockstep->marked = -1;
    lockstep->n_done = metrics_counter(service_metrics(service), "traffic_lockstep_ticks_total",
                                       "Ticks of a simulator that are done.", "");
    int r = decoder_new(&lockstep->decoder);
    if (r >= 0)
        r = timer_new(service, on_deadline, lockstep, &lockstep->deadline);
    if (r >= 0)
        r = link_connect_topics(service, ENDPOINT_BROKER, topics, &link_handlers, lockstep, &lockstep->ticks,
                                problem);
    if (r < 0)
        return r;
    *ret = take(lockstep);
    return 0;
}

Lockstep *lockstep_free(Lockstep *lockstep) {
    if (!lockstep)
        return NULL;
    link_free(lockstep->ticks);
    timer_free(lockstep->deadline);
    decoder_free(lockstep->decoder);
    free(lockstep);
    return NULL;
}
