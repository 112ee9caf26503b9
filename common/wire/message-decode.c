/* The one decoder: bytes -> tokens of JSON -> the members of a descriptor. Knows no message by name.
 *
 * The order matters: size first, because it is free; then UTF-8; then JSON (json-tokens.c); then the members.
 * Decoding goes into a scratch message, so that the caller's stays as it was when the last member turns out
 * to be wrong. */
#include "base/text.h"
#include "wire/endpoints.h"
#include "wire/json-tokens.h"
#include "wire/message-table.h"
#include "wire/messages.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Decoder {
    JsonTokens *tokens;
    Message scratch;
    char *nested; /* where NESTED members are kept until the next use */
    size_t nested_size, nested_capacity;
};

typedef struct Decoding {
    Decoder *decoder;
    const JsonTokens *tokens; /* the decoder's or the caller's */
    const MessageDescriptor *descriptor;
    const JsonToken *members; /* the object */
    const char *waived;       /* a member that may be missing though it is required, or NULL */
    Refusal *ret_refusal;
    Problem *problem;
} Decoding;

int decoder_new(Decoder **ret) {
    scoped(decoder_freep) Decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return -ENOMEM;
    int r = json_tokens_new(&decoder->tokens);
    if (r < 0)
        return r;
    *ret = take(decoder);
    return 0;
}

Decoder *decoder_free(Decoder *decoder) {
    if (!decoder)
        return NULL;
    json_tokens_free(decoder->tokens);
    free(decoder->nested);
    free(decoder);
    return NULL;
}

/* A value for a sentence, shortened and printable. */
static ShownText value_shown(const Decoding *d, const JsonToken *value) {
    if (value->kind == JSON_OBJECT)
        return (ShownText){"an object"};
    if (value->kind == JSON_ARRAY)
        return (ShownText){"an array"};
    JsonText source = json_tokens_source(d->tokens, value);
    return text_shown(source.text, source.size);
}

static int refuse_member(const Decoding *d, const MessageMember *member, const JsonToken *value,
                         Refusal refusal) {
    *d->ret_refusal = refusal;
    return problem_set(d->problem, -EBADMSG, "%s: member \"%s\": expected %s, got %s",
                       message_label(d->descriptor).text, member->json, member_expected(member).text,
                       value_shown(d, value).text);
}

/* One function per kind: puts a value that is there into the struct. 0 or a refusal; TAKE_ABSENT when it
 * counts as not sent. */
enum { TAKE_ABSENT = 1 };
typedef int (*TakeFn)(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at);

static void copy_text(void *at, const char *text, size_t size) {
    memcpy(at, text, size);
    ((char *)at)[size] = '\0';
}

static int take_text(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    if (value->kind != JSON_STRING)
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    if (value->size == 0 && member->presence != MEMBER_REQUIRED)
        return TAKE_ABSENT;
    if (value->size == 0 || value->size > member->max_bytes || text_has_control(value->text, value->size))
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    copy_text(at, value->text, value->size);
    return 0;
}

static int take_token(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    if (value->kind != JSON_INTEGER)
        return take_text(d, member, value, at);
    JsonText digits = json_tokens_source(d->tokens, value);
    if (digits.size > member->max_bytes)
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    copy_text(at, digits.text, digits.size);
    return 0;
}

static int take_number(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    if (!json_token_is_number(value))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    double number = json_tokens_number(d->tokens, value);
    if (!(number >= member->min && number <= member->max))
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    *(double *)at = number;
    return 0;
}

static int take_integer(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    int64_t number;
    if (!json_token_is_number(value))
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    if (!json_tokens_whole_number(d->tokens, value, &number) || number < member->least ||
        number > member->most)
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    *(int64_t *)at = number;
    return 0;
}

static int take_choice(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    if (value->kind != JSON_STRING)
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    int index = word_index_sized(member->words, value->text, value->size);
    if (index < 0)
        return refuse_member(d, member, value, REFUSAL_OUT_OF_RANGE);
    *(int *)at = index;
    return 0;
}

