/* One counter per reason, one journal limit per link. Knows nothing of why a frame was refused. */
#include "shell/refusals.h"

#include <inttypes.h>
#include <stdio.h>

enum { REFUSALS_JOURNAL_BURST = 5 };
#define REFUSALS_JOURNAL_USEC (10 * USEC_PER_SEC)

void refusals_init(Refusals *refusals, Metrics *metrics, const char *link_name) {
    *refusals = (Refusals){.link_name = link_name,
                           .limit = {.burst = REFUSALS_JOURNAL_BURST, .per_usec = REFUSALS_JOURNAL_USEC}};
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        char labels[128];
        snprintf(labels, sizeof labels, "link=\"%s\",reason=\"%s\"", link_name, refusal_words[i]);
        refusals->counters[i] = metrics_counter(metrics, "traffic_refused_total",
                                                "Frames that were not what the wire allows.", labels);
    }
}

void refusals_report(Refusals *refusals, Mono now, const LinkFrame *frame, Refusal refusal,
                     const Problem *problem) {
    uint64_t held_back;
    metric_add(refusals->counters[refusal], 1);
    if (!journal_limit_pass(&refusals->limit, now, &held_back))
        return;

    const char *peer = frame && frame->peer ? frame->peer : "unknown";
    char others[64] = "";
    if (held_back > 0)
        snprintf(others, sizeof others, " (and %" PRIu64 " more since the last entry)", held_back);

    JournalField fields[3];
    snprintf(fields[0], sizeof fields[0], "TRAFFIC_LINK=%s", refusals->link_name);
    snprintf(fields[1], sizeof fields[1], "TRAFFIC_REASON=%s", refusal_words[refusal]);
    snprintf(fields[2], sizeof fields[2], "TRAFFIC_PEER=%s", peer);
    journal_event(JOURNAL_REFUSED, fields, ARRAY_LEN(fields), "refused a frame on link %s from %s: %s: %s%s",
                  refusals->link_name, peer, refusal_words[refusal], problem ? problem->text : "", others);
}
