"""`lab chaos`: faults drawn from faults/cases.py, one after the other and sometimes two at once, for minutes under load; then the history's
verdict about the whole.

A line a fault says what was done, for how long, how far behind the stores were at its end and how soon they had caught up. The same seed
draws the same faults. What a fault breaks by itself must come back by itself; nothing is emptied or restarted in between.
"""
import argparse
import json
import os
import random
import sys
import time
from contextlib import ExitStack

from faults import links
from faults.cases import CASES
from faults.city import City, Load
from faults.machines import TOP, join_network
from history.check import table

DEFAULT_RATE, DEFAULT_MINUTES = 500, 5
TWO_AT_ONCE = 0.2
REST_SEC = (0, 3)  # between the end of one fault and the next one, whether the city has caught up or not
WAIT_FOR_CALM = 0.5  # how often the next fault waits until it has
HOLD_MOST_SEC = 8


def say(text):
    print(text, flush=True)


class Chaos:
    def __init__(self, city, seed, rate):
        self.city, self.seed = city, seed
        self.draw = random.Random(seed)
        self.cases = [case for case in CASES if case.chaos is not None]
        self.done = []
        city.load = Load(city.lab, TOP / ".lab" / f"chaos-{seed}.log", seed, rate)
        self.begun = time.monotonic()

    def draw_faults(self):
        """Two at once are of different machines: what must be done to a machine needs it."""
        first, second = self.draw.sample(self.cases, 2)
        if self.draw.random() < TWO_AT_ONCE and not set(first.chaos) & set(second.chaos):
            return [first, second]
        return [first]

    def break_it(self):
        """One fault, or two of which the second begins while the first lasts."""
        cases = self.draw_faults()
        hold_sec = min(max(case.hold_sec for case in cases), HOLD_MOST_SEC) * self.draw.uniform(0.3, 1)
        name = " + ".join(case.name for case in cases)
        begun = time.monotonic()
        with ExitStack() as stack:
            for case in cases:
                stack.enter_context(case.fault(self.city, self.draw))
                time.sleep(hold_sec / len(cases))
        ended = time.monotonic()
        behind = max(self.city.undelivered().values())
        self.city.wait_all_active()
        recovery_sec = None
        if self.draw.random() < WAIT_FOR_CALM:
            self.city.wait_steady()
            recovery_sec = round(time.monotonic() - ended, 2)
        self.done.append({"fault": name, "at_sec": round(begun - self.begun, 1), "held_sec": round(ended - begun, 1), "behind": behind,
                          "recovery_sec": recovery_sec})
        stored = min(self.city.n_stored().values())
        say(f"{begun - self.begun:7.1f} s  {name:45} {ended - begun:5.1f} s  {max(behind, 0):7} behind  "
            f"{'caught up in ' + format(recovery_sec, '5.2f') + ' s' if recovery_sec is not None else 'no rest':20}  {stored:9} stored")
        time.sleep(self.draw.uniform(*REST_SEC))

    def run(self, minutes):
        while time.monotonic() - self.begun < minutes * 60:
            self.break_it()

    def finish(self):
        """Everything whole again, the load off, until all is delivered; the report."""
        links.heal_all(self.city.lab)
        failures = []
        for wait in (self.city.wait_all_active, self.finish_load, self.city.wait_quiet):
            try:
                wait()
            except AssertionError as error:
                failures.append(str(error))
        report = self.city.check(self.city.load.log)
        report["failures"] = failures
        report["is_good"] = report["is_good"] and not failures
        return {**report, "faults": self.done}

    def finish_load(self):
        if not self.city.load.finish():
            raise AssertionError("not everything was acknowledged in time")


def ensure_city(lab):
    """The lab as it is, its sensors taking readings from the relay sockets. True when it was not there before."""
    city = City(lab)
    was_up = all(machine.is_up() for machine in city.machines.values())
    say(f"{'Setting' if not was_up else 'Checking'} the city of lab {lab}{' up' if not was_up else ''} ...")
    city.run_lab("up", "--input", "relay")
    join_network(lab)
    city.observe()
    city.wait_all_active()
    city.accept_as_it_is()
    return city, not was_up


def main():
    parser = argparse.ArgumentParser(prog="lab chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES)
    parser.add_argument("--rate", type=float, default=DEFAULT_RATE, help="readings a second, of all kinds together")
    arguments = parser.parse_args()
    city, is_ours = ensure_city(os.environ.get("LAB", "city"))
    say(f"Seed {arguments.seed}: {arguments.minutes:g} minutes at {arguments.rate:g} readings a second\n")
    chaos = Chaos(city, arguments.seed, arguments.rate)
    try:
        try:
            chaos.run(arguments.minutes)
        except AssertionError as error:
            say(f"\nThe city does not come back: {error}")
            chaos.done.append({"fault": "the city did not come back", "why": str(error)})
        say("\nAll faults are over; waiting until everything is delivered ...\n")
        report = chaos.finish()
        report["is_good"] &= not any("why" in fault for fault in report["faults"])
    finally:
        city.load.kill()
        city.observer.end()
    path = TOP / ".lab" / f"chaos-{arguments.seed}.json"
    path.write_text(json.dumps({**report, "minutes": arguments.minutes}, indent=1) + "\n")
    say(table(report))
    say(f"\n{len(report['faults'])} faults; the whole verdict: {path.relative_to(TOP)}")
    if is_ours:
        city.run_lab("down")
    return 0 if report["is_good"] else 1


if __name__ == "__main__":
    sys.exit(main())
