/* What the store's tests share: a directory of their own, records made from the JSON that peers send, and a
 * fixed time. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "store/db.h"
#include "store/records.h"
#include "wire/messages.h"

#include <sqlite3.h>

#define NOON ((Wall){UINT64_C(1795176000) * USEC_PER_SEC}) /* 2026-11-20T12:00:00Z */

/* A fresh directory and in it the name of a database that does not exist yet. */
typedef struct TestFile {
    char directory[64];
    char path[96];
    Decoder *decoder;
} TestFile;

int test_file_setup(void **state);
int test_file_teardown(void **state); /* removes the directory */

/* A frame and the record in it; the record borrows from the file's decoder until its next use. */
typedef struct TestRecord {
    char frame[1024];
    size_t size;
    Message message;
} TestRecord;

/* `data` is the members of the data object, without braces. */
TestRecord test_record(TestFile *file, const char *type, const char *data, ...)
    __attribute__((format(printf, 3, 4)));

/* A loop's event of INT-A1 with an identity: sequence numbers begin at 1, one event a second from noon on, (n
 * % 30) vehicles. */
TestRecord test_event(TestFile *file, int n);

sqlite3 *test_open(const TestFile *file);
RecordWriter *test_writer(sqlite3 *db);
int64_t test_integer(sqlite3 *db, const char *sql);
void test_run(sqlite3 *db, const char *sql);

/* Every statement that is prepared on the connection finds its rows by a primary key. Returns how many look
 * for any. */
int test_search_by_primary_key(sqlite3 *db);

/* Inserts and commits events first..last. */
void test_store_events(TestFile *file, RecordWriter *writer, int first, int last);
