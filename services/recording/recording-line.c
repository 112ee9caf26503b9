/* Lines of a recording: from text to events and back. What an event may contain is the wire's business: its
 * members go through the one decoder and the one encoder, with a time that is taken out again. This file
 * knows only what surrounds them. */
#include "recording.h"

#include "base/text.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_NAME "traffic-recording"

/* What the replaying side adds, so a recording must not have it. */
static const char *const added_at_replay[] = {
    "timestamp", "timestamp_inicio", "timestamp_fin", "producer_id", "epoch", "seq", "captured_us"};

struct RecordingParser {
    json_tokener *tokener;
    Decoder *decoder;
    char frame[RECORDING_LINE_MAX_BYTES + 128];
};

static void json_putp(json_object **object) {
    json_object_put(*object);
}

int recording_parser_new(RecordingParser **ret) {
    scoped(recording_parser_freep) RecordingParser *parser = calloc(1, sizeof *parser);
    if (!parser)
        return -ENOMEM;
    parser->tokener = json_tokener_new_ex(8);
    if (!parser->tokener)
        return -ENOMEM;
    json_tokener_set_flags(parser->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    int r = decoder_new(&parser->decoder);
    if (r < 0)
        return r;
    *ret = take(parser);
    return 0;
}

RecordingParser *recording_parser_free(RecordingParser *parser) {
    if (parser) {
        if (parser->tokener)
            json_tokener_free(parser->tokener);
        decoder_free(parser->decoder);
        free(parser);
    }
    return NULL;
}

/* The one JSON object that a line is. The caller puts it. */
static int parse_object(RecordingParser *parser, const char *line, size_t size, json_object **ret,
                        Problem *problem) {
    if (size > RECORDING_LINE_MAX_BYTES)
        return problem_set(problem, -EBADMSG, "expected a line of at most %d bytes, got %zu",
                           RECORDING_LINE_MAX_BYTES, size);
    json_tokener_reset(parser->tokener);
    scoped(json_putp) json_object *object = json_tokener_parse_ex(parser->tokener, line, (int)size);
    enum json_tokener_error error = json_tokener_get_error(parser->tokener);
    if (error == json_tokener_success && json_tokener_get_parse_end(parser->tokener) != size)
        return problem_set(problem, -EBADMSG,
                           "expected one JSON object on the line, got more behind byte %zu",
                           json_tokener_get_parse_end(parser->tokener));
    if (error == json_tokener_continue)
        return problem_set(problem, -EBADMSG, "expected a JSON object, got \"%s\", which is cut off",
                           text_shown(line, size).text);
    if (error != json_tokener_success)
        return problem_set(problem, -EBADMSG, "expected a JSON object, got \"%s\": %s",
                           text_shown(line, size).text, json_tokener_error_desc(error));
    if (!json_object_is_type(object, json_type_object))
        return problem_set(problem, -EBADMSG, "expected a JSON object, got \"%s\"",
                           text_shown(line, size).text);
    *ret = take(object);
    return 0;
}

/* Member `name` when it is of `type`; a whole number passes where json_type_double is wanted. */
static int get_member(json_object *object, const char *name, json_type type, json_object **ret,
                      Refusal *ret_refusal, Problem *problem) {
    json_object *value;
    if (!json_object_object_get_ex(object, name, &value)) {
        *ret_refusal = REFUSAL_MISSING_FIELD;
        return problem_set(problem, -EBADMSG, "\"%s\" is missing", name);
    }
    bool is_number =
        json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
    if (type == json_type_double ? !is_number : !json_object_is_type(value, type)) {
        *ret_refusal = REFUSAL_WRONG_TYPE;
        return problem_set(problem, -EBADMSG, "\"%s\": expected %s, got %s", name,
                           type == json_type_double ? "a number" : json_type_to_name(type),
                           json_type_to_name(json_object_get_type(value)));
    }
    *ret = value;
    return 0;
}

/* Seconds from the start, as microseconds. */
static int get_seconds(json_object *object, const char *name, uint64_t *ret_usec, Refusal *ret_refusal,
                       Problem *problem) {
    json_object *value;
    int r = get_member(object, name, json_type_double, &value, ret_refusal, problem);
    if (r < 0)
        return r;
    double seconds = json_object_get_double(value);
    if (!(seconds >= 0 && seconds <= RECORDING_MAX_SEC)) {
        *ret_refusal = REFUSAL_OUT_OF_RANGE;
        return problem_set(problem, -EBADMSG, "\"%s\": expected 0 to %.0f seconds, got %g", name,
                           RECORDING_MAX_SEC, seconds);
    }
    *ret_usec = usec_from_sec(seconds);
    return 0;
}

static int parse_counts(json_object *object, RecordingHeader *header, Problem *problem) {
    json_object *counts;
    Refusal refusal;
    int r = get_member(object, "counts", json_type_object, &counts, &refusal, problem);
    for (size_t i = 0; r >= 0 && i < EVENT_COUNT; i++) {
        const char *topic = message_wire_name(event_tags[i]);
        json_object *count;
        if (!json_object_object_get_ex(counts, topic, &count))
            continue;
        if (!json_object_is_type(count, json_type_int) || json_object_get_int64(count) < 0)
            return problem_set(problem, -EBADMSG, "\"counts\": expected a whole number of %s events, got %s",
                               topic, json_object_to_json_string(count));
        header->counts[i] = (uint64_t)json_object_get_int64(count);
    }
    return r;
}

/* The members that may be left out. */
static int parse_provenance(json_object *object, RecordingHeader *header, Problem *problem) {
    json_object *value;
    Refusal refusal;
    if (json_object_object_get_ex(object, "seed", NULL)) {
        int r = get_member(object, "seed", json_type_int, &value, &refusal, problem);
        if (r < 0)
            return r;
        header->has_seed = true;
        header->seed = json_object_get_int64(value);
    }
    if (json_object_object_get_ex(object, "recorded_from", &value)) {
        const char *text = json_object_get_string(value);
        if (!text || timestamp_parse(text, strlen(text), &header->recorded_from) < 0)
            return problem_set(problem, -EBADMSG, "\"recorded_from\": expected YYYY-MM-DDTHH:MM:SSZ, got %s",
                               json_object_to_json_string(value));
        header->has_recorded_from = true;
    }
    return 0;
}

int recording_parse_header(RecordingParser *parser, const char *line, size_t size, RecordingHeader *ret,
                           Problem *problem) {
    scoped(json_putp) json_object *object = NULL;
    json_object *format, *version, *origin;
    RecordingHeader header = {0};
    Refusal refusal;
    int r = parse_object(parser, line, size, &object, problem);
    if (r < 0 || (r = get_member(object, "format", json_type_string, &format, &refusal, problem)) < 0 ||
        (r = get_member(object, "version", json_type_int, &version, &refusal, problem)) < 0 ||
        (r = get_member(object, "origin", json_type_string, &origin, &refusal, problem)) < 0 ||
        (r = get_seconds(object, "duration", &header.duration_usec, &refusal, problem)) < 0)
        return r;
    if (strcmp(json_object_get_string(format), FORMAT_NAME) != 0)
        return problem_set(
            problem, -EBADMSG, "\"format\": expected \"" FORMAT_NAME "\", got \"%s\"",
            text_shown(json_object_get_string(format), (size_t)json_object_get_string_len(format)).text);
    if (json_object_get_int64(version) != RECORDING_VERSION)
        return problem_set(problem, -EBADMSG,
                           "\"version\": this program reads version %d, the recording is of version %" PRId64,
                           RECORDING_VERSION, json_object_get_int64(version));
    if (json_object_get_string_len(origin) > RECORDING_ORIGIN_MAX_BYTES)
        return problem_set(problem, -EBADMSG, "\"origin\": expected at most %d bytes, got %d",
                           RECORDING_ORIGIN_MAX_BYTES, json_object_get_string_len(origin));
    memcpy(header.origin, json_object_get_string(origin), (size_t)json_object_get_string_len(origin));
    if ((r = parse_provenance(object, &header, problem)) < 0 ||
        (r = parse_counts(object, &header, problem)) < 0)
        return r;
    *ret = header;
    return 0;
}

/* Writes the event as a frame of the wire into the parser: with a time, which the decoder insists on. Returns
 * its size. */
static int build_frame(RecordingParser *parser, const char *topic, json_object *event, Refusal *ret_refusal,
                       Problem *problem) {
    for (size_t i = 0; i < ARRAY_LEN(added_at_replay); i++)
        if (json_object_object_get_ex(event, added_at_replay[i], NULL)) {
            *ret_refusal = REFUSAL_WRONG_TYPE;
            return problem_set(problem, -EBADMSG,
                               "\"event\": a recording has no \"%s\": the replay adds times and identity",
                               added_at_replay[i]);
        }
    json_object_object_add(event, "timestamp", json_object_new_string(timestamp_format((Wall){0}).text));
    int size = snprintf(
        parser->frame, sizeof parser->frame, "%s %s", topic,
        json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    if (size < 0 || (size_t)size >= sizeof parser->frame) {
        *ret_refusal = REFUSAL_TOO_LARGE;
        return problem_set(problem, -EBADMSG, "\"event\": expected at most %d bytes", EVENT_MAX_BYTES);
    }
    return size;
}

int recording_parse_event(RecordingParser *parser, const char *line, size_t size, RecordedEvent *ret,
                          Refusal *ret_refusal, Problem *problem) {
    scoped(json_putp) json_object *object = NULL;
    json_object *topic, *event;
    uint64_t offset_usec;
    Message message;
    SensorKind kind;
    *ret_refusal = REFUSAL_NOT_JSON;
    int r = parse_object(parser, line, size, &object, problem);
    if (r < 0 || (r = get_seconds(object, "t", &offset_usec, ret_refusal, problem)) < 0 ||
        (r = get_member(object, "topic", json_type_string, &topic, ret_refusal, problem)) < 0 ||
        (r = get_member(object, "event", json_type_object, &event, ret_refusal, problem)) < 0)
        return r;
    r = build_frame(parser, json_object_get_string(topic), event, ret_refusal, problem);
    if (r < 0)
        return r;
    r = message_decode(parser->decoder, MESSAGE_FAMILY_EVENT, parser->frame, (size_t)r, &message, ret_refusal,
                       problem);
    if (r < 0)
        return r;
    if (!event_kind(message.tag, &kind)) {
        *ret_refusal = REFUSAL_UNKNOWN_TYPE;
        return problem_set(problem, -EBADMSG, "\"topic\": %s is not an event of a sensor",
                           json_object_get_string(topic));
    }
    event_clear_time(&message);
    ret->offset_usec = offset_usec;
    ret->kind = kind;
    ret->message = message;
    return 0;
}

/* "12.000", with six decimals only where three are not enough. */
static int format_seconds(uint64_t usec, char *buffer, size_t buffer_size) {
    uint64_t seconds = usec / USEC_PER_SEC, fraction = usec % USEC_PER_SEC;
    if (fraction % USEC_PER_MSEC == 0)
        return snprintf(buffer, buffer_size, "%" PRIu64 ".%03" PRIu64, seconds, fraction / USEC_PER_MSEC);
    return snprintf(buffer, buffer_size, "%" PRIu64 ".%06" PRIu64, seconds, fraction);
}

/* Copies the text of `object` and a line feed. */
static int print_line(json_object *object, char *buffer, size_t buffer_size) {
    size_t size;
    const char *text = json_object_to_json_string_length(
        object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (!text)
        return -ENOMEM;
    if (size + 2 > buffer_size)
        return -ENOBUFS;
    memcpy(buffer, text, size);
    memcpy(buffer + size, "\n", 2);
    return (int)size + 1;
}

int recording_format_header(const RecordingHeader *header, char *buffer, size_t buffer_size) {
    scoped(json_putp) json_object *object = json_object_new_object();
    char seconds[32];
    format_seconds(header->duration_usec, seconds, sizeof seconds);
    json_object_object_add(object, "format", json_object_new_string(FORMAT_NAME));
    json_object_object_add(object, "version", json_object_new_int(RECORDING_VERSION));
    json_object_object_add(object, "origin", json_object_new_string(header->origin));
    json_object_object_add(object, "duration",
                           json_object_new_double_s((double)header->duration_usec / USEC_PER_SEC, seconds));
    if (header->has_seed)
        json_object_object_add(object, "seed", json_object_new_int64(header->seed));
    if (header->has_recorded_from)
        json_object_object_add(object, "recorded_from",
                               json_object_new_string(timestamp_format(header->recorded_from).text));
    json_object *counts = json_object_new_object();
    /* the first ones always, as before there were others */
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (i < SENSOR_KIND_COUNT || header->counts[i] > 0)
            json_object_object_add(counts, message_wire_name(event_tags[i]),
                                   json_object_new_int64((int64_t)header->counts[i]));
    json_object_object_add(object, "counts", counts);
    return print_line(object, buffer, buffer_size);
}

int recording_format_event(const RecordedEvent *event, char *buffer, size_t buffer_size, Problem *problem) {
    Message message = event->message;
    event_clear_identity(&message);
    event_set_time(&message, (Wall){0});
    char frame[RECORDING_LINE_MAX_BYTES];
    int r = message_encode(&message, frame, sizeof frame, problem);
    if (r < 0)
        return r;
    const char *members = strchr(frame, ' ') + 1;
    scoped(json_putp) json_object *line = json_object_new_object();
    json_object *object = json_tokener_parse(members);
    if (!line || !object)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_LEN(added_at_replay); i++)
        json_object_object_del(object, added_at_replay[i]);
    char seconds[32];
    format_seconds(event->offset_usec, seconds, sizeof seconds);
    json_object_object_add(line, "t",
                           json_object_new_double_s((double)event->offset_usec / USEC_PER_SEC, seconds));
    json_object_object_add(line, "topic", json_object_new_string(message_wire_name(event->message.tag)));
    json_object_object_add(line, "event", object);
    return print_line(line, buffer, buffer_size);
}
