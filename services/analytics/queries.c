/* Requests and replies. Whatever happens to a request, exactly one reply leaves: a client of the first
 * implementation that gets none is locked for good. */
#include "queries.h"

#include "operator.h"
#include "questions.h"
#include "reply.h"
#include "shell/journal.h"
#include "shell/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Queries {
    AnswerSources sources;
    Link *link;
    Questions *questions;
    Decoder *decoder;
    char *frame; /* REPLY_MAX_BYTES + 1 */
    Metric *answered[REPLY_STATUS_COUNT];
};

static const char *const store_names[STORE_ROLE_COUNT] = {
    [STORE_ROLE_PRIMARY] = "the primary store on PC3", [STORE_ROLE_REPLICA] = "the replica store on PC2"};

/* --- answering --- */

/* Sends one reply with `data` (its text, or NULL). An asker that has gone is no error: it went. */
static void answer(Queries *queries, const Question *question, Message *message, const JsonText *data) {
    Reply *reply = &message->REPLY;
    Problem problem = {{0}};
    message_set_text(reply, Reply, command, question->query.command);
    message_set(reply, Reply, timestamp, service_wall(queries->sources.service));
    if (message_has(&question->query, Query, query_id)) {
        memcpy(reply->query_id, question->query.query_id, sizeof reply->query_id);
        message_mark(reply, Reply, query_id);
    }
    if (data) {
        message_set(reply, Reply, data, *data);
    }
    int size = message_encode(message, queries->frame, REPLY_MAX_BYTES + 1, &problem);
    if (size < 0 && data) { /* too large to be sent: say so instead of saying nothing */
        reply->present &= ~(UINT32_C(1) << Reply_has_data);
        reply_error(reply, CAUSE_REFUSED, "The answer does not fit a reply (%s): ask for less.",
                    size == -ENOBUFS ? "more than 1 MiB" : problem.text);
        size = message_encode(message, queries->frame, REPLY_MAX_BYTES + 1, &problem);
    }
    if (size < 0) {
        journal_note(LOG_ERR, "A reply could not be written: %s", problem.text);
        return;
    }
    metric_add(queries->answered[reply->status], 1);
    (void)link_send_to(queries->link, &question->asker, queries->frame, (size_t)size);
}

static void answer_object(Queries *queries, const Question *question, Message *message,
                          struct json_object *data) {
    if (!data) {
        answer(queries, question, message, NULL);
        return;
    }
    JsonText json;
    json.text = json_object_to_json_string_length(data, JSON_C_TO_STRING_PLAIN, &json.size);
    answer(queries, question, message, &json);
}

/* --- what stores answer --- */

/* The reply's head from what a store said, or from its silence. */
static void head_from_store(Reply *head, const Reply *from_store, StoreRole store) {
    if (!from_store) {
        reply_error(
            head, CAUSE_UNAVAILABLE,
            "Neither store answers: look at traffic-store@primary on PC3 and traffic-store@replica on PC2.");
        return;
    }
    const char *said = message_has(from_store, Reply, message) ? from_store->message : "";
    if (from_store->status == REPLY_ERROR) {
        reply_error(head,
                    message_has(from_store, Reply, cause) ? (ReplyCause)from_store->cause : CAUSE_REFUSED,
                    "%s", said);
        if (!message_has(from_store, Reply, cause))
            head->present &= ~(UINT32_C(1) << Reply_has_cause);
    } else {
        reply_ok(head, "Answered by %s.", store_names[store]);
    }
    message_set(head, Reply, answered_by, (int)store);
}

typedef enum CommandKind { FROM_STORE, STATUS, INTERSECTION, ORDER, PONG } CommandKind;

static const struct Command {
    const char *name;
    CommandKind kind;
    OrderFn order;
} commands[] = {
    {"QUERY_INTERSECTION", INTERSECTION, NULL},
    {"QUERY_HISTORY", FROM_STORE, NULL},
    {"FORCE_GREEN_WAVE", ORDER, operator_green_wave},
    {"MOVE_GREEN_WAVE", ORDER, operator_move_wave},
    {"CANCEL_GREEN_WAVE", ORDER, operator_cancel_wave},
    {"FORCE_SEMAPHORE", ORDER, operator_force},
    {"RELEASE_SIGNAL", ORDER, operator_release},
    {"SET_POLICY", ORDER, operator_policy},
    {"SYSTEM_STATUS", STATUS, NULL},
    {"HEALTH_CHECK", PONG, NULL},
    {"QUERY_EVENTS", FROM_STORE, NULL},
    {"COUNT_EVENTS", FROM_STORE, NULL},
};

