"""What must hold beside the history: each a function of (city, run) that raises AssertionError with a sentence.

Those of a case's `during` are asked just before the fault ends, its `expects` when the city has recovered.
"""
import json
import re
import time

import zmq
from faults.machines import ADDRESS, MACHINE_OF, UNITS, wait_until

DETECTION_MOST_SEC = 0.9
QUERIES_MOST_SEC = 1.0
MOST_RESIDENT_MIB = 300
MIN_GREEN_SEC = 5
WATCHDOG_MOST_SEC = 5.5
FAKED_SEC = 3600
SPOOL_ALARM = "6d2f1b6a4d0c4f3d9a5e2b7c8e1f0a24"


def check(condition, sentence):
    if not condition:
        raise AssertionError(sentence)


def all_run(city, run):
    check(city.all_active(), "a service does not run")


def same_processes(city, run):
    ended = [unit for unit, pid in city.pids().items() if pid != run.pids_before[unit]]
    check(not ended, f"ended: {', '.join(ended)}")


def all_replaced(city, run):
    same = [unit for unit, pid in city.pids().items() if pid == run.pids_before[unit]]
    check(not same, f"not replaced: {', '.join(same)}")


def nobody_died(city, run):
    failovers = city.failovers(run.since)
    check(not failovers, f"{len(failovers)} stores were called dead: {failovers}")


def failed_over(store, most_sec=DETECTION_MOST_SEC):
    def expectation(city, run):
        found = [(when, seconds) for when, its_store, seconds in city.failovers(run.since) if its_store == store]
        check(found, f"no [FAILOVER] of the {store} store")
        when, seconds = found[0]
        run.detection_sec = seconds
        check(seconds <= most_sec, f"the {store} store's death was noticed after {seconds:.3f} s of silence")
        check(when - run.since <= most_sec + 0.2, f"the {store} store's death was told {when - run.since:.3f} s after it")
    return expectation


def queries_answered(city, run):
    check(run.silence_sec <= QUERIES_MOST_SEC, f"queries were not answered for {run.silence_sec:.2f} s")


def same_client_is_answered(city, run):
    """The observer is one client, which asked in vain meanwhile."""
    wait_until(lambda: time.monotonic() - city.observer.answered_at["analytics"] < 0.5, "a client that waited is answered again", 10)


def died_of_fault_point(unit):
    def expectation(city, run):
        died = [entry for entry in city.journal(MACHINE_OF[unit], run.since, f"UNIT={unit}.service")
                if "status=9/KILL" in str(entry.get("MESSAGE"))]
        check(died, f"{unit} never died of it")
        run.notes["deaths"] = len(died)
    return expectation


def watchdog_said(unit):
    def expectation(city, run):
        said = [entry for entry in city.journal(MACHINE_OF[unit], run.since, f"UNIT={unit}.service")
                if "Watchdog timeout" in str(entry.get("MESSAGE"))]
        check(said, f"nobody says that {unit} hung")
        took = city.machine_of(unit).ready_at(unit) - run.begun
        run.notes["back_sec"] = round(took, 3)
        check(took <= WATCHDOG_MOST_SEC, f"{unit} was back {took:.2f} s after it hung")
    return expectation


def small_processes(city, run):
    for unit in UNITS:
        machine = city.machine_of(unit)
        peak = re.search(r"VmHWM:\s+(\d+) kB", open(f"/proc/{machine.pid(unit)}/status").read())
        check(int(peak[1]) < MOST_RESIDENT_MIB * 1024, f"{unit} grew to {int(peak[1]) // 1024} MiB")


def health_said_error(city, run):
    """What monitors of the first implementation ask; a store that cannot commit is no PONG."""
    asker = zmq.Context.instance().socket(zmq.REQ)
    asker.linger = 0
    asker.connect(f"tcp://{ADDRESS['pc3']}:5565")
    try:
        asker.send(b"PING")
        check(asker.poll(2000), "PING is not answered")
        answer = asker.recv()
        check(answer == b"ERROR", f"PING to a store that cannot commit was answered {answer!r}")
    finally:
        asker.close()


def alarm_was_raised(unit):
    """It said that its room was running out, before it was used up."""
    def expectation(city, run):
        check(city.journal(MACHINE_OF[unit], run.since, f"MESSAGE_ID={SPOOL_ALARM}", f"_SYSTEMD_UNIT={unit}.service"),
              f"{unit} raised no alarm")
    return expectation


def generator_waits(city, run):
    """The end of the chain: who hands readings in is not answered any more, instead of being lied to."""
    due, _, acknowledged, _ = city.load.now()
    time.sleep(1)
    check(city.load.now()[2] - acknowledged < city.load.rate / 2, "readings are acknowledged though nothing can take them")
    check(due - acknowledged > city.load.rate, "readings are acknowledged though nothing can take them")


def clock_was_wrong(unit):
    """Asked during the fault: otherwise the case would prove nothing."""
    def expectation(city, run):
        machine = city.machine_of(unit)

        def is_off():
            try:
                text = machine.read(f"/run/traffic/metrics/{unit}.prom")
            except OSError:
                return False
            started = re.search(r"^traffic_start_time_seconds\S* (\S+)$", text, re.MULTILINE)
            return started and abs(abs(float(started[1]) - time.time()) - FAKED_SEC) < 300
        wait_until(is_off, f"{unit} believes in another time", 12)
    return expectation


def greens_are_long_enough(city, run):
    """By the records of what the lights showed, which say when to the microsecond."""
    shown = {}
    for entry in city.journal("pc2", run.since, "_SYSTEMD_UNIT=traffic-signal.service"):
        change = re.match(r"\[(INT-\S+)\] NS: \w+->(\w+), EW: \w+->(\w+) ", str(entry.get("MESSAGE")))
        if change:
            shown.setdefault(change[1], []).append((int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6, (change[2], change[3])))
    check(shown, "no light changed")
    for intersection, changes in shown.items():
        for (begun, lights), (ended, _) in zip(changes, changes[1:]):
            check("GREEN" not in lights or ended - begun > MIN_GREEN_SEC - 0.2,
                  f"{intersection} showed {lights} for {ended - begun:.1f} s only")


def record_is_what_lights_show(city, run):
    def same():
        answer = json.loads(city.machines["pc3"].execute("trafficctl", "--json", "intersection", "INT-A1"))
        recorded = answer["data"]["semaphore_state"]
        entries = city.journal("pc2", run.since, "_SYSTEMD_UNIT=traffic-signal.service")
        changes = [found for entry in entries
                   if (found := re.match(r"\[INT-A1\] NS: \w+->(\w+), EW: \w+->(\w+) ", str(entry.get("MESSAGE"))))]
        return changes and (recorded["state_ns"], recorded["state_ew"]) == (changes[-1][1], changes[-1][2])
    wait_until(same, "the last record of INT-A1 is what it shows", 40)
