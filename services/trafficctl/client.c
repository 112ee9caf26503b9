/* A client is a small service of its own: the same event loop and links as the daemons, run until the answer
 * is there or its time is up. Every question carries a number of its own, so that the answer to one that
 * timed out is never taken for the answer to the next. */
#include "client.h"

#include "shell/journal.h"
#include "shell/link.h"
#include "shell/runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the time an operator is ready to wait, how much analytics gets before the stores are asked. */
#define ANALYTICS_SHARE 0.5

struct Client {
    Service *service;
    Link *links[ENDPOINT_COUNT]; /* opened at the first question */
    Timer *deadline;
    Decoder *decoder;
    double timeout_sec;
    uint64_t n_asked;
    char query_id[24];
    /* the question under way */
    const char *unsent;
    size_t unsent_size;
    Answer *answer;
    bool is_answered, is_late;
};

static struct json_object *parse_whole(const char *text, size_t size) {
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *whole = tokener ? json_tokener_parse_ex(tokener, text, (int)size) : NULL;
    if (tokener)
        json_tokener_free(tokener);
    return whole;
}

static int take_reply(Client *client, const LinkFrame *frame, const Reply *reply) {
    Answer answer = {.status = (ReplyStatus)reply->status, .has_cause = message_has(reply, Reply, cause)};
    answer.cause = answer.has_cause ? (ReplyCause)reply->cause : CAUSE_REFUSED;
    answer.is_degraded = answer.status == REPLY_FAILOVER ||
                         (message_has(reply, Reply, answered_by) && reply->answered_by == STORE_ROLE_REPLICA);
    (void)snprintf(answer.message, sizeof answer.message, "%s",
                   message_has(reply, Reply, message) ? reply->message : "");
    answer.whole = parse_whole(frame->data, frame->size);
    if (!answer.whole)
        return -ENOMEM;
    (void)json_object_object_get_ex(answer.whole, "data", &answer.data);
    *client->answer = answer;
    client->is_answered = true;
    return 0;
}

static int on_frame(Link *link, const LinkFrame *frame, void *userdata) {
    Client *client = userdata;
    Message message;
    int r = link_decode(link, frame, client->decoder, MESSAGE_FAMILY_REPLY, &message);
    if (r <= 0)
        return r;
    const Reply *reply = &message.REPLY;
    if (!client->answer || client->is_answered || !message_has(reply, Reply, query_id) ||
        strcmp(reply->query_id, client->query_id) != 0)
        return 0;
    return take_reply(client, frame, reply);
}

/* The connection came up after the question was put: send it now. */
static int on_writable(Link *link, void *userdata) {
    Client *client = userdata;
    if (client->unsent && link_send(link, client->unsent, client->unsent_size) == 0)
        client->unsent = NULL;
    return 0;
}

static int on_deadline(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    (void)now;
    ((Client *)userdata)->is_late = true;
    return 0;
}

int client_new(const Settings *settings, const char *host, double timeout_sec, Client **ret,
               Problem *problem) {
    scoped(client_freep) Client *client = calloc(1, sizeof *client);
    Settings own = *settings;
    if (!client)
        return -ENOMEM;
    client->timeout_sec = timeout_sec;
    if (host) {
        if (strlen(host) >= sizeof own.pc1)
            return problem_set(problem, -EINVAL, "--host: at most %zu characters", sizeof own.pc1 - 1);
        strcpy(own.pc1, host);
        strcpy(own.pc2, host);
        strcpy(own.pc3, host);
    }
    journal_quieten(LOG_WARNING);
    ServiceOptions options = {.name = "trafficctl", .settings = &own};
    int r = service_new(&options, &client->service, problem);
    if (r >= 0)
        r = decoder_new(&client->decoder);
    if (r >= 0)
        r = timer_new(client->service, on_deadline, client, &client->deadline);
    if (r < 0)
        return r;
    *ret = take(client);
    return 0;
}

Client *client_free(Client *client) {
    if (!client)
        return NULL;
    for (size_t i = 0; i < ENDPOINT_COUNT; i++)
        link_free(client->links[i]);
    timer_free(client->deadline);
    decoder_free(client->decoder);
    service_free(client->service);
    free(client);
    return NULL;
}

static int link_for(Client *client, EndpointId endpoint, Link **ret, Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_frame, .on_writable = on_writable};
    if (!client->links[endpoint]) {
        int r = link_connect(client->service, endpoint, &handlers, client, &client->links[endpoint], problem);
        if (r < 0)
            return r;
    }
    *ret = client->links[endpoint];
    return 0;
}

