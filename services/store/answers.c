/* The query link: which command is answered by whom, and the askers whose answers take more than one turn.
 * Knows no SQL and no grammar of replies. The subtle thing: a question that is finished in its first turn, as
 * nearly all are, never queues. */
#include "answers.h"

#include "city-check.h"
#include "copies.h"
#include "replies.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "store/hash.h"
#include "store/json-out.h"
#include "store/queries.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TURN_ROWS = 1000, /* looked at in a turn */
    ASKERS_MAX = 64,  /* questions that are being answered at the same time */
};

/* Whoever waits for an answer. */
typedef struct Asker {
    LinkRoute route;
    Query query;
    QueryJob *job;
} Asker;

struct Answers {
    Service *service;
    StoreRole role;
    Database *database;
    Link *link;
    Decoder *decoder;
    Replies *replies;
    Copies *copies;

    Asker *askers[ASKERS_MAX]; /* in the order in which they get their next turn */
    size_t n_askers;
    TurnTaker *asker_turns;

    char copy_producer[64]; /* of the identities that copies of rows without one get */
    Metric *asked, *passed_over;
};

/* --- questions to the database, a few rows a turn --- */

static Asker *asker_free(Asker *asker) {
    if (!asker)
        return NULL;
    query_free(asker->job);
    free(asker);
    return NULL;
}

static Asker *asker_new(const LinkRoute *route, const Query *query) {
    Asker *asker = calloc(1, sizeof *asker);
    if (asker) {
        asker->route = *route;
        asker->query = *query;
    }
    return asker;
}

/* Once a copy: a row that no frame can carry is missing in the other store from then on. */
static void tell_passed_over(Answers *answers, const Asker *asker) {
    int n = query_n_passed_over(asker->job);
    if (n == 0)
        return;
    metric_add(answers->passed_over, (uint64_t)n);
    journal_note(LOG_ERR,
                 "%d rows of %s behind row %" PRId64
                 " cannot be copied to the other store: no frame can carry "
                 "them",
                 n, asker->query.table, asker->query.after_id);
}

/* True when the asker has got its reply. */
static bool step_asker(Answers *answers, Asker *asker) {
    Problem problem = {0};
    int r = query_step(asker->job, TURN_ROWS, &problem);
    if (r == QUERY_MORE)
        return false;
    if (r == QUERY_DONE) {
        reply_ok(answers->replies, &asker->route, &asker->query, NULL, query_data(asker->job));
        tell_passed_over(answers, asker);
    } else {
        reply_problem(answers->replies, &asker->route, &asker->query, r, &problem);
        database_reading_failed(answers->database, r, &problem);
    }
    return true;
}

static int take_asker_turn(void *userdata) {
    Answers *answers = userdata;
    if (answers->n_askers == 0)
        return 0;
    Asker *first = answers->askers[0];
    memmove(answers->askers, answers->askers + 1, --answers->n_askers * sizeof(Asker *));
    if (step_asker(answers, first))
        asker_free(first);
    else
        answers->askers[answers->n_askers++] = first;
    return answers->n_askers > 0;
}

/* What SYSTEM_STATUS says besides the database. The caller frees it; NULL when out of memory. */
static char *status_members(const Answers *answers) {
    DatabaseState state = database_state(answers->database);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out,
            "\"total_intersections\":%zu,\"pc3_alive\":%s,\"store\":{\"role\":\"%s\",\"epoch\":%" PRId64 ",",
            service_city(answers->service)->n_intersections,
            answers->role == STORE_ROLE_PRIMARY ? "true" : "false", store_role_words[answers->role],
            service_epoch(answers->service));
    fprintf(out, "\"can_commit\":%s,\"trouble\":", state.can_commit ? "true" : "false");
    write_json_string(out, state.trouble);
    fprintf(out,
            ",\"rows_waiting\":%zu,\"commit_age_us\":%" PRIu64 ",\"disk_free_bytes\":%" PRIu64
            ",\"file_bytes\":%" PRId64 ",\"needs_refill\":%s,\"backup\":",
            state.rows_waiting, state.commit_age_usec, state.disk_free_bytes, state.file_bytes,
            state.needs_refill ? "true" : "false");
    copies_write_state(answers->copies, out);
    fputc('}', out);
    fclose(out);
    return text;
}

