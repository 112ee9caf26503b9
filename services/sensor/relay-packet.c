#include "relay-packet.h"

#include "base/text.h"
#include "wire/event.h"
#include "wire/json-tokens.h"
#include "wire/timestamp.h"
#include "wire/view-text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME_MEMBER_SIZE = sizeof "\"timestamp\":\"\"," - 1 + TIMESTAMP_SIZE - 1, TYPE_MAX_BYTES = 31 };

struct RelayParser {
    JsonTokens *tokens; /* of the packet */
    Decoder *decoder;
};

static void json_putp(json_object **object) {
    json_object_put(*object);
}

int relay_parser_new(RelayParser **ret) {
    scoped(relay_parser_freep) RelayParser *parser = calloc(1, sizeof *parser);
    if (!parser)
        return -ENOMEM;
    int r = json_tokens_new(&parser->tokens);
    if (r >= 0)
        r = decoder_new(&parser->decoder);
    if (r < 0)
        return r;
    *ret = take(parser);
    return 0;
}

RelayParser *relay_parser_free(RelayParser *parser) {
    if (parser) {
        json_tokens_free(parser->tokens);
        decoder_free(parser->decoder);
        free(parser);
    }
    return NULL;
}

/* Reads the packet as an object; what its members say is the decoder's business, here they are only looked for. */
static int read_object(RelayParser *parser, const char *packet, size_t size, Refusal *ret_refusal,
                       Problem *problem) {
    *ret_refusal = REFUSAL_TOO_LARGE;
    if (size > RELAY_PACKET_MAX_BYTES)
        return problem_set(problem, -EBADMSG, "expected a packet of at most %d bytes, got %zu",
                           RELAY_PACKET_MAX_BYTES, size);
    size_t valid = utf8_valid_size(packet, size);
    *ret_refusal = REFUSAL_NOT_UTF8;
    if (valid < size)
        return problem_set(problem, -EBADMSG, "expected UTF-8, got \"%s\" at byte %zu",
                           text_shown(packet + valid, size - valid < 12 ? size - valid : 12).text, valid);
    return json_tokens_read(parser->tokens, packet, size, ret_refusal, problem);
}

static const JsonToken *find(const RelayParser *parser, const char *name) {
    uint32_t hint = 0;
    return json_tokens_member(parser->tokens, json_tokens_root(parser->tokens), name, &hint);
}

/* As it came: whoever sent it looks for the same text in the answer. */
static int read_id(const RelayParser *parser, RelayId *ret, Refusal *ret_refusal, Problem *problem) {
    const JsonToken *id = find(parser, "id");
    if (!id) {
        *ret_refusal = REFUSAL_MISSING_FIELD;
        return problem_set(problem, -EBADMSG, "id is missing");
    }
    JsonText source = json_tokens_source(parser->tokens, id);
    bool is_text = id->kind == JSON_STRING && id->size <= RELAY_ID_MAX_BYTES;
    if (!is_text && id->kind != JSON_INTEGER) {
        *ret_refusal = REFUSAL_WRONG_TYPE;
        return problem_set(problem, -EBADMSG,
                           "id: expected a whole number or a text of at most %d bytes, got %s",
                           RELAY_ID_MAX_BYTES, text_shown(source.text, source.size).text);
    }
    memcpy(ret->json, source.text, source.size);
    ret->json[source.size] = '\0';
    return 0;
}

/* A time that is null is not asked for here: the decoder says what it thinks of it. */
static bool has_time(const RelayParser *parser) {
    return find(parser, "timestamp") || find(parser, "timestamp_fin");
}

/* A kind may have several events; which one this is stands in the type of sensor. */
static MessageTag tag_of(const RelayParser *parser, SensorKind kind) {
    const JsonToken *type = find(parser, "tipo_sensor");
    char word[TYPE_MAX_BYTES + 1] = "";
    if (type && type->kind == JSON_STRING && type->size <= TYPE_MAX_BYTES)
        memcpy(word, type->text, type->size);
    return event_of_type(kind, word);
}

/* Either a whole identity or none: half of one would be lost without anybody noticing. */
static int check_identity(const RelayParser *parser, const Message *event, Refusal *ret_refusal,
                          Problem *problem) {
    static const char *const members[] = {"producer_id", "epoch", "seq"};
    if (event_identity(event, NULL))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const JsonToken *value = find(parser, members[i]);
        if (value && value->kind != JSON_NULL) {
            *ret_refusal = REFUSAL_MISSING_FIELD;
            return problem_set(problem, -EBADMSG,
                               "producer_id, epoch and seq: expected all three or none, got only some");
        }
    }
    return 0;
}

/* The decoder knows that what is placed in a view is JSON, not more. */
static int check_view(const Message *event, Refusal *ret_refusal, Problem *problem) {
    PlacedVehicle placed[VIEW_PLACED_MAX];
    size_t n;
    *ret_refusal = REFUSAL_WRONG_TYPE;
    return event->tag == MESSAGE_VIEW_EVENT
               ? view_text_parse(&event->VIEW_EVENT, placed, ARRAY_LEN(placed), &n, problem)
               : 0;
}

/* Of the packet as a frame of the wire: the topic before it and, when it has no time, one in front of its members. */
static size_t frame_size(const RelayParser *parser, MessageTag tag, size_t size, bool is_of_now) {
    size_t topic_size = strlen(message_wire_name(tag)) + 1;
    return topic_size + size + (is_of_now ? TIME_MEMBER_SIZE - json_tokens_root(parser->tokens)->begin : 0);
}

int relay_parse(RelayParser *parser, SensorKind kind, const char *packet, size_t size, Wall now,
                RelayPacket *ret, Refusal *ret_refusal, Problem *problem) {
    (void)strcpy(ret->id.json, "null");
    int r = read_object(parser, packet, size, ret_refusal, problem);
    if (r < 0 || (r = read_id(parser, &ret->id, ret_refusal, problem)) < 0)
        return r;
    bool is_tick = find(parser, "k");
    bool is_of_now = !is_tick && !has_time(parser);
    MessageTag tag = is_tick ? MESSAGE_TICK_EVENT : tag_of(parser, kind);
    const EventMembers came = {.tag = tag,
                               .tokens = parser->tokens,
                               .frame_size = frame_size(parser, tag, size, is_of_now),
                               .waived = is_of_now ? "timestamp" : NULL};
    r = message_decode_members(parser->decoder, &came, &ret->event, ret_refusal, problem);
    if (r < 0 || is_tick)
        return r;
    r = check_view(&ret->event, ret_refusal, problem);
    if (r < 0 || (r = check_identity(parser, &ret->event, ret_refusal, problem)) < 0)
        return r;
    if (is_of_now)
        event_set_time(&ret->event, now);
    return 0;
}

void relay_answer_ack(RelayAnswer *ret, const RelayId *id) {
    ret->size = (size_t)snprintf(ret->text, sizeof ret->text, "{\"ack\":%s}", id->json);
}

void relay_answer_refused(RelayAnswer *ret, const RelayId *id, const Problem *problem) {
    scoped(json_putp) json_object *why = json_object_new_string(problem->text);
    int size = snprintf(
        ret->text, sizeof ret->text, "{\"refused\":%s,\"why\":%s}", id->json,
        json_object_to_json_string_ext(why, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    if ((size_t)size >= sizeof ret->text) /* only when most of the sentence had to be escaped */
        size =
            snprintf(ret->text, sizeof ret->text, "{\"refused\":%s,\"why\":\"see the journal\"}", id->json);
    ret->size = (size_t)size;
}
