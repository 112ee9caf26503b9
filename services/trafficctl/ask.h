/* From a verb's words to a question, and from its answer to an exit status: what every verb does alike. */
#pragma once

#include "verbs.h"

/* An empty question of this command. */
void query_begin(Query *query, const char *command);

/* Sets a text member when there is a value; what is too long is cut. */
#define QUERY_TEXT(query, member, value)                                                                     \
    do {                                                                                                     \
        if (value)                                                                                           \
            message_set_text(query, Query, member, value);                                                   \
    } while (0)

/* Sets the range; either may be NULL. 0, or -EINVAL with the accepted forms of a time in the context's
 * problem. */
int query_range(Context *context, Query *query, const char *from, const char *to);

/* The i-th word after the verb, or NULL. */
const char *argument(const Context *context, size_t i);

/* Asks and says what a person should know beside the data; an answer that is an error is printed as it came
 * when JSON is wanted. With EXIT_OK and EXIT_DEGRADED there is data to show. To be cleared by the caller. */
ExitStatus ask(Context *context, const Query *query, Answer *ret);
bool has_data(ExitStatus status, const Answer *answer);

/* An order: its answer is a sentence, or the whole reply where JSON is wanted. */
void show_acted(const Context *context, const Answer *answer);
ExitStatus ask_to_act(Context *context, const Query *query);

/* One question, one summary. */
ExitStatus ask_summary(Context *context, const Query *query, const Column *lines, size_t n_lines);

/* Who orders it, why, and for how long: from the options. */
void query_sign(const Context *context, Query *query);

/* What an answer means for the exit status. */
ExitStatus exit_of_answer(const Answer *answer);

/* EXIT_FAILED when the output could not be made (`shown` < 0), else `status`. */
ExitStatus show(ExitStatus status, int shown);

ExitStatus usage(Context *context, const char *expected);