/* Most questions are answered at once; only what is left after a turn's rows has to queue. */
static void ask_database(Answers *answers, const LinkRoute *route, const Query *query) {
    Problem problem = {0};
    Reader *reader = database_reader(answers->database);
    if (!reader) {
        problem_set(&problem, 0, "the database is closed: %s", database_state(answers->database).trouble);
        reply_error(answers->replies, route, query, CAUSE_UNAVAILABLE, problem.text);
        return;
    }
    if (answers->n_askers == ASKERS_MAX) {
        reply_error(answers->replies, route, query, CAUSE_UNAVAILABLE,
                    "too many questions at the same time, ask again");
        return;
    }
    char *members = strcmp(query->command, "SYSTEM_STATUS") == 0 ? status_members(answers) : NULL;
    Asker *asker = asker_new(route, query);
    int r =
        asker ? query_begin(reader, query, members ? members : answers->copy_producer, &asker->job, &problem)
              : problem_set(&problem, -ENOMEM, "out of memory");
    free(members);
    if (r < 0) {
        reply_problem(answers->replies, route, query, r, &problem);
        database_reading_failed(answers->database, r, &problem);
    }
    if (r < 0 || step_asker(answers, asker)) {
        asker_free(asker);
        return;
    }
    answers->askers[answers->n_askers++] = asker;
    turn_taker_wake(answers->asker_turns);
}

/* --- the link --- */

static void answer_health(Answers *answers, const LinkRoute *route, const Query *query) {
    DatabaseState state = database_state(answers->database);
    Problem problem;
    if (state.can_commit) {
        reply_ok(answers->replies, route, query, "PONG", (JsonText){.text = NULL});
        return;
    }
    problem_set(&problem, 0, "cannot commit: %s", state.trouble);
    reply_error(answers->replies, route, query, CAUSE_UNAVAILABLE, problem.text);
}

static void refuse_force(Answers *answers, const LinkRoute *route, const Query *query) {
    Problem problem;
    problem_set(&problem, 0, "%s is not for a store: ask analytics, port %u of pc2", query->command,
                (unsigned)endpoints[ENDPOINT_QUERIES].port);
    reply_error(answers->replies, route, query, CAUSE_BAD_REQUEST, problem.text);
}

/* --- the other store's records --- */

static void reply_taken(Answers *answers, const LinkRoute *route, const Query *query,
                        const RefillCounts *counts) {
    char data[96];
    int size = snprintf(data, sizeof data, "{\"taken\":%d,\"repeated\":%d,\"refused\":%d}", counts->n_taken,
                        counts->n_repeated, counts->n_refused);
    reply_ok(answers->replies, route, query, NULL, (JsonText){.text = data, .size = (size_t)size});
}

static void take_records(Answers *answers, const LinkRoute *route, const Query *query) {
    Problem problem = {0};
    RefillCounts counts = {0};
    DatabaseState state = database_state(answers->database);
    bool is_last = message_has(query, Query, is_last) && query->is_last;
    JsonText records = message_has(query, Query, records) ? query->records : (JsonText){"", 0};
    if (state.can_commit && !state.needs_refill) {
        reply_error(answers->replies, route, query, CAUSE_REFUSED, "it needs no refill: it has its records");
        return;
    }
    int r = database_refill(answers->database, records, is_last, is_of_this_city,
                            (void *)service_city(answers->service), &counts, &problem);
    if (r < 0) {
        reply_error(answers->replies, route, query, r == -EINVAL ? CAUSE_BAD_REQUEST : CAUSE_UNAVAILABLE,
                    problem.text);
        return;
    }
    if (counts.n_refused > 0)
        journal_note(LOG_WARNING, "%d of the other store's records were refused: %s", counts.n_refused,
                     problem.text);
    reply_taken(answers, route, query, &counts);
}

/* --- commands --- */

static void make_backup(Answers *answers, const LinkRoute *route, const Query *query) {
    copies_make(answers->copies, route, query);
}

static const struct {
    const char *command;
    void (*answer)(Answers *answers, const LinkRoute *route, const Query *query);
} commands[] = {
    {"QUERY_INTERSECTION", ask_database}, {"QUERY_HISTORY", ask_database},   {"QUERY_EVENTS", ask_database},
    {"COUNT_EVENTS", ask_database},       {"SYSTEM_STATUS", ask_database},   {"COPY_RECORDS", ask_database},
    {"TAKE_RECORDS", take_records},       {"HEALTH_CHECK", answer_health},   {"BACKUP", make_backup},
    {"FORCE_GREEN_WAVE", refuse_force},   {"FORCE_SEMAPHORE", refuse_force},
};

