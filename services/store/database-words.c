/* What the database of a store says of itself: entries in the journal, the status line, counters. Decides
 * nothing. */
#include "database-private.h"
#include "shell/journal.h"

#include <inttypes.h>
#include <stdio.h>

/* --- the journal --- */

static const char *role_of(const Database *database) {
    return store_role_words[database->role];
}

static void tell(const Database *database, JournalEvent event, const char *sentence) {
    JournalField field[1];
    (void)snprintf(field[0], sizeof field[0], "STORE=%s", role_of(database));
    journal_event(event, field, 1, "The %s store %s", role_of(database), sentence);
}

void database_tell_trouble(const Database *database, const char *why) {
    char sentence[512];
    (void)snprintf(sentence, sizeof sentence,
                   "cannot commit: %s. %zu records are kept in memory, no more are taken.", why,
                   group_commit_rows_waiting(database->group));
    tell(database, JOURNAL_STORE_TROUBLE, sentence);
}

void database_tell_recovery(const Database *database, Mono now, int n_rows) {
    char sentence[128];
    (void)snprintf(sentence, sizeof sentence,
                   "commits again after %.1f s; %d records that were kept are stored",
                   (double)mono_between(group_commit_trouble(database->group)->since, now) / 1e6, n_rows);
    tell(database, JOURNAL_STORE_COMMITS, sentence);
}

void database_tell_aside(const Database *database, const char *aside, const char *why) {
    JournalField fields[2];
    (void)snprintf(fields[0], sizeof fields[0], "STORE=%s", role_of(database));
    (void)snprintf(fields[1], sizeof fields[1], "DATABASE_ASIDE=%.140s", aside);
    journal_event(JOURNAL_DATABASE_ASIDE, fields, ARRAY_LEN(fields),
                  "%s is damaged (%s): moved to %s, the %s store begins with an empty file", database->path,
                  why, aside, role_of(database));
}

void database_tell_refill(const Database *database, bool is_over) {
    tell(database, JOURNAL_REFILL,
         is_over ? "has everything that the other one held" : "wants what the other one holds");
}

void database_tell_status(const Database *database) {
    if (database->is_in_trouble) {
        service_status(database->service, "%s: cannot commit (%s), %zu records wait", role_of(database),
                       database->trouble.text, group_commit_rows_waiting(database->group));
        return;
    }
    const StoreTotals *totals = record_writer_totals(database->writer);
    service_status(database->service, "%s: %" PRId64 " events stored, %.1f GB of disk free%s%s",
                   role_of(database), totals->sensor_events, (double)database->disk.free_bytes / 1e9,
                   database->disk.has_alarm ? " (disk alarm)" : "",
                   totals->needs_refill ? ", wants what the other store holds" : "");
}

/* --- counters --- */

void database_make_metrics(Database *database) {
    static const char *const table_labels[RECORD_TABLE_COUNT] = {
        "table=\"sensor_events\"", "table=\"congestion_history\"", "table=\"semaphore_states\"",
        "table=\"priority_actions\""};
    Metrics *metrics = service_metrics(database->service);
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        database->stored[i] =
            metrics_counter(metrics, "traffic_store_records_total", "Records committed.", table_labels[i]);
    reading_age_init(&database->age, database->service, "store_committed");
    database->repeats =
        metrics_counter(metrics, "traffic_store_repeats_total", "Records that were stored already.", "");
    database->refilled = metrics_counter(metrics, "traffic_store_refilled_total",
                                         "Records taken over from the other store.", "");
    database->dropped = metrics_counter(metrics, "traffic_store_dropped_total",
                                        "Records that the tables of the file refused.", "");
    database->commits =
        metrics_counter(metrics, "traffic_store_commits_total", "Transactions committed.", "");
    database->failures =
        metrics_counter(metrics, "traffic_store_commit_failures_total", "Transactions that failed.", "");
    database->deleted =
        metrics_counter(metrics, "traffic_store_deleted_total", "Records that retention deleted.", "");
    database->waiting =
        metrics_gauge(metrics, "traffic_store_records_waiting", "Records not committed yet.", "");
    database->can_commit =
        metrics_gauge(metrics, "traffic_store_can_commit", "1 while the store can commit.", "");
    database->needs_refill = metrics_gauge(metrics, "traffic_store_needs_refill",
                                           "1 while the store lacks what the other one holds.", "");
}

static void tell_dropped(const Database *database, uint64_t n, const char *why) {
    char sentence[640];
    (void)snprintf(sentence, sizeof sentence, "lost %" PRIu64 " record%s that its tables refuse: %s", n,
                   n == 1 ? "" : "s", why);
    tell(database, JOURNAL_LOST, sentence);
}

void database_count(Database *database) {
    const GroupCommitCounts *now = group_commit_counts(database->group);
    GroupCommitCounts *before = &database->counted;
    if (now->dropped > before->dropped)
        tell_dropped(database, now->dropped - before->dropped, now->why_dropped.text);
    metric_add(database->dropped, now->dropped - before->dropped);
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        metric_add(database->stored[i], now->stored[i] - before->stored[i]);
    metric_add(database->repeats, now->repeats - before->repeats);
    metric_add(database->commits, now->commits - before->commits);
    metric_add(database->failures, now->failures - before->failures);
    *before = *now;
    metric_set(database->waiting, (double)group_commit_rows_waiting(database->group));
    metric_set(database->can_commit, !database->is_in_trouble);
    metric_set(database->needs_refill, database_state(database).needs_refill);
}
