/* Bodies of replies as JSON. A store's object is taken as it is and what analytics knows better is written
 * over it; absent values are null, never invented. */
#include "answers.h"

#include "shell/city-clock.h"
#include "wave-answers.h"
#include "wire/timestamp.h"

#include <json-c/json_tokener.h>
#include <math.h>
#include <stdio.h>

/* --- small JSON --- */

static struct json_object *text(const char *value) {
    return json_object_new_string(value);
}

/* Seconds and rates with no more digits than they deserve. */
static struct json_object *rounded(double value) {
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%.3f", value);
    return json_object_new_double_s(round(value * 1000) / 1000, digits);
}

static struct json_object *seconds(uint64_t usec) {
    return rounded((double)usec / (double)USEC_PER_SEC);
}

/* A reading as it was sent; null when there is no fresh one. */
static struct json_object *reading(bool is_known, double value) {
    char digits[32];
    if (!is_known)
        return NULL;
    if (value == floor(value) && fabs(value) < 1e15)
        return json_object_new_int64((int64_t)value);
    (void)snprintf(digits, sizeof digits, "%.6g", value);
    return json_object_new_double_s(value, digits);
}

static void add(struct json_object *object, const char *name, struct json_object *value) {
    (void)json_object_object_add(object, name, value);
}

static void add_if_absent(struct json_object *object, const char *name, struct json_object *value) {
    if (json_object_object_get_ex(object, name, NULL))
        (void)json_object_put(value);
    else
        add(object, name, value);
}

/* The store's object to build on, or an empty one. */
static struct json_object *base_of(const JsonText *from_store) {
    struct json_object *object = NULL;
    struct json_tokener *tokener = from_store ? json_tokener_new() : NULL;
    if (tokener)
        object = json_tokener_parse_ex(tokener, from_store->text, (int)from_store->size);
    if (tokener)
        json_tokener_free(tokener);
    if (json_object_is_type(object, json_type_object))
        return object;
    (void)json_object_put(object);
    return json_object_new_object();
}

/* --- SYSTEM_STATUS --- */

static struct json_object *ids_in_state(const AnswerSources *sources, TrafficState state) {
    const City *city = service_city(sources->service);
    struct json_object *ids = json_object_new_array();
    for (size_t i = 0; i < city->n_intersections; i++)
        if (decisions_intersection(sources->decisions, i)->state == state)
            (void)json_object_array_add(ids, text(city->intersections[i].id));
    return ids;
}

static struct json_object *rates(const AnswerSources *sources) {
    struct json_object *object = json_object_new_object();
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        add(object, sensor_kind_words[kind],
            rounded(ingest_events_per_sec(sources->ingest, (SensorKind)kind)));
    return object;
}

static struct json_object *store_line(const AnswerSources *sources, StoreRole role) {
    StoreReport report = watch_stores_report(sources->watch, role);
    struct json_object *line = json_object_new_object();
    add(line, "role", text(store_role_words[role]));
    add(line, "alive", json_object_new_boolean(report.state != STORE_DEAD));
    add(line, "state", text(store_state_words[report.state]));
    add(line, "can_commit", json_object_new_boolean(report.can_commit));
    add(line, "last_heard", report.is_heard ? seconds(report.silence_usec) : NULL);
    add(line, "last_commit_age", report.has_commit_age ? seconds(report.commit_age_usec) : NULL);
    add(line, "protocol", text(protocol_words[report.is_v0 ? PROTOCOL_V0 : PROTOCOL_CUSTODY]));
    add(line, "backlog", json_object_new_int64((int64_t)delivery_backlog(sources->delivery, role)));
    add(line, "waiting_for", seconds(delivery_waiting_usec(sources->delivery, role)));
    add(line, "needs_refill", json_object_new_boolean(report.needs_refill));
    add(line, "rows_waiting", report.has_rows_waiting ? json_object_new_int64(report.rows_waiting) : NULL);
    add(line, "records", report.has_records ? json_object_new_int64(report.n_records) : NULL);
    add(line, "disk_free_bytes", report.has_disk_free ? json_object_new_int64(report.disk_free_bytes) : NULL);
    return line;
}