static const struct Command *find_command(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static const char *why_not(const StoreReport *primary) {
    if (primary->state == STORE_DEAD)
        return "PC3 is down.";
    return primary->needs_refill ? "The primary store on PC3 lacks records and is being filled."
                                 : "The primary store on PC3 does not answer.";
}

/* FAILOVER is said here and nowhere else: older clients know the word only as an answer to SYSTEM_STATUS. */
static void answer_system_status(Queries *queries, const Question *question, Message *message,
                                 const JsonText *data, StoreRole store) {
    scoped(json_object_putp) struct json_object *body = answer_status(&queries->sources, data, store);
    StoreReport primary = watch_stores_report(queries->sources.watch, STORE_ROLE_PRIMARY);
    bool is_usual = primary.is_v0 && primary.state != STORE_DEAD; /* it knows no queries */
    if (message->REPLY.status == REPLY_OK && store == STORE_ROLE_REPLICA && !is_usual) {
        reply_ok(&message->REPLY, "%s Using replica DB on PC2.", why_not(&primary));
        message->REPLY.status = REPLY_FAILOVER;
    }
    answer_object(queries, question, message, body);
}

static void on_answer(const Question *question, const Reply *from_store, StoreRole store, void *userdata) {
    Queries *queries = userdata;
    Message message = {.tag = MESSAGE_REPLY};
    const struct Command *command = find_command(question->query.command);
    const JsonText *data = from_store && message_has(from_store, Reply, data) ? &from_store->data : NULL;
    head_from_store(&message.REPLY, from_store, store);

    if (command->kind == STATUS) {
        answer_system_status(queries, question, &message, data, store);
    } else if (command->kind == INTERSECTION) {
        size_t i =
            city_find_intersection(service_city(queries->sources.service), question->query.intersection);
        scoped(json_object_putp) struct json_object *body = answer_intersection(&queries->sources, i, data);
        answer_object(queries, question, &message, body);
    } else {
        answer(queries, question, &message, data);
    }
}

static void ask_store(Queries *queries, const Question *question) {
    Message message = {.tag = MESSAGE_REPLY};
    int r = questions_ask(queries->questions, question);
    if (r == -EBUSY) {
        reply_error(&message.REPLY, CAUSE_UNAVAILABLE,
                    "%d questions are under way already: ask again in a moment.", QUESTIONS_MAX);
        answer(queries, question, &message, NULL);
    } else if (r < 0) {
        on_answer(question, NULL, STORE_ROLE_PRIMARY, queries);
    }
}

/* --- what is asked --- */

static bool is_place_known(Queries *queries, const Question *question, const struct Command *command) {
    const Query *query = &question->query;
    bool is_needed = command->kind == INTERSECTION;
    bool is_given = message_has(query, Query, intersection);
    Message message = {.tag = MESSAGE_REPLY};
    if (is_needed && !is_given)
        reply_error(&message.REPLY, CAUSE_BAD_REQUEST, "%s needs an \"interseccion\".", command->name);
    else if (is_given && city_find_intersection(service_city(queries->sources.service),
                                                query->intersection) == CITY_NO_INDEX)
        reply_error(&message.REPLY, CAUSE_NOT_FOUND, "Unknown intersection \"%s\".", query->intersection);
    else
        return true;
    answer(queries, question, &message, NULL);
    return false;
}

static void refuse_command(Queries *queries, const Question *question) {
    Message message = {.tag = MESSAGE_REPLY};
    const char *names[ARRAY_LEN(commands)];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        names[i] = commands[i].name;
    const char *closest = closest_word(question->query.command, names, ARRAY_LEN(names));
    reply_error(&message.REPLY, CAUSE_BAD_REQUEST, "Unknown command \"%s\"%s%s%s", question->query.command,
                closest ? ": did you mean \"" : ".", closest ? closest : "", closest ? "\"?" : "");
    answer(queries, question, &message, NULL);
}

/* A question outlives its frame, and no store is asked with lists. */
static Question question_for_store(const Question *question) {
    Question copy = *question;
    copy.query.present &= ~(UINT32_C(1) << Query_has_records | UINT32_C(1) << Query_has_route);
    return copy;
}

static void take_query(Queries *queries, const Question *question) {
    Message message = {.tag = MESSAGE_REPLY};
    const struct Command *command = find_command(question->query.command);
    if (!command) {
        refuse_command(queries, question);
        return;
    }
    switch (command->kind) {
    case PONG:
        reply_ok(&message.REPLY, "PONG");
        answer(queries, question, &message, NULL);
        return;
    case ORDER: {
        scoped(json_object_putp) struct json_object *data = NULL;
        command->order(&queries->sources, &question->query, &message.REPLY, &data);
        answer_object(queries, question, &message, data);
        return;
    }
    case FROM_STORE:
    case STATUS:
    case INTERSECTION:
        if (command->kind == STATUS || is_place_known(queries, question, command)) {
            Question lasting = question_for_store(question);
            ask_store(queries, &lasting);
        }
        return;
    }
}

/* A REQ client that gets no reply is locked for good, so a refusal is a reply too. */
static void answer_refusal(Queries *queries, const LinkFrame *frame, const Problem *problem) {
    Question question = {.asker = *frame->route};
    Message message = {.tag = MESSAGE_REPLY};
    reply_error(&message.REPLY, CAUSE_BAD_REQUEST, "Refused: %s", problem->text);
    answer(queries, &question, &message, NULL);
}

static int on_refused(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem,
                      void *userdata) {
    (void)link, (void)refusal;
    if (frame->route)
        answer_refusal(userdata, frame, problem);
    return 0;
}

static int on_query_frame(Link *link, const LinkFrame *frame, void *userdata) {
    Queries *queries = userdata;
    Message message;
    Refusal refusal;
    Problem problem = {{0}};
    int r = message_decode(queries->decoder, MESSAGE_FAMILY_QUERY, frame->data, frame->size, &message,
                           &refusal, &problem);
    if (r < 0 && r != -EBADMSG)
        return r;
    if (r < 0) {
        link_refuse(link, frame, refusal, &problem);
        answer_refusal(queries, frame, &problem);
        return 0;
    }
    Question question = {.asker = *frame->route, .query = message.QUERY};
    take_query(queries, &question);
    return 0;
}

/* --- the module --- */

int queries_new(const AnswerSources *sources, Queries **ret, Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_query_frame, .on_refused = on_refused};
    scoped(queries_freep) Queries *queries = calloc(1, sizeof *queries);
    if (!queries)
        return -ENOMEM;
    queries->sources = *sources;
    queries->frame = malloc(REPLY_MAX_BYTES + 1);
    if (!queries->frame)
        return -ENOMEM;
    for (int i = 0; i < REPLY_STATUS_COUNT; i++) {
        char labels[32];
        (void)snprintf(labels, sizeof labels, "status=\"%s\"", reply_status_words[i]);
        queries->answered[i] = metrics_counter(service_metrics(sources->service), "traffic_queries_total",
                                               "Replies to operators, by status.", labels);
    }
    int r = decoder_new(&queries->decoder);
    if (r >= 0)
        r = questions_new(sources->service, sources->watch, on_answer, queries, &queries->questions, problem);
    if (r >= 0)
        r = link_bind(sources->service, ENDPOINT_QUERIES, &handlers, queries, &queries->link, problem);
    if (r < 0)
        return r;
    *ret = take(queries);
    return 0;
}

Queries *queries_free(Queries *queries) {
    if (!queries)
        return NULL;
    link_free(queries->link);
    questions_free(queries->questions);
    decoder_free(queries->decoder);
    free(queries->frame);
    free(queries);
    return NULL;
}

void queries_store_died(Queries *queries, StoreRole role) {
    questions_store_died(queries->questions, role);
}
