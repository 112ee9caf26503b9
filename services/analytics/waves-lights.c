/* From a stop of a wave to requests, and back to whoever follows the intersections' traffic states. */
#include "shell/city-clock.h"
#include "waves-private.h"

static LightRequest request_for(const Wave *wave, const WaveStop *stop, SignalAction action) {
    return (LightRequest){.intersection = stop->point.intersection,
                          .action = action,
                          .direction = stop->point.direction,
                          .has_phase = true,
                          .phase = stop->point.phase,
                          .has_priority = true,
                          .priority = wave->priority,
                          .reason = wave->reason};
}

void waves_take_back(Waves *waves, const Wave *wave, WaveStop *stop) {
    LightRequest request = request_for(wave, stop, SIGNAL_RELEASE);
    bool may_last = wave->is_progressive || !mono_reached(service_city_now(waves->service), stop->told_until);
    if (stop->is_told && may_last)
        (void)signal_client_request(waves->client, &request);
    stop->is_told = false;
}

int waves_tell(Waves *waves, const Wave *wave, WaveStop *stop) {
    Mono now = service_city_now(waves->service);
    bool is_known = stop->state == WAVE_STOP_ASKED && stop->is_told;
    Mono from =
        is_known ? stop->asked_at : mono_max(now, stop->ask_at); /* a hold is made longer, not begun anew */
    LightRequest request = request_for(wave, stop, SIGNAL_WAVE);
    request.delay_sec = (double)mono_between(now, stop->ask_at) / (double)USEC_PER_SEC;
    request.duration_sec = (double)mono_between(from, stop->until) / (double)USEC_PER_SEC;
    int r = signal_client_request(waves->client, &request);
    if (r < 0)
        return r;
    stop->is_told = true;
    stop->told_ask_at = stop->ask_at;
    stop->told_until = stop->until;
    return 0;
}

int waves_begin(Waves *waves, const Wave *wave, WaveStop *stop) {
    Mono now = service_city_now(waves->service);
    bool is_first = stop->state == WAVE_STOP_AHEAD;
    stop->ask_at = now;
    int r = waves_tell(waves, wave, stop);
    if (r < 0)
        return r;
    if (is_first)
        stop->asked_at = now;
    stop->state = WAVE_STOP_ASKED;
    stop->is_delayed = false; /* its turn has come */
    waves->handlers->on_begin(stop->point.intersection, mono_between(now, stop->until), is_first,
                              wave->reason, waves->userdata);
    return 0;
}

/* Whether another wave holds the same intersection. */
static bool is_held_by_another(const Waves *waves, const WaveStop *stop) {
    for (size_t i = 0; i < waves->n_waves; i++)
        for (size_t k = 0; k < waves->waves[i]->n_stops; k++) {
            const WaveStop *other = &waves->waves[i]->stops[k];
            if (other != stop && other->state == WAVE_STOP_ASKED &&
                other->point.intersection == stop->point.intersection)
                return true;
        }
    return false;
}

void waves_give_back(Waves *waves, const Wave *wave, WaveStop *stop) {
    WaveStopState was = stop->state;
    stop->state = WAVE_STOP_OVER;
    if (is_held_by_another(waves, stop))
        return;
    waves_take_back(waves, wave, stop);
    if (was == WAVE_STOP_ASKED)
        waves->handlers->on_over(stop->point.intersection, waves->userdata);
}
