/* Places at which the tests kill a service: between any two of them it must be able to die without losing
 * anything.
 *
 *     TRAFFIC_FAULT=after-commit:17 traffic-broker        kills itself (SIGKILL) at the 17th passage
 *
 * Only the environment of the process turns this on, read once at start and told in the journal. Without
 * it a passage is one comparison. For the loop's thread. */
#pragma once

#include "base/problem.h"

/* Known points, in the order in which a frame passes them. */
typedef enum FaultPoint {
    FAULT_BEFORE_COMMIT, /* frames arrived, nothing is on disk */
    FAULT_AFTER_COMMIT,  /* on disk, not acknowledged */
    FAULT_AFTER_ACK,     /* acknowledged, not sent on */
    FAULT_POINT_COUNT,
} FaultPoint;

/* Reads the environment. 0, or -EINVAL when it asks for what there is not: a test that names a point
 * wrongly must not pass because nothing died. */
int fault_point_init(Problem *problem);

void fault_point(FaultPoint point);
