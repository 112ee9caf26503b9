/* The one encoder: the members of a descriptor -> bytes, written straight into the caller's buffer. It
 * applies the decoder's limits, so what would be refused at the other end is refused here, where the mistake
 * can be found.
 *
 * Numbers are the shortest decimal that reads back as the same double; whole ones have neither fraction nor
 * exponent. */
#include "base/text.h"
#include "wire/message-table.h"
#include "wire/messages.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes what fits and counts all, like snprintf(): overflow is looked at once, at the end. */
typedef struct Writer {
    char *buffer;
    size_t capacity, size;
} Writer;

typedef struct Encoding {
    Writer out;
    const MessageDescriptor *descriptor;
    bool has_member;
    Problem *problem;
} Encoding;

static void put(Writer *w, const char *bytes, size_t size) {
    if (w->size <= w->capacity && size <= w->capacity - w->size)
        memcpy(w->buffer + w->size, bytes, size);
    w->size += size;
}

static void put_word(Writer *w, const char *word) {
    put(w, word, strlen(word));
}

static void put_quoted(Writer *w, const char *plain, size_t size) {
    put(w, "\"", 1);
    put(w, plain, size);
    put(w, "\"", 1);
}

static void put_string(Writer *w, const char *text, size_t size) {
    size_t plain = 0; /* where the bytes that need no escape begin */
    put(w, "\"", 1);
    for (size_t i = text_plain_size(text, size); i < size; i++) {
        if (text[i] != '"' && text[i] != '\\')
            continue;
        put(w, text + plain, i - plain);
        put(w, "\\", 1);
        plain = i;
    }
    put(w, text + plain, size - plain);
    put(w, "\"", 1);
}

static void put_name(Encoding *e, const char *name) {
    put(&e->out, ",", e->has_member);
    e->has_member = true;
    put_quoted(&e->out, name, strlen(name));
    put(&e->out, ":", 1);
}

static void put_integer(Writer *w, int64_t value) {
    char digits[TEXT_UINT64_SIZE];
    put(w, "-", value < 0);
    put(w, digits, text_from_uint64(value < 0 ? -(uint64_t)value : (uint64_t)value, digits));
}

/* What has few decimals, as all that sensors measure. The quotient of two whole numbers that a double holds exactly is
 * the double nearest to it: when it is this one, so is what the digits read as. */
static bool put_few_decimals(Writer *w, double number) {
    static const double powers[] = {10, 100, 1000, 10000, 100000, 1000000};
    char digits[TEXT_UINT64_SIZE];
    if (!(fabs(number) < 1e9))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(powers); i++) {
        double scaled = round(fabs(number) * powers[i]);
        if (scaled / powers[i] != fabs(number))
            continue;
        uint64_t power = (uint64_t)powers[i], whole = (uint64_t)scaled / power,
                 rest = (uint64_t)scaled % power;
        put(w, "-", number < 0);
        put(w, digits, text_from_uint64(whole, digits));
        put(w, ".", 1);
        size_t n = text_from_uint64(rest + power, digits); /* a 1 before it keeps its zeros */
        put(w, digits + 1, n - 1);
        return true;
    }
    return false;
}

/* The decimal point of the process's locale, which is not always ours, back to a point. */
static void use_point(char *number) {
    char *to = number;
    for (char *from = number; *from; from++) {
        if ((*from >= '0' && *from <= '9') || strchr("+-e", *from))
            *to++ = *from;
        else if (to == number || to[-1] != '.')
            *to++ = '.';
    }
    *to = '\0';
}

static void put_number(Writer *w, double number) {
    char text[64];
    if (number == trunc(number) && fabs(number) < 1e17) {
        put_integer(w, (int64_t)number);
        return;
    }
    if (put_few_decimals(w, number))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    use_point(text);
    put_word(w, text);
}

static int refuse(const Encoding *e, const MessageMember *member, const char *came) {
    return problem_set(e->problem, -EINVAL, "%s: member \"%s\": expected %s, got %s",
                       message_label(e->descriptor).text, member->json, member_expected(member).text, came);
}

static int put_text(Encoding *e, const MessageMember *member, const char *text) {
    size_t size = strnlen(text, member->max_bytes + 1);
    if (size == 0 || size > member->max_bytes)
        return refuse(e, member, size == 0 ? "an empty one" : "a longer one");
    if (text_plain_size(text, size) == size) {
        put_quoted(&e->out, text, size);
        return 0;
    }
    if (utf8_valid_size(text, size) < size || text_has_control(text, size))
        return refuse(e, member, text_shown(text, size).text);
    put_string(&e->out, text, size);
    return 0;
}

