"""Faults do not break who makes them: several happen at the same moment, and what one of them works on another one may have killed."""
import signal
import subprocess

import pytest
from faults import actions
from faults.machines import signal_process, wait_until


class City:
    """Of one unit, whose process it has started."""

    def __init__(self, process):
        self.process = process

    def machine_of(self, unit):
        return self

    def signal(self, unit, number):
        self.signal_pid(self.process.pid, number)
        return self.process.pid

    def signal_pid(self, pid, number):
        return signal_process(pid, number)


@pytest.fixture
def process():
    with subprocess.Popen(["sleep", "60"]) as it:
        yield it
        it.kill()


def state_of(process):
    with open(f"/proc/{process.pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_frozen_process_goes_on(process):
    with actions.frozen(City(process), None, "unit"):
        wait_until(lambda: state_of(process) == "T", "it stands still", 20)
    wait_until(lambda: state_of(process) in "RS", "it goes on", 20)


def test_frozen_process_may_die_meanwhile(process):
    with actions.frozen(City(process), None, "unit"):
        process.kill()
        process.wait()


def test_signal_tells_whether_there_was_a_process(process):
    assert signal_process(process.pid, signal.SIGCONT)
    process.kill()
    process.wait()
    assert not signal_process(process.pid, signal.SIGCONT)
