/* Questions under way, in a table of fixed size. A deadline of a try is not the deadline of the answer:
 * half of the time is kept for the other store. */
#include "questions.h"

#include "shell/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One place of the table. Its number on the wire is generation * QUESTIONS_MAX + index, so that an answer
 * finds its place without a search and a late answer finds nobody. */
typedef struct Pending {
    bool is_used;
    uint64_t generation;
    Question question;
    StoreRole asked;
    bool is_last_try;
    Mono try_until, answer_until;
} Pending;

typedef struct StoreLink {
    Questions *questions;
    StoreRole role;
    Link *link;
} StoreLink;

struct Questions {
    Service *service;
    const WatchStores *watch;
    AnswerFn on_answer;
    void *userdata;
    StoreLink stores[STORE_ROLE_COUNT];
    Decoder *decoder;
    Timer *timer;
    Mono armed_for;   /* may be early: then it fires for nothing */
    Pending *pending; /* QUESTIONS_MAX */
    size_t next_place;
    size_t n_pending;
    Metric *asked[STORE_ROLE_COUNT], *timeouts, *unanswered;
};

static StoreRole other_role(StoreRole role) {
    return role == STORE_ROLE_PRIMARY ? STORE_ROLE_REPLICA : STORE_ROLE_PRIMARY;
}

/* --- asking --- */

static int send_question(Questions *questions, size_t place, StoreRole role) {
    const Pending *pending = &questions->pending[place];
    char frame[4096];
    Problem problem = {{0}};
    Message message = {.tag = MESSAGE_QUERY};
    message.QUERY = pending->question.query;
    (void)snprintf(message.QUERY.query_id, sizeof message.QUERY.query_id, "%" PRIu64,
                   pending->generation * QUESTIONS_MAX + place);
    message_mark(&message.QUERY, Query, query_id);
    int size = message_encode(&message, frame, sizeof frame, &problem);
    if (size < 0) {
        journal_note(LOG_ERR, "A question to a store could not be written: %s", problem.text);
        return size;
    }
    int r = link_send(questions->stores[role].link, frame, (size_t)size);
    if (r >= 0)
        metric_add(questions->asked[role], 1);
    return r;
}

/* Half of the time that is left, unless the settings are content with less: the other store needs its
 * half. */
static Mono try_deadline(const Questions *questions, const Pending *pending, Mono now) {
    uint64_t wanted_usec = usec_from_sec(service_settings(questions->service)->query_timeout_sec);
    uint64_t left_usec = mono_between(now, pending->answer_until);
    uint64_t share_usec = pending->is_last_try ? left_usec : left_usec / 2;
    return mono_after(now, wanted_usec < share_usec ? wanted_usec : share_usec);
}

static int send_if_living(Questions *questions, size_t place, StoreRole role) {
    return watch_stores_can_answer(questions->watch, role) ? send_question(questions, place, role)
                                                           : -EHOSTUNREACH;
}

/* Asks `role`, or the other store when it cannot be reached. */
static int try_store(Questions *questions, size_t place, StoreRole role, Mono now) {
    Pending *pending = &questions->pending[place];
    int r = send_if_living(questions, place, role);
    if (r < 0 && !pending->is_last_try) {
        pending->is_last_try = true;
        role = other_role(role);
        r = send_if_living(questions, place, role);
    }
    if (r < 0)
        return r;
    pending->asked = role;
    pending->try_until = try_deadline(questions, pending, now);
    return 0;
}

static void arm(Questions *questions, Mono deadline) {
    if (questions->armed_for.usec <= deadline.usec)
        return;
    questions->armed_for = deadline;
    timer_set(questions->timer, deadline);
}

static void arm_for_all(Questions *questions) {
    questions->armed_for = mono_never();
    for (size_t i = 0; questions->n_pending > 0 && i < QUESTIONS_MAX; i++)
        if (questions->pending[i].is_used)
            arm(questions, questions->pending[i].try_until);
}

static Pending *take_place(Questions *questions) {
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        Pending *pending = &questions->pending[(questions->next_place + i) % QUESTIONS_MAX];
        if (pending->is_used)
            continue;
        questions->next_place = (size_t)(pending - questions->pending) + 1;
        questions->n_pending++;
        pending->is_used = true;
        pending->generation++;
        pending->is_last_try = false;
        return pending;
    }
    return NULL;
}

static void free_place(Questions *questions, Pending *pending) {
    pending->is_used = false;
    questions->n_pending--;
}

int questions_ask(Questions *questions, const Question *question) {
    StoreRole role;
    if (!watch_stores_answering(questions->watch, &role))
        return -EHOSTUNREACH;
    Pending *pending = take_place(questions);
    if (!pending)
        return -EBUSY;
    Mono now = service_now(questions->service);
    pending->question = *question;
    pending->answer_until = mono_after(now, ANSWER_WITHIN_USEC);
    if (try_store(questions, (size_t)(pending - questions->pending), role, now) < 0) {
        free_place(questions, pending);
        return -EHOSTUNREACH;
    }
    arm(questions, pending->try_until);
    return 0;
}

/* --- answers --- */

static void finish(Questions *questions, Pending *pending, const Reply *reply) {
    Question question = pending->question;
    StoreRole store = pending->asked;
    free_place(questions, pending);
    questions->on_answer(&question, reply, store, questions->userdata);
}

/* NULL for an answer to nothing that is under way: it came too late, or twice. */
static Pending *find_pending(Questions *questions, const Reply *reply) {
    if (!message_has(reply, Reply, query_id))
        return NULL;
    char *end;
    uint64_t number = strtoull(reply->query_id, &end, 10);
    Pending *pending = &questions->pending[number % QUESTIONS_MAX];
    bool is_asked = *end == '\0' && pending->is_used && pending->generation == number / QUESTIONS_MAX;
    return is_asked ? pending : NULL;
}

