"""Waiting for what can be observed, with a deadline: no test sleeps and hopes."""
import time

DEADLINE_SEC = 20
PAUSE_SEC = 0.02


def wait_until(condition, what, deadline_sec=DEADLINE_SEC):
    """Asks `condition` until it says something true and returns that; fails, naming what never happened, after the deadline."""
    end = time.monotonic() + deadline_sec
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_sec} s: {what}")
        time.sleep(PAUSE_SEC)
