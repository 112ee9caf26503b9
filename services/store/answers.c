#include "answers.h"

#include "shell/link.h"
#include "store/backup.h"
#include "store/json-out.h"
#include "store/queries.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    TURN_ROWS = 1000,  /* looked at in a turn */
    ASKERS_MAX = 64,   /* questions that are being answered at the same time */
    BACKUP_PAGES = 64, /* copied in a turn: 256 KiB */
};
#define BACKUP_RETRY_USEC (100 * USEC_PER_MSEC)

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
    char *reply; /* REPLY_MAX_BYTES */

    Asker *askers[ASKERS_MAX]; /* in the order in which they get their next turn */
    size_t n_askers;
    TurnTaker *asker_turns;

    Asker *backup_asker;
    Backup *backup;
    TurnTaker *backup_turns;
    Timer *backup_timer; /* wakes a backup that waits for the store to commit again */

    Metric *asked, *refused, *unanswerable;
};

/* --- replies --- */

typedef struct Outcome {
    ReplyStatus status;
    int cause; /* ReplyCause of an ERROR, else -1 */
    const char *message;
    JsonText data; /* text NULL: null */
} Outcome;

static void send_reply(Answers *answers, const LinkRoute *route, const Query *query, const Outcome *outcome) {
    Message message = {.tag = MESSAGE_REPLY};
    Reply *reply = &message.REPLY;
    Problem problem = {0};
    reply->status = (int)outcome->status;
    message_mark(reply, Reply, status);
    if (query) {
        memcpy(reply->command, query->command, sizeof reply->command);
        message_mark(reply, Reply, command);
    }
    if (query && message_has(query, Query, query_id)) {
        memcpy(reply->query_id, query->query_id, sizeof reply->query_id);
        message_mark(reply, Reply, query_id);
    }
    (void)snprintf(reply->message, sizeof reply->message, "%s", outcome->message);
    message_mark(reply, Reply, message);
    if (outcome->data.text) {
        reply->data = outcome->data;
        message_mark(reply, Reply, data);
    }
    if (outcome->cause >= 0) {
        reply->cause = outcome->cause;
        message_mark(reply, Reply, cause);
    }
    reply->timestamp = service_wall(answers->service);
    message_mark(reply, Reply, timestamp);
    reply->answered_by = (int)answers->role;
    message_mark(reply, Reply, answered_by);

    int size = message_encode(&message, answers->reply, REPLY_MAX_BYTES, &problem);
    if (size >= 0)
        (void)link_send_to(answers->link, route, answers->reply,
                           (size_t)size); /* a peer that left needs no answer */
    else
        metric_add(answers->unanswerable, 1);
}

static void send_error(Answers *answers, const LinkRoute *route, const Query *query, ReplyCause cause,
                       const char *why) {
    char message[512];
    (void)snprintf(message, sizeof message, "%s store: %.480s", store_role_words[answers->role], why);
    Outcome outcome = {.status = REPLY_ERROR, .cause = (int)cause, .message = message};
    metric_add(answers->refused, 1);
    send_reply(answers, route, query, &outcome);
}

/* The sentence of a Problem that came with a negative errno. */
static void send_problem(Answers *answers, const LinkRoute *route, const Query *query, int error,
                         const Problem *problem) {
    ReplyCause cause = error == -EINVAL || error == -ENOTSUP || error == -ENAMETOOLONG ? CAUSE_BAD_REQUEST
                       : error == -ENOENT                                              ? CAUSE_NOT_FOUND
                       : error == -EEXIST || error == -EBUSY                           ? CAUSE_REFUSED
                                                                                       : CAUSE_UNAVAILABLE;
    send_error(answers, route, query, cause, problem->text);
}

static void send_data(Answers *answers, const LinkRoute *route, const Query *query, JsonText data) {
    char message[64];
    (void)snprintf(message, sizeof message, "answered by the %s store", store_role_words[answers->role]);
    Outcome outcome = {.status = REPLY_OK, .cause = -1, .message = message, .data = data};
    send_reply(answers, route, query, &outcome);
}

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

