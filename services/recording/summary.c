#include "summary.h"

#include "wire/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_USEC (3600 * USEC_PER_SEC)

void summary_clear(Summary *summary) {
    free(summary->hours);
    *summary = (Summary){0};
}

/* The hour that an event belongs to, made when it is a new one. NULL: out of memory. */
static HourSummary *hour_of(Summary *summary, uint64_t offset_usec) {
    uint64_t since_usec = summary->header.recorded_from.usec % HOUR_USEC + offset_usec;
    size_t i = since_usec > 0 ? (size_t)((since_usec - 1) / HOUR_USEC) : 0;
    if (i >= summary->n_hours) {
        HourSummary *grown = reallocarray(summary->hours, i + 1, sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + summary->n_hours, 0, (i + 1 - summary->n_hours) * sizeof *grown);
        summary->hours = grown;
        summary->n_hours = i + 1;
    }
    return &summary->hours[i];
}

static int count_event(Summary *summary, const RecordedEvent *event) {
    HourSummary *hour = hour_of(summary, event->offset_usec);
    if (!hour)
        return -ENOMEM;
    size_t i = event_index(event->message.tag);
    double vehicles = event->message.tag == MESSAGE_LOOP_EVENT ? event->message.LOOP_EVENT.vehicles : 0;
    hour->events[i]++;
    hour->vehicles += vehicles;
    summary->events[i]++;
    summary->vehicles += vehicles;
    return 0;
}

/* 0, or -EBADMSG when the city does not have this sensor where the event says it is. */
static int check_place(const City *city, const RecordedEvent *event, Problem *problem) {
    const char *id = event_sensor_id(&event->message), *intersection = event_intersection(&event->message);
    size_t i = city_find_intersection(city, intersection);
    if (i == CITY_NO_INDEX)
        return problem_set(problem, -EBADMSG, "\"interseccion\": %s has no %s", city->name, intersection);
    const CitySensor *sensor = city_find_sensor(city, event->kind, id);
    if (!sensor || sensor->intersection != i)
        return problem_set(problem, -EBADMSG, "\"sensor_id\": %s has no %s sensor %s at %s", city->name,
                           sensor_kind_words[event->kind], id, intersection);
    return 0;
}

int summary_read(const char *path, const City *city, FILE *out, Summary *ret, Problem *problem) {
    scoped(recording_reader_freep) RecordingReader *reader = NULL;
    scoped(summary_clear) Summary summary = {0};
    RecordedEvent event;
    Refusal refusal;
    int r = recording_reader_open(path, &reader, problem);
    if (r < 0)
        return r;
    summary.header = *recording_reader_header(reader);
    summary.first_hour.usec =
        summary.header.recorded_from.usec - summary.header.recorded_from.usec % HOUR_USEC;
    while ((r = recording_reader_next(reader, &event, &refusal, problem)) != 0) {
        if (r > 0 && city)
            r = check_place(city, &event, problem);
        if (r >= 0)
            r = count_event(&summary, &event);
        if (r < 0 && r != -EBADMSG)
            return r;
        if (r < 0) {
            summary.n_refused++;
            fprintf(out, "%s:%" PRIu64 ": %s\n", path, recording_reader_line(reader), problem->text);
        }
    }
    *ret = summary;
    summary = (Summary){0};
    return 0;
}

bool summary_counts_are_true(const Summary *summary, const char *path, FILE *out) {
    bool are_true = true;
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        if (summary->header.counts[i] == summary->events[i])
            continue;
        are_true = false;
        fprintf(out,
                "%s:1: \"counts\": expected %" PRIu64 " %s events as they are in the file, got %" PRIu64 "\n",
                path, summary->events[i], message_wire_name(event_tags[i]), summary->header.counts[i]);
    }
    return are_true;
}

void summary_print_text(const Summary *summary, const char *path, FILE *out) {
    const RecordingHeader *header = &summary->header;
    fprintf(out, "file           %s\norigin         %s\nduration       %.3f s\n", path, header->origin,
            (double)header->duration_usec / USEC_PER_SEC);
    if (header->has_recorded_from)
        fprintf(out, "recorded from  %s\n", timestamp_format(header->recorded_from).text);
    if (header->has_seed)
        fprintf(out, "seed           %" PRId64 "\n", header->seed);
    for (size_t i = 0; i < EVENT_COUNT; i++)
        fprintf(out, "%-14s %" PRIu64 " events\n", message_wire_name(event_tags[i]), summary->events[i]);
    fprintf(out, "vehicles       %.0f counted by loops\nrefused        %" PRIu64 " lines\n",
            summary->vehicles, summary->n_refused);
}

static json_object *events_json(const uint64_t events[EVENT_COUNT]) {
    json_object *object = json_object_new_object();
    for (size_t i = 0; i < EVENT_COUNT; i++)
        json_object_object_add(object, message_wire_name(event_tags[i]),
                               json_object_new_int64((int64_t)events[i]));
    return object;
}

static TimestampText hour_start(const Summary *summary, size_t i) {
    return timestamp_format((Wall){summary->first_hour.usec + i * HOUR_USEC});
}

static json_object *hours_json(const Summary *summary) {
    json_object *hours = json_object_new_array();
    for (size_t i = 0; i < summary->n_hours; i++) {
        json_object *hour = json_object_new_object();
        json_object_object_add(hour, "hour", json_object_new_string(hour_start(summary, i).text));
        json_object_object_add(hour, "events", events_json(summary->hours[i].events));
        json_object_object_add(hour, "vehicles", json_object_new_double(summary->hours[i].vehicles));
        json_object_array_add(hours, hour);
    }
    return hours;
}

void summary_print_json(const Summary *summary, const char *path, bool with_hours, FILE *out) {
    const RecordingHeader *header = &summary->header;
    json_object *object = json_object_new_object();
    json_object_object_add(object, "file", json_object_new_string(path));
    json_object_object_add(object, "origin", json_object_new_string(header->origin));
    json_object_object_add(object, "duration_sec",
                           json_object_new_double((double)header->duration_usec / USEC_PER_SEC));
    if (header->has_recorded_from)
        json_object_object_add(object, "recorded_from",
                               json_object_new_string(timestamp_format(header->recorded_from).text));
    if (header->has_seed)
        json_object_object_add(object, "seed", json_object_new_int64(header->seed));
    json_object_object_add(object, "events", events_json(summary->events));
    json_object_object_add(object, "vehicles", json_object_new_double(summary->vehicles));
    json_object_object_add(object, "refused_lines", json_object_new_int64((int64_t)summary->n_refused));
    if (with_hours)
        json_object_object_add(object, "hours", hours_json(summary));
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

void summary_print_hours_csv(const Summary *summary, FILE *out) {
    fprintf(out, "hour");
    for (size_t i = 0; i < EVENT_COUNT; i++)
        fprintf(out, ",%s", message_wire_name(event_tags[i]));
    fprintf(out, ",vehicles\n");
    for (size_t i = 0; i < summary->n_hours; i++) {
        fprintf(out, "%s", hour_start(summary, i).text);
        for (size_t event = 0; event < EVENT_COUNT; event++)
            fprintf(out, ",%" PRIu64, summary->hours[i].events[event]);
        fprintf(out, ",%.0f\n", summary->hours[i].vehicles);
    }
}
