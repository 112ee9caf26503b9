/* Frames of one family (FUZZ_FAMILY) through the decoder and back through the encoder. Promises: a refusal
 * has a kind and a printable sentence and leaves the caller's message alone; what is taken can be written,
 * and reads back the same. */
#include "fuzz.h"

#include "base/text.h"
#include "wire/endpoints.h"
#include "wire/messages.h"
#include "wire/view-text.h"

#include <errno.h>
#include <string.h>

/* Escaping makes a text at most twice as long; our own member names and numbers add little. */
static char first[2 * REPLY_MAX_BYTES + 4096], second[sizeof first];

static void check_refusal(int r, Refusal refusal, const Problem *problem, const Message *message) {
    Message untouched;
    memset(&untouched, 0x5A, sizeof untouched);
    promise(r == -EBADMSG);
    promise((int)refusal >= 0 && (int)refusal < REFUSAL_COUNT);
    size_t size = strnlen(problem->text, sizeof problem->text);
    promise(size > 0 && size < sizeof problem->text);
    for (size_t i = 0; i < size; i++)
        promise(problem->text[i] >= ' ' && problem->text[i] <= '~');
    promise(memcmp(message, &untouched, sizeof untouched) == 0);
}

/* What a view has placed is read, or refused with a sentence. */
static void check_view(const Message *message) {
    PlacedVehicle placed[4];
    Problem problem = {{0}};
    size_t n = 0;
    if (message->tag != MESSAGE_VIEW_EVENT)
        return;
    if (view_text_parse(&message->VIEW_EVENT, placed, ARRAY_LEN(placed), &n, &problem) < 0)
        promise(problem.text[0] != '\0');
    promise(n <= ARRAY_LEN(placed) && (int64_t)n <= message->VIEW_EVENT.vehicles);
    for (size_t i = 0; i < n; i++)
        promise(placed[i].metres >= (i ? placed[i - 1].metres : 0) && placed[i].speed_kmh <= VIEW_KMH_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Decoder *decoder;
    Message message;
    Refusal refusal = (Refusal)-1;
    Problem problem = {{0}};
    if (!decoder)
        promise(decoder_new(&decoder) == 0);

    memset(&message, 0x5A, sizeof message);
    int r = message_decode(decoder, FUZZ_FAMILY, data, size, &message, &refusal, &problem);
    if (r < 0) {
        check_refusal(r, refusal, &problem, &message);
        return 0;
    }
    promise(message_family(message.tag) == FUZZ_FAMILY);
    check_view(&message);
    int first_size = message_encode(&message, first, sizeof first, &problem);
    promise(first_size > 0);
    promise(utf8_valid_size(first, (size_t)first_size) == (size_t)first_size);

    /* Ours may be longer than what came, for a reply has all its members: only then may it be too large. */
    r = message_decode(decoder, FUZZ_FAMILY, first, (size_t)first_size, &message, &refusal, &problem);
    promise(r == 0 || refusal == REFUSAL_TOO_LARGE);
    if (r == 0) {
        promise(message_encode(&message, second, sizeof second, &problem) == first_size);
        promise(memcmp(first, second, (size_t)first_size) == 0);
    }
    return 0;
}
