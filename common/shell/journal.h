/* The journal: text for people and scripts, fields for machines, MESSAGE_ID for what an operator searches
 * for. Under systemd entries go to journald with their fields; elsewhere the text goes to standard error. */
#pragma once

#include "base/macro.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

/* Operator events with a MESSAGE_ID and a catalogue entry: events.def is their only home. */
typedef enum JournalEvent {
#define JOURNAL_EVENT(ID, ...) JOURNAL_##ID,
#include "shell/events.def"
#undef JOURNAL_EVENT
    JOURNAL_EVENT_COUNT
} JournalEvent;

/* "LATENCY_US=1840": complete fields, upper case names, NULL-terminated list of at most 8. */
typedef char JournalField[160];

/* One entry of a known event; its priority comes from events.def. `fields` may be NULL. */
void journal_event(JournalEvent event, const JournalField *fields, size_t n_fields, const char *format, ...)
    printf_like(4, 5);

/* One entry without a MESSAGE_ID. */
void journal_note(int priority, const char *format, ...) printf_like(2, 3);

/* Entries less urgent than `least` are not written: for a program whose output is read by a person
 * (LOG_WARNING), not by an operator's tools. Everything is written until this is called. */
void journal_quieten(int least);

/* Lets through `burst` entries per `per_usec`; afterwards counts, and returns how many were held back when
 * the next passes. */
typedef struct JournalLimit {
    unsigned burst;
    uint64_t per_usec;
    Mono window_start;
    unsigned in_window;
    uint64_t held_back;
} JournalLimit;

/* True when an entry may be written now; then *ret_held_back is how many were suppressed since the last. */
bool journal_limit_pass(JournalLimit *limit, Mono now, uint64_t *ret_held_back);