static int put_nested(Encoding *e, const MessageMember *member, const JsonText *nested) {
    if (!nested->text || nested->size < 2 || (*nested->text != '{' && *nested->text != '['))
        return refuse(e, member, "something else");
    put(&e->out, nested->text, nested->size);
    return 0;
}

/* The value of a member, of whatever kind, that is present. */
static int put_value(Encoding *e, const MessageMember *member, const void *at) {
    char came[64];
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_TOKEN:
        return put_text(e, member, at);
    case MEMBER_NUMBER:
        if (!(*(const double *)at >= member->min && *(const double *)at <= member->max)) {
            (void)snprintf(came, sizeof came, "%.15g", *(const double *)at);
            return refuse(e, member, came);
        }
        put_number(&e->out, *(const double *)at);
        return 0;
    case MEMBER_INTEGER:
        if (*(const int64_t *)at < member->least || *(const int64_t *)at > member->most) {
            (void)snprintf(came, sizeof came, "%" PRId64, *(const int64_t *)at);
            return refuse(e, member, came);
        }
        put_integer(&e->out, *(const int64_t *)at);
        return 0;
    case MEMBER_CHOICE:
        for (int i = 0; member->words[i]; i++) {
            if (i == *(const int *)at) {
                put_string(&e->out, member->words[i], strlen(member->words[i]));
                return 0;
            }
        }
        (void)snprintf(came, sizeof came, "number %d", *(const int *)at);
        return refuse(e, member, came);
    case MEMBER_FLAG:
        put_word(&e->out, *(const bool *)at ? "true" : "false");
        return 0;
    case MEMBER_INSTANT:
        put_quoted(&e->out, timestamp_format(*(const Wall *)at).text, TIMESTAMP_SIZE - 1);
        return 0;
    case MEMBER_NESTED:
        return put_nested(e, member, at);
    case MEMBER_LITERAL:
        put_string(&e->out, member->literal, strlen(member->literal));
        return 0;
    case MEMBER_KIND_COUNT:
        break;
    }
    return -EINVAL;
}

static bool has_value(const Message *message, const MessageMember *member) {
    const void *at = member_in(message, member);
    if (member->kind == MEMBER_LITERAL)
        return true;
    if (!(message->CAMERA_EVENT.present & member->mark))
        return false;
    bool is_empty_text = member->kind == MEMBER_TEXT && *(const char *)at == '\0';
    return !is_empty_text || member->presence == MEMBER_REQUIRED;
}

static int put_members(Encoding *e, const Message *message) {
    put(&e->out, "{", 1);
    for (size_t i = 0; i < e->descriptor->n_members; i++) {
        const MessageMember *member = &e->descriptor->members[i];
        if (!has_value(message, member)) {
            if (member->presence == MEMBER_REQUIRED)
                return refuse(e, member, "none");
            if (member->presence == MEMBER_NULLABLE) {
                put_name(e, member->json);
                put_word(&e->out, "null");
            }
            continue;
        }
        put_name(e, member->json);
        int r = put_value(e, member, member_in(message, member));
        if (r < 0)
            return r;
    }
    put(&e->out, "}", 1);
    return 0;
}

int message_encode(const Message *message, char *buffer, size_t buffer_size, Problem *problem) {
    const MessageDescriptor *descriptor = &message_descriptors[message->tag];
    Encoding e = {
        .out = {.buffer = buffer, .capacity = buffer_size}, .descriptor = descriptor, .problem = problem};
    if (descriptor->family == MESSAGE_FAMILY_EVENT) {
        put_word(&e.out, descriptor->wire_name);
        put(&e.out, " ", 1);
    } else if (descriptor->family == MESSAGE_FAMILY_RECORD) {
        put_word(&e.out, "{\"type\":\"");
        put_word(&e.out, descriptor->wire_name);
        put_word(&e.out, "\",\"data\":");
    }
    int r = put_members(&e, message);
    if (r < 0)
        return r;
    if (descriptor->family == MESSAGE_FAMILY_RECORD)
        put(&e.out, "}", 1);
    if (e.out.size >= buffer_size)
        return problem_set(problem, -ENOBUFS, "%s: expected at most %zu bytes, got %zu",
                           message_label(descriptor).text, buffer_size, e.out.size + 1);
    buffer[e.out.size] = '\0';
    return (int)e.out.size;
}
