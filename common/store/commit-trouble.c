#include "store/commit-trouble.h"

bool commit_trouble_failed(CommitTrouble *trouble, int error, const Problem *why, Mono now) {
    bool is_first = trouble->error == 0;
    if (is_first) {
        trouble->since = now;
        trouble->why = *why;
        trouble->pause_usec = COMMIT_RETRY_FIRST_USEC;
    } else {
        trouble->pause_usec *= 2;
        if (trouble->pause_usec > COMMIT_RETRY_LAST_USEC)
            trouble->pause_usec = COMMIT_RETRY_LAST_USEC;
    }
    trouble->error = error;
    trouble->retry_at = mono_after(now, trouble->pause_usec);
    return is_first;
}

bool commit_trouble_ended(CommitTrouble *trouble) {
    bool was_in_trouble = trouble->error != 0;
    trouble->error = 0;
    return was_in_trouble;
}
