/* What a sender tells: entries of the journal, once at each edge, and counters. */
#include "custody/sender-private.h"

#include "wire/hop-text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void sender_tell(const Sender *sender, JournalEvent event, const char *text) {
    JournalField fields[1];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_LINK=%s", link_name(sender->data));
    journal_event(event, fields, ARRAY_LEN(fields), "link %s: %s", link_name(sender->data), text);
}

void sender_tell_lost(Sender *sender, uint64_t position, size_t size) {
    char text[256], others[64] = "";
    uint64_t held_back;
    metric_add(sender->lost, 1);
    if (!journal_limit_pass(&sender->lost_limit, service_now(sender->service), &held_back))
        return;
    if (held_back > 0)
        (void)snprintf(others, sizeof others, " (and %" PRIu64 " more since the last entry)", held_back);
    (void)snprintf(text, sizeof text,
                   "frame %" PRIu64 " of stream %016" PRIx64
                   " cannot be sent and is lost: expected an object of at most %d bytes, got %zu%s",
                   position, sender->stream, FRAME_MAX_BYTES - HOP_TEXT_MAX_BYTES, size, others);
    sender_tell(sender, JOURNAL_LOST, text);
}

void sender_tell_unreadable(const Sender *sender, int error, uint64_t retry_usec) {
    journal_note(LOG_ERR, "link %s: what waits for %s cannot be read: %s; tried again every %.1f s",
                 link_name(sender->data), sender->reader, strerror(-error),
                 (double)retry_usec / (double)USEC_PER_SEC);
}

void sender_tell_foreign(const Sender *sender, uint64_t known_stream, uint64_t position) {
    journal_note(LOG_WARNING,
                 "link %s: %s has committed frame %" PRIu64 " of stream %016" PRIx64
                 ", which this side never sent: its file is an older copy. What it holds goes out as stream "
                 "%016" PRIx64,
                 link_name(sender->data), sender->reader, position, known_stream, sender->stream);
}

void sender_tell_away(Sender *sender, Mono now) {
    char text[256];
    sender->is_away_told = true;
    (void)snprintf(text, sizeof text,
                   "%s has acknowledged nothing for %.0f s, %" PRIu64 " frames are kept for it",
                   sender->reader, (double)mono_between(sender->unanswered_since, now) / 1e6,
                   outflow_backlog(&sender->flow));
    sender_tell(sender, JOURNAL_READER_AWAY, text);
}

void sender_tell_back(Sender *sender, Mono now) {
    char text[256];
    sender->is_away_told = false;
    (void)snprintf(text, sizeof text,
                   "%s acknowledges again after %.1f s, %" PRIu64 " frames are still kept for it",
                   sender->reader, (double)mono_between(sender->unanswered_since, now) / 1e6,
                   outflow_backlog(&sender->flow));
    sender_tell(sender, JOURNAL_READER_BACK, text);
}

void sender_count(Sender *sender) {
    metric_add(sender->resent, sender->flow.n_resent - sender->n_resent_counted);
    sender->n_resent_counted = sender->flow.n_resent;
    metric_set(sender->backlog, (double)outflow_backlog(&sender->flow));
}

void sender_make_metrics(Sender *sender) {
    char labels[96];
    Metrics *metrics = service_metrics(sender->service);
    (void)snprintf(labels, sizeof labels, "link=\"%s\"", link_name(sender->data));
    sender->sent = metrics_counter(metrics, "traffic_custody_sent_total",
                                   "Frames sent, those sent again included.", labels);
    sender->resent =
        metrics_counter(metrics, "traffic_custody_resent_total", "Frames sent more than once.", labels);
    sender->acknowledged = metrics_counter(metrics, "traffic_custody_acknowledged_total",
                                           "Frames that the reader has committed.", labels);
    sender->lost = metrics_counter(metrics, "traffic_custody_given_up_total",
                                   "Frames that never came or cannot be sent.", labels);
    sender->backlog = metrics_gauge(metrics, "traffic_custody_backlog_frames",
                                    "Frames that the reader has not committed.", labels);
}
