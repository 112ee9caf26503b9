/* See the header for what the rules mean; here is only how they are put together. */
#include "core/rules.h"

static bool says_congested(const RuleThresholds *limits, const Readings *readings) {
    return (readings->has_queue && readings->queue_vehicles >= limits->congestion_queue_min) ||
           (readings->has_speed && readings->speed_kmh <= limits->congestion_speed_max_kmh) ||
           (readings->has_count && readings->count_per_30sec >= limits->congestion_count_min);
}

static bool says_normal(const RuleThresholds *limits, const Readings *readings) {
    bool has_any = readings->has_queue || readings->has_speed || readings->has_count;
    return has_any && (!readings->has_queue || readings->queue_vehicles < limits->normal_queue_below) &&
           (!readings->has_speed || readings->speed_kmh > limits->normal_speed_above_kmh) &&
           (!readings->has_count || readings->count_per_30sec < limits->normal_count_below);
}

RuleVerdict rules_judge(const RuleThresholds *thresholds, const Readings *readings) {
    if (says_congested(thresholds, readings))
        return VERDICT_CONGESTED;
    if (says_normal(thresholds, readings))
        return VERDICT_NORMAL;
    return VERDICT_UNDECIDED;
}

double rules_count_per_30sec(double vehicles, double interval_sec) {
    return vehicles * 30.0 / interval_sec;
}
