/* One allocation a wave, in a table in the order they were ordered. Every second what is left of each way is planned
 * with what is known now, then whatever is due is asked of the lights or given back. The lights are asked for more than
 * they were only when it is worth a message. */
#include "shell/city-clock.h"
#include "shell/journal.h"
#include "waves-private.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The signal service is told so long ahead. */
#define AHEAD_MAX_USEC (600 * USEC_PER_SEC)
/* A plan that moves by less than this is not told. */
#define WORTH_TELLING_USEC (1 * USEC_PER_SEC)
/* Who has told where it is and then is silent for so long is reckoned again. */
#define LOST_USEC (5 * USEC_PER_SEC)
/* No wave holds an intersection longer, wherever it thinks that its ambulance is. */
#define HOLD_MAX_USEC (180 * USEC_PER_SEC)

int waves_new(Service *service, SignalClient *client, const WavesHandlers *handlers, void *userdata,
              Waves **ret) {
    Waves *waves = calloc(1, sizeof *waves);
    if (!waves)
        return -ENOMEM;
    *waves = (Waves){.service = service, .client = client, .handlers = handlers, .userdata = userdata};
    *ret = waves;
    return 0;
}

Waves *waves_free(Waves *waves) {
    for (size_t i = 0; waves && i < waves->n_waves; i++)
        free(waves->waves[i]);
    free(waves);
    return NULL;
}

static bool has_open_stops(const Wave *wave) {
    for (size_t i = 0; i < wave->n_stops; i++)
        if (stop_is_open(&wave->stops[i]))
            return true;
    return false;
}

/* --- planning --- */

/* Where it is, as far as is known: metres to the next stop line. */
static double metres_left(const Wave *wave, double speed_mps, Mono now) {
    double driven = speed_mps * (double)mono_between(wave->seen_at, now) / (double)USEC_PER_SEC;
    return fmax(wave->metres - driven, 0);
}

static double speed_to(const Wave *wave, const WaveStop *stop) {
    return wave->speed_mps > 0 ? wave->speed_mps : stop->point.speed_mps;
}

static RouteStop route_stop(const Waves *waves, const Wave *wave, size_t i, double sec_away, Mono now) {
    const WaveStop *stop = &wave->stops[i];
    double speed_mps = speed_to(wave, stop);
    RouteStop route = {
        .model = waves_place(waves, stop)->signals,
        .phase = stop->point.phase,
        .speed_mps = speed_mps,
        .metres = i == wave->next ? metres_left(wave, speed_mps, now) : stop->point.metres,
        .held_usec = stop->is_delayed ? mono_between(now, stop->free_from) : 0,
        .is_asked = stop->state == WAVE_STOP_ASKED,
        .asked_usec = mono_between(stop->asked_at, now),
    };
    double sec = sec_away + route.metres / speed_mps;
    route.has_queue = waves->handlers->ahead(stop->point.intersection, stop->point.direction,
                                             stop->point.lanes, sec, &route.queue_vehicles, waves->userdata);
    return route;
}

void waves_plan(Waves *waves, Wave *wave) {
    RouteStop route[ROUTE_STOPS_MAX];
    RouteLeg legs[ROUTE_STOPS_MAX];
    Mono now = service_city_now(waves->service);
    size_t n = wave->n_stops - wave->next;
    double sec_away = 0;
    for (size_t k = 0; k < n; k++) {
        route[k] = route_stop(waves, wave, wave->next + k, sec_away, now);
        sec_away += route[k].metres / route[k].speed_mps;
    }
    route_plan(route, n, legs);
    for (size_t k = 0; k < n; k++) {
        WaveStop *stop = &wave->stops[wave->next + k];
        stop->ask_at = mono_after(now, legs[k].ask_usec);
        stop->passes_at = mono_after(now, legs[k].passes_usec);
        stop->until = mono_after(now, legs[k].until_usec);
        if (stop->state == WAVE_STOP_ASKED)
            stop->until = mono_min(stop->until, mono_after(stop->asked_at, HOLD_MAX_USEC));
    }
}

