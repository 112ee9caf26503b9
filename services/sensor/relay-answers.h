/* The answers that one client of a relay is owed: each reading that was taken is acknowledged when its
 * position is committed, in the order in which they came. Knows no socket; its memory grows to the most that
 * were owed at once and is used again. */
#pragma once

#include "base/macro.h"
#include "relay-packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RelayAnswers RelayAnswers;

int relay_answers_new(RelayAnswers **ret);
RelayAnswers *relay_answers_free(RelayAnswers *answers);
DEFINE_FREEP(RelayAnswers, relay_answers_free)

/* The reading with this id has this position, which is above those before it. 0 or -ENOMEM. */
int relay_answers_owe(RelayAnswers *answers, uint64_t position, const RelayId *id);

/* Takes the first answer when everything up to `committed` is committed and it is among that. */
bool relay_answers_next(RelayAnswers *answers, uint64_t committed, RelayAnswer *ret);
