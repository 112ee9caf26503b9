/* The descriptor tables made from messages.def, for what walks a message's members: the decoder, the encoder,
 * and the store, which has a column for each member of a record. */
#pragma once

#include "base/problem.h"
#include "wire/messages.h"

#include <stdbool.h>

typedef enum MemberKind {
    MEMBER_TEXT,
    MEMBER_TOKEN,
    MEMBER_NUMBER,
    MEMBER_INTEGER,
    MEMBER_CHOICE,
    MEMBER_FLAG,
    MEMBER_INSTANT,
    MEMBER_NESTED,
    MEMBER_LITERAL,
    MEMBER_KIND_COUNT
} MemberKind;

typedef enum MemberPresence { MEMBER_REQUIRED, MEMBER_OPTIONAL, MEMBER_NULLABLE } MemberPresence;

typedef struct MessageMember {
    const char *json; /* its name */
    MemberKind kind;
    MemberPresence presence;
    uint32_t mark;            /* its bit in `present`; 0 for LITERAL */
    size_t offset;            /* in the message's struct */
    size_t json_size;         /* of its name */
    size_t max_bytes;         /* TEXT, TOKEN; of a LITERAL what it has */
    double min, max;          /* NUMBER */
    int64_t least, most;      /* INTEGER */
    const char *const *words; /* CHOICE */
    const char *literal;      /* LITERAL */
} MessageMember;

typedef struct MessageDescriptor {
    const char *wire_name;
    MessageFamily family;
    size_t size; /* of the struct */
    const MessageMember *members;
    size_t n_members;
} MessageDescriptor;

extern const MessageDescriptor message_descriptors[MESSAGE_TAG_COUNT];

/* "event", "record", ...: by MessageFamily. */
extern const char *const message_family_words[];

/* What a member must be, as it goes into "expected ...". */
typedef struct ExpectedText {
    char text[128];
} ExpectedText;
ExpectedText member_expected(const MessageMember *member);

/* "camara event", "query": how a sentence names a message. */
typedef struct MessageLabel {
    char text[48];
} MessageLabel;
MessageLabel message_label(const MessageDescriptor *descriptor);

/* Every message begins with `uint32_t present`; its members lie at their offsets from there. */
static inline uint32_t *message_present(Message *message) {
    return &message->CAMERA_EVENT.present;
}

static inline void *member_at(Message *message, const MessageMember *member) {
    return (char *)message_present(message) + member->offset;
}

static inline const void *member_in(const Message *message, const MessageMember *member) {
    return (const char *)&message->CAMERA_EVENT.present + member->offset;
}
