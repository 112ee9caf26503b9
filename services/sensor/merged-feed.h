/* Two feeds on one timeline. */
#pragma once

#include "paced.h"

/* Takes both over, also on error; `second` may be NULL, then *ret is `first`. The readings of both, by their place
 * on the timeline; of one place, the first feed's first. */
int merged_feed_new(Feed *first, Feed *second, Feed **ret);