static int take_flag(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    if (value->kind != JSON_TRUE && value->kind != JSON_FALSE)
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    *(bool *)at = value->kind == JSON_TRUE;
    return 0;
}

static int take_instant(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    if (value->kind != JSON_STRING || timestamp_parse(value->text, value->size, at) < 0)
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    return 0;
}

/* Keeps the text as it came: written anew, numbers and escapes could look different. */
static int take_nested(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    if (value->kind != JSON_OBJECT && value->kind != JSON_ARRAY)
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    JsonText source = json_tokens_source(d->tokens, value);
    Decoder *decoder = d->decoder;
    char *kept = decoder->nested + decoder->nested_size;
    copy_text(kept, source.text, source.size);
    decoder->nested_size += source.size + 1;
    *(JsonText *)at = (JsonText){.text = kept, .size = source.size};
    return 0;
}

static int take_literal(const Decoding *d, const MessageMember *member, const JsonToken *value, void *at) {
    (void)at;
    if (value->kind != JSON_STRING)
        return refuse_member(d, member, value, REFUSAL_WRONG_TYPE);
    if (value->size != member->max_bytes || memcmp(value->text, member->literal, value->size) != 0)
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

static bool may_be_missing(const Decoding *d, const MessageMember *member) {
    return member->presence != MEMBER_REQUIRED || (d->waived && strcmp(d->waived, member->json) == 0);
}

static int take_members(const Decoding *d, Message *message) {
    const MessageMember *member = d->descriptor->members, *behind = member + d->descriptor->n_members;
    uint32_t hint = 0;
    for (; member < behind; member++) {
        const JsonToken *value =
            json_tokens_find(d->tokens, d->members, (JsonText){member->json, member->json_size}, &hint);
        int r = TAKE_ABSENT;
        if (value && value->kind != JSON_NULL)
            r = take_fns[member->kind](d, member, value, member_at(message, member));
        if (r < 0)
            return r;
        if (r == 0)
            *message_present(message) |= member->mark;
        else if (!may_be_missing(d, member))
            return refuse_missing(d, member);
    }
    return 0;
}

/* Of the union only the struct that the tag speaks of is cleared and copied: the largest is ten times the size of most. */
static int take_message(Decoding *d, MessageTag tag, Message *ret) {
    Message *scratch = &d->decoder->scratch;
    d->descriptor = &message_descriptors[tag];
    memset(message_present(scratch), 0, d->descriptor->size);
    int r = take_members(d, scratch);
    if (r < 0)
        return r;
    ret->tag = tag;
    memcpy(message_present(ret), message_present(scratch), d->descriptor->size);
    return 0;
}

static size_t family_max_bytes(MessageFamily family) {
    return family == MESSAGE_FAMILY_EVENT   ? EVENT_MAX_BYTES
           : family == MESSAGE_FAMILY_REPLY ? REPLY_MAX_BYTES
                                            : FRAME_MAX_BYTES;
}

static int check_size(const Decoding *d, MessageFamily family, size_t size) {
    size_t max_bytes = family_max_bytes(family);
    if (size <= max_bytes)
        return 0;
    *d->ret_refusal = REFUSAL_TOO_LARGE;
    return problem_set(d->problem, -EBADMSG, "%s: expected at most %zu bytes, got %zu",
                       message_family_words[family], max_bytes, size);
}

static int check_text(const Decoding *d, MessageFamily family, const char *frame, size_t size) {
    size_t valid = utf8_valid_size(frame, size);
    if (valid < size) {
        *d->ret_refusal = REFUSAL_NOT_UTF8;
        return problem_set(d->problem, -EBADMSG, "%s: expected UTF-8, got \"%s\" at byte %zu",
                           message_family_words[family],
                           text_shown(frame + valid, size - valid < 12 ? size - valid : 12).text, valid);
    }
    return 0;
}

static int refuse_name(const Decoding *d, MessageFamily family, const char *name, size_t size) {
    char known[128] = "";
    size_t used = 0;
    for (MessageTag tag = 0; tag < MESSAGE_TAG_COUNT; tag++)
        if (message_descriptors[tag].family == family)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                     message_descriptors[tag].wire_name);
    *d->ret_refusal = REFUSAL_UNKNOWN_TYPE;
    return problem_set(d->problem, -EBADMSG, "%s: expected one of %s, got \"%s\"",
                       message_family_words[family], known, text_shown(name, size).text);
}

