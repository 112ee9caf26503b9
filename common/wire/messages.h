/* Messages as C structs, and the one decoder and one encoder between them and bytes (wire.md describes the
 * bytes).
 *
 * Nothing here touches a socket. A decoder is reused for every message of a thread; what it hands out as
 * JsonText points into it and lives until its next use. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "base/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* JSON text of a nested object or array. In a decoded message it is borrowed from the decoder until its next
 * use; in a message to encode it is the caller's, and must be valid JSON. */
typedef struct JsonText {
    const char *text;
    size_t size;
} JsonText;

/* Which grammar surrounds the members. */
typedef enum MessageFamily {
    MESSAGE_FAMILY_EVENT,   /* TOPIC SP {members} */
    MESSAGE_FAMILY_RECORD,  /* {"type": T, "data": {members}} */
    MESSAGE_FAMILY_COMMAND, /* {members}, here and below */
    MESSAGE_FAMILY_REPORT,
    MESSAGE_FAMILY_QUERY,
    MESSAGE_FAMILY_REPLY,
    MESSAGE_FAMILY_HEARTBEAT,
    MESSAGE_FAMILY_ACK,
    MESSAGE_FAMILY_STEP,
    MESSAGE_FAMILY_MISSED,
} MessageFamily;

/* struct CameraEvent { uint32_t present; char sensor_id[64]; ... }, one per message of messages.def */
#define MESSAGE_BEGIN(TAG, Type, FAMILY, wire_name)                                                          \
    typedef struct Type {                                                                                    \
        uint32_t present; /* bits of the members that are there; see message_has() */
#define TEXT(Type, member, json, max_bytes, presence)   char member[(max_bytes) + 1];
#define TOKEN(Type, member, json, max_bytes, presence)  char member[(max_bytes) + 1];
#define NUMBER(Type, member, json, min, max, presence)  double member;
#define INTEGER(Type, member, json, min, max, presence) int64_t member;
#define CHOICE(Type, member, json, words, presence)     int member;
#define FLAG(Type, member, json, presence)              bool member;
#define INSTANT(Type, member, json, presence)           Wall member;
#define NESTED(Type, member, json, presence)            JsonText member;
#define LITERAL(Type, json, word)
#define MESSAGE_END(Type)                                                                                    \
    }                                                                                                        \
    Type;
#include "wire/messages.def"

#include "wire/messages-undef.h"

/* enum { CameraEvent_has_sensor_id, ... }: the bit number of each member */
#define MESSAGE_BEGIN(TAG, Type, FAMILY, wire_name)     enum {
#define TEXT(Type, member, json, max_bytes, presence)   Type##_has_##member,
#define TOKEN(Type, member, json, max_bytes, presence)  Type##_has_##member,
#define NUMBER(Type, member, json, min, max, presence)  Type##_has_##member,
#define INTEGER(Type, member, json, min, max, presence) Type##_has_##member,
#define CHOICE(Type, member, json, words, presence)     Type##_has_##member,
#define FLAG(Type, member, json, presence)              Type##_has_##member,
#define INSTANT(Type, member, json, presence)           Type##_has_##member,
#define NESTED(Type, member, json, presence)            Type##_has_##member,
#define LITERAL(Type, json, word)
#define MESSAGE_END(Type)                                                                                    \
    Type##_member_count                                                                                      \
    }                                                                                                        \
    ;
#include "wire/messages.def"

#include "wire/messages-undef.h"

#define message_has(message, Type, member)  (((message)->present >> Type##_has_##member) & 1U)
#define message_mark(message, Type, member) ((void)((message)->present |= UINT32_C(1) << Type##_has_##member))

/* Sets a member and marks it. */
#define message_set(message, Type, member, ...)                                                              \
    ((void)((message)->member = __VA_ARGS__), message_mark(message, Type, member))

/* The same for TEXT and TOKEN; what is too long is cut. */
#define message_set_text(message, Type, member, text)                                                        \
    ((void)snprintf((message)->member, sizeof(message)->member, "%s", text),                                 \
     message_mark(message, Type, member))

#define MESSAGE_BEGIN(TAG, Type, FAMILY, wire_name) MESSAGE_##TAG,
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
typedef enum MessageTag {
#include "wire/messages.def"
    MESSAGE_TAG_COUNT
} MessageTag;
#include "wire/messages-undef.h"

/* A message of any kind: the tag says which member is valid. */
typedef struct Message {
    MessageTag tag;
    union {
#define MESSAGE_BEGIN(TAG, Type, FAMILY, wire_name) Type TAG;
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
} Message;

/* Why a frame was refused: the label of the counter. The sentence is in the Problem. */
#define REFUSAL_LIST(X)                                                                                      \
    X(REFUSAL_TOO_LARGE, "too_large")                                                                        \
    X(REFUSAL_NOT_UTF8, "not_utf8")                                                                          \
    X(REFUSAL_NOT_JSON, "not_json")                                                                          \
    X(REFUSAL_UNKNOWN_TYPE, "unknown_type")                                                                  \
    X(REFUSAL_MISSING_FIELD, "missing_field")                                                                \
    X(REFUSAL_WRONG_TYPE, "wrong_type")                                                                      \
    X(REFUSAL_OUT_OF_RANGE, "out_of_range")                                                                  \
    X(REFUSAL_UNKNOWN_INTERSECTION, "unknown_intersection")                                                  \
    X(REFUSAL_STALE, "stale")                                                                                \
    X(REFUSAL_REPLAYED, "replayed")                                                                          \
    X(REFUSAL_TOO_MANY, "too_many")                                                                          \
    X(REFUSAL_NOT_ONE_FRAME, "not_one_frame")
VOCABULARY(Refusal, REFUSAL, REFUSAL_LIST, refusal_words);

typedef struct Decoder Decoder;

int decoder_new(Decoder **ret);
Decoder *decoder_free(Decoder *decoder);
DEFINE_FREEP(Decoder, decoder_free)

/* Decodes one frame of `family`. 0: *ret is complete and every member is within its range. -EBADMSG: refused;
 * *ret_refusal says which kind and `problem` names the member, what was expected and what came. -ENOMEM. *ret
 * is untouched on error. Cost: one pass over the text plus a walk over the descriptor. */
int message_decode(Decoder *decoder, MessageFamily family, const void *frame, size_t size, Message *ret,
                   Refusal *ret_refusal, Problem *problem);

/* An event's members without the frame around them, from one who reads their JSON to know what it is. */
typedef struct EventMembers {
    MessageTag tag;
    const struct JsonTokens *tokens; /* of UTF-8 */
    size_t frame_size;               /* of the frame that it would be, for its limit */
    const char *waived;              /* a member that may be missing though it is required, or NULL */
} EventMembers;

/* Decodes them as message_decode() does, without reading their text again. */
int message_decode_members(Decoder *decoder, const EventMembers *came, Message *ret, Refusal *ret_refusal,
                           Problem *problem);

/* Encodes `message` as one frame into `buffer` (no trailing NUL is counted, one is written). Members whose
 * presence bit is not set are left out, whatever they hold; LITERAL members and, for records and events, the
 * surrounding grammar are added. Returns the size, -ENOBUFS when it does not fit, or -EINVAL when a member is
 * outside its range or not finite (a message that a receiver would refuse never leaves this process), with
 * the member named in `problem`. */
int message_encode(const Message *message, char *buffer, size_t buffer_size, Problem *problem);

/* A message's word on the wire: "camara", "sensor_event"; "" for families without one. */
const char *message_wire_name(MessageTag tag);
MessageFamily message_family(MessageTag tag);
