"""`lab measure`: the figures of custody and failover, on three machines under load: median, maximum and number of runs, a line each.

Without arguments all of them. The moment of a fault and what follows it are taken on one clock: machines share this host's.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager

from chaos import ensure_city, say
from faults import actions, links
from faults.city import ASK_SEC, Load
from faults.machines import MACHINE_OF, TOP, UNITS, wait_until
from history.check import table

RATE = 2000
BACKLOG_SEC = 60
RETURN_DWELL_SEC = 3
WATCHDOG_SEC = 5
METRICS = "/run/traffic/metrics/traffic-analytics.prom"
LATENCY_WINDOW_SEC = 65  # the quantiles are those of the last half minute to minute
SELDOM_SEC = 5  # as an operator's screen asks; sixty questions a second are a load of their own
PRIMARY = "traffic-store@primary"


class Bench:
    def __init__(self, city, runs, minutes):
        self.city, self.runs, self.minutes = city, runs, minutes
        self.few_runs = max(1, runs // 5)  # of what takes long
        self.results = []

    def report(self, name, what, values, unit="s", goal=""):
        """One line, and one object of the JSON."""
        result = {"measure": name, "what": what, "unit": unit, "goal": goal, "runs": len(values)}
        if values:
            result |= {"median": round(statistics.median(values), 4), "max": round(max(values), 4)}
            say(f"{what:70} median {result['median']:8.4f} {unit:2}  max {result['max']:8.4f} {unit:2}  runs {len(values):3}  {goal}")
        else:
            say(f"{what:70} nothing was measured")
        self.results.append(result)

    def settle(self):
        """Everything runs, the primary store answers and has caught up; so long that no earlier death still counts."""
        self.city.wait_healthy()
        time.sleep(RETURN_DWELL_SEC)

    # --- the death of PC3 ---

    def detect(self, fault):
        """One death: (silence by the [FAILOVER] entry, time to the entry, time to the replica's first answer)."""
        self.settle()
        self.city.observer.mark()
        since, begun = time.time(), time.monotonic()
        with fault:
            entries = wait_until(lambda: [entry for entry in self.city.failovers(since) if entry[1] == "primary"], "[FAILOVER]", 10)
            answers = wait_until(lambda: [when for when, by in self.city.observer.answers if by == "replica"], "the replica answers", 10)
        [(when, _, silence_sec), *_] = entries
        return silence_sec, when - since, answers[0] - begun

    def deaths(self):
        faults = {"kill": ("PC3 crashes", lambda: actions.crashed(self.city, None, "pc3")),
                  "stop": ("PC3's store is stopped (SIGSTOP)", lambda: actions.frozen(self.city, None, PRIMARY)),
                  "cut": ("PC2 and PC3 are cut", lambda: links.cut(self.city.lab, "pc2", "pc3"))}
        seen = {name: [self.detect(make()) for _ in range(self.runs)] for name, (_, make) in faults.items()}
        for name, (what, _) in faults.items():
            self.report(f"detected-{name}", f"{what}: silence when it is called dead", [run[0] for run in seen[name]],
                        goal="median <= 0.65, max <= 0.9")
            self.report(f"told-{name}", f"{what}: until [FAILOVER] is in the journal", [run[1] for run in seen[name]])
            self.report(f"replica-{name}", f"{what}: until the replica answers a query", [run[2] for run in seen[name]], goal="<= 1.0")

    # --- services that come back ---

    def back(self, unit, fault):
        """Seconds until another process of the unit said that it is ready."""
        self.city.wait_healthy()
        machine = self.city.machines[MACHINE_OF[unit]]
        before = machine.ready_at(unit)
        begun = time.monotonic()
        with fault(self.city, None, unit):
            wait_until(lambda: machine.ready_at(unit) > before and machine.is_active(unit), f"{unit} is back", WATCHDOG_SEC + 10)
        return machine.ready_at(unit) - begun

    def kills(self):
        for unit in UNITS:
            self.report(f"back-{unit}", f"{unit}: back after kill -9", [self.back(unit, actions.killed) for _ in range(self.runs)],
                        goal="median <= 0.5")

    def hangs(self):
        for unit in UNITS:
            self.report(f"hang-{unit}", f"{unit}: back after it hung", [self.back(unit, actions.stopped) for _ in range(self.few_runs)],
                        goal=f"<= {WATCHDOG_SEC + 0.5}")

    # --- backlog ---

    def backlog_once(self):
        self.settle()
        machine = self.city.machines["pc3"]
        machine.systemctl("stop", PRIMARY)
        time.sleep(BACKLOG_SEC)
        machine.systemctl("start", PRIMARY)
        begun = machine.ready_at(PRIMARY)
        self.city.wait_steady()
        return time.monotonic() - begun

    def backlog(self):
        self.report("backlog", f"backlog of {BACKLOG_SEC} s at {RATE}/s, while load goes on",
                    [self.backlog_once() for _ in range(self.few_runs)], goal="<= 5")

    # --- no fault ---

    def durable(self, quantile):
        """Analytics' own account: from the generator's due time until both stores have acknowledged."""
        text = self.city.machines["pc2"].read(METRICS)
        found = re.search(rf'^traffic_durable_seconds{{[^}}]*quantile="{re.escape(quantile)}"[^}}]*}} (\S+)$', text, re.MULTILINE)
        return float(found[1])

    def latency(self):
        goals = {"0.5": "<= 0.010", "0.99": "<= 0.040"}
        seen = {quantile: [] for quantile in goals}
        self.settle()
        self.city.observer.ask_sec = SELDOM_SEC
        for _ in range(self.few_runs):
            time.sleep(LATENCY_WINDOW_SEC)
            for quantile in goals:
                seen[quantile].append(self.durable(quantile))
        self.city.observer.ask_sec = ASK_SEC
        for quantile, goal in goals.items():
            self.report(f"durable-{quantile}", f"due to durable in both stores at {RATE}/s, quantile {quantile}", seen[quantile], goal=goal)

    def false_failovers(self):
        self.settle()
        since = time.time()
        with busy_cores():
            time.sleep(self.minutes * 60)
            count = len(self.city.failovers(since))
        self.report("false-failovers", f"false failovers in {self.minutes:g} minutes at {RATE}/s, both cores busy", [count], unit="",
                    goal="0")


@contextmanager
def busy_cores():
    """Two processes that do nothing but turn, as eager as everybody else."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


MEASURES = {"latency": Bench.latency, "deaths": Bench.deaths, "kills": Bench.kills, "hangs": Bench.hangs, "backlog": Bench.backlog,
            "false-failovers": Bench.false_failovers}


def main():
    parser = argparse.ArgumentParser(prog="lab measure", description=__doc__.splitlines()[0])
    parser.add_argument("measure", nargs="*", metavar="MEASURE", help=f"of {', '.join(MEASURES)}; all of them without")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=30, help="of the wait for false failovers")
    arguments = parser.parse_args()
    unknown = set(arguments.measure) - set(MEASURES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: expected {', '.join(MEASURES)}")
    city, is_ours = ensure_city(os.environ.get("LAB", "city"))
    bench = Bench(city, arguments.runs, arguments.minutes)
    city.load = Load(city.lab, TOP / ".lab" / "measure.log", int(time.time()) % 1_000_000, RATE)
    try:
        for name in arguments.measure or MEASURES:
            MEASURES[name](bench)
        city.load.finish()
        city.wait_quiet()
        report = city.check(city.load.log)
    finally:
        city.load.kill()
        city.observer.end()
    (TOP / ".lab" / "measure.json").write_text(json.dumps({"results": bench.results, "history": report}, indent=1) + "\n")
    say("\n" + table(report))
    if is_ours:
        city.run_lab("down")
    return 0 if report["is_good"] else 1


if __name__ == "__main__":
    sys.exit(main())
