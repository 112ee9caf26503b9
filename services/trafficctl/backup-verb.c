/* backup FILE: only the store process opens its database, so it makes the copy (SQLite's backup API, while it
 * goes on working) in its own directory; trafficctl then moves the copy to FILE. That needs the store's
 * machine and the right to read there: else the operator is told where the copy lies. */
#include "ask.h"
#include "copy-file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const EndpointId store_endpoints[STORE_ROLE_COUNT] = {
    [STORE_ROLE_PRIMARY] = ENDPOINT_QUERY_PRIMARY,
    [STORE_ROLE_REPLICA] = ENDPOINT_QUERY_REPLICA,
};

static ExitStatus fetch(Context *context, const char *path, const char *to) {
    int r = copy_file(path, to);
    if (r < 0) {
        problem_set(&context->problem, r,
                    "the copy is %s on the store's machine, but could not be moved to %s: %s; run this "
                    "there, as root",
                    path, to, strerror(-r));
        return EXIT_FAILED;
    }
    if (unlink(path) < 0)
        fprintf(stderr, "trafficctl: %s could not be removed: %s\n", path, strerror(errno));
    printf("%s\n", to);
    return EXIT_OK;
}

ExitStatus verb_backup(Context *context) {
    const Request *request = context->request;
    int role = request->store ? word_index(store_role_words, request->store) : STORE_ROLE_PRIMARY;
    if (role < 0) {
        problem_set(&context->problem, 0, "--store: expected primary or replica, got \"%.40s\"",
                    request->store);
        return EXIT_USAGE_ERROR;
    }
    if (access(request->arguments[0], F_OK) == 0) {
        problem_set(&context->problem, 0, "%s exists; a backup overwrites nothing", request->arguments[0]);
        return EXIT_USAGE_ERROR;
    }

    Query query;
    Answer answer = {0};
    query_begin(&query, "BACKUP");
    (void)snprintf(query.file_name, sizeof query.file_name, "trafficctl-%lld-%d.db", (long long)time(NULL),
                   (int)getpid());
    message_mark(&query, Query, file_name);
    int r = client_ask_at(context->client, store_endpoints[role], &query, request->timeout_sec, &answer,
                          &context->problem);
    if (r < 0)
        return r == -ETIMEDOUT ? EXIT_UNREACHABLE : EXIT_FAILED;

    struct json_object *path = NULL;
    ExitStatus status = EXIT_FAILED;
    if (answer.status == REPLY_ERROR) {
        problem_set(&context->problem, 0, "%s", answer.message);
        status = exit_of_answer(&answer);
    } else if (answer.data && json_object_object_get_ex(answer.data, "path", &path)) {
        status = fetch(context, json_object_get_string(path), request->arguments[0]);
    }
    answer_clear(&answer);
    return status;
}
