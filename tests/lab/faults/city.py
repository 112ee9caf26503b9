"""A city on the lab's machines under the eyes of somebody outside: what is handed to it, what its stores hold by now, who answers,
and what its journal said.
"""
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import zmq
from faults import links
from faults.machines import ADDRESS, MACHINE_OF, SERVICES, TOP, UNITS, Machine, wait_until
from history.check import check_lab
from history.generate import CITY, read_now
from history.readings import sensors_of
from waiting import PATIENCE

QUERIES = {"primary": ("pc3", 5575), "replica": ("pc2", 5576), "analytics": ("pc2", 5561)}
# Of a store: what it holds. Of analytics: something that only a store's file can answer.
QUESTIONS = {"primary": {"command": "SYSTEM_STATUS"}, "replica": {"command": "SYSTEM_STATUS"},
             "analytics": {"command": "QUERY_HISTORY", "limit": 1}}
STORES = ("primary", "replica")
ASK_SEC = 0.05
PATIENCE_SEC = 0.4
DELIVERY_SEC = 120
STILL_SEC, STUCK_SEC = 0.5, 20
FAILOVER, RECOVERY = "6d2f1b6a4d0c4f3d9a5e2b7c8e1f0a11", "6d2f1b6a4d0c4f3d9a5e2b7c8e1f0a12"
UP_TIMEOUT_SEC = 600
numbers = itertools.count(1)


