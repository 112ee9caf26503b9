/* The expectations come first, from one statement and so from one moment; each piece is one statement, and its
 * view ends with its reset. */
#include "store/row-walk.h"

#include "store/db.h"
#include "store/row-sum.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct WalkedTable {
    const char *name;
    const char *sql; /* of rows behind ?1 up to ?2, at most ?3: id, is it damaged, its mark, is it numbered */
    const char *marked; /* what rows with a mark say; NULL: the marks are hashes */
} WalkedTable;

#define ROWS_OF(table, is_damaged, mark)                                                                     \
    "SELECT id, " is_damaged ", " mark ", seq IS NOT NULL FROM " table                                       \
    " WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3"

/* In the order of record_tables[]. */
static const WalkedTable tables[] = {
    {"sensor_events",
     ROWS_OF("sensor_events",
             "CASE WHEN " ROW_IS_DAMAGED("sensor_events",
                                         ROW_SUM_OF_SENSOR_EVENTS) " THEN 1 "
                                                                   "WHEN checksum IS NULL THEN 0 "
                                                                   "ELSE vehicles IS NOT " VEHICLES_OF(
                                                                       "tipo_sensor", "event_data") " END",
             MARK_OF_SENSOR_EVENTS),
     NULL},
    {"congestion_history",
     ROWS_OF("congestion_history", ROW_IS_DAMAGED("congestion_history", ROW_SUM_OF_CONGESTION_HISTORY),
             MARK_OF_CONGESTION_HISTORY),
     "say CONGESTION"},
    {"semaphore_states",
     ROWS_OF("semaphore_states", ROW_IS_DAMAGED("semaphore_states", ROW_SUM_OF_SEMAPHORE_STATES),
             MARK_OF_SEMAPHORE_STATES),
     NULL},
    {"priority_actions",
     ROWS_OF("priority_actions", ROW_IS_DAMAGED("priority_actions", ROW_SUM_OF_PRIORITY_ACTIONS),
             MARK_OF_PRIORITY_ACTIONS),
     "are green waves"},
};
_Static_assert(ARRAY_LEN(tables) == RECORD_TABLE_COUNT, "each record has its table");

/* Three columns a table, in the order above: its rows and their marks by the totals, and its largest id. */
static const char expected_sql[] =
    "SELECT sensor_events, event_set, (SELECT max(id) FROM sensor_events), "
    "congestion_records, congestion_detections, (SELECT max(id) FROM congestion_history), "
    "semaphore_changes, 0, (SELECT max(id) FROM semaphore_states), "
    "priority_actions, green_waves, (SELECT max(id) FROM priority_actions) FROM totals";

typedef struct Sums {
    int64_t n_rows;
    uint64_t marks; /* added up, modulo 2^64 */
} Sums;

typedef struct TableWalk {
    sqlite3_stmt *piece;
    Sums expected, found;
    int64_t last_id; /* of the moment that is walked */
    int64_t at_id;   /* up to here it has been */
    int64_t n_numbered;
} TableWalk;

struct RowWalk {
    sqlite3 *db;
    bool has_begun;
    size_t at;
    TableWalk tables[RECORD_TABLE_COUNT];
};

int row_walk_new(sqlite3 *db, RowWalk **ret, Problem *problem) {
    scoped(row_walk_freep) RowWalk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return problem_set(problem, -ENOMEM, "out of memory");
    walk->db = db;
    int r = 0;
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(tables); i++)
        r = db_prepare(db, tables[i].sql, &walk->tables[i].piece, problem);
    if (r >= 0)
        *ret = take(walk);
    return r;
}

RowWalk *row_walk_free(RowWalk *walk) {
    if (!walk)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        sqlite3_finalize(walk->tables[i].piece);
    free(walk);
    return NULL;
}

