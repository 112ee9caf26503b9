/* Counts passages down and kills the process at the last one. Knows no service and no frame.
 *
 * State of the whole process, like the environment that it comes from. */
#include "shell/fault-point.h"

#include "shell/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const words[FAULT_POINT_COUNT] = {
    [FAULT_BEFORE_COMMIT] = "before-commit",
    [FAULT_AFTER_COMMIT] = "after-commit",
    [FAULT_AFTER_ACK] = "after-ack",
};

/* A sent acknowledgement leaves from a thread of libzmq's a moment later; dying before that would be
 * another point. */
#define ACK_LEAVES_NSEC 20000000

static FaultPoint awaited = FAULT_POINT_COUNT; /* none */
static uint64_t n_left;

/* "after-commit:17" */
static int parse(const char *text, FaultPoint *ret_point, uint64_t *ret_passage) {
    char *end;
    const char *colon = strchr(text, ':');
    if (!colon || colon[1] < '1' || colon[1] > '9')
        return -EINVAL;
    errno = 0;
    uint64_t passage = strtoull(colon + 1, &end, 10);
    if (errno != 0 || *end != '\0')
        return -EINVAL;
    for (size_t i = 0; i < FAULT_POINT_COUNT; i++)
        if (strlen(words[i]) == (size_t)(colon - text) &&
            strncmp(words[i], text, (size_t)(colon - text)) == 0) {
            *ret_point = (FaultPoint)i;
            *ret_passage = passage;
            return 0;
        }
    return -EINVAL;
}

int fault_point_init(Problem *problem) {
    const char *text = getenv("TRAFFIC_FAULT");
    awaited = FAULT_POINT_COUNT;
    if (!text || !*text)
        return 0;
    if (parse(text, &awaited, &n_left) < 0)
        return problem_set(
            problem, -EINVAL,
            "TRAFFIC_FAULT: expected before-commit, after-commit or after-ack, a colon and the "
            "number of a passage from 1, got \"%s\"",
            text);
    journal_note(LOG_WARNING, "TRAFFIC_FAULT is set: this process kills itself at passage %" PRIu64 " of %s",
                 n_left, words[awaited]);
    return 0;
}

void fault_point(FaultPoint point) {
    if (point != awaited || --n_left > 0)
        return;
    if (point == FAULT_AFTER_ACK)
        nanosleep(&(struct timespec){.tv_nsec = ACK_LEAVES_NSEC}, NULL);
    raise(SIGKILL);
}
