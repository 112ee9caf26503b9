/* The one decoder: bytes -> JSON tree -> the members of a descriptor. Knows no message by name.
 *
 * The order matters: size first, because it is free; then UTF-8; then JSON (strict-json.c); then the members.
 * Decoding goes into a scratch message, so that the caller's stays as it was when the last member turns out
 * to be wrong. */
#include "base/text.h"
#include "wire/endpoints.h"
#include "wire/json-text.h"
#include "wire/message-table.h"
#include "wire/messages.h"
#include "wire/strict-json.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Decoder {
    struct json_tokener *tokener;
    Message scratch;
    char *nested; /* where NESTED members are kept until the next use */
    size_t nested_size, nested_capacity;
};

/* Where a refusal is written, and the text the tree was made from. */
typedef struct Decoding {
    Decoder *decoder;
    const MessageDescriptor *descriptor;
    struct json_object *members;
    JsonText members_text;
    Refusal *ret_refusal;
    Problem *problem;
} Decoding;

int decoder_new(Decoder **ret) {
    scoped(decoder_freep) Decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return -ENOMEM;
    decoder->tokener = strict_json_tokener();
    if (!decoder->tokener)
        return -ENOMEM;
    *ret = take(decoder);
    return 0;
}

Decoder *decoder_free(Decoder *decoder) {
    if (!decoder)
        return NULL;
    if (decoder->tokener)
        json_tokener_free(decoder->tokener);
    free(decoder->nested);
    free(decoder);
    return NULL;
}

static int refuse_member(const Decoding *d, const MessageMember *member, struct json_object *value,
                         Refusal refusal) {
    *d->ret_refusal = refusal;
    return problem_set(d->problem, -EBADMSG, "%s: member \"%s\": expected %s, got %s",
                       message_label(d->descriptor).text, member->json, member_expected(member).text,
                       value_shown(value).text);
}

/* One function per kind: puts a value that is there into the struct. 0 or a refusal; TAKE_ABSENT when it
 * counts as not sent. */
enum { TAKE_ABSENT = 1 };
typedef int (*TakeFn)(const Decoding *d, const MessageMember *member, struct json_object *value, void *at);

static int take_text(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_string))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    size_t size = (size_t)json_object_get_string_len(value);
    if (size == 0 && member->presence != MEMBER_REQUIRED)
        return TAKE_ABSENT;
    const char *text = json_object_get_string(value);
    if (size == 0 || size > member->max_bytes || text_has_control(text, size))
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    memcpy(at, text, size + 1);
    return 0;
}

static int take_token(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_int))
        return take_text(d, member, value, at);
    const char *digits = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    if (!digits || strlen(digits) > member->max_bytes)
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    strcpy(at, digits);
    return 0;
}

static int take_number(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    double number = json_object_get_double(value);
    if (!(number >= member->min && number <= member->max))
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    *(double *)at = number;
    return 0;
}

/* True when `value` is a whole number that fits. */
static bool whole_number(struct json_object *value, int64_t *ret) {
    if (json_object_is_type(value, json_type_int)) {
        *ret = json_object_get_int64(value);
        return *ret < INT64_MAX || json_object_get_uint64(value) == INT64_MAX;
    }
    double number = json_object_get_double(value);
    if (!(fabs(number) < (double)INT64_MAX) || number != trunc(number))
        return false;
    *ret = (int64_t)number;
    return true;
}

static int take_integer(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    int64_t number;
    if (!whole_number(value, &number) || number < member->least || number > member->most)
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    *(int64_t *)at = number;
    return 0;
}

static int take_choice(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_string))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    int index = word_index(member->words, json_object_get_string(value));
    if (index < 0)
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    *(int *)at = index;
    return 0;
}

static int take_flag(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_boolean))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    *(bool *)at = json_object_get_boolean(value);
    return 0;
}

static int take_instant(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_string) ||
        timestamp_parse(json_object_get_string(value), (size_t)json_object_get_string_len(value), at) < 0)
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    return 0;
}

/* The place of `name` among the members of `object`, in the order they were written. */
static size_t member_index(struct json_object *object, const char *name) {
    size_t index = 0;
    json_object_object_foreach(object, key, value) {
        (void)value;
        if (strcmp(key, name) == 0)
            break;
        index++;
    }
    return index;
}

