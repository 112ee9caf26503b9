"""Plain processes on loopback, for figures without machines: the city's, and others. Run inside tests/harness/in-namespace."""
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import zmq

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "harness"))
from city import CORE_SERVICES, SENSORS, City  # noqa: E402, F401
from waiting import wait_until  # noqa: E402

ON_DISK = "/var/tmp"  # where directories of measurements are made: /tmp may be memory
STORES = {"primary": 5575, "replica": 5576}
ANSWER_MSEC, START_SEC, END_SEC = 10000, 60, 30
TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")


def cpu_sec(pid):
    """User and system time of a process since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SEC


def in_namespace(*command):
    """Goes on as this command in a network namespace of its own; returns where that is so already. There SIGTERM ends what was started, too."""
    if "OLAVERDE_IN_NAMESPACE" in os.environ:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        return
    os.environ["OLAVERDE_IN_NAMESPACE"] = "1"
    wrapper = str(TOP / "tests" / "harness" / "in-namespace")
    os.execv(wrapper, [wrapper, sys.executable, *command])


class PlainCity(City):
    """A city that can be asked what its stores hold and what its processes used."""

    def stored(self):
        """{store: sensor events that it has committed}."""
        totals = {}
        with zmq.Context() as context:
            for store, port in STORES.items():
                with context.socket(zmq.REQ) as request:
                    request.linger = 0
                    request.connect(f"tcp://127.0.0.1:{port}")
                    request.send_json({"command": "SYSTEM_STATUS"})
                    if not request.poll(ANSWER_MSEC):
                        raise SystemExit(f"the {store} store does not answer on port {port}")
                    totals[store] = request.recv_json()["data"]["db_summary"]["total_sensor_events"]
        return totals

    def relay_directory(self):
        return self.runtime_dir

    def cpu_sec(self):
        """{process: seconds}."""
        return {title: cpu_sec(process.pid) for title, process in self.processes.items()}


class Child:
    """A process in the foreground; what it writes goes to `log`."""

    def __init__(self, command, log, **environment):
        self.name, self.log = Path(str(command[0])).name, log
        with open(log, "ab") as out:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**os.environ, **environment})

    @property
    def pid(self):
        return self.process.pid

    def listens(self, port):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')[-2000:]}")
        with socket.socket() as asker:
            return asker.connect_ex(("127.0.0.1", port)) == 0

    def wait_port(self, port):
        wait_until(lambda: self.listens(port), f"{self.name} listens on port {port}", START_SEC)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=END_SEC)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
