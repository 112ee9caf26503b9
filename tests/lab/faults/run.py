"""One case: load on, the fault, its end, until the city has recovered; load off, until everything is delivered; the verdict."""
import random
import time
from dataclasses import dataclass, field
from functools import partial

from faults.city import Load
from faults.machines import TOP

LOGS = TOP / ".lab" / "faults"
BEFORE_SEC, AFTER_SEC = 1.5, 1.0


@dataclass
class Run:
    """What is known of a case while it runs, for its expectations."""
    case: object
    seed: int
    since: float = 0.0  # Unix time of the fault's beginning
    begun: float = 0.0  # the same by CLOCK_MONOTONIC
    pids_before: dict = field(default_factory=dict)
    detection_sec: float = None
    recovery_sec: float = None
    silence_sec: float = 0.0
    notes: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)

    def begin(self, city):
        city.observer.mark()
        self.since, self.begun, self.pids_before = time.time(), time.monotonic(), city.pids()


def attempt(run, function, *arguments):
    """A failed expectation is noted, and the run goes on: the history's verdict is wanted in any case."""
    try:
        function(*arguments)
        return True
    except AssertionError as error:
        run.failures.append(str(error))
        return False


def break_it(city, run):
    case = run.case
    draw = random.Random(f"{case.name} {run.seed}")
    city.begins = partial(run.begin, city)
    run.begin(city)
    with case.fault(city, draw):
        time.sleep(case.hold_sec)
        for expectation in case.during:
            attempt(run, expectation, city, run)
    ended = time.monotonic()
    attempt(run, city.wait_all_active)
    if attempt(run, city.wait_steady):
        run.recovery_sec = time.monotonic() - ended
    run.silence_sec = city.observer.silence


def verdict_of(city, logs):
    """The checker's reports of all histories of the run, added up."""
    reports = [city.check(log) for log in logs]
    stores = [store for report in reports for store in report["stores"].values()]
    terms = [terms for report in reports for producers in report["equation"].values() for terms in producers.values()]
    only_in = [counts for report in reports[:1] for counts in report["only_in"].values()]
    return {
        "sent": sum(report["sent"] for report in reports), "acknowledged": sum(report["acknowledged"] for report in reports),
        **{name: sum(store[name] for store in stores) for name in ("lost", "waiting", "duplicate", "corrupt", "strange")},
        "unaccounted": sum(abs(term["difference"]) for term in terms),
        "in_one_store_only": sum(count for counts in only_in for count in counts.values()),
        "examples": [example for store in stores for example in store["examples"]][:6],
        "is_good": all(report["is_good"] for report in reports),
    }


def run_case(city, case, seed, rate=None):
    """The record of one run: what results.py keeps."""
    run = Run(case, seed)
    city.extra_loads = []
    city.load = Load(city.lab, LOGS / f"{case.name}-{seed}.log", seed, rate or case.rate)
    try:
        city.wait_steady(30)
        time.sleep(BEFORE_SEC)
        break_it(city, run)
        for expectation in case.expects:
            attempt(run, expectation, city, run)
        time.sleep(AFTER_SEC)
        if not city.load.finish():
            run.failures.append("not everything was acknowledged in time")
        attempt(run, city.wait_quiet)
    finally:
        city.load.kill()
    verdict = verdict_of(city, [load.log for load in city.loads()])
    return {"case": case.name, "seed": seed, "rate": city.load.rate, "at": int(run.since), **verdict,
            "is_good": verdict["is_good"] and not run.failures, "detection_sec": run.detection_sec,
            "recovery_sec": run.recovery_sec and round(run.recovery_sec, 3), "silence_sec": round(run.silence_sec, 3),
            "notes": run.notes, "failures": run.failures}