/* Keeps the text as it came: written again by json-c, numbers and escapes could look different. */
static int take_nested(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    if (!json_object_is_type(value, json_type_object) && !json_object_is_type(value, json_type_array))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    JsonText source =
        object_text_value(d->members_text.text, d->members_text.size, member_index(d->members, member->json));
    Decoder *decoder = d->decoder;
    char *kept = decoder->nested + decoder->nested_size;
    memcpy(kept, source.text, source.size);
    kept[source.size] = '\0';
    decoder->nested_size += source.size + 1;
    *(JsonText *)at = (JsonText){.text = kept, .size = source.size};
    return 0;
}

static int take_literal(const Decoding *d, const MessageMember *member, struct json_object *value, void *at) {
    (void)at;
    if (!json_object_is_type(value, json_type_string))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    if (strcmp(json_object_get_string(value), member->literal) != 0)
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    return 0;
}

static const TakeFn take_fns[MEMBER_KIND_COUNT] = {
    [MEMBER_TEXT] = take_text,       [MEMBER_TOKEN] = take_token,   [MEMBER_NUMBER] = take_number,
    [MEMBER_INTEGER] = take_integer, [MEMBER_CHOICE] = take_choice, [MEMBER_FLAG] = take_flag,
    [MEMBER_INSTANT] = take_instant, [MEMBER_NESTED] = take_nested, [MEMBER_LITERAL] = take_literal,
};

static int refuse_missing(const Decoding *d, const MessageMember *member) {
    *d->ret_refusal = REFUSAL_MISSING_FIELD;
    return problem_set(d->problem, -EBADMSG, "%s: member \"%s\" is missing: expected %s",
                       message_label(d->descriptor).text, member->json, member_expected(member).text);
}

static int take_members(const Decoding *d, MessageTag tag, Message *message) {
    memset(message, 0, sizeof *message);
    message->tag = tag;
    for (size_t i = 0; i < d->descriptor->n_members; i++) {
        const MessageMember *member = &d->descriptor->members[i];
        struct json_object *value = NULL;
        int r = TAKE_ABSENT;
        if (json_object_object_get_ex(d->members, member->json, &value) && value)
            r = take_fns[member->kind](d, member, value, member_at(message, member));
        if (r < 0)
            return r;
        if (r == 0)
            *message_present(message) |= member->mark;
        else if (member->presence == MEMBER_REQUIRED)
            return refuse_missing(d, member);
    }
    return 0;
}

static size_t family_max_bytes(MessageFamily family) {
    return family == MESSAGE_FAMILY_EVENT   ? EVENT_MAX_BYTES
           : family == MESSAGE_FAMILY_REPLY ? REPLY_MAX_BYTES
                                            : FRAME_MAX_BYTES;
}

static int check_frame(const Decoding *d, MessageFamily family, const char *frame, size_t size) {
    size_t max_bytes = family_max_bytes(family);
    if (size > max_bytes) {
        *d->ret_refusal = REFUSAL_TOO_LARGE;
        return problem_set(d->problem, -EBADMSG, "%s: expected at most %zu bytes, got %zu",
                           message_family_words[family], max_bytes, size);
    }
    size_t valid = utf8_valid_size(frame, size);
    if (valid < size) {
        *d->ret_refusal = REFUSAL_NOT_UTF8;
        return problem_set(d->problem, -EBADMSG, "%s: expected UTF-8, got \"%s\" at byte %zu",
                           message_family_words[family],
                           text_shown(frame + valid, size - valid < 12 ? size - valid : 12).text, valid);
    }
    return 0;
}

/* The message of `family` whose word on the wire is `name`; for families without words, their only one. */
static int find_message(const Decoding *d, MessageFamily family, const char *name, size_t size,
                        MessageTag *ret) {
    char known[128] = "";
    size_t used = 0;
    for (MessageTag tag = 0; tag < MESSAGE_TAG_COUNT; tag++) {
        const MessageDescriptor *candidate = &message_descriptors[tag];
        if (candidate->family != family)
            continue;
        if (strlen(candidate->wire_name) == size && memcmp(candidate->wire_name, name, size) == 0) {
            *ret = tag;
            return 0;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                 candidate->wire_name);
    }
    *d->ret_refusal = REFUSAL_UNKNOWN_TYPE;
    return problem_set(d->problem, -EBADMSG, "%s: expected one of %s, got \"%s\"",
                       message_family_words[family], known, text_shown(name, size).text);
}

