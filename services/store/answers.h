/* The query link of a store: questions in, replies out, none of them making the records wait.
 *
 * The commands of the Queries table that a database can answer, and QUERY_EVENTS and COUNT_EVENTS, are
 * common/store/queries.h. Besides:
 *
 *     HEALTH_CHECK   message "PONG" while the store can commit, else ERROR and why
 *     SYSTEM_STATUS  also total_intersections, pc3_alive (true from the primary; the replica cannot see PC3
 *                    and says false), and store {role, epoch, can_commit, trouble, rows_waiting,
 *                    commit_age_us, disk_free_bytes, file_bytes, backup (null or {file, pages_total,
 *                    pages_left}), needs_refill}
 *     BACKUP         a consistent copy of the database as STATE_DIR/backup/NAME on the store's own machine,
 *                    NAME being the request's `file` (letters, digits, dot, dash, underscore; default
 *                    traffic-ROLE-YYYYMMDDTHHMMSSZ.db). The reply comes when the copy is on the disk, which
 *                    takes about a second for 250 MB: data {path, file, bytes}. One at a time; nothing is
 *                    overwritten, and whoever asked fetches and removes the file.
 *     COPY_RECORDS   rows for the other store, as records; a question like the others, see queries.h
 *     TAKE_RECORDS   takes `records`, an array of them, and replies when they are committed: data {taken,
 *                    repeated, refused}. With is_last the store has all it wanted. REFUSED when it wants
 *                    nothing (its heartbeat says needs_refill when it does), UNAVAILABLE when it cannot
 *                    commit.
 *     FORCE_...      ERROR: analytics does that
 *
 * Every reply names the store (answered_by, message) and carries query_id back. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "database.h"
#include "shell/service.h"
#include "turns.h"

typedef struct Answers Answers;

int answers_new(Service *service, StoreRole role, Turns *turns, Database *database, Answers **ret,
                Problem *problem);
Answers *answers_free(Answers *answers); /* before its database */
DEFINE_FREEP(Answers, answers_free)

/* The database is about to close its connections: what is being answered gets an ERROR. Accepts NULL. */
void answers_let_go(Answers *answers);
