/* When is an intersection congested, when is it normal again? The rules of the first implementation as one
 * pure function of up to three readings. Knows nothing of where readings come from or how old they are: an
 * absent reading is one that its owner chose not to present.
 *
 * Between the two sets of thresholds the answer is UNDECIDED and whoever asks keeps what held before:
 * hysteresis. Without any reading nothing is known, so that too is UNDECIDED. */
#pragma once

#include <stdbool.h>

typedef struct RuleThresholds {
    double congestion_queue_min;     /* vehicles halted; this many or more is congestion */
    double congestion_speed_max_kmh; /* this slow or slower is congestion */
    double congestion_count_min;     /* vehicles per 30 s; this many or more is congestion */
    double normal_queue_below;       /* normal again only with fewer than this... */
    double normal_speed_above_kmh;   /* ... faster than this... */
    double normal_count_below;       /* ... and fewer than this */
} RuleThresholds;

/* The three quantities, by the letters operators know them by. */
typedef struct Readings {
    bool has_queue, has_speed, has_count;
    double queue_vehicles;  /* Q */
    double speed_kmh;       /* Vp */
    double count_per_30sec; /* D */
} Readings;

typedef enum RuleVerdict { VERDICT_UNDECIDED, VERDICT_CONGESTED, VERDICT_NORMAL } RuleVerdict;

/* CONGESTED when any present reading says so; NORMAL when there is a reading and every present one says so;
 * else UNDECIDED. */
RuleVerdict rules_judge(const RuleThresholds *thresholds, const Readings *readings);

/* D of a loop that counted `vehicles` in `interval_sec` (> 0): vehicles per 30 s, the first implementation's
 * stand-in for density. */
double rules_count_per_30sec(double vehicles, double interval_sec);
