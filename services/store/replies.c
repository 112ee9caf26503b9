/* Replies as the wire wants them, from an outcome. A peer that asked is answered in every case: a v0 monitor
 * waits for ever otherwise. */
#include "replies.h"

#include "wire/endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Replies {
    Service *service;
    StoreRole role;
    Link *link;
    char *buffer; /* REPLY_MAX_BYTES */
    Metric *refused, *unanswerable;
};

typedef struct Outcome {
    ReplyStatus status;
    int cause; /* ReplyCause of an ERROR, else -1 */
    const char *message;
    JsonText data; /* text NULL: null */
} Outcome;

/* Instead of a reply that cannot be written, for example because it is too large: silence would lock a peer
 * that waits. */
static int encode_failure(Replies *replies, const Reply *reply) {
    Message message = {.tag = MESSAGE_REPLY};
    Reply *failure = &message.REPLY;
    metric_add(replies->unanswerable, 1);
    *failure = (Reply){.status = REPLY_ERROR, .cause = CAUSE_UNAVAILABLE, .timestamp = reply->timestamp};
    message_mark(failure, Reply, status);
    message_mark(failure, Reply, cause);
    message_mark(failure, Reply, timestamp);
    memcpy(failure->query_id, reply->query_id, sizeof failure->query_id);
    failure->present |= reply->present & (UINT32_C(1) << Reply_has_query_id);
    (void)snprintf(failure->message, sizeof failure->message,
                   "%s store: the answer cannot be written: ask for less", store_role_words[replies->role]);
    message_mark(failure, Reply, message);
    return message_encode(&message, replies->buffer, REPLY_MAX_BYTES, NULL);
}

static void send_reply(Replies *replies, const LinkRoute *route, const Query *query, const Outcome *outcome) {
    Message message = {.tag = MESSAGE_REPLY};
    Reply *reply = &message.REPLY;
    Problem problem = {0};
    message_set(reply, Reply, status, (int)outcome->status);
    if (query) {
        memcpy(reply->command, query->command, sizeof reply->command);
        message_mark(reply, Reply, command);
    }
    if (query && message_has(query, Query, query_id)) {
        memcpy(reply->query_id, query->query_id, sizeof reply->query_id);
        message_mark(reply, Reply, query_id);
    }
    message_set_text(reply, Reply, message, outcome->message);
    if (outcome->data.text) {
        message_set(reply, Reply, data, outcome->data);
    }
    if (outcome->cause >= 0) {
        message_set(reply, Reply, cause, outcome->cause);
    }
    message_set(reply, Reply, timestamp, service_wall(replies->service));
    message_set(reply, Reply, answered_by, (int)replies->role);

    int size = message_encode(&message, replies->buffer, REPLY_MAX_BYTES, &problem);
    if (size < 0)
        size = encode_failure(replies, reply);
    /* A peer that has left needs no answer. */
    if (size >= 0)
        (void)link_send_to(replies->link, route, replies->buffer, (size_t)size);
}

void reply_error(Replies *replies, const LinkRoute *route, const Query *query, ReplyCause cause,
                 const char *why) {
    char message[512];
    (void)snprintf(message, sizeof message, "%s store: %.480s", store_role_words[replies->role], why);
    Outcome outcome = {.status = REPLY_ERROR, .cause = (int)cause, .message = message};
    metric_add(replies->refused, 1);
    send_reply(replies, route, query, &outcome);
}

void reply_problem(Replies *replies, const LinkRoute *route, const Query *query, int error,
                   const Problem *problem) {
    ReplyCause cause = error == -EINVAL || error == -ENOTSUP || error == -ENAMETOOLONG ? CAUSE_BAD_REQUEST
                       : error == -ENOENT                                              ? CAUSE_NOT_FOUND
                       : error == -EEXIST || error == -EBUSY                           ? CAUSE_REFUSED
                                                                                       : CAUSE_UNAVAILABLE;
    reply_error(replies, route, query, cause, problem->text);
}

void reply_ok(Replies *replies, const LinkRoute *route, const Query *query, const char *message,
              JsonText data) {
    char which[64];
    (void)snprintf(which, sizeof which, "answered by the %s store", store_role_words[replies->role]);
    Outcome outcome = {.status = REPLY_OK, .cause = -1, .message = message ? message : which, .data = data};
    send_reply(replies, route, query, &outcome);
}

int replies_new(Service *service, StoreRole role, Replies **ret) {
    Metrics *metrics = service_metrics(service);
    scoped(replies_freep) Replies *replies = calloc(1, sizeof *replies);
    if (!replies || !(replies->buffer = malloc(REPLY_MAX_BYTES)))
        return -ENOMEM;
    replies->service = service;
    replies->role = role;
    replies->refused =
        metrics_counter(metrics, "traffic_store_queries_refused_total", "Questions answered ERROR.", "");
    replies->unanswerable = metrics_counter(metrics, "traffic_store_replies_failed_total",
                                            "Replies that could not be written.", "");
    *ret = take(replies);
    return 0;
}

Replies *replies_free(Replies *replies) {
    if (!replies)
        return NULL;
    free(replies->buffer);
    free(replies);
    return NULL;
}

void replies_set_link(Replies *replies, Link *link) {
    replies->link = link;
}