static int begin(RowWalk *walk, Problem *problem) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(walk->db, expected_sql, -1, &statement, NULL) != SQLITE_OK)
        return db_error(walk->db, "check", problem);
    int rc = sqlite3_step(statement), r = 0;
    for (int i = 0; rc == SQLITE_ROW && i < RECORD_TABLE_COUNT; i++) {
        TableWalk *table = &walk->tables[i];
        table->expected.n_rows = sqlite3_column_int64(statement, 3 * i);
        table->expected.marks = (uint64_t)sqlite3_column_int64(statement, 3 * i + 1);
        table->last_id = sqlite3_column_int64(statement, 3 * i + 2);
        table->at_id = INT64_MIN;
    }
    if (rc == SQLITE_DONE)
        r = problem_set(problem, -EUCLEAN, "check: there are no totals");
    else if (rc != SQLITE_ROW)
        r = db_error(walk->db, "check", problem);
    sqlite3_finalize(statement);
    walk->has_begun = true;
    return r;
}

static int take_row(const WalkedTable *about, TableWalk *table, Problem *problem) {
    int64_t id = sqlite3_column_int64(table->piece, 0);
    if (id <= table->at_id)
        return problem_set(problem, -EUCLEAN, "check: row %" PRId64 " of %s is not in its place", id,
                           about->name);
    if (sqlite3_column_int(table->piece, 1))
        return problem_set(problem, -EUCLEAN, "check: row %" PRId64 " of %s is not what was written", id,
                           about->name);
    table->at_id = id;
    table->found.n_rows++;
    table->found.marks += (uint64_t)sqlite3_column_int64(table->piece, 2);
    table->n_numbered += sqlite3_column_int(table->piece, 3);
    return 0;
}

static int compare(const WalkedTable *about, const TableWalk *table, Problem *problem) {
    const Sums *found = &table->found, *expected = &table->expected;
    if (found->n_rows != expected->n_rows)
        return problem_set(problem, -EUCLEAN, "check: %s has %" PRId64 " rows, the totals say %" PRId64,
                           about->name, found->n_rows, expected->n_rows);
    if (found->marks == expected->marks)
        return 0;
    if (!about->marked)
        return problem_set(problem, -EUCLEAN, "check: the rows of %s are not those of the totals",
                           about->name);
    return problem_set(problem, -EUCLEAN, "check: %" PRId64 " rows %s, the totals say %" PRId64,
                       (int64_t)found->marks, about->marked, (int64_t)expected->marks);
}

int row_walk_step(RowWalk *walk, int n_rows, Problem *problem) {
    if (!walk->has_begun)
        return begin(walk, problem);
    const WalkedTable *about = &tables[walk->at];
    TableWalk *table = &walk->tables[walk->at];
    int n = 0, r = 0, rc = SQLITE_DONE;
    sqlite3_bind_int64(table->piece, 1, table->at_id);
    sqlite3_bind_int64(table->piece, 2, table->last_id);
    sqlite3_bind_int(table->piece, 3, n_rows);
    for (; r >= 0 && (rc = sqlite3_step(table->piece)) == SQLITE_ROW; n++)
        r = take_row(about, table, problem);
    if (r >= 0 && rc != SQLITE_DONE)
        r = db_error(walk->db, "check", problem);
    sqlite3_reset(table->piece);
    if (r < 0 || n == n_rows)
        return r;
    r = compare(about, table, problem);
    return r < 0 ? r : ++walk->at < ARRAY_LEN(tables) ? WALK_MORE : WALK_DONE;
}

int row_walk_whole(sqlite3 *db, Problem *problem) {
    scoped(row_walk_freep) RowWalk *walk = NULL;
    int r = row_walk_new(db, &walk, problem);
    if (r < 0)
        return r;
    while ((r = row_walk_step(walk, INT_MAX, problem)) == WALK_MORE)
        ;
    return r < 0 ? r : 0;
}

WalkedRows row_walk_found(const RowWalk *walk, int table) {
    const TableWalk *found = &walk->tables[table];
    return (WalkedRows){found->last_id, found->found.n_rows, found->n_numbered};
}
