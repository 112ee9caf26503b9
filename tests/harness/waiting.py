"""Waiting for what can be observed, with a deadline: no test sleeps and hopes."""
import os
import time

DEADLINE_SEC = 20
# On a processor that is emulated everything comes later: deadlines are so many times as long.
PATIENCE = float(os.environ.get("LAB_PATIENCE", "1"))
PAUSE_SEC = 0.02


def wait_until(condition, what, deadline_sec=DEADLINE_SEC):
    """Asks `condition` until it says something true and returns that; fails, naming what never happened, after the deadline."""
    deadline_sec *= PATIENCE
    end = time.monotonic() + deadline_sec
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_sec:g} s: {what}")
        time.sleep(PAUSE_SEC)
