#include "relay-answers.h"

#include "store/frame-ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is owed, as a frame of the ring: the position, and the id as the client wrote it, NUL included. */
typedef struct Owed {
    uint64_t position;
    RelayId id;
} Owed;

#define OWED_SIZE(id_size) (offsetof(Owed, id) + (id_size) + 1)

struct RelayAnswers {
    FrameRing *ring; /* by a number of its own: positions of several clients are mixed */
    uint64_t last;
};

int relay_answers_new(RelayAnswers **ret) {
    scoped(relay_answers_freep) RelayAnswers *answers = calloc(1, sizeof *answers);
    if (!answers)
        return -ENOMEM;
    int r = frame_ring_new(&answers->ring);
    if (r < 0)
        return r;
    *ret = take(answers);
    return 0;
}

RelayAnswers *relay_answers_free(RelayAnswers *answers) {
    if (answers) {
        frame_ring_free(answers->ring);
        free(answers);
    }
    return NULL;
}

int relay_answers_owe(RelayAnswers *answers, uint64_t position, const RelayId *id) {
    const Owed owed = {.position = position, .id = *id};
    int r = frame_ring_push(answers->ring, answers->last + 1, &owed, OWED_SIZE(strlen(id->json)));
    if (r < 0)
        return r;
    answers->last++;
    return 0;
}

bool relay_answers_next(RelayAnswers *answers, uint64_t committed, RelayAnswer *ret) {
    Owed owed;
    size_t size;
    if (frame_ring_is_empty(answers->ring))
        return false;
    uint64_t first = frame_ring_first(answers->ring);
    memcpy(&owed, frame_ring_at(answers->ring, first, &size), offsetof(Owed, id));
    if (owed.position > committed)
        return false;
    memcpy(&owed, frame_ring_at(answers->ring, first, &size), size);
    relay_answer_ack(ret, &owed.id);
    frame_ring_drop(answers->ring, first);
    return true;
}
