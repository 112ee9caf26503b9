#include "watch.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int number) {
    (void)number;
    is_interrupted = 1;
}

/* On a terminal each answer replaces the last. */
static ExitStatus watch(Context *context) {
    double period_sec = context->request->watch_sec;
    struct timespec period = {.tv_sec = (time_t)period_sec};
    period.tv_nsec = (long)((period_sec - (double)period.tv_sec) * 1e9);
    for (;;) {
        if (isatty(STDOUT_FILENO))
            fputs("\033[H\033[2J", stdout);
        ExitStatus status = verb_run(context);
        fflush(stdout);
        bool may_change = status == EXIT_OK || status == EXIT_DEGRADED || status == EXIT_UNREACHABLE;
        if (!may_change || is_interrupted || clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL) != 0)
            return status;
    }
}

ExitStatus watch_run(Context *context, bool returns) {
    /* Once: whoever interrupts again while an answer is awaited means the process. */
    const struct sigaction interrupt = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;
    if (context->request->watch_sec <= 0)
        return verb_run(context);
    if (!returns)
        return watch(context);
    is_interrupted = 0;
    sigaction(SIGINT, &interrupt, &before);
    ExitStatus status = watch(context);
    sigaction(SIGINT, &before, NULL);
    if (is_interrupted)
        fputc('\n', stdout); /* behind the terminal's ^C: what follows begins at the left */
    return status;
}
