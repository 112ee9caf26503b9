/* The side of metrics.h that only the skeleton uses: it owns the counters. */
#pragma once

#include "base/macro.h"
#include "shell/metrics.h"

/* `common_labels` stand in every sample, e.g. "service=\"traffic-store@primary\"": the files of several
 * services on one machine are collected together and must not collide. */
int metrics_new(const char *common_labels, Metrics **ret);
Metrics *metrics_free(Metrics *metrics);
DEFINE_FREEP(Metrics, metrics_free)
