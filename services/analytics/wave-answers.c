/* Times are told as seconds from now, the way people ask. */
#include "wave-answers.h"

#include "shell/city-clock.h"

#include <math.h>
#include <stdio.h>

static const char *const stop_words[] = {[WAVE_STOP_AHEAD] = "AHEAD",
                                         [WAVE_STOP_ASKED] = "ASKED",
                                         [WAVE_STOP_OVER] = "OVER",
                                         [WAVE_STOP_REFUSED] = "REFUSED"};

static const CityIntersection *place(const AnswerSources *sources, const WaveStop *stop) {
    return &service_city(sources->service)->intersections[stop->point.intersection];
}

static double sec_until(const AnswerSources *sources, Mono when) {
    return (double)mono_between(service_city_now(sources->service), when) / (double)USEC_PER_SEC;
}

static struct json_object *seconds_until(const AnswerSources *sources, Mono when) {
    char digits[32];
    double sec = sec_until(sources, when);
    if (mono_is_never(when))
        return NULL;
    (void)snprintf(digits, sizeof digits, "%.1f", sec);
    return json_object_new_double_s(round(sec * 10) / 10, digits);
}

static void add(struct json_object *object, const char *name, struct json_object *value) {
    (void)json_object_object_add(object, name, value);
}

static bool is_served(const WaveStop *stop) {
    return stop->state == WAVE_STOP_AHEAD || stop->state == WAVE_STOP_ASKED;
}

static const char *target_of(const AnswerSources *sources, uint64_t number) {
    const Wave *wave = waves_numbered(decisions_waves(sources->decisions), number);
    return wave ? wave->target : "a wave that is over";
}

struct json_object *wave_affected(const AnswerSources *sources, const Wave *wave) {
    struct json_object *ids = json_object_new_array();
    for (size_t i = 0; i < wave->n_stops; i++)
        if (is_served(&wave->stops[i]))
            (void)json_object_array_add(ids, json_object_new_string(place(sources, &wave->stops[i])->id));
    return ids;
}

static struct json_object *stop_object(const AnswerSources *sources, const WaveStop *stop) {
    struct json_object *object = json_object_new_object();
    const CityIntersection *here = place(sources, stop);
    add(object, "intersection", json_object_new_string(here->id));
    add(object, "phase", json_object_new_string(here->parts->phases[stop->point.phase].id));
    add(object, "state", json_object_new_string(stop_words[stop->state]));
    add(object, "asked_in", seconds_until(sources, stop->ask_at));
    add(object, "passes_in", seconds_until(sources, stop->passes_at));
    add(object, "until", seconds_until(sources, stop->until));
    if (stop->is_delayed)
        add(object, "because", json_object_new_string(target_of(sources, stop->because)));
    return object;
}

struct json_object *wave_stops(const AnswerSources *sources, const Wave *wave) {
    struct json_object *stops = json_object_new_array();
    for (size_t i = 0; i < wave->n_stops; i++)
        (void)json_object_array_add(stops, stop_object(sources, &wave->stops[i]));
    return stops;
}

struct json_object *wave_displaced(const AnswerSources *sources, const Wave *wave) {
    const Waves *waves = decisions_waves(sources->decisions);
    struct json_object *list = json_object_new_array();
    const Wave *other;
    for (size_t i = 0; (other = waves_at(waves, i)); i++)
        for (size_t k = 0; other != wave && k < other->n_stops; k++) {
            const WaveStop *stop = &other->stops[k];
            if (!stop->is_delayed || stop->because != wave->number)
                continue;
            struct json_object *object = stop_object(sources, stop);
            add(object, "target", json_object_new_string(other->target));
            (void)json_object_array_add(list, object);
        }
    return list;
}

struct json_object *wave_list(const AnswerSources *sources) {
    const Waves *waves = decisions_waves(sources->decisions);
    struct json_object *list = json_object_new_array();
    const Wave *wave;
    for (size_t i = 0; (wave = waves_at(waves, i)); i++) {
        struct json_object *object = json_object_new_object();
        bool is_on_way = wave->is_progressive && wave->next < wave->n_stops;
        add(object, "wave", json_object_new_string(wave->id));
        add(object, "target", json_object_new_string(wave->target));
        add(object, "mode",
            json_object_new_string(wave_mode_words[wave->is_progressive ? WAVE_PROGRESSIVE : WAVE_AT_ONCE]));
        add(object, "priority", json_object_new_int((int)wave->priority));
        add(object, "next",
            is_on_way ? json_object_new_string(place(sources, &wave->stops[wave->next])->id) : NULL);
        add(object, "passes_in",
            is_on_way ? seconds_until(sources, wave->stops[wave->next].passes_at) : NULL);
        add(object, "followed", json_object_new_boolean(wave->is_followed));
        (void)json_object_array_add(list, object);
    }
    return list;
}

WaveWords wave_words(const AnswerSources *sources, const Wave *wave) {
    WaveWords words = {""};
    size_t used = 0;
    for (size_t i = 0; i < wave->n_stops && used < sizeof words.text; i++) {
        const WaveStop *stop = &wave->stops[i];
        if (!stop->is_delayed)
            continue;
        const char *id = place(sources, stop)->id, *who = target_of(sources, stop->because);
        char *at = words.text + used;
        size_t left = sizeof words.text - used;
        used += (size_t)(stop->state == WAVE_STOP_REFUSED
                             ? snprintf(at, left, " %s is refused: %s goes first.", id, who)
                             : snprintf(at, left, " %s waits %.0f s: %s goes first.", id,
                                        sec_until(sources, stop->free_from), who));
    }
    return words;
}