/* The message of `family` whose word on the wire is `name`; for families without words, their only one. */
static int find_message(const Decoding *d, MessageFamily family, const char *name, size_t size,
                        MessageTag *ret) {
    for (MessageTag tag = 0; tag < MESSAGE_TAG_COUNT; tag++) {
        const MessageDescriptor *candidate = &message_descriptors[tag];
        if (candidate->family == family && strlen(candidate->wire_name) == size &&
            memcmp(candidate->wire_name, name, size) == 0) {
            *ret = tag;
            return 0;
        }
    }
    return refuse_name(d, family, name, size);
}

/* {"type": T, "data": {...}} */
static int open_record(Decoding *d, MessageTag *ret) {
    static const MessageMember type_member = {.json = "type", .kind = MEMBER_TEXT, .max_bytes = 63};
    static const MessageMember data_member = {.json = "data", .kind = MEMBER_NESTED};
    static const MessageDescriptor envelope = {.wire_name = "", .family = MESSAGE_FAMILY_RECORD};
    uint32_t hint = 0;
    const JsonToken *type = json_tokens_member(d->tokens, d->members, "type", &hint);
    const JsonToken *data = json_tokens_member(d->tokens, d->members, "data", &hint);
    d->descriptor = &envelope;
    if (!type || type->kind == JSON_NULL)
        return refuse_missing(d, &type_member);
    if (!data || data->kind == JSON_NULL)
        return refuse_missing(d, &data_member);
    if (type->kind != JSON_STRING)
        return refuse_member(d, &type_member, type, REFUSAL_WRONG_TYPE);
    int r = find_message(d, MESSAGE_FAMILY_RECORD, type->text, type->size, ret);
    if (r < 0)
        return r;
    if (data->kind != JSON_OBJECT)
        return refuse_member(d, &data_member, data, REFUSAL_WRONG_TYPE);
    d->members = data;
    return 0;
}

/* An event that no record could carry on is refused while its sender can still be told. */
static int check_depth(const Decoding *d, MessageFamily family) {
    size_t depth = family == MESSAGE_FAMILY_EVENT ? json_tokens_depth(d->tokens) : 0;
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
    Decoding d = {
        .decoder = decoder, .tokens = decoder->tokens, .ret_refusal = ret_refusal, .problem = problem};
    const char *text = frame, *topic = frame;
    size_t topic_size = 0;
    MessageTag tag = 0;
    int r = check_size(&d, family, size);
    if (r >= 0)
        r = check_text(&d, family, text, size);
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

    r = json_tokens_read(decoder->tokens, text, size - topic_size, ret_refusal, problem);
    if (r < 0)
        return r;
    d.members = json_tokens_root(decoder->tokens);
    r = check_depth(&d, family);
    if (r >= 0 && family == MESSAGE_FAMILY_RECORD)
        r = open_record(&d, &tag);
    if (r < 0)
        return r;
    return take_message(&d, tag, ret);
}

int message_decode_members(Decoder *decoder, const EventMembers *came, Message *ret, Refusal *ret_refusal,
                           Problem *problem) {
    Decoding d = {.decoder = decoder,
                  .tokens = came->tokens,
                  .members = json_tokens_root(came->tokens),
                  .waived = came->waived,
                  .ret_refusal = ret_refusal,
                  .problem = problem};
    int r = check_size(&d, MESSAGE_FAMILY_EVENT, came->frame_size);
    if (r >= 0)
        r = check_depth(&d, MESSAGE_FAMILY_EVENT);
    if (r >= 0)
        r = reserve_nested(decoder, came->frame_size);
    return r < 0 ? r : take_message(&d, came->tag, ret);
}
