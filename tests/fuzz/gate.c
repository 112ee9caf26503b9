/* A frame that the broker forwards: after it got its identity, if it needed one, every receiver takes it and
 * finds that identity. */
#include "fuzz.h"

#include "gate.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Gate *gate;
    static Decoder *decoder;
    static const EventIdentity identity = {"broker@host", 3, 4};
    static Message message;
    char frame[GATE_FRAME_MAX_BYTES];
    bool needs_identity;
    Refusal refusal;
    Problem problem;
    EventIdentity found;
    if (!gate)
        promise(gate_new(&gate) == 0 && decoder_new(&decoder) == 0);
    if (gate_judge(gate, data, size, &needs_identity, &refusal, &problem) < 0 || !needs_identity)
        return 0;
    int r = gate_add_identity(data, size, &identity, (Wall){5}, frame, &problem);
    if (r == -EMSGSIZE)
        return 0;
    promise(r > 0);
    promise(message_decode(decoder, MESSAGE_FAMILY_EVENT, frame, (size_t)r, &message, &refusal, &problem) ==
            0);
    promise(event_identity(&message, &found));
    promise(found.epoch == 3 && found.sequence == 4 && strcmp(found.producer, "broker@host") == 0);
    return 0;
}