static struct json_object *store_lines(const AnswerSources *sources) {
    struct json_object *lines = json_object_new_array();
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        (void)json_object_array_add(lines, store_line(sources, (StoreRole)role));
    return lines;
}

static struct json_object *outbox(const AnswerSources *sources) {
    const char *trouble = delivery_trouble(sources->delivery);
    struct json_object *object = json_object_new_object();
    add(object, "used", rounded(delivery_used(sources->delivery)));
    add(object, "bytes", json_object_new_int64((int64_t)delivery_bytes(sources->delivery)));
    add(object, "trouble", *trouble ? text(trouble) : NULL);
    return object;
}

/* From capture until both stores have it on disk; the numbers are null as long as nothing was measured. */
static struct json_object *durable(const AnswerSources *sources) {
    const DurableLatency *latency = delivery_latency(sources->delivery);
    uint64_t n = durable_latency_count(latency);
    struct json_object *object = json_object_new_object();
    add(object, "samples", json_object_new_int64((int64_t)n));
    add(object, "p50", n ? seconds(durable_latency_quantile(latency, 0.5)) : NULL);
    add(object, "p99", n ? seconds(durable_latency_quantile(latency, 0.99)) : NULL);
    return object;
}

/* How many intersections each policy has. */
static struct json_object *policies(const AnswerSources *sources) {
    const Control *control = decisions_control(sources->decisions);
    struct json_object *object = json_object_new_object();
    for (int policy = 0; policy < POLICY_COUNT; policy++)
        add(object, policy_words[policy],
            json_object_new_int64((int64_t)control_count(control, (PolicyName)policy)));
    return object;
}

/* What those that look stand on: how many on each rung of the ladder. */
static struct json_object *sight(const AnswerSources *sources) {
    const Control *control = decisions_control(sources->decisions);
    struct json_object *object = json_object_new_object();
    for (int rung = 0; rung < PICTURE_RUNG_COUNT; rung++)
        add(object, picture_rung_words[rung],
            json_object_new_int64((int64_t)control_count_rung(control, (PictureRung)rung)));
    return object;
}

struct json_object *answer_status(const AnswerSources *sources, const JsonText *from_store, StoreRole store) {
    struct json_object *data = base_of(from_store);
    if (!data)
        return NULL;
    add_if_absent(data, "db_summary", json_object_new_object());
    add(data, "currently_congested", ids_in_state(sources, TRAFFIC_CONGESTION));
    add(data, "currently_green_wave", ids_in_state(sources, TRAFFIC_GREEN_WAVE));
    add(data, "total_intersections",
        json_object_new_int64((int64_t)service_city(sources->service)->n_intersections));
    add(data, "pc3_alive",
        json_object_new_boolean(watch_stores_is_living(sources->watch, STORE_ROLE_PRIMARY)));
    add(data, "answering_store", from_store ? text(store_role_words[store]) : NULL);
    add(data, "events_per_second", rates(sources));
    add(data, "stores", store_lines(sources));
    add(data, "outbox", outbox(sources));
    add(data, "durable_seconds", durable(sources));
    add(data, "policies", policies(sources));
    add(data, "sight", sight(sources));
    add(data, "waves", wave_list(sources));
    add(data, "stores_agree", json_object_new_boolean(watch_stores_agree(sources->watch)));
    add(data, "uptime", seconds(mono_between(sources->started, service_now(sources->service))));
    return data;
}

/* --- QUERY_INTERSECTION --- */

static struct json_object *age(Mono now, Mono arrived) {
    return mono_is_never(arrived) ? NULL : seconds(mono_between(arrived, now));
}

