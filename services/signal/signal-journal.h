/* The journal entries of the signal service about an intersection. The subtle thing: the change line is written once per
 * green of a phase and tells what each direction showed in the green before it, as the first implementation's did,
 * whose lights knew no all-red. The yellow and all-red between are reports on the link and, like every change, records;
 * a line of their own would tell scrapers of every change twice. */
#pragma once

#include "lights.h"
#include "wire/messages.h"

void signal_journal_green(const char *id, const LightsView *view);
void signal_journal_violation(const char *id, const LightsView *view);
void signal_journal_release(const char *id);

/* A request that was taken so long after it was made; `wait_usec` until it is green. */
void signal_journal_latency(const SignalCommand *command, const SignalRequest *request, uint64_t latency_usec,
                            uint64_t wait_usec);