/* Runs the loop until the answer to the frame sent over `link` is there. */
static int exchange(Client *client, Link *link, const char *frame, size_t size, double timeout_sec) {
    /* An operator thinks between two questions: one turn of the loop brings its clock and its connections up
     * to date. */
    int r = sd_event_run(service_event(client->service), 0);
    if (r < 0)
        return r;
    r = link_send(link, frame, size);
    if (r < 0 && r != -EAGAIN)
        return r;
    client->unsent = r == -EAGAIN ? frame : NULL;
    client->unsent_size = size;
    client->is_late = false;
    timer_set(client->deadline, mono_after(service_now(client->service), usec_from_sec(timeout_sec)));
    while (!client->is_answered && !client->is_late) {
        r = sd_event_run(service_event(client->service), UINT64_MAX);
        if (r < 0)
            return r;
    }
    timer_clear(client->deadline);
    client->unsent = NULL;
    return client->is_answered ? 0 : -ETIMEDOUT;
}

static int ask_within(Client *client, EndpointId endpoint, const Query *query, double timeout_sec,
                      Answer *ret, Problem *problem) {
    static char frame[FRAME_MAX_BYTES];
    Message message = {.tag = MESSAGE_QUERY, .QUERY = *query};
    Link *link;

    (void)snprintf(client->query_id, sizeof client->query_id, "%" PRIu64, ++client->n_asked);
    memcpy(message.QUERY.query_id, client->query_id, sizeof client->query_id);
    message_mark(&message.QUERY, Query, query_id);
    int size = message_encode(&message, frame, sizeof frame, problem);
    if (size < 0)
        return size;
    int r = link_for(client, endpoint, &link, problem);
    if (r < 0)
        return r;
    client->answer = ret;
    client->is_answered = false;
    r = exchange(client, link, frame, (size_t)size, timeout_sec);
    client->answer = NULL;
    if (r == -ETIMEDOUT)
        return problem_set(problem, r, "no answer from %s (port %u) within %.3g s",
                           endpoints[endpoint].binder, endpoints[endpoint].port, timeout_sec);
    ret->asked = endpoint;
    return r;
}

int client_ask_at(Client *client, EndpointId endpoint, const Query *query, double timeout_sec, Answer *ret,
                  Problem *problem) {
    return ask_within(client, endpoint, query, timeout_sec, ret, problem);
}

/* A store that cannot answer now (its file is closed) is not the last word: the other one may. */
static bool is_final(const Answer *answer, bool is_last) {
    bool is_store = answer->asked != ENDPOINT_QUERIES;
    return is_last || !is_store || answer->status != REPLY_ERROR || !answer->has_cause ||
           answer->cause != CAUSE_UNAVAILABLE;
}

int client_ask(Client *client, const Query *query, Answer *ret, Problem *problem) {
    static const struct {
        EndpointId endpoint;
        double share;
    } order[] = {
        {ENDPOINT_QUERIES, ANALYTICS_SHARE},
        {ENDPOINT_QUERY_PRIMARY, (1 - ANALYTICS_SHARE) / 2},
        {ENDPOINT_QUERY_REPLICA, (1 - ANALYTICS_SHARE) / 2},
    };
    bool is_answered = false;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        Answer answer = {0};
        int r = ask_within(client, order[i].endpoint, query, client->timeout_sec * order[i].share, &answer,
                           problem);
        if (r < 0 && r != -ETIMEDOUT) {
            answer_clear(ret);
            return r;
        }
        if (r < 0)
            continue;
        answer.is_degraded |= order[i].endpoint != ENDPOINT_QUERIES;
        answer_clear(ret);
        *ret = answer;
        is_answered = true;
        if (is_final(&answer, i + 1 == ARRAY_LEN(order)))
            break;
    }
    if (is_answered) {
        problem->text[0] = '\0'; /* who was silent before is told by the answer being a degraded one */
        return 0;
    }
    return problem_set(
        problem, -ETIMEDOUT,
        "nobody answered within %.3g s: analytics (port %u) and both stores (%u, %u) are silent; look at "
        "\"trafficctl config check\" and at the services' state on pc2 and pc3",
        client->timeout_sec, endpoints[ENDPOINT_QUERIES].port, endpoints[ENDPOINT_QUERY_PRIMARY].port,
        endpoints[ENDPOINT_QUERY_REPLICA].port);
}

void answer_clear(Answer *answer) {
    json_object_put(answer->whole);
    *answer = (Answer){0};
}
