"""The runs that make a table: one for each scenario, controller, condition and seed; done some at a time, with how long it still takes."""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from drive import simulator
from drive.scenarios import TOP, Scenario

PLAIN = ""
ALONE_WEIGHT, OURS_WEIGHT = 1, 10  # what a simulated second costs, roughly


@dataclass
class Condition:
    """What else is done to a run: its name in the table, and how."""
    name: str = PLAIN
    loss: tuple = (0, 0)  # of passages, of camera frames
    kill: dict | None = None  # {"service", "at", "seconds"}
    ambulance: tuple | None = None  # ("row", "B")
    has_wave: bool = False


@dataclass
class Job:
    scenario: Scenario
    policy: str
    condition: Condition
    seed: int
    directory: Path
    is_shown: bool = False
    second: int = 0
    result: dict = field(default_factory=dict)

    @property
    def is_ours(self):
        return self.policy not in simulator.OWN_CONTROLLERS

    @property
    def weight(self):
        return self.scenario.end * (OURS_WEIGHT if self.is_ours else ALONE_WEIGHT)

    @property
    def title(self):
        condition = f" ({self.condition.name})" if self.condition.name else ""
        return f"{self.scenario.name} {self.policy}{condition} seed {self.seed}"

    def specification(self):
        return {"scenario": self.scenario.name, "net": str(self.scenario.net), "routes": str(self.scenario.routes), "begin": self.scenario.begin, "end": self.scenario.end,
                "policy": self.policy, "seed": self.seed, "directory": str(self.directory), "loss": self.condition.loss,
                "kill": self.condition.kill, "ambulance": self.condition.ambulance, "has_wave": self.condition.has_wave,
                "is_shown": self.is_shown}


class Jobs:
    """`nets`: scenario's network file -> NetFile, for SUMO's own controllers; `keep` is called with the jobs after each one that is done."""

    def __init__(self, jobs, nets, n_at_once, keep):
        self.jobs, self.nets, self.n_at_once, self.keep = jobs, nets, n_at_once, keep
        self.lock = threading.Lock()
        self.children = set()
        self.n_done = 0
        self.is_ending = False

    def run(self):
        self.begun = time.monotonic()
        with ThreadPoolExecutor(self.n_at_once) as pool:
            futures = [pool.submit(self.do, job) for job in self.jobs]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.end()
                for future in futures:
                    future.cancel()
                raise

    def end(self):
        """Whoever drives is told; each ends its own services."""
        self.is_ending = True
        with self.lock:
            for child in self.children:
                child.send_signal(signal.SIGINT)

    def do(self, job):
        if self.is_ending:
            return
        shutil.rmtree(job.directory, ignore_errors=True)
        job.directory.mkdir(parents=True)
        begun = time.monotonic()
        try:
            job.result = self.run_ours(job) if job.is_ours else self.run_alone(job)
        except Exception as error:
            job.result = {"valid": False, "problem": str(error)}
        job.second = job.scenario.end
        with self.lock:
            self.n_done += 1
            self.keep(self.jobs)
            if job.result["valid"]:
                outcome = f"delay {job.result['delay']:.1f} s a trip"
                shutil.rmtree(job.directory)
            else:
                outcome = f"INVALID: {job.result['problem']} (logs: {job.directory})"
            self.tell(f"{job.title}: {outcome}, took {time.monotonic() - begun:.0f} s; {self.time_left()}", is_last=True)

    def run_alone(self, job):
        kind = simulator.OWN_CONTROLLERS[job.policy]
        return simulator.run_alone(job.scenario, self.nets[job.scenario.net], kind, job.seed, job.directory) | {"valid": True}

    def run_ours(self, job):
        specification = job.directory / "run.json"
        specification.write_text(json.dumps(job.specification()))
        command = [TOP / "tests/harness/in-namespace", sys.executable, "-B", "-m", "drive.run", specification]
        with open(job.directory / "run.log", "wb") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                                     env={**os.environ, "PYTHONPATH": str(TOP / "tests/lab")}, start_new_session=True)
        with self.lock:
            self.children.add(child)
        said = {}
        for line in child.stdout:
            if not line.startswith("{"):
                continue  # a library's own words
            said = json.loads(line)
            if "second" in said:
                job.second = said["second"]
                with self.lock:
                    self.tell(f"{job.title}: second {job.second} of {job.scenario.end}; {self.time_left()}")
        child.wait()
        with self.lock:
            self.children.discard(child)
        if "result" in said:
            return said["result"]
        raise RuntimeError(said.get("failed") or (job.directory / "run.log").read_text()[-500:].strip() or f"status {child.returncode}")

    def time_left(self):
        done = sum(job.weight * job.second / job.scenario.end for job in self.jobs)
        all_of_it = sum(job.weight for job in self.jobs)
        took = time.monotonic() - self.begun
        if done == 0 or took < 2:
            return "time left unknown"
        left = int(took * (all_of_it - done) / done)
        return f"{left // 60} min {left % 60:02} s left"

    def tell(self, text, is_last=False):
        """What lasts is a line; how far a run is, only where somebody looks."""
        text = f"[{self.n_done}/{len(self.jobs)}] {text}"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="\n" if is_last else "", file=sys.stderr, flush=True)
        elif is_last:
            print(text, file=sys.stderr, flush=True)