/* True when the asker has got its reply. */
static bool step_asker(Answers *answers, Asker *asker) {
    Problem problem = {0};
    int r = query_step(asker->job, TURN_ROWS, &problem);
    if (r == QUERY_MORE)
        return false;
    if (r == QUERY_DONE)
        send_data(answers, &asker->route, &asker->query, query_data(asker->job));
    else
        send_problem(answers, &asker->route, &asker->query, r, &problem);
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

static void write_backup_state(const Answers *answers, FILE *out) {
    if (!answers->backup) {
        fputs("null", out);
        return;
    }
    fputs("{\"file\":", out);
    write_json_string(out, strrchr(backup_path(answers->backup), '/') + 1);
    fprintf(out, ",\"pages_total\":%d,\"pages_left\":%d}", backup_pages_total(answers->backup),
            backup_pages_left(answers->backup));
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
            ",\"file_bytes\":%" PRId64 ",\"backup\":",
            state.rows_waiting, state.commit_age_usec, state.disk_free_bytes, state.file_bytes);
    write_backup_state(answers, out);
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
        send_error(answers, route, query, CAUSE_UNAVAILABLE, problem.text);
        return;
    }
    if (answers->n_askers == ASKERS_MAX) {
        send_error(answers, route, query, CAUSE_UNAVAILABLE,
                   "too many questions at the same time, ask again");
        return;
    }
    char *members = strcmp(query->command, "SYSTEM_STATUS") == 0 ? status_members(answers) : NULL;
    Asker *asker = asker_new(route, query);
    int r = asker ? query_begin(reader, query, members, &asker->job, &problem)
                  : problem_set(&problem, -ENOMEM, "out of memory");
    free(members);
    if (r < 0)
        send_problem(answers, route, query, r, &problem);
    if (r < 0 || step_asker(answers, asker)) {
        asker_free(asker);
        return;
    }
    answers->askers[answers->n_askers++] = asker;
    turn_taker_wake(answers->asker_turns);
}

/* --- backup --- */

static void end_backup(Answers *answers) {
    answers->backup = backup_free(answers->backup);
    answers->backup_asker = asker_free(answers->backup_asker);
    timer_clear(answers->backup_timer);
}

static void send_backup(Answers *answers) {
    const Asker *asker = answers->backup_asker;
    char *text = NULL, whole[PATH_MAX];
    struct stat file = {0};
    const char *path = realpath(backup_path(answers->backup), whole) ? whole : backup_path(answers->backup);
    (void)stat(path, &file);
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out) {
        fputs("{\"path\":", out);
        write_json_string(out, path);
        fputs(",\"file\":", out);
        write_json_string(out, strrchr(path, '/') + 1);
        fprintf(out, ",\"bytes\":%lld}", (long long)file.st_size);
        fclose(out);
        send_data(answers, &asker->route, &asker->query, (JsonText){.text = text, .size = size});
    }
    free(text);
}

/* While the store cannot commit, the copy waits with it. */
static int take_backup_turn(void *userdata) {
    Answers *answers = userdata;
    Problem problem = {0};
    if (!answers->backup)
        return 0;
    if (!database_connection_at_rest(answers->database)) {
        timer_set(answers->backup_timer, mono_after(service_now(answers->service), BACKUP_RETRY_USEC));
        return 0;
    }
    int r = backup_step(answers->backup, BACKUP_PAGES, &problem);
    if (r == BACKUP_MORE)
        return 1;
    if (r == BACKUP_DONE)
        send_backup(answers);
    else
        send_problem(answers, &answers->backup_asker->route, &answers->backup_asker->query, r, &problem);
    end_backup(answers);
    return 0;
}

static int on_backup_timer(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    Answers *answers = userdata;
    turn_taker_wake(answers->backup_turns);
    return 0;
}

static void backup_name(const Answers *answers, const Query *query, char *ret, size_t size) {
    time_t seconds = (time_t)(service_wall(answers->service).usec / USEC_PER_SEC);
    struct tm utc;
    char stamp[32];
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &utc));
    if (message_has(query, Query, file_name))
        (void)snprintf(ret, size, "%s", query->file_name);
    else
        (void)snprintf(ret, size, "traffic-%s-%s.db", store_role_words[answers->role], stamp);
}

static void make_backup(Answers *answers, const LinkRoute *route, const Query *query) {
    Problem problem = {0};
    char directory[PATH_MAX], name[256];
    sqlite3 *source = database_connection_at_rest(answers->database);
    int r = 0;
    if (answers->backup)
        r = problem_set(&problem, -EBUSY, "a backup is being made already: %s", backup_path(answers->backup));
    else if (!source)
        r = problem_set(&problem, -EAGAIN, "no backup while it cannot commit: %s",
                        database_state(answers->database).trouble);
    else if (!(answers->backup_asker = asker_new(route, query)))
        r = problem_set(&problem, -ENOMEM, "out of memory");
    if (r < 0) {
        send_problem(answers, route, query, r, &problem);
        return;
    }
    (void)snprintf(directory, sizeof directory, "%s/backup", service_state_dir(answers->service));
    backup_name(answers, query, name, sizeof name);
    r = backup_begin(source, directory, name, &answers->backup, &problem);
    if (r < 0) {
        send_problem(answers, route, query, r, &problem);
        end_backup(answers);
        return;
    }
    turn_taker_wake(answers->backup_turns);
}

