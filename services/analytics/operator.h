/* What an operator may order: a green wave, one intersection's lights, who chooses its phases. Checks the order, carries
 * it out, records it. */
#pragma once

#include "answers.h"
#include "wire/messages.h"

/* Each fills the reply: status, cause, message; its data goes to *ret_data (put by the caller; NULL when
 * there is none). */
typedef void (*OrderFn)(const AnswerSources *sources, const Query *query, Reply *reply,
                        struct json_object **ret_data);

/* operator-waves.c */
void operator_green_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                         struct json_object **ret_data);
/* Whoever the wave is for is at this place now. */
void operator_move_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                        struct json_object **ret_data);
void operator_cancel_wave(const AnswerSources *sources, const Query *query, Reply *reply,
                          struct json_object **ret_data);

void operator_force(const AnswerSources *sources, const Query *query, Reply *reply,
                    struct json_object **ret_data);
/* Lights that the interlock has latched start again. */
void operator_release(const AnswerSources *sources, const Query *query, Reply *reply,
                      struct json_object **ret_data);
void operator_policy(const AnswerSources *sources, const Query *query, Reply *reply,
                     struct json_object **ret_data);
