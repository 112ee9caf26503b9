/* Identity is spliced into the text behind the last member, so what a peer sent beside the known members is
 * kept as it is. Only an event that already has one of these members (a null, or half an identity) has to be
 * taken apart and written again, because receivers refuse two members of one name. */
#include "gate.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Gate {
    Decoder *decoder;
    Message message; /* large, so not on a thread's stack for each frame */
};

static const char *const identity_members[] = {"producer_id", "epoch", "seq"};

static void json_putp(json_object **object) {
    json_object_put(*object);
}

int gate_new(Gate **ret) {
    scoped(gate_freep) Gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return -ENOMEM;
    int r = decoder_new(&gate->decoder);
    if (r < 0)
        return r;
    *ret = take(gate);
    return 0;
}

Gate *gate_free(Gate *gate) {
    if (gate) {
        decoder_free(gate->decoder);
        free(gate);
    }
    return NULL;
}

int gate_judge(Gate *gate, const void *frame, size_t size, bool *ret_needs_identity, Refusal *ret_refusal,
               Problem *problem) {
    int r = message_decode(gate->decoder, MESSAGE_FAMILY_EVENT, frame, size, &gate->message, ret_refusal,
                           problem);
    if (r < 0)
        return r;
    *ret_needs_identity = !gate_is_tick(gate) && !event_identity(&gate->message, NULL);
    return 0;
}

bool gate_captured(const Gate *gate, Wall *ret) {
    return event_captured(&gate->message, ret);
}

bool gate_is_tick(const Gate *gate) {
    return gate->message.tag == MESSAGE_TICK_EVENT;
}

static bool contains(const char *text, size_t size, const char *word) {
    return memmem(text, size, word, strlen(word)) != NULL;
}

/* Whether the text might have a member of an identity already; an escape could spell any name. */
static bool may_have_identity_members(const char *text, size_t size) {
    for (size_t i = 0; i < ARRAY_LEN(identity_members); i++)
        if (contains(text, size, identity_members[i]))
            return true;
    return contains(text, size, "captured_us") || memchr(text, '\\', size);
}

static int too_large(Problem *problem, size_t size) {
    return problem_set(problem, -EMSGSIZE,
                       "event: expected at most %d bytes with an identity, got %zu without one",
                       GATE_FRAME_MAX_BYTES, size);
}

/* Everything before the last brace, then the identity. */
static int splice(const char *frame, size_t size, const EventIdentity *identity, Wall now, char *buffer,
                  Problem *problem) {
    const char *end = memrchr(frame, '}', size);
    size_t kept = (size_t)(end - frame);
    if (kept >= GATE_FRAME_MAX_BYTES)
        return too_large(problem, size);
    memcpy(buffer, frame, kept);
    int n = snprintf(buffer + kept, GATE_FRAME_MAX_BYTES - kept,
                     ",\"producer_id\":\"%s\",\"epoch\":%" PRId64 ",\"seq\":%" PRId64
                     ",\"captured_us\":%" PRIu64 "}",
                     identity->producer, identity->epoch, identity->sequence, now.usec);
    if (n < 0 || (size_t)n >= GATE_FRAME_MAX_BYTES - kept)
        return too_large(problem, size);
    return (int)kept + n;
}

static int rewrite(const char *frame, size_t size, const EventIdentity *identity, Wall now, char *buffer,
                   Problem *problem) {
    const char *members = memchr(frame, '{', size);
    size_t topic_size = (size_t)(members - frame);
    scoped(json_putp) json_object *object = NULL;
    json_tokener *tokener = json_tokener_new();
    if (tokener)
        object = json_tokener_parse_ex(tokener, members, (int)(size - topic_size));
    json_tokener_free(tokener);
    if (!object)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_LEN(identity_members); i++)
        json_object_object_del(object, identity_members[i]);
    json_object_object_add(object, "producer_id", json_object_new_string(identity->producer));
    json_object_object_add(object, "epoch", json_object_new_int64(identity->epoch));
    json_object_object_add(object, "seq", json_object_new_int64(identity->sequence));
    json_object *captured;
    if (!json_object_object_get_ex(object, "captured_us", &captured) || !captured)
        json_object_object_add(object, "captured_us", json_object_new_int64((int64_t)now.usec));
    int n = snprintf(
        buffer, GATE_FRAME_MAX_BYTES, "%.*s%s", (int)topic_size, frame,
        json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    return n < 0 || n >= GATE_FRAME_MAX_BYTES ? too_large(problem, size) : n;
}

int gate_add_identity(const void *frame, size_t size, const EventIdentity *identity, Wall now, char *buffer,
                      Problem *problem) {
    if (may_have_identity_members(frame, size))
        return rewrite(frame, size, identity, now, buffer, problem);
    return splice(frame, size, identity, now, buffer, problem);
}
