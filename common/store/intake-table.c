/* The subtle thing: the transaction that a cursor was written in may be rolled back, and nobody tells. So
 * nothing is remembered here of what the table holds: each save finds out by its own UPDATE whether the
 * stream has a row. Only when it has none can there be one row too many, and then the table is compared with
 * the intake. */
#include "store/intake-table.h"

#include "store/db.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINK_NAME_SIZE = 64 };

struct IntakeTable {
    sqlite3 *db;
    sqlite3_stmt *update, *insert, *select, *delete;
    Intake *intake;
    char link[LINK_NAME_SIZE];
};

/* --- statements --- */

static void finalize_all(IntakeTable *table) {
    sqlite3_stmt **statements[] = {&table->update, &table->insert, &table->select, &table->delete};
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        sqlite3_finalize(*statements[i]);
        *statements[i] = NULL;
    }
}

static int prepare_all(IntakeTable *table, Problem *problem) {
    const struct {
        const char *sql;
        sqlite3_stmt **statement;
    } all[] = {
        {"UPDATE intake SET epoch = ?3, committed = ?4 WHERE link = ?1 AND stream = ?2", &table->update},
        {"INSERT INTO intake (link, stream, epoch, committed) VALUES (?1, ?2, ?3, ?4)", &table->insert},
        {"SELECT stream, epoch, committed FROM intake WHERE link = ?1", &table->select},
        {"DELETE FROM intake WHERE link = ?1 AND stream = ?2", &table->delete},
    };
    int r = 0;
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(all); i++) {
        r = db_prepare(table->db, all[i].sql, all[i].statement, problem);
        if (r >= 0)
            sqlite3_bind_text(*all[i].statement, 1, table->link, -1, SQLITE_STATIC);
    }
    return r;
}

int intake_table_set_db(IntakeTable *table, sqlite3 *db, Problem *problem) {
    finalize_all(table);
    table->db = db;
    return db ? prepare_all(table, problem) : 0;
}

/* --- restoring --- */

typedef struct Row {
    uint64_t stream, committed;
    int64_t epoch;
} Row;

/* All rows of the link, at most `n_max`; the number or an error. */
static int read_rows(IntakeTable *table, Row *rows, int n_max, Problem *problem) {
    int n = 0, rc = SQLITE_DONE;
    while (n < n_max && (rc = sqlite3_step(table->select)) == SQLITE_ROW)
        rows[n++] = (Row){
            .stream = (uint64_t)sqlite3_column_int64(table->select, 0),
            .epoch = sqlite3_column_int64(table->select, 1),
            .committed = (uint64_t)sqlite3_column_int64(table->select, 2),
        };
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        n = db_error(table->db, "intake", problem);
    sqlite3_reset(table->select);
    return n;
}

/* A save adds at most INTAKE_STREAMS rows before it prunes; between two transactions there are never more. */
enum { ROWS_MAX = 2 * INTAKE_STREAMS };

static int restore(IntakeTable *table, Problem *problem) {
    Row rows[ROWS_MAX];
    int n = read_rows(table, rows, ROWS_MAX, problem);
    for (int i = 0; i < n; i++)
        intake_restore(table->intake, rows[i].stream, rows[i].epoch, rows[i].committed);
    return n < 0 ? n : 0;
}

int intake_table_new(sqlite3 *db, const char *link, Intake *intake, IntakeTable **ret, Problem *problem) {
    scoped(intake_table_freep) IntakeTable *table = calloc(1, sizeof *table);
    if (!table)
        return problem_set(problem, -ENOMEM, "out of memory");
    if (snprintf(table->link, sizeof table->link, "%s", link) >= (int)sizeof table->link)
        return problem_set(problem, -EINVAL,
                           "intake: expected the name of a link, at most %d bytes, got '%s'",
                           LINK_NAME_SIZE - 1, link);
    table->intake = intake;
    int r = intake_table_set_db(table, db, problem);
    if (r >= 0)
        r = restore(table, problem);
    if (r >= 0)
        *ret = take(table);
    return r;
}

IntakeTable *intake_table_free(IntakeTable *table) {
    if (!table)
        return NULL;
    finalize_all(table);
    free(table);
    return NULL;
}

/* --- saving --- */

static int write_cursor(IntakeTable *table, sqlite3_stmt *statement, const IntakeCursor *cursor,
                        Problem *problem) {
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)cursor->stream);
    sqlite3_bind_int64(statement, 3, cursor->epoch);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)cursor->accepted);
    return db_finish(table->db, statement, "intake", problem);
}

static bool is_known(const Intake *intake, uint64_t stream) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        if (intake->cursors[i].stream == stream)
            return true;
    return false;
}

static int delete_forgotten(IntakeTable *table, Problem *problem) {
    Row rows[ROWS_MAX];
    int n = read_rows(table, rows, ROWS_MAX, problem), r = n;
    for (int i = 0; r >= 0 && i < n; i++) {
        if (is_known(table->intake, rows[i].stream))
            continue;
        sqlite3_bind_int64(table->delete, 2, (sqlite3_int64)rows[i].stream);
        r = db_finish(table->db, table->delete, "intake", problem);
    }
    return r < 0 ? r : 0;
}

int intake_table_save(IntakeTable *table, Problem *problem) {
    bool has_new = false;
    for (const IntakeCursor *c = intake_next_dirty(table->intake, NULL); c;
         c = intake_next_dirty(table->intake, c)) {
        int r = write_cursor(table, table->update, c, problem);
        if (r >= 0 && sqlite3_changes(table->db) == 0) {
            has_new = true;
            r = write_cursor(table, table->insert, c, problem);
        }
        if (r < 0)
            return r;
    }
    return has_new ? delete_forgotten(table, problem) : 0;
}