/* --- the link --- */

static void answer_health(Answers *answers, const LinkRoute *route, const Query *query) {
    DatabaseState state = database_state(answers->database);
    Outcome pong = {.status = REPLY_OK, .cause = -1, .message = "PONG"};
    Problem problem;
    if (state.can_commit) {
        send_reply(answers, route, query, &pong);
        return;
    }
    problem_set(&problem, 0, "cannot commit: %s", state.trouble);
    send_error(answers, route, query, CAUSE_UNAVAILABLE, problem.text);
}

static void refuse_force(Answers *answers, const LinkRoute *route, const Query *query) {
    Problem problem;
    problem_set(&problem, 0, "%s is not for a store: ask analytics, port %u of pc2", query->command,
                (unsigned)endpoints[ENDPOINT_QUERIES].port);
    send_error(answers, route, query, CAUSE_BAD_REQUEST, problem.text);
}

static const struct {
    const char *command;
    void (*answer)(Answers *answers, const LinkRoute *route, const Query *query);
} commands[] = {
    {"QUERY_INTERSECTION", ask_database},
    {"QUERY_HISTORY", ask_database},
    {"QUERY_EVENTS", ask_database},
    {"COUNT_EVENTS", ask_database},
    {"SYSTEM_STATUS", ask_database},
    {"HEALTH_CHECK", answer_health},
    {"BACKUP", make_backup},
    {"FORCE_GREEN_WAVE", refuse_force},
    {"FORCE_SEMAPHORE", refuse_force},
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
        send_error(answers, route, query, CAUSE_NOT_FOUND, problem.text);
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
    send_error(answers, route, query, CAUSE_BAD_REQUEST, problem.text);
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
        send_error(answers, frame->route, NULL, CAUSE_BAD_REQUEST, problem.text);
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
    send_error(userdata, frame->route, NULL, CAUSE_BAD_REQUEST, problem->text);
    return 0;
}

/* --- making and ending --- */

int answers_new(Service *service, StoreRole role, Turns *turns, Database *database, Answers **ret,
                Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_frame, .on_refused = on_refused};
    EndpointId endpoint = role == STORE_ROLE_PRIMARY ? ENDPOINT_QUERY_PRIMARY : ENDPOINT_QUERY_REPLICA;
    Metrics *metrics = service_metrics(service);
    scoped(answers_freep) Answers *answers = calloc(1, sizeof *answers);
    if (!answers || !(answers->reply = malloc(REPLY_MAX_BYTES)))
        return problem_set(problem, -ENOMEM, "out of memory");
    answers->service = service;
    answers->role = role;
    answers->database = database;
    answers->asked = metrics_counter(metrics, "traffic_store_queries_total", "Questions that came.", "");
    answers->refused =
        metrics_counter(metrics, "traffic_store_queries_refused_total", "Questions answered ERROR.", "");
    answers->unanswerable = metrics_counter(metrics, "traffic_store_replies_failed_total",
                                            "Replies that could not be written.", "");
    int r = decoder_new(&answers->decoder);
    if (r >= 0)
        r = turn_taker_new(turns, take_asker_turn, answers, &answers->asker_turns);
    if (r >= 0)
        r = turn_taker_new(turns, take_backup_turn, answers, &answers->backup_turns);
    if (r >= 0)
        r = timer_new(service, on_backup_timer, answers, &answers->backup_timer);
    if (r >= 0)
        r = link_bind(service, endpoint, &handlers, answers, &answers->link, problem);
    if (r >= 0)
        *ret = take(answers);
    return r;
}

void answers_let_go(Answers *answers) {
    static const char why[] = "the database is being opened again after an error, ask again";
    if (!answers)
        return;
    for (size_t i = 0; i < answers->n_askers; i++) {
        send_error(answers, &answers->askers[i]->route, &answers->askers[i]->query, CAUSE_UNAVAILABLE, why);
        asker_free(answers->askers[i]);
    }
    answers->n_askers = 0;
    if (answers->backup_asker)
        send_error(answers, &answers->backup_asker->route, &answers->backup_asker->query, CAUSE_UNAVAILABLE,
                   why);
    end_backup(answers);
}

Answers *answers_free(Answers *answers) {
    if (!answers)
        return NULL;
    if (answers->link)
        answers_let_go(answers);
    link_free(answers->link);
    turn_taker_free(answers->asker_turns);
    turn_taker_free(answers->backup_turns);
    timer_free(answers->backup_timer);
    decoder_free(answers->decoder);
    free(answers->reply);
    free(answers);
    return NULL;
}
