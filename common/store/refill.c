/* One transaction for one request: who copies waits for its answer anyway. */
#include "store/refill.h"

#include "wire/json-text.h"

#include <errno.h>

static void refuse(RefillCounts *counts, const Problem *why, Problem *problem) {
    if (counts->n_refused++ == 0)
        *problem = *why;
}

/* A negative errno is about the file. */
static int take_one(RecordWriter *writer, Decoder *decoder, const RefillSpec *spec, JsonText text,
                    RefillCounts *counts, Problem *problem) {
    Message record;
    Refusal ignored;
    Problem why = {0};
    int r = message_decode(decoder, MESSAGE_FAMILY_RECORD, text.text, text.size, &record, &ignored, &why);
    if (r == -EBADMSG || (r >= 0 && !spec->may_take(&record, spec->userdata, &why))) {
        refuse(counts, &why, problem);
        return 0;
    }
    if (r >= 0)
        r = record_writer_insert(writer, &record, spec->arrival, &why);
    if (r == -EINVAL)
        refuse(counts, &why, problem);
    else if (r < 0)
        return problem_set(problem, r, "%s", why.text);
    counts->n_taken += r == RECORD_NEW;
    counts->n_repeated += r == RECORD_REPEAT;
    return 0;
}

int refill_take(RecordWriter *writer, Decoder *decoder, const RefillSpec *spec, RefillCounts *ret,
                Problem *problem) {
    RefillCounts counts = {0};
    JsonText text;
    size_t at = 0;
    if (spec->records.size == 0 || spec->records.text[0] != '[')
        return problem_set(problem, -EINVAL, "records: expected an array of records");
    int r = record_writer_begin(writer, problem);
    while (r >= 0 && array_text_next(spec->records, &at, &text))
        r = take_one(writer, decoder, spec, text, &counts, problem);
    if (r >= 0 && spec->is_last)
        record_writer_set_needs_refill(writer, false);
    if (r >= 0)
        r = record_writer_commit(writer, spec->arrival, problem);
    if (r < 0) {
        record_writer_rollback(writer);
        return r;
    }
    *ret = counts;
    return 0;
}
