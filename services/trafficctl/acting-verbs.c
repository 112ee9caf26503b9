/* wave and signal: what an operator asks the lights for. The interlock decides. */
#include "ask.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void query_sign(const Context *context, Query *query) {
    const Request *request = context->request;
    QUERY_TEXT(query, reason, request->reason);
    const struct passwd *user = getpwuid(getuid());
    QUERY_TEXT(query, requested_by, user ? user->pw_name : NULL);
    if (request->given & OPTION_DURATION) {
        message_set(query, Query, duration_sec, request->duration_sec);
    }
}

static ExitStatus act(Context *context, const Query *query) {
    Answer answer = {0};
    ExitStatus status = ask(context, query, &answer);
    if (has_data(status, &answer) && context->request->format == OUTPUT_JSON)
        output_json(stdout, answer.whole);
    else if (has_data(status, &answer))
        printf("%s\n", answer.message);
    answer_clear(&answer);
    return status;
}

ExitStatus verb_wave(Context *context) {
    static const char expected[] = "expected: wave row NAME, wave column NUMBER, or both";
    Query query;
    query_begin(&query, "FORCE_GREEN_WAVE");
    for (size_t i = 0; i < context->request->n_arguments; i += 2) {
        const char *axis = argument(context, i), *value = argument(context, i + 1);
        if (!value)
            return usage(context, expected);
        if (strcmp(axis, "row") == 0 && !message_has(&query, Query, row)) {
            QUERY_TEXT(&query, row, value);
        } else if (strcmp(axis, "column") == 0 && !message_has(&query, Query, column)) {
            char *end;
            errno = 0;
            query.column = strtol(value, &end, 10);
            if (errno || end == value || *end != '\0' || query.column < 0)
                return usage(context, expected);
            message_mark(&query, Query, column);
        } else {
            return usage(context, expected);
        }
    }
    query_sign(context, &query);
    return act(context, &query);
}

ExitStatus verb_signal(Context *context) {
    Query query;
    int direction = word_index(direction_words, argument(context, 1));
    if (direction < 0)
        return usage(context, "expected: signal INTERSECTION NS|EW");
    query_begin(&query, "FORCE_SEMAPHORE");
    QUERY_TEXT(&query, intersection, argument(context, 0));
    QUERY_TEXT(&query, new_state, colour_words[direction == DIRECTION_NS ? COLOUR_GREEN : COLOUR_RED]);
    query.direction = direction;
    message_mark(&query, Query, direction);
    query_sign(context, &query);
    return act(context, &query);
}
