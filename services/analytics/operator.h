/* What an operator may order: a green wave along a street, one intersection's lights. Checks the order,
 * carries it out, records it. */
#pragma once

#include "answers.h"
#include "wire/messages.h"

/* Each fills the reply: status, cause, message; its data goes to *ret_data (put by the caller; NULL when
 * there is none). */
typedef void (*OrderFn)(const AnswerSources *sources, const Query *query, Reply *reply,
                        struct json_object **ret_data);

void operator_green_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                         struct json_object **ret_data);
void operator_force(const AnswerSources *sources, const Query *query, Reply *reply,
                    struct json_object **ret_data);
