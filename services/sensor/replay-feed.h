/* Readings from a recording: the events of one kind, in the order and at the distances in which they were
 * recorded. */
#pragma once

#include "paced.h"

/* Opens [sensor] recording. -EINVAL: there is no such recording, it cannot be looped, or it does not say when
 * it was recorded although its times are wanted. */
int replay_feed_new(Sensor *sensor, Feed **ret, Problem *problem);
