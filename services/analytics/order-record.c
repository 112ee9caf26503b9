/* The record's members and the journal's, from one query. */
#include "order-record.h"

#include "base/text.h"
#include "reply.h"
#include "shell/city-clock.h"
#include "shell/journal.h"

#include <json-c/json_object.h>
#include <stdio.h>
#include <string.h>

enum { REASON_MAX_BYTES = sizeof((SignalCommand){0}.reason) - 1 };

static const char default_reason[] = "operator request";

static const char *reason_of(const Query *query) {
    return message_has(query, Query, reason) ? query->reason : default_reason;
}

OrderReason order_reason(const char *what, const char *target, const Query *query) {
    OrderReason reason;
    int size = snprintf(reason.text, sizeof reason.text, "%s%s: %s", what, target, reason_of(query));
    size_t fits = size < REASON_MAX_BYTES ? (size_t)size : REASON_MAX_BYTES;
    reason.text[utf8_valid_size(reason.text, fits)] = '\0';
    return reason;
}

void order_record(const AnswerSources *sources, const Query *query, const char *action, const char *target,
                  struct json_object *affected) {
    Message message = {.tag = MESSAGE_PRIORITY_RECORD};
    PriorityRecord *record = &message.PRIORITY_RECORD;
    size_t size;
    const char *ids = json_object_to_json_string_length(affected, JSON_C_TO_STRING_PLAIN, &size);

    message_set_text(record, PriorityRecord, action_type, action);
    message_set_text(record, PriorityRecord, target, target);
    message_set_text(record, PriorityRecord, reason, reason_of(query));
    if (message_has(query, Query, requested_by)) {
        memcpy(record->requested_by, query->requested_by, sizeof record->requested_by);
        message_mark(record, PriorityRecord, requested_by);
    }
    message_set(record, PriorityRecord, affected_intersections, (JsonText){ids, size});
    message_set(record, PriorityRecord, timestamp, service_city_wall(sources->service));
    message_set(record, PriorityRecord, captured_usec, (int64_t)record->timestamp.usec);
    (void)delivery_put(sources->delivery, &message); /* what it cannot write, it logs */

    JournalField fields[2];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_ACTION=%s", action);
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_TARGET=%s", target);
    journal_event(JOURNAL_PRIORITY_ACTION, fields, 2, "%s %s, asked by %s: %s", action, target,
                  message_has(query, Query, requested_by) ? query->requested_by : "system", reason_of(query));
}

void order_refuse_signal_away(Reply *reply, size_t n_done, size_t n_all) {
    reply_error(reply, CAUSE_UNAVAILABLE,
                "The signal service takes no requests: %zu of %zu intersections were asked. Look at it on "
                "PC2 (systemctl status "
                "traffic-signal) and ask again; nothing waits in a queue.",
                n_done, n_all);
}
