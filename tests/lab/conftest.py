"""Three real machines for the tests, in a lab of their own ("test"), so that one which somebody uses is left alone.

The lab is what a user gets: `lab up` builds packages, boots and installs. Tests speak to it through `lab` and, as any peer would,
through its network: this process joins the lab's network namespace once the machines are up.
"""
import json
import os
import subprocess
import time

import pytest
import zmq
from faults.machines import ADDRESS, BACKEND, SERVICES, Machine, TOP, join_network, wait_until
from waiting import PATIENCE

UNITS = [(machine, unit) for machine, units in SERVICES.items() for unit in units]
EXIT_DEGRADED = 6


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=int(time.time()) % 1_000_000, help="draws what the faults leave open")
    parser.addoption("--runs", type=int, default=1, help="how often each fault is done; each run has a seed of its own")
    parser.addoption("--resume", action="store_true", help="leave out the faults that have passed since the packages were built")


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: the most telling faults, for every run of all tests")


class Lab:
    name = os.environ.get("LAB", "test")

    def run(self, *arguments, check=True, timeout=300):
        """`lab ARGUMENT...`, as a person would type it."""
        done = subprocess.run([TOP / "lab", *arguments], env={**os.environ, "LAB": self.name}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout * PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"lab {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def execute(self, machine, *command, check=True):
        return self.run("exec", machine, *command, check=check)

    def systemctl(self, machine, *arguments, check=True):
        return self.execute(machine, "systemctl", *arguments, check=check).stdout.strip()

    def main_pid(self, machine, unit):
        return int(self.systemctl(machine, "show", "--property=MainPID", "--value", unit))

    def main_pids(self):
        """The process of every service: {(machine, unit): pid}, 0 for none."""
        pids = {}
        for machine, units in SERVICES.items():
            answer = self.systemctl(machine, "show", "--property=MainPID", "--value", *units).split()
            pids.update({(machine, unit): int(pid) for unit, pid in zip(units, answer)})
        return pids

    def ready_at(self, machine, unit):
        """When it last became active, by this host's monotonic clock."""
        return Machine(self.name, machine).ready_at(unit)

    def is_active(self, machine, unit):
        return self.systemctl(machine, "is-active", unit, check=False) == "active"

    def trafficctl(self, machine, *arguments):
        """What trafficctl answers as JSON, with its exit status."""
        done = self.execute(machine, "trafficctl", "--json", *arguments, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None

    def status(self):
        return self.trafficctl("pc3", "status")[1]["data"]

    def events(self):
        """How many events the store that answers has; 0 while none does."""
        return self.status()["db_summary"].get("total_sensor_events", 0)

    def journal_mark(self, machine, unit):
        """The newest entry of a unit. (Of that unit: journalctl forgets one entry after a cursor that its filter hides.)"""
        shown = self.execute(machine, "journalctl", "--quiet", "--lines=1", "--show-cursor", "--output=cat", f"--unit={unit}").stdout
        return shown.rsplit("-- cursor: ", 1)[1].strip()

    def journal(self, machine, unit, mark):
        """Lines of a unit's journal since journal_mark()."""
        return self.execute(machine, "journalctl", "--quiet", "--output=cat", f"--after-cursor={mark}", f"--unit={unit}",
                            check=False).stdout.splitlines()

    def wait_all_active(self, deadline_sec=20):
        def every_service_has_a_process():
            return all(self.main_pids().values())
        wait_until(every_service_has_a_process, "every service runs", deadline_sec)

    def wait_city_moves(self, deadline_sec=40):
        """Until more events are stored than now."""
        before = wait_until(self.events, "a store answers", deadline_sec)
        wait_until(lambda: self.events() > before, "more events are stored", deadline_sec)


def ask(machine, port, request, timeout_sec=5):
    """One question to a link that answers queries."""
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.linger = 0
    socket.connect(f"tcp://{ADDRESS[machine]}:{port}")
    try:
        socket.send_json(request)
        if not socket.poll(timeout_sec * 1000):
            raise AssertionError(f"{machine}:{port} does not answer {request}")
        return socket.recv_json()
    finally:
        socket.close()


@pytest.fixture(scope="session")
def lab():
    lab = Lab()
    if BACKEND == "nspawn":  # virtual machines are the user's, and slow to make
        lab.run("down")
    lab.run("up", "--no-build", "--input", "random")
    join_network(lab.name)
    return lab


@pytest.fixture
def city(lab):
    """The lab with all services running and events arriving, whatever the test before did."""
    lab.run("heal")
    for machine in SERVICES:
        lab.systemctl(machine, "start", f"traffic-{machine}.target")
    lab.wait_all_active()
    wait_until(lambda: lab.trafficctl("pc3", "status")[0] == 0, "the primary store answers", 20)
    return lab


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the services said during the test."""
    report = (yield).get_result()
    if call.when == "call" and report.failed and "city" in item.funcargs:
        since = f"--since=-{int(time.time() - call.start) + 1}s"
        for machine in SERVICES:
            done = item.funcargs["city"].execute(machine, "journalctl", "--no-pager", "--output=short-precise", since,
                                                 "--unit=traffic-*", check=False)
            lines = [line for line in done.stdout.splitlines() if "[LATENCY]" not in line and "NS: " not in line]
            report.sections.append((f"journal of {machine}", "\n".join(lines[-60:])))
