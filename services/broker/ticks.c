/* Joining, and the two ways on. To analytics a tick goes as an event does: in the spool, under custody, in
 * order with what it stands behind. To the signal service it goes as a plain frame, once it is committed,
 * and does not depend on analytics being there: who subscribes to ticks hears the newest at once, so
 * nobody that comes late has missed it. A frame with a hop is therefore the one, a frame without is the
 * other. */
#include "ticks.h"

#include "core/tick-order.h"
#include "shell/city-clock.h"
#include "wire/messages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MAX_BYTES = 1024 };

struct Ticks {
    Service *service;
    TicksSpec spec;
    Decoder *decoder;
    bool is_source[SENSOR_KIND_COUNT];
    SensorKind turn;  /* whose readings are taken; the first source at the beginning of a step */
    TickOrder order;  /* of those that went on */
    TickEvent joined; /* of the step under way, as its first source said */
    bool has_joined;
    TickEvent opened; /* the same, before its readings */
    bool has_opened;
    bool is_step_open; /* something of the next step has come */
    Timer *deadline;

    char frame[TICK_MAX_BYTES]; /* the newest */
    size_t frame_size;
    uint64_t position; /* of it in the spool */
    bool is_told;      /* without custody */
    char fault[TICK_MAX_BYTES];
    size_t fault_size;
    Metric *released;
};

static const char tick_topic[] = "tick ";

/* --- telling those that acknowledge nothing --- */

/* Nobody keeps it for them: they ask again by subscribing. */
static void publish(const Ticks *ticks, const char *frame, size_t size) {
    if (size > 0 && link_has_subscriber(ticks->spec.output, tick_topic))
        (void)link_send(ticks->spec.output, frame, size);
}

void ticks_committed(Ticks *ticks, uint64_t position) {
    if (!ticks || ticks->is_told || position < ticks->position)
        return;
    ticks->is_told = true;
    publish(ticks, ticks->frame, ticks->frame_size);
}

void ticks_subscribed(Ticks *ticks, const char *topic, size_t size) {
    const size_t n = sizeof tick_topic - 1;
    if (!ticks || size == 0 || strncmp(topic, tick_topic, size < n ? size : n) != 0)
        return;
    if (ticks->is_told)
        publish(ticks, ticks->frame, ticks->frame_size);
    publish(ticks, ticks->fault, ticks->fault_size);
}

static int encode(const TickEvent *tick, char *buffer) {
    Message message = {.tag = MESSAGE_TICK_EVENT};
    Problem problem;
    message.TICK_EVENT = *tick;
    message_set_text(&message.TICK_EVENT, TickEvent, source, "broker");
    return message_encode(&message, buffer, TICK_MAX_BYTES, &problem);
}

/* --- what is wrong --- */

static void tell_fault(Ticks *ticks, int64_t number, const Problem *why) {
    TickEvent tick = {0};
    city_clock_tell_invalid(ticks->service, number, why->text);
    message_set(&tick, TickEvent, number, number);
    message_set(&tick, TickEvent, city_usec, (int64_t)ticks->order.city_usec);
    (void)snprintf(tick.fault, sizeof tick.fault, "%.*s", (int)sizeof tick.fault - 1, why->text);
    message_mark(&tick, TickEvent, fault);
    int size = encode(&tick, ticks->fault);
    ticks->fault_size = size > 0 ? (size_t)size : 0;
    publish(ticks, ticks->fault, ticks->fault_size);
}

static int on_deadline(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    Ticks *ticks = userdata;
    Problem why;
    problem_set(&why, 0, "expected it from every source within %g s, %s has not sent it",
                service_settings(ticks->service)->clock_deadline_sec, sensor_kind_words[ticks->turn]);
    tell_fault(ticks, ticks->order.number + 1, &why);
    return 0;
}

/* --- turns --- */

static SensorKind first_source(const Ticks *ticks) {
    SensorKind kind = 0;
    while (!ticks->is_source[kind])
        kind++;
    return kind;
}

/* The source after `kind`; false behind the last. */
static bool next_source(const Ticks *ticks, SensorKind kind, SensorKind *ret) {
    for (size_t next = (size_t)kind + 1; next < SENSOR_KIND_COUNT; next++)
        if (ticks->is_source[next]) {
            *ret = (SensorKind)next;
            return true;
        }
    return false;
}

/* The first step of a run waits for everybody as long as they need. */
static void open_step(Ticks *ticks) {
    if (ticks->is_step_open)
        return;
    ticks->is_step_open = true;
    if (ticks->order.has_begun)
        timer_set(ticks->deadline,
                  mono_after(service_now(ticks->service),
                             usec_from_sec(service_settings(ticks->service)->clock_deadline_sec)));
}

bool ticks_may_take(Ticks *ticks, SensorKind kind) {
    if (!ticks || !ticks->is_source[kind])
        return true;
    open_step(ticks);
    return kind == ticks->turn;
}

/* --- joining --- */

static bool is_same(const TickEvent *a, const TickEvent *b) {
    return a->number == b->number && a->city_usec == b->city_usec;
}

