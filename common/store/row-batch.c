/* An eponymous virtual table with a cursor over an array.
 *
 * The subtle thing: INSERT ... SELECT is no loop over a copy, SQLite puts each row there before it asks for the next
 * one. So between two rows the connection's last row id tells whether the one before was inserted: it is set
 * to 0, which no row has, and is another one then. */
#include "store/row-batch.h"

#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct RowValue {
    int kind; /* SQLITE_TEXT, ... */
    union {
        int64_t integer;
        double number;
        struct {
            size_t at, size; /* in the batch's texts, which move when they grow */
        } text;
    };
} RowValue;

typedef struct Row {
    uint64_t mark;
    bool was_inserted;
} Row;

struct RowBatch {
    sqlite3 *db;
    char name[64];
    size_t n_columns, n_rows, first, behind;
    RowValue *values; /* n_columns of each row */
    Row rows[ROW_BATCH_ROWS];
    char *texts;
    size_t texts_size, texts_capacity;
};

/* --- as a table --- */

typedef struct BatchTable {
    sqlite3_vtab base;
    RowBatch *batch;
} BatchTable;

typedef struct BatchCursor {
    sqlite3_vtab_cursor base;
    size_t row;
} BatchCursor;

static RowBatch *batch_of(sqlite3_vtab_cursor *cursor) {
    return ((BatchTable *)(void *)cursor->pVtab)->batch;
}

static int connect_table(sqlite3 *db, void *batch, int n_words, const char *const *words, sqlite3_vtab **ret,
                         char **ret_error) {
    (void)n_words;
    (void)words;
    (void)ret_error;
    char sql[512] = "CREATE TABLE batch (c0";
    size_t at = strlen(sql);
    for (size_t i = 1; i < ((RowBatch *)batch)->n_columns; i++)
        at += (size_t)snprintf(sql + at, sizeof sql - at, ", c%zu", i);
    (void)snprintf(sql + at, sizeof sql - at, ")");
    BatchTable *table = sqlite3_malloc(sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    *table = (BatchTable){.batch = batch};
    *ret = &table->base;
    return sqlite3_declare_vtab(db, sql);
}

static int disconnect_table(sqlite3_vtab *table) {
    sqlite3_free(table);
    return SQLITE_OK;
}

/* There is one way: from the first row to the last. */
static int plan(sqlite3_vtab *table, sqlite3_index_info *info) {
    (void)table;
    info->estimatedRows = ROW_BATCH_ROWS;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **ret) {
    (void)table;
    BatchCursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (BatchCursor){.row = 0};
    *ret = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor) {
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int begin_rows(sqlite3_vtab_cursor *base, int number, const char *text, int n_values,
                      sqlite3_value **values) {
    (void)number;
    (void)text;
    (void)n_values;
    (void)values;
    RowBatch *batch = batch_of(base);
    ((BatchCursor *)(void *)base)->row = batch->first;
    sqlite3_set_last_insert_rowid(batch->db, 0);
    return SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *base) {
    BatchCursor *cursor = (BatchCursor *)(void *)base;
    RowBatch *batch = batch_of(base);
    batch->rows[cursor->row++].was_inserted = sqlite3_last_insert_rowid(batch->db) != 0;
    sqlite3_set_last_insert_rowid(batch->db, 0);
    return SQLITE_OK;
}

static int is_behind_rows(sqlite3_vtab_cursor *base) {
    return ((BatchCursor *)(void *)base)->row >= batch_of(base)->behind;
}

static int give_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
    const RowBatch *batch = batch_of(base);
    const RowValue *value =
        &batch->values[((BatchCursor *)(void *)base)->row * batch->n_columns + (size_t)column];
    if (value->kind == SQLITE_TEXT)
        sqlite3_result_text(context, batch->texts + value->text.at, (int)value->text.size, SQLITE_STATIC);
    else if (value->kind == SQLITE_INTEGER)
        sqlite3_result_int64(context, value->integer);
    else if (value->kind == SQLITE_FLOAT)
        sqlite3_result_double(context, value->number);
    return SQLITE_OK; /* nothing given is NULL */
}

static int give_row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *ret) {
    *ret = (sqlite3_int64)((BatchCursor *)(void *)base)->row;
    return SQLITE_OK;
}

