/* What a keeper tells: entries of the journal, once at each edge, the alarm, and counters. */
#include "custody/keeper-private.h"

#include <inttypes.h>
#include <stdio.h>

#define ALARM_BELOW_RATIO 0.1 /* of the limit: so much less than the alarm ends it */

static void tell(const Keeper *keeper, JournalEvent event, const char *text) {
    JournalField fields[1];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_SPOOL=%s", keeper->name);
    journal_event(event, fields, ARRAY_LEN(fields), "%s: %s", keeper->name, text);
}

void keeper_tell_trouble(const Keeper *keeper) {
    char text[640];
    (void)snprintf(text, sizeof text,
                   "cannot commit: %s. %zu frames are kept in memory, no more are taken or acknowledged.",
                   keeper->trouble.why.text, spool_n_pending(keeper->spool));
    tell(keeper, JOURNAL_SPOOL_TROUBLE, text);
}

void keeper_tell_recovery(const Keeper *keeper, Mono now, int n_frames) {
    char text[128];
    (void)snprintf(text, sizeof text, "commits again after %.1f s; %d frames that were kept are on disk",
                   (double)mono_between(keeper->trouble.since, now) / 1e6, n_frames);
    tell(keeper, JOURNAL_SPOOL_COMMITS, text);
}

void keeper_tell_aside(const Keeper *keeper, const char *damage, const char *aside, uint64_t n_saved) {
    JournalField fields[2];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_SPOOL=%s", keeper->name);
    (void)snprintf(fields[1], sizeof fields[1], "DATABASE_ASIDE=%.140s", aside);
    journal_event(JOURNAL_SPOOL_ASIDE, fields, ARRAY_LEN(fields),
                  "%s: %s is damaged (%s): moved to %s; %" PRIu64 " frames could be read and are taken over",
                  keeper->name, keeper->path, damage, aside, n_saved);
}

double keeper_used(const Keeper *keeper) {
    return (double)spool_bytes(keeper->spool) / (double)keeper->max_bytes;
}

void keeper_follow_alarm(Keeper *keeper) {
    double limit = service_settings(keeper->service)->custody_alarm_percent / 100;
    char text[128];
    if (!keeper->has_alarm && keeper_used(keeper) >= limit) {
        keeper->has_alarm = true;
        (void)snprintf(text, sizeof text, "%.0f %% of %" PRIu64 " MiB are used, %" PRIu64 " frames wait",
                       100 * keeper_used(keeper), keeper->max_bytes >> 20,
                       spool_last(keeper->spool) + 1 - spool_oldest(keeper->spool));
        tell(keeper, JOURNAL_SPOOL_ALARM, text);
    } else if (keeper->has_alarm && keeper_used(keeper) < limit - ALARM_BELOW_RATIO) {
        keeper->has_alarm = false;
        journal_note(LOG_NOTICE, "%s: %.0f %% are used, the alarm is over", keeper->name,
                     100 * keeper_used(keeper));
    }
}

void keeper_count(Keeper *keeper) {
    metric_set(keeper->frames, (double)(spool_last(keeper->spool) + 1 - spool_oldest(keeper->spool)));
    metric_set(keeper->bytes, (double)spool_bytes(keeper->spool));
    metric_set(keeper->used, keeper_used(keeper));
    metric_set(keeper->can_commit, keeper->trouble.error == 0);
}

void keeper_make_metrics(Keeper *keeper) {
    Metrics *metrics = service_metrics(keeper->service);
    char labels[64];
    (void)snprintf(labels, sizeof labels, "spool=\"%s\"", keeper->name);
    keeper->frames = metrics_gauge(metrics, "traffic_spool_frames", "Frames that wait for a reader.", labels);
    keeper->bytes = metrics_gauge(metrics, "traffic_spool_bytes", "Their size.", labels);
    keeper->used =
        metrics_gauge(metrics, "traffic_spool_used_ratio", "Their size as a part of the limit.", labels);
    keeper->commits =
        metrics_counter(metrics, "traffic_spool_commits_total", "Transactions committed.", labels);
    keeper->failures =
        metrics_counter(metrics, "traffic_spool_commit_failures_total", "Transactions that failed.", labels);
    keeper->can_commit =
        metrics_gauge(metrics, "traffic_spool_can_commit", "1 while the spool can commit.", labels);
}