/* Whether the tick follows what went on before and agrees with what was said in this step. */
static bool follows(Ticks *ticks, SensorKind kind, const TickEvent *tick) {
    Problem why;
    TickVerdict verdict = tick_order_judge(&ticks->order, tick->number, (uint64_t)tick->city_usec);
    const TickEvent *said = ticks->has_joined ? &ticks->joined : ticks->has_opened ? &ticks->opened : tick;
    if (verdict == TICK_NEXT && is_same(tick, said))
        return true;
    if (verdict == TICK_NEXT)
        problem_set(&why, 0,
                    "expected tick %" PRId64 " of %" PRId64 " us from %s as before in this step, got %" PRId64
                    " of %" PRId64,
                    said->number, said->city_usec, sensor_kind_words[kind], tick->number, tick->city_usec);
    else
        problem_set(&why, 0, "expected tick %" PRId64 " from %s, got %" PRId64 " (%s)",
                    ticks->order.number + 1, sensor_kind_words[kind], tick->number,
                    tick_verdict_words[verdict]);
    tell_fault(ticks, tick->number, &why);
    return false;
}

/* The first source opens the step for all. */
static int open_time(Ticks *ticks, const TickEvent *tick) {
    char frame[TICK_MAX_BYTES];
    if (ticks->has_opened)
        return 0;
    ticks->has_opened = true;
    ticks->opened = *tick;
    int size = encode(tick, frame);
    return size < 0 ? size : keeper_append(ticks->spec.keeper, frame, (size_t)size);
}

/* Everybody has sent it: it goes on, and the commit that everything waits for comes at once. */
static int release(Ticks *ticks) {
    const TickEvent *tick = &ticks->joined;
    int size = encode(tick, ticks->frame);
    if (size < 0)
        return size;
    int r = keeper_append(ticks->spec.keeper, ticks->frame, (size_t)size);
    if (r < 0)
        return r;
    ticks->frame_size = (size_t)size;
    ticks->position = spool_last(keeper_spool(ticks->spec.keeper));
    ticks->is_told = false;
    keeper_hurry(ticks->spec.keeper);
    metric_add(ticks->released, 1);
    tick_order_take(&ticks->order, tick->number, (uint64_t)tick->city_usec);
    if (message_has(tick, TickEvent, is_last) && tick->is_last)
        tick_order_end(&ticks->order);
    ticks->has_joined = ticks->has_opened = ticks->is_step_open = false;
    timer_clear(ticks->deadline);
    return 0;
}

int ticks_take(Ticks *ticks, SensorKind kind, const void *frame, size_t size, Problem *problem) {
    Message message;
    Refusal refusal;
    if (!ticks || !ticks->is_source[kind])
        return problem_set(problem, -EBADMSG, "expected no tick: %s",
                           ticks ? "[clock] tick_sources does not name this kind"
                                 : "[clock] source is system");
    int r = message_decode(ticks->decoder, MESSAGE_FAMILY_EVENT, frame, size, &message, &refusal, problem);
    if (r < 0)
        return r;
    if (!follows(ticks, kind, &message.TICK_EVENT))
        return 0;
    if (message_has(&message.TICK_EVENT, TickEvent, opens) && message.TICK_EVENT.opens)
        return open_time(ticks, &message.TICK_EVENT);
    if (!ticks->has_joined)
        ticks->joined = message.TICK_EVENT;
    ticks->has_joined = true;
    ticks->spec.on_turn(ticks->spec.userdata);
    if (next_source(ticks, kind, &ticks->turn))
        return 0;
    ticks->turn = first_source(ticks);
    return release(ticks);
}

/* --- the module --- */

/* The settings have checked the words. */
static void read_sources(Ticks *ticks) {
    char words[sizeof((Settings){0}.clock_tick_sources)], *rest = words, *word;
    memcpy(words, service_settings(ticks->service)->clock_tick_sources, sizeof words);
    while ((word = strsep(&rest, " "))) {
        int kind = word_index(sensor_kind_words, word);
        if (kind >= 0)
            ticks->is_source[kind] = true;
    }
    ticks->turn = first_source(ticks);
}

int ticks_new(Service *service, const TicksSpec *spec, Ticks **ret, Problem *problem) {
    if (!city_clock_ticks(service)) {
        *ret = NULL;
        return 0;
    }
    scoped(ticks_freep) Ticks *ticks = calloc(1, sizeof *ticks);
    if (!ticks)
        return problem_set(problem, -ENOMEM, "out of memory");
    ticks->service = service;
    ticks->spec = *spec;
    ticks->is_told = true; /* nothing is to be */
    ticks->released = metrics_counter(service_metrics(service), "traffic_lockstep_ticks_total",
                                      "Ticks of a simulator that went on.", "");
    read_sources(ticks);
    int r = decoder_new(&ticks->decoder);
    if (r >= 0)
        r = timer_new(service, on_deadline, ticks, &ticks->deadline);
    if (r < 0)
        return r;
    *ret = take(ticks);
    return 0;
}

Ticks *ticks_free(Ticks *ticks) {
    if (ticks) {
        decoder_free(ticks->decoder);
        timer_free(ticks->deadline);
        free(ticks);
    }
    return NULL;
}