/* It lives and cannot read: its file is closed, or too many ask. */
static bool is_unable(const Reply *reply) {
    return reply->status == REPLY_ERROR && message_has(reply, Reply, cause) &&
           reply->cause == CAUSE_UNAVAILABLE;
}

/* Whether the other one was asked, or had been asked meanwhile and may still answer. */
static bool ask_another(Questions *questions, Pending *pending, StoreRole unable) {
    if (pending->asked != unable)
        return true;
    if (pending->is_last_try)
        return false;
    pending->is_last_try = true;
    size_t place = (size_t)(pending - questions->pending);
    if (try_store(questions, place, other_role(unable), service_now(questions->service)) < 0)
        return false;
    arm(questions, pending->try_until);
    return true;
}

static int on_reply_frame(Link *link, const LinkFrame *frame, void *userdata) {
    StoreLink *store = userdata;
    Questions *questions = store->questions;
    Message message;
    int r = link_decode(link, frame, questions->decoder, MESSAGE_FAMILY_REPLY, &message);
    if (r <= 0)
        return r;
    Pending *pending = find_pending(questions, &message.REPLY);
    if (!pending || (is_unable(&message.REPLY) && ask_another(questions, pending, store->role)))
        return 0;
    pending->asked = store->role;
    finish(questions, pending, &message.REPLY);
    return 0;
}

/* --- silence --- */

static void ask_the_other(Questions *questions, Pending *pending, Mono now) {
    size_t place = (size_t)(pending - questions->pending);
    if (!pending->is_last_try) {
        pending->is_last_try = true;
        if (try_store(questions, place, other_role(pending->asked), now) == 0)
            return;
    }
    metric_add(questions->unanswered, 1);
    finish(questions, pending, NULL);
}

static int on_timer(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    Questions *questions = userdata;
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        Pending *pending = &questions->pending[i];
        if (!pending->is_used || !mono_reached(now, pending->try_until))
            continue;
        metric_add(questions->timeouts, 1);
        ask_the_other(questions, pending, now);
    }
    arm_for_all(questions);
    return 0;
}

void questions_store_died(Questions *questions, StoreRole role) {
    Mono now = service_now(questions->service);
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (questions->pending[i].is_used && questions->pending[i].asked == role)
            ask_the_other(questions, &questions->pending[i], now);
    arm_for_all(questions);
}

/* No question may outlive its promise to the asker. */
static bool are_answers_in_time(void *userdata, Mono now, Problem *problem) {
    const Questions *questions = userdata;
    for (size_t i = 0; questions->n_pending > 0 && i < QUESTIONS_MAX; i++) {
        const Pending *pending = &questions->pending[i];
        if (pending->is_used && mono_reached(now, mono_after(pending->answer_until, USEC_PER_SEC))) {
            (void)problem_set(problem, 0, "a question (%s) has waited for more than %d s",
                              pending->question.query.command, ANSWER_WITHIN_USEC / (int)USEC_PER_SEC);
            return false;
        }
    }
    return true;
}

/* --- the module --- */

static int open_store(Questions *questions, StoreRole role, Problem *problem) {
    static const EndpointId endpoint[] = {
        [STORE_ROLE_PRIMARY] = ENDPOINT_QUERY_PRIMARY, [STORE_ROLE_REPLICA] = ENDPOINT_QUERY_REPLICA};
    static const LinkHandlers handlers = {.on_frame = on_reply_frame};
    StoreLink *store = &questions->stores[role];
    char labels[32];
    (void)snprintf(labels, sizeof labels, "store=\"%s\"", store_role_words[role]);
    questions->asked[role] =
        metrics_counter(service_metrics(questions->service), "traffic_store_questions_total",
                        "Questions asked of a store.", labels);
    *store = (StoreLink){.questions = questions, .role = role};
    return link_connect(questions->service, endpoint[role], &handlers, store, &store->link, problem);
}

int questions_new(Service *service, const WatchStores *watch, AnswerFn on_answer, void *userdata,
                  Questions **ret, Problem *problem) {
    Metrics *metrics = service_metrics(service);
    scoped(questions_freep) Questions *questions = calloc(1, sizeof *questions);
    if (!questions)
        return -ENOMEM;
    *questions = (Questions){
        .service = service,
        .watch = watch,
        .on_answer = on_answer,
        .armed_for = mono_never(),
        .userdata = userdata,
        .pending = calloc(QUESTIONS_MAX, sizeof *questions->pending),
        .timeouts = metrics_counter(metrics, "traffic_store_question_timeouts_total",
                                    "Questions that a store left unanswered.", ""),
        .unanswered = metrics_counter(metrics, "traffic_store_questions_unanswered_total",
                                      "Questions that no store answered.", ""),
    };
    if (!questions->pending)
        return -ENOMEM;
    int r = decoder_new(&questions->decoder);
    if (r >= 0)
        r = timer_new(service, on_timer, questions, &questions->timer);
    for (int role = 0; r >= 0 && role < STORE_ROLE_COUNT; role++)
        r = open_store(questions, (StoreRole)role, problem);
    if (r >= 0)
        r = health_add(service_health(service), "answers in time", are_answers_in_time, questions);
    if (r < 0)
        return r;
    *ret = take(questions);
    return 0;
}

Questions *questions_free(Questions *questions) {
    if (!questions)
        return NULL;
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        link_free(questions->stores[role].link);
    timer_free(questions->timer);
    decoder_free(questions->decoder);
    free(questions->pending);
    free(questions);
    return NULL;
}
