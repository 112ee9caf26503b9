/* Reading the tables: the connection that only reads, and every SELECT of the project by name, each prepared
 * once.
 *
 * A statement is lent out: two questions that are answered bit by bit may need the same one at the same time,
 * then the second gets a fresh copy. tests/unit/store asks the planner about each: none may scan a table. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"

#include <sqlite3.h>

typedef struct Reader Reader;

/* Parameters: I an intersection, F and T the bounds of a time range as timestamps, inclusive, N the largest
 * id at T (rows of one second are told apart by it), K a tipo_sensor or NULL. Rows of JSON are objects as the
 * Queries table of the wire describes them. */
typedef enum ReadStatement {
    READ_EVENTS,           /* F T N K -> JSON or NULL when its kind is another; newest first */
    READ_EVENTS_OF,        /* F T N K I -> the same of one intersection */
    READ_HISTORY,          /* F T N -> JSON; newest first */
    READ_HISTORY_OF,       /* F T N K I (K unused) */
    READ_COUNTS,           /* F T K -> timestamp, vehicles, is the kind asked for; oldest first */
    READ_COUNTS_OF,        /* F T K I */
    READ_READINGS_OF,      /* I -> tipo_sensor, volumen, velocidad_promedio, vehicles, intervalo_segundos,
                              timestamp; newest 100 */
    READ_NEWEST_LIGHTS_OF, /* I -> JSON */
    READ_NEWEST_STATE_OF,  /* I -> traffic_state, timestamp */
    READ_NEXT_CONGESTED,   /* I -> the next intersection in the history after I, or NULL */
    READ_TOTALS,           /* -> the columns of totals in the order of StoreTotals */
    READ_EVENT_PLACE,      /* id -> its timestamp */
    READ_HISTORY_PLACE,
    READ_MADE_AT, /* -> the second in which the file was made */
    /* id -> every column of the rows behind it, in the order of arrival; in the order of record_tables[] */
    READ_COPY_EVENTS,
    READ_COPY_HISTORY,
    READ_COPY_LIGHTS,
    READ_COPY_ACTIONS,
    READ_STATEMENT_COUNT,
} ReadStatement;

/* The file must be open for writing in this process. Errors as db_open_reader(). */
int reader_new(const char *path, Reader **ret, Problem *problem);
Reader *reader_free(Reader *reader); /* what was lent out must have come back */
DEFINE_FREEP(Reader, reader_free)

sqlite3 *reader_db(Reader *reader);

/* Reset and without bindings. Errors as db_error(). */
int reader_lend(Reader *reader, ReadStatement statement, sqlite3_stmt **ret, Problem *problem);
/* Accepts NULL. */
void reader_take_back(Reader *reader, ReadStatement statement, sqlite3_stmt *lent);

const char *reader_sql(ReadStatement statement);
