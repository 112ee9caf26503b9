/* The life of a process as a number: greater at every start, so that what an earlier life produced can be
 * told apart even when the wall clock was set back between them. */
#pragma once

#include "base/problem.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

/* The epoch of this start: `wall` in microseconds, or one more than the number kept in `state_dir`/epoch when
 * that is not smaller. It is on disk (fsync of file and directory) when this returns 0. 1: the disk is full
 * or read-only, so the number is not kept and `problem` says so; lights must come back on such a disk too.
 * -EINVAL: the file holds something else; other negative errno: it cannot be read or written. `state_dir`
 * NULL: nothing is kept and `wall` alone decides. */
int epoch_begin(const char *state_dir, Wall wall, int64_t *ret, Problem *problem);

/* Makes the next epoch_begin() in `state_dir` return more than `epoch`, whatever the clock says then.
 * Durable like epoch_begin(); 0 or a negative errno: -ERANGE when there is hardly a number above `epoch`,
 * which no clock and no count of lives leads to. `state_dir` NULL: 0, nothing is kept. */
int epoch_raise(const char *state_dir, int64_t epoch, Problem *problem);

/* Whether an epoch that somebody else named can be one: clocks are wrong by years, not by more than a
 * century. Who follows any number could be led to the end of them, where no writer comes back from; this
 * bound moves on with the clock, so there is always an epoch above one that was believed. */
bool epoch_is_likely(int64_t epoch, Wall wall);