class Load:
    """A generator of readings, as a process of its own."""

    def __init__(self, lab, log, seed, rate):
        self.log, self.seed, self.rate = log, seed, rate
        self.sensors = sensors_of(CITY)
        log.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{log}.now").unlink(missing_ok=True)  # an earlier run's says nothing of this one
        command = [sys.executable, "-B", "-m", "history.generate", "--lab", lab, "--log", log, "--seed", seed, "--rate", rate,
                   "--drain", DELIVERY_SEC]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        env={**os.environ, "PYTHONPATH": str(TOP / "tests/lab")})
        wait_until(lambda: self.now() is not None, "the generator runs", 10)

    def now(self):
        """(due, handed in, acknowledged, refused), or None when it has not begun."""
        if self.process.poll() not in (None, 0, 1):
            raise AssertionError(f"the generator ended with {self.process.returncode}")
        try:
            return read_now(f"{self.log}.now")
        except (FileNotFoundError, struct.error):
            return None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def finish(self):
        """Nothing new; True when everything was acknowledged in time."""
        self.go_on()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DELIVERY_SEC + 30) == 0

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Observer(threading.Thread):
    """Asks both stores and analytics all the time, and remembers what they said and for how long nobody said anything."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stored = dict.fromkeys(STORES, 0)  # sensor events
        self.answered_at = dict.fromkeys(QUERIES, 0.0)
        self.answered_by = None  # the store behind analytics' last answer
        self.answers = []  # (when, store) of every change of that
        self.silence = 0.0  # the longest time without an answer of analytics since mark()
        self.marked_at = time.monotonic()
        self.ask_sec = ASK_SEC
        self.is_ending = False

    def run(self):
        context = zmq.Context.instance()
        poller, sockets = zmq.Poller(), {}
        for name, (machine, port) in QUERIES.items():
            asker = context.socket(zmq.REQ)
            asker.linger, asker.req_relaxed, asker.req_correlate, asker.reconnect_ivl = 0, 1, 1, 50
            asker.connect(f"tcp://{ADDRESS[machine]}:{port}")
            sockets[asker] = [name, 0.0]  # when to ask next
            poller.register(asker, zmq.POLLIN)
        while not self.is_ending:
            now = time.monotonic()
            for asker, ask in sockets.items():
                if now >= ask[1]:
                    asker.send_json(QUESTIONS[ask[0]], zmq.DONTWAIT)
                    ask[1] = now + PATIENCE_SEC
            for asker, _ in poller.poll(20):
                self.hear(sockets[asker][0], asker.recv_json())
                sockets[asker][1] = time.monotonic() + self.ask_sec
            self.silence = max(self.silence, time.monotonic() - max(self.answered_at["analytics"], self.marked_at))
        for asker in sockets:
            asker.close()

    def hear(self, name, answer):
        if answer.get("status") not in ("OK", "FAILOVER"):
            return
        now = time.monotonic()
        self.answered_at[name] = now
        if name in STORES:
            self.stored[name] = answer["data"]["db_summary"]["total_sensor_events"]
        elif answer.get("answered_by") != self.answered_by:
            self.answered_by = answer.get("answered_by")
            self.answers.append((now, self.answered_by))

    def mark(self):
        self.marked_at, self.silence, self.answers = time.monotonic(), 0.0, []

    def end(self):
        self.is_ending = True
        self.join()


class City:
    def __init__(self, lab):
        self.lab = lab
        self.machines = {name: Machine(lab, name) for name in ADDRESS}
        self.observer = None
        self.load = None  # the readings of the present run
        self.begins = lambda: None  # a fault that needs preparation says by this when it really begins
        self.extra_loads = []  # what else was handed in meanwhile
        self.baseline = dict.fromkeys(STORES, 0)

    def machine_of(self, unit):
        return self.machines[MACHINE_OF[unit]]

    def run_lab(self, *arguments, timeout=UP_TIMEOUT_SEC):
        done = subprocess.run([TOP / "lab", *arguments], env={**os.environ, "LAB": self.lab}, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout * PATIENCE)
        if done.returncode != 0:
            raise AssertionError(f"lab {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def each_machine(self, function):
        with ThreadPoolExecutor(len(self.machines)) as pool:
            return list(pool.map(function, self.machines.values()))

    def observe(self):
        self.observer = Observer()
        self.observer.start()

    def all_active(self):
        try:
            return all(state == "active" for states in self.each_machine(
                lambda machine: machine.systemctl("is-active", *SERVICES[machine.name], check=False).split()) for state in states)
        except LookupError:
            return False

    def wait_all_active(self, deadline_sec=60):
        wait_until(self.all_active, "every service runs", deadline_sec)

    def stores_answer(self):
        now = time.monotonic()
        return all(now - self.observer.answered_at[name] < 1 for name in QUERIES)

    def begin_anew(self):
        """Empty databases and spools, everything running: what a case says does not depend on the cases before."""
        links.heal_all(self.lab)

        def empty(machine):
            if not machine.is_up():
                self.run_lab("boot", machine.name)
            machine.forget()

        self.each_machine(empty)
        self.each_machine(lambda machine: machine.systemctl("start", f"traffic-{machine.name}.target"))
        self.wait_all_active()
        begun = time.monotonic()
        wait_until(lambda: all(self.observer.answered_at[name] > begun for name in QUERIES), "both stores and analytics answer", 30)
        self.baseline = dict(self.observer.stored)

    def accept_as_it_is(self):
        """What the stores hold now is not this run's."""
        wait_until(self.stores_answer, "both stores and analytics answer", 60)
        self.baseline = dict(self.observer.stored)

    def wait_healthy(self, deadline_sec=60):
        """Everything runs, keeps up, and the primary store answers."""
        self.wait_all_active(deadline_sec)
        wait_until(lambda: self.stores_answer() and self.observer.answered_by == "primary", "the primary store answers", deadline_sec)
        self.wait_steady(deadline_sec)

    def pids(self):
        return {unit: self.machine_of(unit).pid(unit) for unit in UNITS}

    # --- how far things are ---

    def n_stored(self):
        """{store: readings of this run}, as the stores last said."""
        return {store: self.observer.stored[store] - self.baseline[store] for store in STORES}

    def loads(self):
        return [self.load, *self.extra_loads]

    def undelivered(self):
        """{store: readings that are due by now and not in that store}."""
        due = sum(load.now()[0] for load in self.loads())
        return {store: due - count for store, count in self.n_stored().items()}

    def wait_steady(self, deadline_sec=DELIVERY_SEC):
        """Until both stores have all but what is normally under way."""
        wait_until(lambda: all(count <= self.load.rate * 0.25 + 50 for count in self.undelivered().values()),
                   "both stores keep up with what is due", deadline_sec)

    def wait_quiet(self, deadline_sec=DELIVERY_SEC):
        """With loads that pause or have ended: until both stores hold all that was acknowledged, and get no more."""
        held, since = None, 0.0

        def hold_all():
            nonlocal held, since
            now, count = time.monotonic(), self.n_stored()
            if count != held:
                held, since = count, now
            if now - since > STUCK_SEC:
                raise AssertionError(f"both stores hold what was acknowledged: no; nothing comes any more for {STUCK_SEC} s")
            acknowledged = sum(load.now()[2] for load in self.loads())
            return all(value >= acknowledged for value in count.values()) and now - since > STILL_SEC

        wait_until(hold_all, "both stores hold what was acknowledged", deadline_sec)

    def check(self, log):
        return check_lab(log, lambda name: self.machines[name].root())

    # --- what was said ---

    def journal(self, machine, since, *matches):
        """Entries since a Unix time, as journalctl's JSON objects."""
        lines = self.machines[machine].execute("journalctl", "--quiet", "--output=json", f"--since=@{since:.6f}", *matches,
                                               check=False).splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if int(entry["__REALTIME_TIMESTAMP"]) >= since * 1e6]

    def failovers(self, since):
        """[(Unix time of the entry, store, seconds of silence by its field)]."""
        return [(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, entry.get("STORE"), int(entry.get("DETECTION_US", 0)) / 1e6)
                for entry in self.journal("pc2", since, f"MESSAGE_ID={FAILOVER}")]

    def tell(self, since):
        """What the services said since a Unix time, for whoever looks into a failure."""
        for name, machine in self.machines.items():
            said = machine.execute("journalctl", "--quiet", "--output=short-precise", f"--since=@{since:.0f}", "--unit=traffic-*",
                                   check=False)
            lines = [line for line in said.splitlines() if not re.search(r"CONGESTION|NS: |\[LATENCY\]", line)]
            print(f"--- journal of {name}", *lines[-60:], sep="\n")

    # --- drop-ins ---

    @contextmanager
    def drop_in(self, unit, text):
        """A unit has these settings besides, from its next start on."""
        machine, path = self.machine_of(unit), f"/run/systemd/system/{unit}.service.d/fault{next(numbers)}.conf"
        machine.write(path, text)
        machine.systemctl("daemon-reload")
        try:
            yield
        finally:
            machine.remove(path)
            machine.systemctl("daemon-reload")
