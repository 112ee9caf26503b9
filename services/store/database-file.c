/* The file of a store: opened, moved aside, closed. Everything that holds on to it is made and ended here
 * together: the connection that writes, the one that reads, the cursors' table.
 *
 * Damage is met in one of two ways. Before the file was open in this life it is moved aside and an empty
 * one takes its place. Later the process ends, because it holds records and cursors that belong to the
 * damaged file; the next life begins in the first way. */
#include "database-private.h"
#include "store/db.h"

#include "shell/journal.h"

#include <errno.h>

void database_close_file(Database *database, bool is_in_doubt) {
    if (database->group)
        group_commit_set_writer(database->group, NULL, NULL);
    if (database->cursors)
        (void)intake_table_set_db(database->cursors, NULL, NULL);
    database->reader = reader_free(database->reader);
    if (database->writer) {
        record_writer_rollback(database->writer);
        database->known = *record_writer_totals(database->writer);
    }
    database->writer = record_writer_free(database->writer);
    database->db = is_in_doubt ? db_close_in_doubt(database->db) : db_close(database->db);
}

/* What the intake knows in this life goes beyond what the file says. */
static int open_cursors(Database *database, Problem *problem) {
    return database->cursors ? intake_table_set_db(database->cursors, database->db, problem)
                             : intake_table_new(database->db, database->link, &database->intake,
                                                &database->cursors, problem);
}

/* Not the file that this life began with: somebody put another one in its place while it was closed. */
static int check_place(Database *database, Problem *problem) {
    DbPlace before = database->place;
    int r = db_place_note(database->path, &database->place, problem);
    if (r < 0 || !database->was_open || db_place_is_same_file(&before, &database->place))
        return r;
    return problem_set(problem, -EUCLEAN, "%s is another file than before", database->path);
}

static int open_parts(Database *database, Problem *problem) {
    int r = db_open(database->path, &database->db, problem);
    database->is_to_check = r > 0;
    if (r >= 0)
        r = check_place(database, problem);
    if (r >= 0)
        r = open_cursors(database, problem);
    if (r >= 0)
        r = record_writer_new(database->db, &database->writer, problem);
    if (r >= 0)
        r = reader_new(database->path, &database->reader, problem);
    if (r < 0)
        database_close_file(database, true);
    else
        group_commit_set_writer(database->group, database->writer, database->cursors);
    return r;
}

/* What is damaged is kept for people to look at; the store goes on with an empty file. */
static int begin_anew(Database *database, const Problem *damage, Problem *problem) {
    char aside[PATH_MAX];
    int r = db_set_aside(database->path, service_wall(database->service), aside, sizeof aside, problem);
    if (r < 0)
        return r;
    database_tell_aside(database, aside, damage->text);
    database->cursors = intake_table_free(database->cursors);
    intake_init(&database->intake);
    return open_parts(database, problem);
}

/* Without it the store is no worse off than with the file's damage: a question or a commit may meet it. */
static void begin_check(Database *database) {
    Problem problem = {0};
    if (file_check_new(database->path, &database->check, &problem) < 0)
        journal_note(LOG_WARNING, "%s will not be read whole: %s", database->path, problem.text);
}

int database_open_file(Database *database, Problem *problem) {
    Problem why = {0};
    int r = open_parts(database, &why);
    if (r == -EUCLEAN && !database->was_open)
        r = begin_anew(database, &why, problem);
    else if (r < 0)
        problem_set(problem, r, "%s: %s", database->path, why.text);
    if (r < 0)
        return r;
    if (!database->was_open && record_writer_totals(database->writer)->needs_refill)
        database_tell_refill(database, false);
    if (!database->was_open && database->is_to_check)
        begin_check(database);
    database->was_open = true;
    return 0;
}

int database_follow_check(Database *database, Problem *problem) {
    FileCheckVerdict verdict =
        database->check ? file_check_verdict(database->check, problem) : FILE_CHECK_RUNS;
    if (verdict == FILE_CHECK_RUNS)
        return 0;
    database->check = file_check_free(database->check);
    if (verdict == FILE_CHECK_DAMAGED)
        return -EUCLEAN;
    if (verdict == FILE_CHECK_WHOLE)
        journal_note(LOG_INFO, "All of %s was read: it is whole.", database->path);
    else
        journal_note(LOG_WARNING, "%s could not be read whole, so nobody knows whether it is: %s",
                     database->path, problem->text);
    return 0;
}

void database_leave_place(Database *database) {
    char aside[PATH_MAX];
    Problem problem = {0};
    int r = db_place_leave(database->path, &database->place, service_wall(database->service), aside,
                           sizeof aside, &problem);
    if (r < 0)
        journal_note(LOG_ERR, "%s", problem.text);
    else if (aside[0])
        journal_note(LOG_NOTICE, "What was left of %s is %s now", database->path, aside);
}
