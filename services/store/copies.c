/* Backups in turns. While the store cannot commit a copy waits with it; before each turn what waits is
 * committed, because SQLite copies only between transactions. */
#include "copies.h"

#include "store/backup.h"
#include "store/json-out.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { BACKUP_PAGES = 64 /* copied in a turn: 256 KiB */ };
#define BACKUP_RETRY_USEC (100 * USEC_PER_MSEC)

typedef struct Asker {
    LinkRoute route;
    Query query;
} Asker;

struct Copies {
    Service *service;
    StoreRole role;
    Database *database;
    Replies *replies;
    Asker *asker;
    Backup *backup;
    TurnTaker *turns;
    Timer *retry_timer; /* wakes a copy that waits for the store to commit again */
};

static Asker *asker_new(const LinkRoute *route, const Query *query) {
    Asker *asker = malloc(sizeof *asker);
    if (asker)
        *asker = (Asker){.route = *route, .query = *query};
    return asker;
}

static void end_copy(Copies *copies) {
    copies->backup = backup_free(copies->backup);
    free(copies->asker);
    copies->asker = NULL;
    timer_clear(copies->retry_timer);
}

static void send_copy(Copies *copies) {
    const Asker *asker = copies->asker;
    char *text = NULL, whole[PATH_MAX];
    struct stat file = {0};
    const char *path = realpath(backup_path(copies->backup), whole) ? whole : backup_path(copies->backup);
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
        reply_ok(copies->replies, &asker->route, &asker->query, NULL, (JsonText){.text = text, .size = size});
    }
    free(text);
}

/* While the store cannot commit, the copy waits with it. */
static int take_turn(void *userdata) {
    Copies *copies = userdata;
    Problem problem = {0};
    if (!copies->backup)
        return 0;
    if (!database_connection_at_rest(copies->database)) {
        timer_set(copies->retry_timer, mono_after(service_now(copies->service), BACKUP_RETRY_USEC));
        return 0;
    }
    int r = backup_step(copies->backup, BACKUP_PAGES, &problem);
    if (r == BACKUP_MORE)
        return 1;
    if (r == BACKUP_DONE)
        send_copy(copies);
    else
        reply_problem(copies->replies, &copies->asker->route, &copies->asker->query, r, &problem);
    end_copy(copies);
    return 0;
}

static int on_retry(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    Copies *copies = userdata;
    turn_taker_wake(copies->turns);
    return 0;
}

static void copy_name(const Copies *copies, const Query *query, char *ret, size_t size) {
    time_t seconds = (time_t)(service_wall(copies->service).usec / USEC_PER_SEC);
    struct tm utc;
    char stamp[32];
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &utc));
    if (message_has(query, Query, file_name))
        (void)snprintf(ret, size, "%s", query->file_name);
    else
        (void)snprintf(ret, size, "traffic-%s-%s.db", store_role_words[copies->role], stamp);
}

void copies_make(Copies *copies, const LinkRoute *route, const Query *query) {
    Problem problem = {0};
    char directory[PATH_MAX], name[256];
    sqlite3 *source = database_connection_at_rest(copies->database);
    int r = 0;
    if (copies->backup)
        r = problem_set(&problem, -EBUSY, "a backup is being made already: %s", backup_path(copies->backup));
    else if (!source)
        r = problem_set(&problem, -EAGAIN, "no backup while it cannot commit: %s",
                        database_state(copies->database).trouble);
    else if (!(copies->asker = asker_new(route, query)))
        r = problem_set(&problem, -ENOMEM, "out of memory");
    if (r < 0) {
        reply_problem(copies->replies, route, query, r, &problem);
        return;
    }
    (void)snprintf(directory, sizeof directory, "%s/backup", service_state_dir(copies->service));
    copy_name(copies, query, name, sizeof name);
    r = backup_begin(source, directory, name, &copies->backup, &problem);
    if (r < 0) {
        reply_problem(copies->replies, route, query, r, &problem);
        end_copy(copies);
        return;
    }
    turn_taker_wake(copies->turns);
}

void copies_write_state(const Copies *copies, FILE *out) {
    if (!copies->backup) {
        fputs("null", out);
        return;
    }
    fputs("{\"file\":", out);
    write_json_string(out, strrchr(backup_path(copies->backup), '/') + 1);
    fprintf(out, ",\"pages_total\":%d,\"pages_left\":%d}", backup_pages_total(copies->backup),
            backup_pages_left(copies->backup));
}

void copies_let_go(Copies *copies, const char *why) {
    if (copies->asker)
        reply_error(copies->replies, &copies->asker->route, &copies->asker->query, CAUSE_UNAVAILABLE, why);
    end_copy(copies);
}

int copies_new(Service *service, StoreRole role, Turns *turns, Database *database, Replies *replies,
               Copies **ret) {
    scoped(copies_freep) Copies *copies = calloc(1, sizeof *copies);
    if (!copies)
        return -ENOMEM;
    *copies = (Copies){.service = service, .role = role, .database = database, .replies = replies};
    int r = turn_taker_new(turns, take_turn, copies, &copies->turns);
    if (r >= 0)
        r = timer_new(service, on_retry, copies, &copies->retry_timer);
    if (r >= 0)
        *ret = take(copies);
    return r;
}

Copies *copies_free(Copies *copies) {
    if (!copies)
        return NULL;
    backup_free(copies->backup);
    free(copies->asker);
    turn_taker_free(copies->turns);
    timer_free(copies->retry_timer);
    free(copies);
    return NULL;
}
