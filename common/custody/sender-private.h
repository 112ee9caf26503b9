/* The inside of a Sender, shared by sender.c (making, hearing), sender-turn.c (sending, patience) and
 * sender-words.c (what operators and counters are told). */
#pragma once

#include "custody/sender.h"

#include "shell/journal.h"
#include "wire/messages.h"

struct Sender {
    Service *service;
    Link *data, *acks;
    char reader[64];
    Protocol protocol;
    SenderSource source;
    void *userdata;

    Outflow flow;
    uint64_t stream;
    uint64_t given_up; /* the newest position that was, 0 for none */
    char *buffer;      /* FRAME_MAX_BYTES */
    Decoder *decoder;
    bool is_link_full, is_fenced;
    bool hears_anybody; /* its acknowledgements come to a port, not from a reader that it connected to */

    Timer *turn_timer; /* the next turn */
    Timer *tick_timer; /* patience, and attempts to read */
    Mono read_again_at;
    bool is_unreadable;    /* told */
    Mono unanswered_since; /* the last progress while the reader lacks something; else never */
    bool is_away_told;

    Metric *sent, *resent, *acknowledged, *lost, *backlog;
    uint64_t n_resent_counted;
    JournalLimit lost_limit;
};

/* --- sender-turn.c --- */

int sender_make_timers(Sender *sender);

/* Sends what may be sent, up to the budget of a turn; the rest follows by itself. A negative errno ends
 * the process. */
int sender_turn(Sender *sender);

/* The first position that the reader need wait for. */
uint64_t sender_oldest(const Sender *sender);

/* Sending begins again, with positions of `stream`. */
void sender_begin_stream(Sender *sender, uint64_t stream);

/* Passes on what was acknowledged since it was `before`; it may have gone back. */
void sender_pass_on(Sender *sender, uint64_t before);

/* --- sender-words.c --- */

void sender_make_metrics(Sender *sender);
void sender_count(Sender *sender);

/* One journal entry about the link. */
void sender_tell(const Sender *sender, JournalEvent event, const char *text);
void sender_tell_lost(Sender *sender, uint64_t position, size_t size);
void sender_tell_unreadable(const Sender *sender, int error, uint64_t retry_usec);
void sender_tell_foreign(const Sender *sender, uint64_t known_stream, uint64_t position);

/* Both edges of a reader that acknowledges nothing. */
void sender_tell_away(Sender *sender, Mono now);
void sender_tell_back(Sender *sender, Mono now);
