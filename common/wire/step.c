#include "wire/step.h"

#include "base/vocabulary.h"

#include <string.h>

bool step_is_one(const char *frame, size_t size) {
    static const char begin[] = "{\"report\":\"";
    const size_t n = sizeof begin - 1;
    if (size <= n || memcmp(frame, begin, n) != 0)
        return false;
    for (int kind = 0; kind < STEP_COUNT; kind++) {
        size_t word = strlen(step_words[kind]);
        if (size > n + word && memcmp(frame + n, step_words[kind], word) == 0 && frame[n + word] == '"')
            return true;
    }
    return false;
}
