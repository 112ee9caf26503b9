"""SUMO as the traffic of a lab in real time, one simulated second a second, again and again: what `lab up --input sumo` starts.

    python3 -B -m drive.demonstrate SCENARIO ADDRESS WHERE

Its lights follow the reports of the signal service at ADDRESS, its sensors hand their readings in at the relay sockets in the directory
WHERE, or in those of a machine of the lab named by LAB (machine:pc1). A sensor or service that is away is done without until it is back:
this is a city, not a measurement.
"""
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import zmq

from drive.lights import Display
from drive.live import Live
from drive.network import Network
from drive.scenarios import SCENARIOS, TOP
from drive.sensors import KINDS, Sensors
from drive.simulator import Simulation
from faults.machines import Machine

sys.path.insert(0, str(TOP / "tests/harness"))
from lockstep import Relay, RunInvalid  # noqa: E402

REPORTS_PORT = 5570
SEED = 42


def sockets_of(where):
    """A function that says where the relay sockets are now: a machine that was booted again has another file system."""
    kind, _, name = where.partition(":")
    if kind != "machine":
        return lambda: Path(where)
    machine = Machine(os.environ["LAB"], name)
    return lambda: machine.live_root() / "run/traffic"


class Outlet:
    """The relay of one kind, which may be away: then what it would have been told is gone."""

    def __init__(self, kind, sockets):
        self.kind, self.sockets, self.relay = kind, sockets, None

    def hand_in(self, packets):
        try:
            if self.relay is None:
                self.relay = Relay(self.sockets() / f"sensor-{self.kind}.sock")
                self.relay.connect()
            for packet in packets:
                self.relay.put(packet.encode())
            self.relay.send()
            self.relay.hear()
        except (OSError, LookupError, RunInvalid) as problem:
            print(f"{self.kind}: {problem}", flush=True)
            if self.relay:
                self.relay.close()
            self.relay = None


class Demonstration:
    def __init__(self, name, address, where):
        self.scenario = SCENARIOS[name]
        self.network = Network(self.scenario.net)
        self.displays = {one.id: Display(self.network.net, one, is_strict=False) for one in self.network.intersections}
        self.outlets = {kind: Outlet(kind, sockets_of(where)) for kind in KINDS}
        self.reports = zmq.Context.instance().socket(zmq.SUB)
        self.reports.subscribe(b"")
        self.reports.connect(f"tcp://{address}:{REPORTS_PORT}")

    def go(self):
        with tempfile.TemporaryDirectory() as directory:
            while True:
                self.play(Path(directory))

    def play(self, directory):
        sensors = Sensors(self.network)
        live = Live(f"{self.scenario.name} in real time", self.network, self.displays, sensors, self.scenario.end)
        simulation = Simulation(self.scenario, SEED, directory / "trips.xml", directory / "sumo.log")
        due = time.monotonic()
        for display in self.displays.values():
            display.begin_again()
        try:
            while simulation.now < self.scenario.end:
                simulation.step()
                self.second(simulation, sensors)
                live.show(simulation.now)
                due = max(due + 1, time.monotonic() - 1)
                time.sleep(max(0, due - time.monotonic()))
        finally:
            live.close()
            simulation.close()

    def second(self, simulation, sensors):
        read = sensors.read(simulation.by_lane, simulation.now, time.time())
        for kind, outlet in self.outlets.items():
            outlet.hand_in(read.get(kind, ()))
        while self.reports.poll(0):
            report = json.loads(self.reports.recv())
            display = self.displays.get(report.get("interseccion"))
            if display and "groups" in report and report["report"] != "PAST":
                display.report(report["groups"], simulation.now)
        for display in self.displays.values():
            display.show(simulation, simulation.now)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    Demonstration(*sys.argv[1:4]).go()
