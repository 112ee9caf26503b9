/* messages.def as data: one descriptor per message, one row per member. Nothing in here knows JSON. */
#include "wire/messages.h"

#include "wire/message-table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

VOCABULARY_DEFINE(REFUSAL, REFUSAL_LIST, refusal_words);

#define MEMBER(Type, member_, json_, KIND, presence_)                                                        \
    .json = json_, .json_size = sizeof(json_) - 1, .kind = MEMBER_##KIND, .presence = MEMBER_##presence_,    \
    .mark = UINT32_C(1) << Type##_has_##member_, .offset = offsetof(Type, member_)

#define MESSAGE_BEGIN(TAG, Type, FAMILY, wire_name_) static const MessageMember Type##_members[] = {
#define TEXT(Type, member, json, max_bytes_, presence)                                                       \
    {MEMBER(Type, member, json, TEXT, presence), .max_bytes = max_bytes_},
#define TOKEN(Type, member, json, max_bytes_, presence)                                                      \
    {MEMBER(Type, member, json, TOKEN, presence), .max_bytes = max_bytes_},
#define NUMBER(Type, member, json, min_, max_, presence)                                                     \
    {MEMBER(Type, member, json, NUMBER, presence), .min = min_, .max = max_},
#define INTEGER(Type, member, json, least_, most_, presence)                                                 \
    {MEMBER(Type, member, json, INTEGER, presence), .least = least_, .most = most_},
#define CHOICE(Type, member, json, words_, presence)                                                         \
    {MEMBER(Type, member, json, CHOICE, presence), .words = words_},
#define FLAG(Type, member, json, presence)    {MEMBER(Type, member, json, FLAG, presence)},
#define INSTANT(Type, member, json, presence) {MEMBER(Type, member, json, INSTANT, presence)},
#define NESTED(Type, member, json, presence)  {MEMBER(Type, member, json, NESTED, presence)},
#define LITERAL(Type, json_, word)                                                                           \
    {.json = json_,                                                                                          \
     .json_size = sizeof(json_) - 1,                                                                         \
     .kind = MEMBER_LITERAL,                                                                                 \
     .max_bytes = sizeof(word) - 1,                                                                          \
     .literal = word},
#define MESSAGE_END(Type)                                                                                    \
    }                                                                                                        \
    ;                                                                                                        \
    _Static_assert(Type##_member_count <= 32, "more members than bits in `present`");                        \
    _Static_assert(offsetof(Type, present) == 0, "`present` comes first");
#include "wire/messages.def"

#include "wire/messages-undef.h"

const MessageDescriptor message_descriptors[MESSAGE_TAG_COUNT] = {
#define MESSAGE_BEGIN(TAG, Type, FAMILY, wire_name_)                                                         \
    [MESSAGE_##TAG] = {.wire_name = wire_name_,                                                              \
                       .family = MESSAGE_FAMILY_##FAMILY,                                                    \
                       .size = sizeof(Type),                                                                 \
                       .members = Type##_members,                                                            \
                       .n_members = ARRAY_LEN(Type##_members)},
#define TEXT(...)
#define TOKEN(...)
#define NUMBER(...)
#define INTEGER(...)
#define CHOICE(...)
#define FLAG(...)
#define INSTANT(...)
#define NESTED(...)
#define LITERAL(...)
#define MESSAGE_END(Type)
#include "wire/messages.def"

#include "wire/messages-undef.h"
};

const char *const message_family_words[] = {
    [MESSAGE_FAMILY_EVENT] = "event",
    [MESSAGE_FAMILY_RECORD] = "record",
    [MESSAGE_FAMILY_COMMAND] = "signal command",
    [MESSAGE_FAMILY_REPORT] = "report",
    [MESSAGE_FAMILY_QUERY] = "query",
    [MESSAGE_FAMILY_REPLY] = "reply",
    [MESSAGE_FAMILY_HEARTBEAT] = "heartbeat",
    [MESSAGE_FAMILY_ACK] = "acknowledgement",
    [MESSAGE_FAMILY_STEP] = "step",
    [MESSAGE_FAMILY_MISSED] = "question for missed reports",
};

const char *message_wire_name(MessageTag tag) {
    return message_descriptors[tag].wire_name;
}

MessageFamily message_family(MessageTag tag) {
    return message_descriptors[tag].family;
}

MessageLabel message_label(const MessageDescriptor *descriptor) {
    MessageLabel label;
    (void)snprintf(label.text, sizeof label.text, "%s%s%s", descriptor->wire_name,
                   *descriptor->wire_name ? " " : "", message_family_words[descriptor->family]);
    return label;
}

/* "one of NS, EW" */
static void list_words(char *buffer, size_t size, const char *const *words) {
    size_t used = (size_t)snprintf(buffer, size, "one of");
    for (size_t i = 0; words[i] && used < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s %s", i ? "," : "", words[i]);
}

ExpectedText member_expected(const MessageMember *member) {
    ExpectedText e = {{0}};
    size_t size = sizeof e.text;
    switch (member->kind) {
    case MEMBER_TEXT:
        (void)snprintf(e.text, size, "text of 1 to %zu bytes", member->max_bytes);
        break;
    case MEMBER_TOKEN:
        (void)snprintf(e.text, size, "text of 1 to %zu bytes or an integer", member->max_bytes);
        break;
    case MEMBER_NUMBER:
        (void)snprintf(e.text, size, "a number from %.15g to %.15g", member->min, member->max);
        break;
    case MEMBER_INTEGER:
        (void)snprintf(e.text, size, "an integer from %" PRId64 " to %" PRId64, member->least, member->most);
        break;
    case MEMBER_CHOICE:
        list_words(e.text, size, member->words);
        break;
    case MEMBER_FLAG:
        (void)snprintf(e.text, size, "true or false");
        break;
    case MEMBER_INSTANT:
        (void)snprintf(e.text, size, "a time like 2030-01-31T23:59:59Z");
        break;
    case MEMBER_NESTED:
        (void)snprintf(e.text, size, "an object or array");
        break;
    case MEMBER_LITERAL:
        (void)snprintf(e.text, size, "\"%s\"", member->literal);
        break;
    case MEMBER_KIND_COUNT:
        break;
    }
    return e;
}
