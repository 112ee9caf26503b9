#include "wire/step.h"

#include "base/vocabulary.h"

#include <string.h>

static const char begin[] = "{\"report\":\"";

/* Whether the frame begins with this kind of report. */
static bool begins_with(const char *frame, size_t size, const char *kind) {
    const size_t n = sizeof begin - 1, word = strlen(kind);
    return size > n + word && memcmp(frame, begin, n) == 0 && memcmp(frame + n, kind, word) == 0 &&
           frame[n + word] == '"';
}

bool step_is_one(const char *frame, size_t size) {
    for (int kind = 0; kind < STEP_COUNT; kind++)
        if (begins_with(frame, size, step_words[kind]))
            return true;
    return false;
}

bool missed_is_one(const char *frame, size_t size) {
    return begins_with(frame, size, "MISSED");
}
