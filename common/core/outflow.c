/* Three positions, never out of order: acknowledged <= sent <= last. Going back is always `sent =
 * acknowledged`: what the reader has by then it answers with where it really is, and `sent` jumps there. */
#include "core/outflow.h"

void outflow_init(Outflow *flow, const OutflowLimits *limits, uint64_t acknowledged, uint64_t last) {
    if (last < acknowledged)
        last = acknowledged;
    *flow = (Outflow){
        .limits = *limits,
        .acknowledged = acknowledged,
        .sent = acknowledged,
        .last = last,
        .furthest = acknowledged,
        .inherited = last,
        .is_reader_heard = last == 0,
        .is_reader_there = true,
        .waiting_since = mono_never(),
        .patience_usec = limits->resend_usec,
    };
}

void outflow_add(Outflow *flow, uint64_t last) {
    if (last > flow->last)
        flow->last = last;
}

static void begin_again(Outflow *flow) {
    flow->sent = flow->acknowledged;
    flow->waiting_since = mono_never();
}

void outflow_reader_is_there(Outflow *flow, bool is_there) {
    flow->is_reader_there = is_there;
    flow->patience_usec = flow->limits.resend_usec;
    begin_again(flow);
}

void outflow_stream_is_new(Outflow *flow) {
    flow->furthest = flow->inherited = flow->acknowledged;
    flow->is_reader_heard = true; /* it knows nothing of this number */
    flow->patience_usec = flow->limits.resend_usec;
    begin_again(flow);
}

/* --- sending --- */

bool outflow_next(const Outflow *flow, uint64_t *ret_position) {
    if (!flow->is_reader_there || flow->sent >= flow->last ||
        flow->sent - flow->acknowledged >= flow->limits.window)
        return false;
    bool is_probed = flow->sent > flow->inherited;
    if (is_probed && !flow->is_reader_heard && !flow->limits.is_best_effort)
        return false;
    *ret_position = flow->sent + 1;
    return true;
}

void outflow_sent(Outflow *flow, Mono now) {
    flow->sent++;
    if (flow->sent > flow->furthest)
        flow->furthest = flow->sent;
    else
        flow->n_resent++;
    if (flow->limits.is_best_effort)
        flow->acknowledged = flow->sent;
    else if (mono_is_never(flow->waiting_since))
        flow->waiting_since = now;
}

/* --- hearing --- */

/* A cursor that lies before what the reader acknowledged once goes back with it, but not to frames that are
 * gone. */
static OutflowVerdict sends_again(Outflow *flow, uint64_t position, uint64_t oldest) {
    uint64_t gone = oldest > 0 ? oldest - 1 : 0;
    if (gone > flow->last)
        gone = flow->last;
    flow->acknowledged = position > gone ? position : gone;
    flow->patience_usec = flow->limits.resend_usec;
    begin_again(flow);
    return OUTFLOW_AGAIN;
}

OutflowVerdict outflow_acknowledge(Outflow *flow, uint64_t position, bool asks, uint64_t oldest, Mono now) {
    if (flow->limits.is_best_effort)
        return OUTFLOW_SAME;
    uint64_t handed_over = flow->furthest > flow->inherited ? flow->furthest : flow->inherited;
    if (position > handed_over)
        return OUTFLOW_FOREIGN;
    flow->is_reader_heard = true;
    if (asks)
        return sends_again(flow, position, oldest);
    if (position <= flow->acknowledged)
        return OUTFLOW_SAME;
    flow->acknowledged = position;
    if (flow->sent < position)
        flow->sent = position;
    flow->patience_usec = flow->limits.resend_usec;
    flow->waiting_since = flow->sent > position ? now : mono_never();
    return OUTFLOW_FURTHER;
}

/* --- patience --- */

Mono outflow_deadline(const Outflow *flow) {
    return mono_is_never(flow->waiting_since) ? mono_never()
                                              : mono_after(flow->waiting_since, flow->patience_usec);
}

bool outflow_tick(Outflow *flow, Mono now) {
    Mono deadline = outflow_deadline(flow);
    if (mono_is_never(deadline) || !mono_reached(now, deadline))
        return false;
    uint64_t most = flow->limits.resend_max_usec;
    if (flow->patience_usec < most)
        flow->patience_usec = flow->patience_usec > most / 2 ? most : 2 * flow->patience_usec;
    begin_again(flow);
    return true;
}