static const sqlite3_module batch_module = {
    .xConnect = connect_table, /* and no xCreate: there is one table, which has the module's name */
    .xDisconnect = disconnect_table,
    .xBestIndex = plan,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = begin_rows,
    .xNext = next_row,
    .xEof = is_behind_rows,
    .xColumn = give_column,
    .xRowid = give_row_id,
};

/* --- making and ending --- */

int row_batch_new(sqlite3 *db, const char *name, size_t n_columns, RowBatch **ret, Problem *problem) {
    scoped(row_batch_freep) RowBatch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return problem_set(problem, -ENOMEM, "out of memory");
    batch->db = db;
    batch->n_columns = n_columns;
    (void)snprintf(batch->name, sizeof batch->name, "%s", name);
    batch->values = calloc(ROW_BATCH_ROWS * n_columns, sizeof *batch->values);
    if (!batch->values)
        return problem_set(problem, -ENOMEM, "out of memory");
    if (sqlite3_create_module_v2(db, batch->name, &batch_module, batch, NULL) != SQLITE_OK)
        return db_error(db, name, problem);
    *ret = take(batch);
    return 0;
}

RowBatch *row_batch_free(RowBatch *batch) {
    if (!batch)
        return NULL;
    (void)sqlite3_create_module_v2(batch->db, batch->name, NULL, NULL, NULL);
    free(batch->values);
    free(batch->texts);
    free(batch);
    return NULL;
}

/* --- filling --- */

size_t row_batch_size(const RowBatch *batch) {
    return batch->n_rows;
}

static RowValue *value_of_last(RowBatch *batch, size_t column) {
    return &batch->values[(batch->n_rows - 1) * batch->n_columns + column];
}

void row_batch_add(RowBatch *batch, uint64_t mark) {
    batch->rows[batch->n_rows++] = (Row){.mark = mark};
    for (size_t i = 0; i < batch->n_columns; i++)
        value_of_last(batch, i)->kind = SQLITE_NULL;
}

int row_batch_set_text(RowBatch *batch, size_t column, const char *text, size_t size) {
    size_t wanted = batch->texts_size + size;
    if (wanted > batch->texts_capacity || !batch->texts) {
        size_t capacity = wanted > 2 * batch->texts_capacity ? wanted + 1 : 2 * batch->texts_capacity;
        char *moved = realloc(batch->texts, capacity);
        if (!moved)
            return -ENOMEM;
        batch->texts = moved;
        batch->texts_capacity = capacity;
    }
    memcpy(batch->texts + batch->texts_size, text, size);
    RowValue *value = value_of_last(batch, column);
    *value = (RowValue){.kind = SQLITE_TEXT, .text = {.at = batch->texts_size, .size = size}};
    batch->texts_size = wanted;
    return 0;
}

void row_batch_set_integer(RowBatch *batch, size_t column, int64_t integer) {
    *value_of_last(batch, column) = (RowValue){.kind = SQLITE_INTEGER, .integer = integer};
}

void row_batch_set_number(RowBatch *batch, size_t column, double number) {
    *value_of_last(batch, column) = (RowValue){.kind = SQLITE_FLOAT, .number = number};
}

void row_batch_clear(RowBatch *batch) {
    batch->n_rows = batch->texts_size = 0;
}

/* --- taking --- */

void row_batch_show(RowBatch *batch, size_t first, size_t behind) {
    batch->first = first;
    batch->behind = behind;
}

bool row_batch_was_inserted(const RowBatch *batch, size_t row) {
    return batch->rows[row].was_inserted;
}

uint64_t row_batch_mark(const RowBatch *batch, size_t row) {
    return batch->rows[row].mark;
}
