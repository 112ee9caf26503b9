/* What all queries share: finding the kind, borrowing statements, growing the data member. */
#include "store/queries.h"

#include "store/db.h"
#include "store/query-job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const QueryKind *const kinds[] = {&query_intersection_kind, &query_history_kind, &query_events_kind,
                                         &query_counts_kind,       &query_status_kind,  &query_copy_kind};

int query_lend(QueryJob *job, ReadStatement statement, Problem *problem) {
    int r = reader_lend(job->reader, statement, &job->statement, problem);
    if (r >= 0)
        job->lent = statement;
    return r;
}

void query_take_back(QueryJob *job) {
    reader_take_back(job->reader, job->lent, job->statement);
    job->statement = NULL;
}

int query_db_error(QueryJob *job, Problem *problem) {
    return db_error(reader_db(job->reader), job->kind->command, problem);
}

void query_bind_text(QueryJob *job, int parameter, const char *text) {
    sqlite3_bind_text(job->statement, parameter, text, -1, SQLITE_TRANSIENT);
}

const char *query_column_text(const QueryJob *job, int column) {
    const char *text = (const char *)sqlite3_column_text(job->statement, column);
    return text ? text : "";
}

int query_begin(Reader *reader, const Query *query, const char *added_data, QueryJob **ret,
                Problem *problem) {
    const QueryKind *kind = NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i]->command, query->command) == 0)
            kind = kinds[i];
    if (!kind)
        return problem_set(problem, -ENOTSUP, "%s: no query of a store's database", query->command);

    scoped(query_freep) QueryJob *job = calloc(1, sizeof *job);
    if (!job)
        return problem_set(problem, -ENOMEM, "out of memory");
    job->kind = kind;
    job->reader = reader;
    job->query = *query;
    job->out = open_memstream(&job->text, &job->text_size);
    job->added_data = strdup(added_data ? added_data : "");
    if (!job->out || !job->added_data)
        return problem_set(problem, -ENOMEM, "out of memory");
    int r = kind->begin(job, problem);
    if (r < 0)
        return r;
    *ret = take(job);
    return 0;
}

int query_step(QueryJob *job, int n_rows, Problem *problem) {
    int r = job->kind->step(job, n_rows, problem);
    if (r == QUERY_DONE && (fflush(job->out) != 0 || ferror(job->out)))
        r = problem_set(problem, -ENOMEM, "out of memory for the answer");
    return r;
}

JsonText query_data(const QueryJob *job) {
    return (JsonText){.text = job->text, .size = job->text_size};
}

int query_n_passed_over(const QueryJob *job) {
    return job->n_passed_over;
}

QueryJob *query_free(QueryJob *job) {
    if (!job)
        return NULL;
    query_take_back(job);
    if (job->out)
        fclose(job->out);
    if (job->waves_out)
        fclose(job->waves_out);
    free(job->text);
    free(job->waves);
    free(job->added_data);
    free(job);
    return NULL;
}
