/* The decision, and carrying it out in one small transaction. */
#include "store/retention.h"

bool retention_may_delete(const RetentionRule *rule, bool is_sensor_event, int64_t n_rows,
                          uint64_t created_us, uint64_t safe_until_us, Wall now) {
    if (created_us > safe_until_us)
        return false;
    bool is_too_many = is_sensor_event && rule->keep_rows > 0 && n_rows > rule->keep_rows;
    bool is_too_old = rule->keep_usec > 0 && now.usec > created_us && now.usec - created_us > rule->keep_usec;
    return is_too_many || is_too_old;
}

typedef struct Retention {
    const RetentionRule *rule;
    uint64_t safe_until_us;
    Wall now;
} Retention;

static bool may_delete(MessageTag table, int64_t n_rows, uint64_t created_us, void *userdata) {
    const Retention *retention = userdata;
    return retention_may_delete(retention->rule, table == MESSAGE_SENSOR_EVENT_RECORD, n_rows, created_us,
                                retention->safe_until_us, retention->now);
}

int retention_step(RecordWriter *writer, const RetentionRule *rule, uint64_t safe_until_us, Wall now,
                   int n_max, Problem *problem) {
    Retention retention = {.rule = rule, .safe_until_us = safe_until_us, .now = now};
    if (safe_until_us == 0 || (rule->keep_rows == 0 && rule->keep_usec == 0))
        return 0;
    int n_deleted = 0, r = 0;
    for (int i = 0; r >= 0 && i < RECORD_TABLE_COUNT; i++) {
        r = record_writer_delete_oldest(writer, record_tables[i], n_max, may_delete, &retention, problem);
        n_deleted += r > 0 ? r : 0;
    }
    if (r >= 0 && n_deleted > 0)
        r = record_writer_commit(writer, now, problem);
    if (r < 0 || n_deleted == 0)
        record_writer_rollback(writer);
    return r < 0 ? r : n_deleted;
}
