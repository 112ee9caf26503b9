/* Between the files that make up the database of a store; nobody else includes it. */
#pragma once

#include "database.h"
#include "disk-watch.h"
#include "file-check.h"
#include "shell/reading-age.h"
#include "store/db-place.h"
#include "store/group-commit.h"
#include "store/intake-table.h"
#include "store/records.h"
#include "store/retention.h"

#include <limits.h>

struct Database {
    Service *service;
    StoreRole role;
    DatabaseHandlers handlers;
    void *userdata;
    char path[PATH_MAX];
    const char *link; /* that brings the records, as the cursors' table names it */

    sqlite3 *db;
    DbPlace place;
    RecordWriter *writer;
    StoreTotals known; /* while there is no writer: what it knew */
    Reader *reader;
    FileCheck *check; /* NULL: no check runs, because the file was read whole or its check has ended */
    Intake intake;
    IntakeTable *cursors; /* from the first opening on */
    GroupCommit *group;
    bool is_to_check; /* not all of the file was read when it was opened */
    bool was_open;    /* in this life: damage ends it; before, the file is moved aside */
    bool is_to_reopen;
    bool is_in_trouble;
    Problem trouble;
    int damage; /* -EUCLEAN once the file must not be used any more: the process ends */

    Timer *commit_timer, *tick_timer;
    TurnTaker *retention;
    RetentionRule rule;
    uint64_t safe_until;
    Decoder *refill_decoder;
    DiskWatch disk;

    ReadingAge age; /* positions are those among the rows that wait */
    Metric *stored[RECORD_TABLE_COUNT], *repeats, *refilled, *dropped, *commits, *failures, *deleted;
    Metric *waiting, *can_commit, *needs_refill;
    GroupCommitCounts counted;
};

/* What waits has been written or told as lost already: closing only. In doubt: after a failed write or
 * sync. */
void database_close_file(Database *database, bool is_in_doubt);

/* Opens the file. Before the first success in this life a damaged one is moved aside. 0; -EUCLEAN: damaged,
 * later on; -EINVAL: from a newer program; or db_error(). */
int database_open_file(Database *database, Problem *problem);

/* What the check of a large file has found meanwhile. Negative when it is damaged. */
int database_follow_check(Database *database, Problem *problem);

/* Moves away what a file that lost its place has left there; after closing it. */
void database_leave_place(Database *database);

/* --- words --- */

void database_make_metrics(Database *database);
void database_count(Database *database);
void database_tell_trouble(const Database *database, const char *why);
void database_tell_recovery(const Database *database, Mono now, int n_rows);
void database_tell_aside(const Database *database, const char *aside, const char *why);
void database_tell_refill(const Database *database, bool is_over);
void database_tell_status(const Database *database);
