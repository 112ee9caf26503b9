/* The pump between a feed and the link. A reading whose time has not come waits for a timer. Readings that
 * are overdue, and all of them at speed 0, are published a budget at a time from a defer source that ranks
 * below everything else: timers, signals and the hub's messages (subscriptions among them) always come first,
 * however fast the feed is. */
#include "paced.h"

#include "core/pacing.h"
#include "rounds.h"
#include "shell/journal.h"
#include "wire/event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { READINGS_PER_TURN = 64, BELOW_MESSAGES = SD_EVENT_PRIORITY_IDLE + 1 };

/* A pump that is this late does no work although it could. */
#define TOLERATED_LATENESS_USEC (10 * USEC_PER_SEC)

typedef struct Paced {
    Source source;
    Sensor *sensor;
    Feed *feed;
    Pacing pacing;
    Wall base;
    bool has_started, has_reading, has_ended;
    Mono held_at;
    Mono expected_at; /* when the pump should turn next; never while it has nothing to do */
    Reading reading;
    Timer *timer;
    sd_event_source *turn;
} Paced;

static void next_turn_now(Paced *paced, Mono now) {
    paced->expected_at = now;
    (void)sd_event_source_set_enabled(paced->turn, SD_EVENT_ONESHOT);
}

/* Readings go out in rounds; each says when it was due. */
static void next_turn_at(Paced *paced, Mono due) {
    paced->expected_at = round_from(due);
    timer_set(paced->timer, paced->expected_at);
}

static void next_turn_never(Paced *paced) {
    paced->expected_at = mono_never();
    timer_clear(paced->timer);
    (void)sd_event_source_set_enabled(paced->turn, SD_EVENT_OFF);
}

/* Publishes the reading that is due. A reading the encoder refuses is our own mistake: it ends the process
 * with its reason. */
static int publish(Paced *paced) {
    Problem problem;
    uint64_t position;
    event_set_time(&paced->reading.event, (Wall){paced->base.usec + paced->reading.position_usec});
    int r = sensor_publish(paced->sensor, &paced->reading.event, &position, &problem);
    if (r < 0)
        journal_note(LOG_ERR, "A reading cannot be published: %s", problem.text);
    return r;
}

static int pump(Paced *paced, Mono now) {
    for (int budget = READINGS_PER_TURN; paced->pacing.is_running && budget > 0; budget--) {
        if (!paced->has_reading) {
            FeedResult result = paced->feed->type->next(paced->feed, &paced->reading);
            paced->has_ended = result == FEED_ENDED;
            paced->has_reading = result == FEED_READING;
            if (paced->has_ended)
                next_turn_never(paced);
            if (paced->has_ended)
                return 0;
            if (!paced->has_reading)
                continue;
        }
        Mono due = pacing_due(&paced->pacing, paced->reading.position_usec);
        if (!mono_reached(now, due)) {
            next_turn_at(paced, due);
            return 0;
        }
        int r = publish(paced);
        if (r < 0)
            return r;
        paced->has_reading = false;
    }
    if (paced->pacing.is_running)
        next_turn_now(paced, now);
    return 0;
}

static int on_timer(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    return pump(userdata, now);
}

static int on_turn(sd_event_source *turn, void *userdata) {
    (void)turn;
    Paced *paced = userdata;
    return pump(paced, service_now(sensor_service_of(paced->sensor)));
}

/* Named invariant: what is due gets published. */
static bool pump_turns(void *userdata, Mono now, Problem *problem) {
    const Paced *paced = userdata;
    uint64_t late_usec = mono_between(paced->expected_at, now);
    if (late_usec <= TOLERATED_LATENESS_USEC)
        return true;
    problem_set(problem, -ETIMEDOUT, "a reading is overdue by %.1f s although the link takes it",
                (double)late_usec / USEC_PER_SEC);
    return false;
}

int paced_new(Sensor *sensor, const SourceType *type, Feed *feed, Source **ret) {
    Service *service = sensor_service_of(sensor);
    Paced *paced = calloc(1, sizeof *paced);
    if (!paced) {
        feed->type->free(feed);
        return -ENOMEM;
    }
    *paced = (Paced){
        .source.type = type,
        .sensor = sensor,
        .feed = feed,
        .pacing = pacing_at_speed(service_settings(service)->sensor_speed),
        .expected_at = mono_never(),
    };
    int r = timer_new(service, on_timer, paced, &paced->timer);
    if (r >= 0)
        r = sd_event_add_defer(service_event(service), &paced->turn, on_turn, paced);
    if (r >= 0)
        r = sd_event_source_set_priority(paced->turn, BELOW_MESSAGES);
    if (r >= 0)
        r = sd_event_source_set_enabled(paced->turn, SD_EVENT_OFF);
    if (r >= 0)
        r = health_add(service_health(service), "pump", pump_turns, paced);
    if (r < 0) {
        paced_free(&paced->source);
        return r;
    }
    *ret = &paced->source;
    return 0;
}

Source *paced_free(Source *source) {
    Paced *paced = (Paced *)source;
    if (paced) {
        timer_free(paced->timer);
        sd_event_source_disable_unref(paced->turn);
        paced->feed->type->free(paced->feed);
        free(paced);
    }
    return NULL;
}

int paced_run(Source *source, Mono now) {
    Paced *paced = (Paced *)source;
    if (!paced->has_started)
        paced->base =
            paced->feed->base.usec ? paced->feed->base : service_wall(sensor_service_of(paced->sensor));
    else if (paced->feed->is_live)
        paced->base.usec += mono_between(paced->held_at, now);
    paced->has_started = true;
    if (paced->has_ended)
        return 0;
    pacing_run(&paced->pacing, now);
    next_turn_now(paced, now);
    return 0;
}

void paced_hold(Source *source, Mono now) {
    Paced *paced = (Paced *)source;
    pacing_hold(&paced->pacing, now);
    paced->held_at = now;
    next_turn_never(paced);
}

void paced_describe(const Source *source, char *buffer, size_t size) {
    const Paced *paced = (const Paced *)source;
    paced->feed->type->describe(paced->feed, buffer, size);
}
