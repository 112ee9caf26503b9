/* An index is read in the order of its keys, each piece behind the last key of the one before.
 *
 * The subtle thing is what "behind" is to SQL when a part of the key is NULL: (a, b) > (x, y) says NULL then,
 * and the rest of the index would go unread. So a piece asks part by part, from the last one on: the same a and
 * a larger b, and when there are no more of them a larger a. The same condition is a column of the answer: a
 * search in a damaged index may lead anywhere, also back, and a walk that goes back does not end. */
#include "store/index-walk.h"

#include "store/db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MAX = 4, SQL_MAX_BYTES = 1024 };

typedef struct WalkedIndex {
    const char *table, *name;
    const char *key[KEY_MAX + 1]; /* the last part is the row's id, which makes it unique */
    const char *rest;             /* what an entry holds behind it */
    bool is_of_numbered;          /* only of rows that have a place in a stream */
} WalkedIndex;

#define BY_INTERSECTION .key = {"interseccion", "timestamp", "id"}
#define BY_IDENTITY     .key = {"producer_id", "epoch", "seq", "id"}, .is_of_numbered = true

static const WalkedIndex indexes[] = {
    {"sensor_events", "sensor_events_by_intersection", BY_INTERSECTION},
    {"sensor_events", "sensor_events_by_time", .key = {"timestamp", "id"}, .rest = ", tipo_sensor, vehicles"},
    {"sensor_events", "sensor_events_identity", BY_IDENTITY},
    {"congestion_history", "congestion_history_by_intersection", BY_INTERSECTION},
    {"congestion_history", "congestion_history_by_time", .key = {"timestamp", "id"}},
    {"congestion_history", "congestion_history_identity", BY_IDENTITY},
    {"semaphore_states", "semaphore_states_by_intersection", BY_INTERSECTION},
    {"semaphore_states", "semaphore_states_identity", BY_IDENTITY},
    {"priority_actions", "priority_actions_identity", BY_IDENTITY},
};

struct IndexWalk {
    sqlite3 *db;
    const RowWalk *rows;
    size_t at;
    sqlite3_value *key[KEY_MAX]; /* of the last entry; NULL at an index's beginning */
    int64_t n_found;             /* entries of rows that are counted */
};

static void forget_key(IndexWalk *walk) {
    for (int i = 0; i < KEY_MAX; i++) {
        sqlite3_value_free(walk->key[i]);
        walk->key[i] = NULL;
    }
}

int index_walk_new(sqlite3 *db, const RowWalk *rows, IndexWalk **ret, Problem *problem) {
    IndexWalk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return problem_set(problem, -ENOMEM, "out of memory");
    *walk = (IndexWalk){.db = db, .rows = rows};
    *ret = walk;
    return 0;
}

IndexWalk *index_walk_free(IndexWalk *walk) {
    if (!walk)
        return NULL;
    forget_key(walk);
    free(walk);
    return NULL;
}

static int n_parts(const WalkedIndex *index) {
    int n = 0;
    while (index->key[n])
        n++;
    return n;
}

/* --- a piece --- */

/* The same key as the last entry's up to `part`, and behind it there. */
static void write_condition(FILE *out, const IndexWalk *walk, const WalkedIndex *index, int part) {
    if (!walk->key[0]) {
        fputs("1", out);
        return;
    }
    for (int i = 0; i < part; i++)
        fprintf(out, "%s IS ?%d AND ", index->key[i], i + 1);
    if (sqlite3_value_type(walk->key[part]) == SQLITE_NULL)
        fprintf(out, "%s IS NOT NULL", index->key[part]);
    else
        fprintf(out, "%s > ?%d", index->key[part], part + 1);
}

static void write_columns(FILE *out, const WalkedIndex *index, int first) {
    for (int i = first; index->key[i]; i++)
        fprintf(out, "%s%s", i > first ? ", " : "", index->key[i]);
}