static void answer(Answers *answers, const LinkRoute *route, const Query *query) {
    const char *names[ARRAY_LEN(commands)];
    Problem problem;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        names[i] = commands[i].command;
    if (message_has(query, Query, intersection) &&
        city_find_intersection(service_city(answers->service), query->intersection) == CITY_NO_INDEX) {
        problem_set(&problem, 0, "interseccion: expected one of the city's %zu intersections, got \"%s\"",
                    service_city(answers->service)->n_intersections, query->intersection);
        reply_error(answers->replies, route, query, CAUSE_NOT_FOUND, problem.text);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(names[i], query->command) == 0) {
            commands[i].answer(answers, route, query);
            return;
        }
    }
    const char *closest = closest_word(query->command, names, ARRAY_LEN(names));
    problem_set(&problem, 0, "unknown command \"%s\"%s%s%s", query->command, closest ? ", did you mean " : "",
                closest ? closest : "", closest ? "?" : "");
    reply_error(answers->replies, route, query, CAUSE_BAD_REQUEST, problem.text);
}

static int on_frame(Link *link, const LinkFrame *frame, void *userdata) {
    Answers *answers = userdata;
    Message message;
    Refusal refusal;
    Problem problem = {0};
    metric_add(answers->asked, 1);
    int r = message_decode(answers->decoder, MESSAGE_FAMILY_QUERY, frame->data, frame->size, &message,
                           &refusal, &problem);
    if (r == -EBADMSG) {
        link_refuse(link, frame, refusal, &problem);
        reply_error(answers->replies, frame->route, NULL, CAUSE_BAD_REQUEST, problem.text);
        return 0;
    }
    if (r < 0)
        return r;
    answer(answers, frame->route, &message.QUERY);
    return 0;
}

/* A REQ peer waits for a reply also to what was no question. */
static int on_refused(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem,
                      void *userdata) {
    (void)link, (void)refusal;
    Answers *answers = userdata;
    reply_error(answers->replies, frame->route, NULL, CAUSE_BAD_REQUEST, problem->text);
    return 0;
}

/* --- making and ending --- */

/* Who made the identity of a copy: this store on this machine. Cut where a producer's name would be too
 * long. */
static void name_copies(Answers *answers) {
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(answers->copy_producer, sizeof answers->copy_producer, EVENT_COPY_PRODUCER "%s@%.40s",
                   store_role_words[answers->role], host);
}

int answers_new(Service *service, StoreRole role, Turns *turns, Database *database, Answers **ret,
                Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_frame, .on_refused = on_refused};
    EndpointId endpoint = role == STORE_ROLE_PRIMARY ? ENDPOINT_QUERY_PRIMARY : ENDPOINT_QUERY_REPLICA;
    Metrics *metrics = service_metrics(service);
    scoped(answers_freep) Answers *answers = calloc(1, sizeof *answers);
    if (!answers)
        return problem_set(problem, -ENOMEM, "out of memory");
    answers->service = service;
    answers->role = role;
    answers->database = database;
    answers->asked = metrics_counter(metrics, "traffic_store_queries_total", "Questions that came.", "");
    answers->passed_over =
        metrics_counter(metrics, "traffic_store_copies_passed_over_total",
                        "Rows that could not be copied for the other store: no frame can carry them.", "");
    name_copies(answers);
    int r = decoder_new(&answers->decoder);
    if (r >= 0)
        r = turn_taker_new(turns, take_asker_turn, answers, &answers->asker_turns);
    if (r >= 0)
        r = replies_new(service, role, &answers->replies);
    if (r >= 0)
        r = copies_new(service, role, turns, database, answers->replies, &answers->copies);
    if (r >= 0)
        r = link_bind(service, endpoint, &handlers, answers, &answers->link, problem);
    if (r < 0)
        return r;
    replies_set_link(answers->replies, answers->link);
    *ret = take(answers);
    return 0;
}

void answers_let_go(Answers *answers) {
    static const char why[] = "the database is being opened again after an error, ask again";
    if (!answers)
        return;
    for (size_t i = 0; i < answers->n_askers; i++) {
        reply_error(answers->replies, &answers->askers[i]->route, &answers->askers[i]->query,
                    CAUSE_UNAVAILABLE, why);
        asker_free(answers->askers[i]);
    }
    answers->n_askers = 0;
    copies_let_go(answers->copies, why);
}

Answers *answers_free(Answers *answers) {
    if (!answers)
        return NULL;
    if (answers->link)
        answers_let_go(answers);
    link_free(answers->link);
    turn_taker_free(answers->asker_turns);
    copies_free(answers->copies);
    replies_free(answers->replies);
    decoder_free(answers->decoder);
    free(answers);
    return NULL;
}
