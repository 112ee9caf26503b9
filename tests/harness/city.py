"""A whole city, or parts of it, as plain processes on loopback: for tests that talk to real binaries.

Run the test inside tests/harness/in-namespace, because the ports are fixed. The binaries are those of a build directory, given in the
environment as TRAFFIC_BUILD. Nothing here sleeps: starting waits for the READY=1 that each service sends to systemd (the harness plays
systemd's part), everything else for a condition with a deadline. Processes are ended by their own pid.

    with City(tmp_path, settings={"signal.green_sec": 5}) as city:
        city.start("store", "primary")
        ...
        city.wait(lambda: city.metric("analytics", "traffic_refused_total") > 0, "a refusal is counted")
"""
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from waiting import DEADLINE_SEC, wait_until

SOURCE = Path(__file__).resolve().parents[2]

# In the order of the data's way, which is no order of starting: services wait for each other.
CORE_SERVICES = [("broker", ""), ("analytics", ""), ("signal", ""), ("store", "primary"), ("store", "replica")]
SENSORS = [("sensor", "camera"), ("sensor", "inductive"), ("sensor", "gps")]


class Process:
    """One service: its pid, its output, whether it said READY=1."""

    def __init__(self, city, name, instance, settings, environment=None):
        self.title = f"{name}@{instance}" if instance else name
        self.log_path = city.directory / f"{self.title}.log"
        self.state_dir = city.directory / "state" / self.title
        self.state_dir.mkdir(parents=True, exist_ok=True)
        binary = Path(os.environ["TRAFFIC_BUILD"]) / "services" / name / f"traffic-{name}"
        command = [str(binary)] + ([instance] if instance else [])
        command += ["--config", str(city.config), "--state-dir", str(self.state_dir), "--runtime-dir", str(city.runtime_dir)]
        for key, value in {**city.settings, **settings}.items():
            command += ["--set", f"{key}={value}"]
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify_path = city.directory / f"{self.title}.notify"
        notify_path.unlink(missing_ok=True)
        self.notify.bind(str(notify_path))
        self.is_ready = False
        self.status = ""
        # Read all the time, as systemd does: a service that nobody listens to would block in sd_notify() one day.
        threading.Thread(target=self.read_notifications, daemon=True).start()
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env={**os.environ, **(environment or {}), "NOTIFY_SOCKET": str(notify_path)})

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def log(self):
        """What this process (not an earlier one of the same name) has written."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def read_notifications(self):
        while message := self.notify.recv(65536):
            for line in message.decode().splitlines():
                self.is_ready |= line == "READY=1"
                if line.startswith("STATUS="):
                    self.status = line[len("STATUS="):]

    def check_ready(self):
        if not self.is_running():
            raise AssertionError(f"{self.title} ended with {self.child.returncode}:\n{self.log()}")
        return self.is_ready

    def wait_ready(self):
        try:
            wait_until(self.check_ready, f"{self.title} is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def stop(self, how=signal.SIGTERM):
        """Ends the process and returns its exit status; one that does not end in time is killed, and that is a failure."""
        if self.is_running():
            self.child.send_signal(how)
        try:
            return self.child.wait(timeout=DEADLINE_SEC)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.title} did not end on signal {how}:\n{self.log()}") from None
        finally:
            self.notify.shutdown(socket.SHUT_RDWR)  # ends the reading thread


class City:
    """`services` are started by entering the context, `settings` hold for all of them ("section.key": value)."""

    def __init__(self, directory, settings=None, services=None):
        self.directory = Path(directory)
        self.runtime_dir = self.directory / "run"
        (self.runtime_dir / "metrics").mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "traffic.conf"
        self.config.write_text(f"[city]\nfile = {SOURCE / 'config' / 'city-seed.json'}\n")
        self.settings = dict(settings or {})
        self.services = CORE_SERVICES if services is None else services
        self.processes = {}

    def __enter__(self):
        try:
            started = [self.spawn(*service) for service in self.services]
            for process in started:
                process.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        failures = []
        for process in self.processes.values():
            if process.is_running():
                process.child.send_signal(signal.SIGCONT)
                process.child.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                status = process.stop()
                if status != 0:  # a sanitizer that found something says so with the status
                    failures.append(f"{process.title} ended with {status}:\n{process.log()}")
            except AssertionError as error:
                failures.append(str(error))
        self.processes.clear()
        if failures:
            raise AssertionError("\n".join(failures))

    def spawn(self, name, instance="", settings=None, environment=None):
        """Starts a service without waiting for it."""
        process = Process(self, name, instance, settings or {}, environment)
        self.processes[process.title] = process
        return process

    def start(self, name, instance="", settings=None, environment=None):
        process = self.spawn(name, instance, settings, environment)
        process.wait_ready()
        return process

    def stop(self, title, how=signal.SIGTERM):
        return self.processes.pop(title).stop(how)

    def pids(self):
        """The pid of every service that runs: equal before and after means that nothing stopped."""
        return {title: process.pid for title, process in self.processes.items() if process.is_running()}

    def log(self, title):
        return self.processes[title].log()

    def wait_log(self, title, pattern, deadline_sec=DEADLINE_SEC):
        """The match of a regular expression in what the service has written so far or writes in time."""
        return wait_until(lambda: re.search(pattern, self.log(title), re.MULTILINE),
                          f"{title} writes /{pattern}/", deadline_sec)

    def metrics_path(self, title):
        return self.runtime_dir / "metrics" / f"traffic-{title}.prom"

    def metric(self, title, name, **labels):
        """The sum of a service's samples of this name whose labels include these, as last written: every 5 s, and at its end."""
        total = 0.0
        path = self.metrics_path(title)
        for line in path.read_text().splitlines() if path.exists() else []:
            sample = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if not sample or sample[1] != name:
                continue
            found = dict(re.findall(r'(\w+)="([^"]*)"', sample[2] or ""))
            if labels.items() <= found.items():
                total += float(sample[3])
        return total

    def wait_fresh_metrics(self, *titles):
        """Waits until each of the services has written its counters again: then they hold all that it did before the call."""
        def written(title):
            path = self.metrics_path(title)
            return path.stat().st_mtime_ns if path.exists() else 0
        before = {title: written(title) for title in titles}
        self.wait(lambda: all(written(title) > before[title] for title in titles), f"{titles} write their counters again")

    def wait(self, condition, what, deadline_sec=DEADLINE_SEC):
        """wait_until() that notices when a service ends meanwhile."""
        def check():
            for process in self.processes.values():
                process.check_ready()
            return condition()
        return wait_until(check, what, deadline_sec)
