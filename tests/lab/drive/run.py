"""One run: SUMO and all services, in a network of their own. Run by the driver, which reads its standard output, a JSON object a line:

    python3 -B -m drive.run SPECIFICATION.json

{"second": N} tells how far it is; {"result": {...}} ends it; {"failed": "why"} instead.
"""
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path

from drive import ambulance, measures
from drive.lights import Display
from drive.live import Live
from drive.network import Network
from drive.scenarios import TOP, Scenario
from drive.sensors import Sensors
from drive.simulator import Simulation

sys.path.insert(0, str(TOP / "tests/harness"))
from city import CORE_SERVICES, SENSORS, City  # noqa: E402
from lockstep import Lockstep  # noqa: E402

# All plans' common zero, and so that of the simulation: a multiple of every usual cycle.
EPOCH = 20 * 86400 * 1001
PROGRESS_EVERY_SEC = 0.5
# A step that takes so long of the machine's time is late. City time stands still meanwhile: a busy machine is slow, not wrong.
# Nor is a service dead that has to wait for a processor; what goes by the machine's time takes that into account.
LATE_SEC = 60
PATIENT = {"clock.deadline_sec": LATE_SEC, "failover.beat_sec": 1, "failover.suspect_sec": 10, "failover.dead_sec": 20, "custody.resend_sec": 5}
PR_SET_PDEATHSIG = 1


def say(**what):
    print(json.dumps(what), flush=True)


class Run:
    def __init__(self, job):
        self.job = job
        self.directory = Path(job["directory"])
        self.scenario = Scenario(job["scenario"], Path(job["net"]), Path(job["routes"]), job["begin"], job["end"])
        self.network = Network(self.scenario.net)
        self.displays = {one.id: Display(self.network.net, one) for one in self.network.intersections}
        self.sensors = Sensors(self.network, job["loss"], job["seed"])
        title = f"{self.scenario.name} {job['policy']}, seed {job['seed']}"
        self.live = Live(title, self.network, self.displays, self.sensors, job["end"])
        self.trips = self.directory / "trips.xml"
        self.n_reports = 0
        self.absent_until = None
        city = self.directory / "city.json"
        city.write_text(json.dumps(self.network.city(self.scenario.name), indent=1) + "\n")
        self.settings = {"city.file": city, "sensor.source": "relay", "clock.source": "tick", "control.policy": job["policy"],
                         "network.bind": "127.0.0.1", **PATIENT}

    def go(self):
        with City(self.directory, self.settings, CORE_SERVICES + SENSORS) as city:
            self.city = city
            with Lockstep(city.runtime_dir, patience_sec=LATE_SEC + 5, check=self.check_services) as self.steps:
                self.simulation = Simulation(self.scenario, self.job["seed"], self.trips, self.directory / "sumo.log",
                                             self.job["is_shown"])
                self.ambulances = ambulance.Ambulances(self.job["ambulance"], self.network, self.simulation, self.job["has_wave"])
                try:
                    self.drive()
                finally:
                    self.live.close()
                    self.simulation.close()
        return self.result()

    def check_services(self):
        for process in self.city.processes.values():
            process.check_ready()

    def drive(self):
        told, self.begun = 0.0, time.monotonic()
        self.show(0)
        while self.simulation.now < self.job["end"]:
            self.kill_or_restore()
            self.ambulances.act()
            self.step()
            self.live.show(self.simulation.now)
            if self.job.get("speed"):
                time.sleep(max(0, self.begun + self.simulation.now / self.job["speed"] - time.monotonic()))
            if time.monotonic() - told > PROGRESS_EVERY_SEC:
                told = time.monotonic()
                say(second=self.simulation.now)

    def step(self):
        now = self.simulation.now
        wall = EPOCH + self.scenario.begin + now
        for kind, packets in self.sensors.read(self.simulation.by_lane, now, wall).items():
            for packet in packets:
                self.steps.hand_in(kind, packet.encode())
        absent = self.job["kill"]["service"] if self.absent_until is not None else None
        for report in self.steps.step(wall * 1_000_000, absent, last=now + 1 == self.job["end"]):
            self.n_reports += 1
            if report["report"] in ("CHANGE", "STATE"):
                self.displays[report["interseccion"]].report(report["groups"], now)
        self.show(now)
        self.simulation.step()

    def show(self, now):
        for display in self.displays.values():
            display.show(self.simulation, now)

    def kill_or_restore(self):
        kill, now = self.job["kill"], self.simulation.now
        if kill and now == kill["at"]:
            self.city.stop(kill["service"], signal.SIGKILL)
            self.absent_until = now + kill["seconds"]
        elif self.absent_until is not None and now >= self.absent_until:
            self.city.start(kill["service"])
            self.absent_until = None

    def result(self):
        figures = measures.measure(self.trips, self.job["end"], self.ambulances.names)
        took = time.monotonic() - self.begun
        return figures | self.ambulances.figures(self.trips) | {
            "valid": True, "took_sec": round(took, 1), "waited_sec": round(self.steps.waited_sec, 1),
            "messages": sum(relay.n_sent for relay in self.steps.relays.values()), "reports": self.n_reports}


def end_with_parent():
    """Whoever asked for the run may die; nothing of it stays behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def main():
    end_with_parent()
    job = json.loads(Path(sys.argv[1]).read_text())
    os.chdir(job["directory"])
    try:
        say(result=Run(job).go())
    except Exception as error:  # whatever it was, the driver must hear of it
        if os.environ.get("DRIVE_DEBUG"):
            raise
        say(failed=f"{type(error).__name__}: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
