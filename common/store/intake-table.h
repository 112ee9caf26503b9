/* The cursors of an Intake beside what they guard: a table `intake` in the same file, written in the same
 * transaction. Spools and the stores' databases both have it. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "core/intake.h"

#include <sqlite3.h>

typedef struct IntakeTable IntakeTable;

/* The part of the table that belongs to `link` (an endpoint's name); it must exist in `db`, which outlives
 * this. Restores what it holds into `intake`, which outlives this as well. 0 or db_error(). */
int intake_table_new(sqlite3 *db, const char *link, Intake *intake, IntakeTable **ret, Problem *problem);
IntakeTable *intake_table_free(IntakeTable *table);
DEFINE_FREEP(IntakeTable, intake_table_free)

/* Goes on in `db`, the same file opened anew; restores nothing, because the intake knows more than the file.
 * NULL while the file is closed: before db_close(), since nothing may be left prepared then. 0 or
 * db_error(). */
int intake_table_set_db(IntakeTable *table, sqlite3 *db, Problem *problem);

/* Writes what is dirty into the open transaction, and deletes streams that the intake has forgotten. 0 or
 * db_error(). */
int intake_table_save(IntakeTable *table, Problem *problem);
