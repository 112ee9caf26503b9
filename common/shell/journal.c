/* Where entries go: to journald with their fields when standard error is the journal, else as plain text to
 * standard error. Knows no event's meaning; events.def does.
 *
 * The one file with process-wide state, for the journal is process-wide. Safe to call from any thread.
 * sd_journal_sendv() blocks when journald does, so whatever a peer can cause goes through a JournalLimit
 * first. */
#include "shell/journal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION /* the line in this file would be the same for every entry */
#include <systemd/sd-journal.h>

enum { JOURNAL_FIELDS_MAX = 8, JOURNAL_TEXT_BYTES = 1024 };

static int least_priority = LOG_DEBUG;

void journal_quieten(int least) {
    least_priority = least;
}

typedef struct EventRow {
    const char *message_id;
    int priority;
} EventRow;

static const EventRow event_rows[JOURNAL_EVENT_COUNT] = {
#define JOURNAL_EVENT(ID, message_id, priority, ...) [JOURNAL_##ID] = {message_id, priority},
#include "shell/events.def"
#undef JOURNAL_EVENT
};

/* systemd says in JOURNAL_STREAM which file the journal's stream is; a redirected standard error is another
 * one. */
static bool stderr_is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static bool use_journal(void) {
    static _Atomic int known; /* 0 not asked yet, 1 no, 2 yes; two threads may both ask and find the same */
    if (known == 0)
        known = stderr_is_journal() ? 2 : 1;
    return known == 2;
}

/* What a peer sent may stand in an entry: no line breaks or terminal escapes of its making. UTF-8 passes. */
static void defuse(char *text) {
    for (; *text; text++)
        if (iscntrl((unsigned char)*text) && *text != '\t')
            *text = '?';
}

static void to_stderr(const char *text) {
    fprintf(stderr, "%s\n", text); /* one call: entries of two threads do not mix */
}

static int to_journal(int priority, const char *message_id, const JournalField *fields, size_t n_fields,
                      const char *text) {
    char message[JOURNAL_TEXT_BYTES + sizeof "MESSAGE="], level[sizeof "PRIORITY=7"], id[64];
    struct iovec entry[3 + JOURNAL_FIELDS_MAX];
    int n = 0;

    entry[n++] = (struct iovec){message, (size_t)snprintf(message, sizeof message, "MESSAGE=%s", text)};
    entry[n++] = (struct iovec){level, (size_t)snprintf(level, sizeof level, "PRIORITY=%d", priority & 7)};
    if (message_id)
        entry[n++] = (struct iovec){id, (size_t)snprintf(id, sizeof id, "MESSAGE_ID=%s", message_id)};
    for (size_t i = 0; i < n_fields && i < JOURNAL_FIELDS_MAX; i++)
        entry[n++] = (struct iovec){(void *)fields[i], strnlen(fields[i], sizeof *fields)};
    return sd_journal_sendv(entry, n);
}

printf_like(5, 0) static void write_entry(int priority, const char *message_id, const JournalField *fields,
                                          size_t n_fields, const char *format, va_list arguments) {
    char text[JOURNAL_TEXT_BYTES];

    if (priority > least_priority)
        return;
    vsnprintf(text, sizeof text, format, arguments);
    defuse(text);
    if (!use_journal() || to_journal(priority, message_id, fields, n_fields, text) < 0)
        to_stderr(text);
}

void journal_event(JournalEvent event, const JournalField *fields, size_t n_fields, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_entry(event_rows[event].priority, event_rows[event].message_id, fields, n_fields, format,
                arguments);
    va_end(arguments);
}

void journal_note(int priority, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_entry(priority, NULL, NULL, 0, format, arguments);
    va_end(arguments);
}

bool journal_limit_pass(JournalLimit *limit, Mono now, uint64_t *ret_held_back) {
    if (mono_reached(now, mono_after(limit->window_start, limit->per_usec))) {
        limit->window_start = now;
        limit->in_window = 0;
    }
    if (limit->in_window >= limit->burst) {
        limit->held_back++;
        return false;
    }
    limit->in_window++;
    *ret_held_back = limit->held_back;
    limit->held_back = 0;
    return true;
}
