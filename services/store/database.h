/* The file of this store in the running service: opened at start, committed in groups, watched, opened again
 * when the disk had an error. Decides when; how is common/store.
 *
 * A store that cannot commit stays alive: it says so, takes no further records and tries again. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"
#include "core/intake.h"
#include "shell/service.h"
#include "store/reader.h"
#include "store/refill.h"
#include "turns.h"
#include "wire/endpoints.h"
#include "wire/messages.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Database Database;

typedef struct DatabaseHandlers {
    /* Commits fail, or work again: the flow of records stops or goes on. */
    void (*on_flow)(bool can_commit, void *userdata);
    /* Everything that the intake had accepted is on the disk: it may be acknowledged. */
    void (*on_committed)(void *userdata);
    /* The connections are about to be closed: what uses them must let go. */
    void (*on_closing)(void *userdata);
} DatabaseHandlers;

/* Opens STATE_DIR/traffic.db, checked and migrated; a damaged one is moved aside first. What cannot be
 * opened now (locked, full, read-only) is tried again later: until then it cannot commit and says so.
 * `link` brings the records. -EINVAL: no state directory, or the file is from a newer program. */
int database_new(Service *service, StoreRole role, EndpointId link, Turns *turns,
                 const DatabaseHandlers *handlers, void *userdata, Database **ret, Problem *problem);
/* Commits what waits; nothing of that is acknowledged any more. */
Database *database_free(Database *database);
DEFINE_FREEP(Database, database_free)

/* The cursors of the records' link, committed with what is added. Borrowed. */
Intake *database_intake(Database *database);

/* Before a record is judged by its place in a stream: whether there is room for it. See
 * group_commit_make_room(). */
int database_make_room(Database *database, size_t size, Problem *problem);

/* The intake accepted something. */
void database_touch(Database *database);

/* And before that something is missing that the other store may have. */
void database_want_refill(Database *database);

/* Takes one record; see group_commit_add(). A negative errno other than -EINVAL and -ENOBUFS ends the
 * process. */
int database_add(Database *database, const char *frame, size_t size, const Message *record, Problem *problem);

/* The end of a batch of messages: commits what is due. 0, or a negative errno that ends the process. */
int database_end_batch(Database *database);

/* Takes records over from the other store and commits them before it returns. 0; -EINVAL: no array; any
 * other negative errno: this store cannot commit now, nothing of it was taken. When some were refused
 * `problem` says why the first was. */
int database_refill(Database *database, JsonText records, bool is_last, RefillMayTakeFn may_take,
                    void *userdata, RefillCounts *ret, Problem *problem);

/* NULL while the file cannot be opened. Borrowed until on_closing. */
Reader *database_reader(Database *database);

/* A question could not be answered because of the file: damage that reading finds is damage. */
void database_reading_failed(Database *database, int error, const Problem *problem);

/* The connection that writes, without an open transaction; NULL when there is none now. Borrowed until the
 * loop's next turn. */
sqlite3 *database_connection_at_rest(Database *database);

/* Retention may delete what arrived up to here (not negative), in the count of committed_until; 0: nothing.
 * It may go back. */
void database_set_safe_until(Database *database, int64_t safe_until);

typedef struct DatabaseState {
    bool can_commit;
    const char *trouble; /* "" when it can */
    uint64_t commit_age_usec;
    size_t rows_waiting;
    uint64_t disk_free_bytes;
    uint64_t committed_until;
    int64_t n_records;  /* rows of all tables... */
    uint64_t event_set; /* ... and the sum over the events' identities, what waits for its commit included */
    int64_t file_bytes;
    bool needs_refill; /* see schema/004-refill.sql */
} DatabaseState;

DatabaseState database_state(const Database *database);
