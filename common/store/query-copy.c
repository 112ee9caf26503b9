/* COPY_RECORDS: rows back into the records that they came from, for the other store. The reverse of what
 * records.c binds: each member of the message has a column of its name.
 *
 * The subtle thing is what no frame can carry on. A copy travels inside a reply and then inside a request,
 * deeper and with more around it than it came: a row that would not survive that is passed over and
 * counted, because a copy that cannot be read at its end would be asked for again for ever. */
#include "store/query-job.h"

#include "store/db.h"
#include "store/hash.h"
#include "store/records.h"
#include "wire/endpoints.h"
#include "wire/json-text.h"
#include "wire/message-table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    REQUEST_BYTES = 1024, /* of a frame, for what surrounds the records in it */
    NESTED_DEPTH_MAX = EVENT_DEPTH_MAX,
    DEFAULT_LIMIT = 1000,
};

/* --- a row as a message --- */

_Static_assert((int)SensorEventRecord_member_count <= QUERY_MEMBERS_MAX &&
                   (int)CongestionRecord_member_count <= QUERY_MEMBERS_MAX &&
                   (int)SemaphoreRecord_member_count <= QUERY_MEMBERS_MAX &&
                   (int)PriorityRecord_member_count <= QUERY_MEMBERS_MAX,
               "each member has its place");

static int column_of(sqlite3_stmt *statement, const char *name) {
    int n_columns = sqlite3_column_count(statement);
    for (int i = 0; i < n_columns; i++)
        if (strcmp(sqlite3_column_name(statement, i), name) == 0)
            return i;
    return -1;
}

static void find_columns(QueryJob *job) {
    const MessageDescriptor *descriptor = &message_descriptors[job->copied];
    for (size_t i = 0; i < descriptor->n_members; i++)
        job->columns[i] = column_of(job->statement, descriptor->members[i].json);
}

/* A column into a member; false when it holds nothing that the member can be: then it is left out. Texts in
 * nested members stay SQLite's. */
static bool read_member(sqlite3_stmt *statement, int column, const MessageMember *member, void *ret) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    int word;
    switch (member->kind) {
    case MEMBER_TEXT:
    case MEMBER_TOKEN:
        (void)snprintf(ret, member->max_bytes + 1, "%s", text);
        return size > 0;
    case MEMBER_NUMBER:
        *(double *)ret = sqlite3_column_double(statement, column);
        return true;
    case MEMBER_INTEGER:
        *(int64_t *)ret = sqlite3_column_int64(statement, column);
        return true;
    case MEMBER_CHOICE:
        word = word_index(member->words, text);
        *(int *)ret = word;
        return word >= 0;
    case MEMBER_INSTANT:
        return timestamp_parse(text, size, ret) >= 0;
    case MEMBER_NESTED:
        *(JsonText *)ret = (JsonText){.text = text, .size = size};
        return true;
    default: /* a record has no other kinds */
        return false;
    }
}

static bool read_row(const QueryJob *job, Message *ret) {
    const MessageDescriptor *descriptor = &message_descriptors[job->copied];
    *ret = (Message){.tag = job->copied};
    for (size_t i = 0; i < descriptor->n_members; i++) {
        const MessageMember *member = &descriptor->members[i];
        int column = job->columns[i];
        if (column < 0 || sqlite3_column_type(job->statement, column) == SQLITE_NULL)
            continue;
        void *value = member_at(ret, member);
        if (read_member(job->statement, column, member, value))
            *message_present(ret) |= member->mark;
        if (member->kind == MEMBER_NESTED && json_text_depth(*(const JsonText *)value) > NESTED_DEPTH_MAX)
            return false;
    }
    return true;
}

/* The members of IDENTITY in messages.def are the last of every record, in this order. */
enum { IDENTITY_PRODUCER, IDENTITY_EPOCH, IDENTITY_SEQUENCE, IDENTITY_CAPTURED, IDENTITY_MEMBER_COUNT };
_Static_assert(SensorEventRecord_has_producer == SensorEventRecord_member_count - IDENTITY_MEMBER_COUNT &&
                   CongestionRecord_has_producer == CongestionRecord_member_count - IDENTITY_MEMBER_COUNT &&
                   SemaphoreRecord_has_producer == SemaphoreRecord_member_count - IDENTITY_MEMBER_COUNT &&
                   PriorityRecord_has_producer == PriorityRecord_member_count - IDENTITY_MEMBER_COUNT,
               "the identity comes last");

