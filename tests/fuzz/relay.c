/* A packet of a relay socket: whatever comes gets an answer that is JSON, and what is taken can be sent. */
#include "fuzz.h"

#include "relay-packet.h"
#include "wire/event.h"

#include <json-c/json.h>

static void is_json(const RelayAnswer *answer) {
    promise(answer->size > 0 && answer->size < sizeof answer->text);
    json_object *object = json_tokener_parse(answer->text);
    promise(json_object_is_type(object, json_type_object));
    json_object_put(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static RelayParser *parser;
    if (!parser)
        promise(relay_parser_new(&parser) == 0);
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        RelayPacket packet;
        RelayAnswer answer;
        Refusal refusal;
        Problem problem = {.text = ""};
        char frame[EVENT_MAX_BYTES + 1];
        Wall now = {UINT64_C(1770649800123456)};
        if (relay_parse(parser, (SensorKind)kind, (const char *)data, size, now, &packet, &refusal,
                        &problem) == 0) {
            promise(message_encode(&packet.event, frame, sizeof frame, &problem) > 0);
            relay_answer_ack(&answer, &packet.id);
        } else {
            promise(problem.text[0] != '\0');
            relay_answer_refused(&answer, &packet.id, &problem);
        }
        is_json(&answer);
    }
    return 0;
}