/* --- a second --- */

/* Reckons: who should be through a stop line is on its way to the next. */
static void reckon(Waves *waves, Wave *wave) {
    Mono now = service_city_now(waves->service);
    if (wave->is_followed && mono_reached(now, mono_after(wave->seen_at, LOST_USEC)))
        wave->is_followed = false;
    while (!wave->is_followed && wave->next < wave->n_stops &&
           mono_reached(now, wave->stops[wave->next].passes_at)) {
        wave->seen_at = wave->stops[wave->next].passes_at;
        wave->next++;
        if (wave->next < wave->n_stops)
            wave->metres = wave->stops[wave->next].point.metres;
    }
}

static bool has_moved(Mono a, Mono b) {
    return mono_between(a, b) > WORTH_TELLING_USEC || mono_between(b, a) > WORTH_TELLING_USEC;
}

/* A stop whose time has not come. */
static int step_ahead(Waves *waves, const Wave *wave, WaveStop *stop) {
    if (stop->is_told && !has_moved(stop->ask_at, stop->told_ask_at) &&
        !has_moved(stop->until, stop->told_until))
        return 0;
    waves_take_back(waves, wave, stop);
    return waves_tell(waves, wave, stop);
}

/* One stop at `now`. -EAGAIN: the signal service is away. */
static int step_stop(Waves *waves, Wave *wave, size_t i, Mono now) {
    WaveStop *stop = &wave->stops[i];
    bool is_behind = wave->is_progressive && wave->is_followed && i < wave->next;
    if (!stop_is_open(stop))
        return 0;
    if (is_behind || mono_reached(now, stop->until)) {
        waves_give_back(waves, wave, stop);
        return 0;
    }
    if (!mono_reached(now, stop->ask_at))
        return mono_between(now, stop->ask_at) <= AHEAD_MAX_USEC ? step_ahead(waves, wave, stop) : 0;
    bool is_enough = stop->state == WAVE_STOP_ASKED && stop->is_told &&
                     stop->until.usec <= mono_after(stop->told_until, WORTH_TELLING_USEC).usec;
    return is_enough ? 0 : waves_begin(waves, wave, stop);
}