/* {"type": T, "data": {...}} */
static int open_record(Decoding *d, struct json_object *tree, MessageTag *ret) {
    static const MessageMember type_member = {.json = "type", .kind = MEMBER_TEXT, .max_bytes = 63};
    static const MessageMember data_member = {.json = "data", .kind = MEMBER_NESTED};
    static const MessageDescriptor envelope = {.wire_name = "", .family = MESSAGE_FAMILY_RECORD};
    struct json_object *type = NULL, *data = NULL;
    d->descriptor = &envelope;
    json_object_object_get_ex(tree, "type", &type);
    json_object_object_get_ex(tree, "data", &data);
    if (!type || !data)
        return refuse_missing(d, type ? &data_member : &type_member);
    if (!json_object_is_type(type, json_type_string))
        return refuse_member(d, &type_member, type, REFUSAL_WRONG_TYPE);
    int r = find_message(d, MESSAGE_FAMILY_RECORD, json_object_get_string(type),
                         (size_t)json_object_get_string_len(type), ret);
    if (r < 0)
        return r;
    if (!json_object_is_type(data, json_type_object))
        return refuse_member(d, &data_member, data, REFUSAL_WRONG_TYPE);
    d->members = data;
    d->members_text =
        object_text_value(d->members_text.text, d->members_text.size, member_index(tree, "data"));
    return 0;
}

/* An event that no record could carry on is refused while its sender can still be told. */
static int check_depth(const Decoding *d, MessageFamily family) {
    size_t depth = family == MESSAGE_FAMILY_EVENT ? json_text_depth(d->members_text) : 0;
    if (depth <= EVENT_DEPTH_MAX)
        return 0;
    *d->ret_refusal = REFUSAL_TOO_LARGE;
    return problem_set(d->problem, -EBADMSG,
                       "event: expected at most %d objects and arrays inside each other, got %zu",
                       EVENT_DEPTH_MAX, depth);
}

/* What is kept of a frame is never longer than the frame; each piece has a NUL behind it. */
static int reserve_nested(Decoder *decoder, size_t frame_size) {
    size_t needed = frame_size + 32;
    decoder->nested_size = 0;
    if (decoder->nested_capacity >= needed)
        return 0;
    char *grown = realloc(decoder->nested, needed);
    if (!grown)
        return -ENOMEM;
    decoder->nested = grown;
    decoder->nested_capacity = needed;
    return 0;
}

int message_decode(Decoder *decoder, MessageFamily family, const void *frame, size_t size, Message *ret,
                   Refusal *ret_refusal, Problem *problem) {
    Decoding d = {.decoder = decoder, .ret_refusal = ret_refusal, .problem = problem};
    const char *text = frame, *topic = frame;
    size_t topic_size = 0;
    MessageTag tag = 0;
    int r = check_frame(&d, family, text, size);
    if (r < 0)
        return r;
    if (family == MESSAGE_FAMILY_EVENT) {
        const char *space = memchr(text, ' ', size);
        topic_size = space ? (size_t)(space - text) : size;
        text += topic_size;
    }
    if (family != MESSAGE_FAMILY_RECORD)
        r = find_message(&d, family, topic, topic_size, &tag);
    if (r >= 0)
        r = reserve_nested(decoder, size);
    if (r < 0)
        return r;

    scoped(tree_freep) struct json_object *tree = NULL;
    d.members_text = (JsonText){.text = text, .size = size - topic_size};
    r = strict_json_parse(decoder->tokener, text, size - topic_size, &tree, ret_refusal, problem);
    if (r < 0)
        return r;
    d.members = tree;
    r = check_depth(&d, family);
    if (r >= 0 && family == MESSAGE_FAMILY_RECORD)
        r = open_record(&d, tree, &tag);
    if (r < 0)
        return r;
    d.descriptor = &message_descriptors[tag];
    r = take_members(&d, tag, &decoder->scratch);
    if (r >= 0)
        *ret = decoder->scratch;
    return r;
}