/* A row that came without one gets one that it has in every copy, and that no row of another file has. */
static void complete_identity(Message *record, const char *producer, int64_t made_at, int64_t id) {
    const MessageDescriptor *descriptor = &message_descriptors[record->tag];
    const MessageMember *identity = descriptor->members + descriptor->n_members - IDENTITY_MEMBER_COUNT;
    uint32_t all =
        identity[IDENTITY_PRODUCER].mark | identity[IDENTITY_EPOCH].mark | identity[IDENTITY_SEQUENCE].mark;
    if ((*message_present(record) & all) == all)
        return;
    (void)snprintf(member_at(record, &identity[IDENTITY_PRODUCER]), identity[IDENTITY_PRODUCER].max_bytes + 1,
                   "%s", producer);
    *(int64_t *)member_at(record, &identity[IDENTITY_EPOCH]) = made_at;
    *(int64_t *)member_at(record, &identity[IDENTITY_SEQUENCE]) = id;
    *message_present(record) |= all;
}

/* The size of the record in `buffer`, or -EMSGSIZE: no frame can carry it. */
static int encode_row(const QueryJob *job, int64_t id, char *buffer, size_t buffer_size) {
    Message record;
    Problem ignored = {0};
    if (!read_row(job, &record))
        return -EMSGSIZE;
    complete_identity(&record, job->added_data, job->made_at, id);
    int size = message_encode(&record, buffer, buffer_size, &ignored);
    return size < 0 ? -EMSGSIZE : size;
}

/* --- the request --- */

static int read_made_at(QueryJob *job, Problem *problem) {
    int r = query_lend(job, READ_MADE_AT, problem);
    if (r < 0)
        return r;
    if (sqlite3_step(job->statement) == SQLITE_ROW)
        job->made_at = sqlite3_column_int64(job->statement, 0);
    else
        r = query_db_error(job, problem);
    query_take_back(job);
    return r;
}

static int begin_copy(QueryJob *job, Problem *problem) {
    const Query *query = &job->query;
    int table = message_has(query, Query, table) ? record_table_index(query->table) : -1;
    if (table < 0)
        return problem_set(problem, -EINVAL, "table: expected the type of a record, such as %s, got \"%s\"",
                           message_wire_name(record_tables[0]), query->table);
    int r = read_made_at(job, problem);
    if (r >= 0)
        r = query_lend(job, (ReadStatement)(READ_COPY_EVENTS + table), problem);
    if (r < 0)
        return r;
    job->copied = record_tables[table];
    job->last_id = message_has(query, Query, after_id) ? query->after_id : 0;
    job->n_rows_left = message_has(query, Query, limit) ? (int)query->limit : DEFAULT_LIMIT;
    find_columns(job);
    sqlite3_bind_int64(job->statement, 1, job->last_id);
    fputs("{\"records\":[", job->out);
    return 0;
}

/* --- the answer --- */

static int end_copy(QueryJob *job, bool is_done) {
    fprintf(job->out, "],\"last_id\":%" PRId64 ",\"done\":%s,\"passed_over\":%d}", job->last_id,
            is_done ? "true" : "false", job->n_passed_over);
    query_take_back(job);
    return QUERY_DONE;
}

/* False: the row does not fit any more and begins the next copy. */
static bool copy_row(QueryJob *job, char *buffer, size_t buffer_size) {
    int64_t id = sqlite3_column_int64(job->statement, 0);
    int size = encode_row(job, id, buffer, buffer_size);
    bool is_first = job->n_written == 0;
    if (size >= 0 && !is_first && (size_t)ftell(job->out) + (size_t)size > QUERY_COPY_BYTES)
        return false;
    if (size >= 0) {
        fprintf(job->out, "%s%.*s", is_first ? "" : ",", size, buffer);
        job->n_written++;
    } else {
        job->n_passed_over++;
    }
    job->last_id = id;
    job->n_rows_left--;
    return true;
}

/* A damaged row is for the next opening of the file to deal with: what is copied from here is all that the
 * other store gets. */
static int check_row(const QueryJob *job, Problem *problem) {
    int is_damaged = sqlite3_column_count(job->statement) - 1;
    return sqlite3_column_int(job->statement, is_damaged) == 0
               ? 0
               : problem_set(problem, -EUCLEAN, "row %" PRId64 " of the %s is not what was written",
                             (int64_t)sqlite3_column_int64(job->statement, 0),
                             message_wire_name(job->copied));
}

static int step_copy(QueryJob *job, int n_rows, Problem *problem) {
    char buffer[FRAME_MAX_BYTES - REQUEST_BYTES];
    for (int i = 0; i < n_rows; i++) {
        int rc = sqlite3_step(job->statement);
        if (rc == SQLITE_DONE)
            return end_copy(job, true);
        if (rc != SQLITE_ROW)
            return query_db_error(job, problem);
        int r = check_row(job, problem);
        if (r < 0)
            return r;
        if (job->n_rows_left == 0 || !copy_row(job, buffer, sizeof buffer))
            return end_copy(job, false);
    }
    return QUERY_MORE;
}

const QueryKind query_copy_kind = {"COPY_RECORDS", begin_copy, step_copy};