static int step(Waves *waves, Wave *wave) {
    Mono now = service_city_now(waves->service);
    if (wave->is_progressive) {
        reckon(waves, wave);
        if (wave->next < wave->n_stops)
            waves_plan(waves, wave);
    }
    for (size_t i = 0; i < wave->n_stops; i++) {
        int r = step_stop(waves, wave, i, now);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Forgets those that are over. */
static void sweep(Waves *waves) {
    size_t n = 0;
    for (size_t i = 0; i < waves->n_waves; i++) {
        if (has_open_stops(waves->waves[i]))
            waves->waves[n++] = waves->waves[i];
        else
            free(waves->waves[i]);
    }
    waves->n_waves = n;
}

void waves_step(Waves *waves) {
    for (size_t i = 0; i < waves->n_waves; i++)
        (void)step(waves, waves->waves[i]); /* who is away is asked at the next step */
    sweep(waves);
}

/* --- orders --- */

static Wave *make_wave(const Waves *waves, const WaveWish *wish, Mono now) {
    Wave *wave = calloc(1, sizeof *wave + wish->n_points * sizeof wave->stops[0]);
    if (!wave)
        return NULL;
    wave->number = waves->n_ordered + 1;
    wave->is_progressive = wish->is_progressive;
    wave->priority = wish->priority;
    wave->speed_mps = wish->speed_mps;
    wave->seen_at = now;
    wave->n_stops = wish->n_points;
    (void)snprintf(wave->id, sizeof wave->id, "wave-%" PRId64 "-%" PRIu64, service_epoch(waves->service),
                   wave->number);
    (void)snprintf(wave->target, sizeof wave->target, "%s", wish->target);
    (void)snprintf(wave->reason, sizeof wave->reason, "%s", wish->reason);
    for (size_t i = 0; i < wish->n_points; i++)
        wave->stops[i] = (WaveStop){.point = wish->points[i],
                                    .ask_at = now,
                                    .passes_at = mono_never(),
                                    .until = mono_after(now, usec_from_sec(wish->duration_sec))};
    wave->metres = wish->points[0].metres;
    if (wish->eta_sec >= 0)
        wave->metres = wish->eta_sec * speed_to(wave, &wave->stops[0]);
    return wave;
}

/* Nothing is asked that was not asked before the signal service went. */
static void give_up_what_is_ahead(Wave *wave) {
    for (size_t i = 0; i < wave->n_stops; i++)
        if (wave->stops[i].state == WAVE_STOP_AHEAD)
            wave->stops[i].state = WAVE_STOP_OVER;
}

int waves_order(Waves *waves, const WaveWish *wish, const Wave **ret) {
    Mono now = service_city_now(waves->service);
    sweep(waves);
    if (waves->n_waves == WAVES_MAX)
        return -EUSERS;
    Wave *wave = make_wave(waves, wish, now);
    if (!wave)
        return -ENOMEM;
    waves->n_ordered++;
    waves->waves[waves->n_waves++] = wave;
    if (wave->is_progressive)
        waves_plan(waves, wave);
    waves_settle(waves, wave);
    int r = 0;
    for (size_t i = 0; r >= 0 && i < wave->n_stops; i++)
        r = step_stop(waves, wave, i, now);
    if (r < 0)
        give_up_what_is_ahead(wave);
    *ret = wave;
    return r;
}

const Wave *waves_at(const Waves *waves, size_t i) {
    return i < waves->n_waves ? waves->waves[i] : NULL;
}

const Wave *waves_numbered(const Waves *waves, uint64_t number) {
    for (size_t i = 0; i < waves->n_waves; i++)
        if (waves->waves[i]->number == number)
            return waves->waves[i];
    return NULL;
}

const Wave *waves_find(const Waves *waves, const char *what) {
    for (size_t i = waves->n_waves; i-- > 0;) {
        const Wave *wave = waves->waves[i];
        if (has_open_stops(wave) && (strcmp(wave->id, what) == 0 || strcmp(wave->target, what) == 0))
            return wave;
    }
    return NULL;
}

/* The same one, to be changed: callers hold what waves_order() and waves_find() gave them. */
static Wave *own(Waves *waves, const Wave *wave) {
    for (size_t i = 0; i < waves->n_waves; i++)
        if (waves->waves[i] == wave)
            return waves->waves[i];
    return NULL;
}

void waves_cancel(Waves *waves, const Wave *wave) {
    Wave *mine = own(waves, wave);
    for (size_t i = 0; mine && i < mine->n_stops; i++)
        if (stop_is_open(&mine->stops[i]))
            waves_give_back(waves, mine, &mine->stops[i]);
}

void waves_move(Waves *waves, const Wave *wave, size_t stop, double metres, double speed_mps) {
    Wave *mine = own(waves, wave);
    if (!mine)
        return;
    mine->next = stop;
    mine->metres = metres;
    mine->seen_at = service_city_now(waves->service);
    mine->is_followed = true;
    if (speed_mps > 0)
        mine->speed_mps = speed_mps;
    (void)step(waves, mine); /* away: asked at the next step */
}

/* --- a signal service that was started again --- */

void waves_hear(Waves *waves, int64_t epoch) {
    bool is_new = waves->epoch != 0 && epoch != waves->epoch;
    size_t n = 0;
    waves->epoch = epoch;
    for (size_t i = 0; is_new && i < waves->n_waves; i++)
        for (size_t k = 0; k < waves->waves[i]->n_stops; k++) {
            WaveStop *stop = &waves->waves[i]->stops[k];
            n += stop->is_told && stop_is_open(stop);
            stop->is_told = false;
        }
    if (n > 0)
        journal_note(LOG_NOTICE,
                     "The signal service was started again during a green wave: %zu intersections are asked "
                     "again for what is left of it.",
                     n);
}
