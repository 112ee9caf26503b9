/* What every order of an operator leaves behind: a reason in the words of who gave it, a record for both stores, an
 * entry in the journal. */
#pragma once

#include "answers.h"
#include "wire/messages.h"

#include <stddef.h>

/* "green wave row_B: ambulance", cut to what a reason may be, between two characters. */
typedef struct OrderReason {
    char text[512];
} OrderReason;
OrderReason order_reason(const char *what, const char *target, const Query *query);

/* `affected`: an array of ids. */
void order_record(const AnswerSources *sources, const Query *query, const char *action, const char *target,
                  struct json_object *affected);

/* The reply when the signal service takes no requests. */
void order_refuse_signal_away(Reply *reply, size_t n_done, size_t n_all);