/* When the newest of the readings arrived, by the wall clock; null without any. */
static struct json_object *last_updated(const AnswerSources *sources, const ReadingTimes *times) {
    Mono now = service_city_now(sources->service), newest = {0};
    const Mono all[] = {times->queue, times->speed, times->count};
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (mono_is_never(all[i]))
            continue;
        newest = !is_known || all[i].usec > newest.usec ? all[i] : newest;
        is_known = true;
    }
    if (!is_known)
        return NULL;
    Wall wall = service_city_wall(sources->service);
    wall.usec -= mono_between(newest, now);
    return text(timestamp_format(wall).text);
}

static struct json_object *current_readings(const AnswerSources *sources, size_t i) {
    const Intersection *intersection = decisions_intersection(sources->decisions, i);
    Mono now = service_city_now(sources->service);
    Readings readings = intersection_readings(intersection, now);
    ReadingTimes times = intersection_reading_times(intersection, now);
    struct json_object *object = json_object_new_object(), *ages = json_object_new_object();
    add(object, "Q", reading(readings.has_queue, readings.queue_vehicles));
    add(object, "Vp", reading(readings.has_speed, readings.speed_kmh));
    add(object, "D", reading(readings.has_count, readings.count_per_30sec));
    add(object, "traffic_state", text(traffic_state_words[intersection->state]));
    add(object, "last_updated", last_updated(sources, &times));
    add(ages, "Q", age(now, times.queue));
    add(ages, "Vp", age(now, times.speed));
    add(ages, "D", age(now, times.count));
    add(object, "ages", ages);
    return object;
}

/* Null until the signal service has told. */
static struct json_object *lights(const AnswerSources *sources, size_t i) {
    LightsShown shown = decisions_lights(sources->decisions, i);
    if (!shown.is_known)
        return NULL;
    struct json_object *object = json_object_new_object();
    add(object, "ns", text(colour_words[shown.colours[DIRECTION_NS]]));
    add(object, "ew", text(colour_words[shown.colours[DIRECTION_EW]]));
    add(object, "since", text(timestamp_format(shown.since).text));
    add(object, "next_change", shown.has_next_change ? seconds(shown.next_change_usec) : NULL);
    return object;
}

static struct json_object *phase_name(const CityIntersection *place, bool is_known, unsigned phase) {
    return is_known && phase < place->parts->n_phases ? text(place->parts->phases[phase].id) : NULL;
}

/* Who chooses, on what, and what it wants; what the lights show in groups and phases. */
static struct json_object *control_of(const AnswerSources *sources, size_t i) {
    const CityIntersection *place = &service_city(sources->service)->intersections[i];
    ControlView view = control_look(decisions_control(sources->decisions), i);
    struct json_object *object = json_object_new_object();
    add(object, "policy", text(policy_words[view.policy]));
    add(object, "chosen_by", text(policy_source_words[view.source]));
    add(object, "rung", view.has_rung ? text(picture_rung_words[view.rung]) : NULL);
    add(object, "wants", phase_name(place, view.has_command, view.command));
    add(object, "phase", phase_name(place, view.has_phase, view.phase));
    add(object, "groups", *view.groups ? text(view.groups) : NULL);
    add(object, "mode", *view.mode ? text(view.mode) : NULL);
    return object;
}

struct json_object *answer_intersection(const AnswerSources *sources, size_t intersection,
                                        const JsonText *from_store) {
    struct json_object *data = base_of(from_store);
    if (!data)
        return NULL;
    add(data, "intersection", text(service_city(sources->service)->intersections[intersection].id));
    add(data, "current_readings", current_readings(sources, intersection));
    add_if_absent(data, "semaphore_state", NULL);
    add_if_absent(data, "recent_events_count", json_object_new_int(0));
    add_if_absent(data, "recent_events", json_object_new_array());
    add(data, "lights", lights(sources, intersection));
    add(data, "control", control_of(sources, intersection));
    return data;
}