/* The condition, the key, the rest. */
static int prepare(const IndexWalk *walk, const WalkedIndex *index, int part, sqlite3_stmt **ret,
                   Problem *problem) {
    char sql[SQL_MAX_BYTES];
    FILE *out = fmemopen(sql, sizeof sql, "w");
    if (!out)
        return problem_set(problem, -ENOMEM, "out of memory");
    fputs("SELECT ", out);
    write_condition(out, walk, index, part);
    fputs(", ", out);
    write_columns(out, index, 0);
    fprintf(out, "%s FROM %s INDEXED BY %s WHERE ", index->rest ? index->rest : "", index->table,
            index->name);
    write_condition(out, walk, index, part);
    fputs(index->is_of_numbered ? " AND seq IS NOT NULL ORDER BY " : " ORDER BY ", out);
    write_columns(out, index, part);
    fclose(out);
    if (sqlite3_prepare_v2(walk->db, sql, -1, ret, NULL) != SQLITE_OK)
        return db_error(walk->db, sql, problem);
    for (int i = 0; i < sqlite3_bind_parameter_count(*ret); i++)
        sqlite3_bind_value(*ret, i + 1, walk->key[i]);
    return 0;
}

static WalkedRows rows_of(const IndexWalk *walk, const WalkedIndex *index) {
    return row_walk_found(walk->rows, record_table_index(index->table));
}

static int keep_key(IndexWalk *walk, sqlite3_stmt *statement, int n, Problem *problem) {
    forget_key(walk);
    for (int i = 0; i < n; i++) {
        walk->key[i] = sqlite3_value_dup(sqlite3_column_value(statement, 1 + i));
        if (!walk->key[i])
            return problem_set(problem, -ENOMEM, "out of memory");
    }
    return 0;
}

/* How many entries there were, at most `n_max`; the last of so many is where the next piece begins. */
static int read_entries(IndexWalk *walk, const WalkedIndex *index, int part, int n_max, Problem *problem) {
    const int id_column = n_parts(index); /* the condition is the first */
    const int64_t last_id = rows_of(walk, index).last_id;
    sqlite3_stmt *statement = NULL;
    int n = 0, rc = SQLITE_DONE;
    int r = prepare(walk, index, part, &statement, problem);
    while (r >= 0 && n < n_max && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!sqlite3_column_int(statement, 0))
            r = problem_set(problem, -EUCLEAN, "check: an entry of %s is not in its place", index->name);
        walk->n_found += sqlite3_column_int64(statement, id_column) <= last_id;
        n++;
    }
    if (r >= 0 && rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = db_error(walk->db, "check", problem);
    if (r >= 0 && n == n_max)
        r = keep_key(walk, statement, id_column, problem);
    sqlite3_finalize(statement);
    return r < 0 ? r : n;
}

static int64_t n_expected(const IndexWalk *walk, const WalkedIndex *index) {
    WalkedRows rows = rows_of(walk, index);
    return index->is_of_numbered ? rows.n_numbered : rows.n_rows;
}

static int compare(const IndexWalk *walk, const WalkedIndex *index, Problem *problem) {
    if (walk->n_found == n_expected(walk, index))
        return 0;
    return problem_set(problem, -EUCLEAN, "check: %s has %" PRId64 " entries for %" PRId64 " rows",
                       index->name, walk->n_found, n_expected(walk, index));
}

/* What lies behind the last entry that is counted came later; it may come faster than it is read. */
int index_walk_step(IndexWalk *walk, int n_entries, Problem *problem) {
    const WalkedIndex *index = &indexes[walk->at];
    int n_left = n_entries, r = 0;
    for (int part = walk->key[0] ? n_parts(index) - 1 : 0; r >= 0 && n_left > 0 && part >= 0; part--) {
        r = read_entries(walk, index, part, n_left, problem);
        n_left -= r;
    }
    if (r < 0)
        return r;
    if (n_left == 0 && walk->n_found < n_expected(walk, index))
        return WALK_MORE;
    r = compare(walk, index, problem);
    forget_key(walk);
    walk->n_found = 0;
    return r < 0 ? r : ++walk->at < ARRAY_LEN(indexes) ? WALK_MORE : WALK_DONE;
}
