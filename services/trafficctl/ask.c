#include "ask.h"

#include "when.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- from answer to exit status --- */

ExitStatus exit_of_answer(const Answer *answer) {
    static const ExitStatus by_cause[REPLY_CAUSE_COUNT] = {
        [CAUSE_NOT_FOUND] = EXIT_NOT_FOUND,
        [CAUSE_BAD_REQUEST] = EXIT_USAGE_ERROR,
        [CAUSE_REFUSED] = EXIT_REFUSED,
        [CAUSE_UNAVAILABLE] = EXIT_UNREACHABLE,
    };
    if (answer->status == REPLY_ERROR)
        return answer->has_cause ? by_cause[answer->cause] : EXIT_FAILED;
    return answer->is_degraded ? EXIT_DEGRADED : EXIT_OK;
}

ExitStatus ask(Context *context, const Query *query, Answer *ret) {
    int r = client_ask(context->client, query, ret, &context->problem);
    if (r == -ETIMEDOUT)
        return EXIT_UNREACHABLE;
    if (r < 0)
        return EXIT_FAILED;
    ExitStatus status = exit_of_answer(ret);
    if (ret->status == REPLY_ERROR && context->request->format == OUTPUT_JSON)
        output_json(stdout, ret->whole);
    if (ret->status == REPLY_ERROR)
        problem_set(&context->problem, 0, "%s", ret->message);
    else if (ret->is_degraded)
        fprintf(stderr, "trafficctl: degraded: %s\n", ret->message);
    return status;
}

bool has_data(ExitStatus status, const Answer *answer) {
    return (status == EXIT_OK || status == EXIT_DEGRADED) && answer->data;
}

ExitStatus show(ExitStatus status, int shown) {
    return shown < 0 ? EXIT_FAILED : status;
}

void show_acted(const Context *context, const Answer *answer) {
    if (context->request->format == OUTPUT_JSON)
        output_json(stdout, answer->whole);
    else
        printf("%s\n", answer->message);
}

ExitStatus ask_to_act(Context *context, const Query *query) {
    Answer answer = {0};
    ExitStatus status = ask(context, query, &answer);
    if (has_data(status, &answer))
        show_acted(context, &answer);
    answer_clear(&answer);
    return status;
}

ExitStatus ask_summary(Context *context, const Query *query, const Column *lines, size_t n_lines) {
    Answer answer = {0};
    ExitStatus status = ask(context, query, &answer);
    if (has_data(status, &answer) && context->request->format == OUTPUT_JSON)
        output_json(stdout, answer.whole);
    else if (has_data(status, &answer))
        status = show(status, output_summary(stdout, context->request->format, answer.data, lines, n_lines));
    answer_clear(&answer);
    return status;
}

/* --- building questions --- */

void query_sign(const Context *context, Query *query) {
    const Request *request = context->request;
    QUERY_TEXT(query, reason, request->reason);
    const struct passwd *user = getpwuid(getuid());
    QUERY_TEXT(query, requested_by, user ? user->pw_name : NULL);
    if (request->given & OPTION_DURATION) {
        message_set(query, Query, duration_sec, request->duration_sec);
    }
}

void query_begin(Query *query, const char *command) {
    memset(query, 0, sizeof *query);
    message_set_text(query, Query, command, command);
}

static int query_instant(Context *context, const char *text, Wall *ret, bool *ret_given) {
    if (!text)
        return 0;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    Wall wall = {(uint64_t)now.tv_sec * USEC_PER_SEC};
    *ret_given = true;
    return when_parse(text, wall, ret, &context->problem);
}

int query_range(Context *context, Query *query, const char *from, const char *to) {
    bool has_from = false, has_to = false;
    int r = query_instant(context, from, &query->from, &has_from);
    if (r >= 0)
        r = query_instant(context, to, &query->to, &has_to);
    if (has_from)
        message_mark(query, Query, from);
    if (has_to)
        message_mark(query, Query, to);
    return r;
}

const char *argument(const Context *context, size_t i) {
    return i < context->request->n_arguments ? context->request->arguments[i] : NULL;
}

ExitStatus usage(Context *context, const char *expected) {
    problem_set(&context->problem, 0, "%s", expected);
    return EXIT_USAGE_ERROR;
}
