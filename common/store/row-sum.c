/* The values one after the other, each with its kind, place and length, so that nothing that moves from one
 * column to the next goes unseen.
 *
 * The subtle thing is that a number is summed as what it is worth: SQLite stores 15.0 as 15 in some columns
 * and not in others, and gives both back as what the column's affinity says. */
#include "store/row-sum.h"

#include "base/macro.h"

#include <endian.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct RowSum {
    uint32_t crc;
    size_t n_gathered;
    unsigned char gathered[512]; /* one call for many small values: each call has its price */
} RowSum;

static void add_bytes(RowSum *sum, const void *bytes, size_t size) {
    if (size > sizeof sum->gathered - sum->n_gathered) {
        sum->crc = libdeflate_crc32(sum->crc, sum->gathered, sum->n_gathered);
        sum->n_gathered = 0;
    }
    if (size > sizeof sum->gathered) {
        sum->crc = libdeflate_crc32(sum->crc, bytes, size);
    } else if (size > 0) {
        memcpy(sum->gathered + sum->n_gathered, bytes, size);
        sum->n_gathered += size;
    }
}

typedef struct ValueMark {
    uint16_t place;
    uint16_t kind; /* SQLITE_INTEGER, ... */
    uint32_t size;
} ValueMark;
_Static_assert(sizeof(ValueMark) == 8, "no holes: its bytes are summed");

static void add_part(RowSum *sum, int place, int kind, const void *bytes, size_t size) {
    ValueMark mark = {htole16((uint16_t)place), htole16((uint16_t)kind), htole32((uint32_t)size)};
    add_bytes(sum, &mark, sizeof mark);
    add_bytes(sum, bytes, size);
}

static bool is_whole(double number) {
    return number >= -0x1p62 && number <= 0x1p62 && number == (double)(int64_t)number;
}

static void add_number(RowSum *sum, int place, int kind, const void *number) {
    uint64_t bits;
    memcpy(&bits, number, sizeof bits);
    bits = htole64(bits);
    add_part(sum, place, kind, &bits, sizeof bits);
}

static void add_value(RowSum *sum, int place, sqlite3_value *value) {
    int kind = sqlite3_value_type(value);
    if (kind == SQLITE_NULL)
        return; /* the places of the others tell that it is missing */
    if (kind == SQLITE_INTEGER || kind == SQLITE_FLOAT) {
        double number = sqlite3_value_double(value);
        int64_t whole = sqlite3_value_int64(value);
        if (kind == SQLITE_INTEGER || is_whole(number))
            add_number(sum, place, SQLITE_INTEGER, &whole);
        else
            add_number(sum, place, SQLITE_FLOAT, &number);
    } else {
        const void *bytes = sqlite3_value_blob(value); /* a text's bytes are those of a blob */
        add_part(sum, place, kind, bytes, (size_t)sqlite3_value_bytes(value));
    }
}

static void sql_row_sum(sqlite3_context *context, int n_values, sqlite3_value **values) {
    RowSum sum;
    sum.crc = 0;
    sum.n_gathered = 0;
    for (int i = 0; i < n_values; i++)
        add_value(&sum, i, values[i]);
    sqlite3_result_int64(context, (sqlite3_int64)libdeflate_crc32(sum.crc, sum.gathered, sum.n_gathered));
}

int row_sum_register(sqlite3 *db) {
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    return sqlite3_create_function(db, "row_sum", -1, flags, NULL, sql_row_sum, NULL, NULL);
}
