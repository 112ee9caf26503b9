"""The lab as a bench sees it: brought up with the settings of a run, asked what its stores hold, looked at from outside for what it costs.

It is a lab of its own (LAB=bench) unless the environment names another one."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import zmq
from bench import prom

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "lab"))
from faults.machines import ADDRESS, BACKEND, LABS, MACHINE_OF, UNITS, Machine, enter_network, join_network, wait_until  # noqa: E402

CITY = TOP / "config" / "city.json"  # what the packages install
STORES = {"primary": ("pc3", 5575), "replica": ("pc2", 5576)}
METRICS = "run/traffic/metrics"
METRICS_PATIENCE_SEC, START_PATIENCE_SEC = 20, 30
DROP_IN = "/etc/traffic/traffic.conf.d/60-bench.conf"
TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")


class CityLab:
    def __init__(self):
        self.name = os.environ.get("LAB", "bench")
        self.machines = {name: Machine(self.name, name) for name in ADDRESS}
        self.sockets = {}
        self.context = None
        self.home = open("/proc/self/ns/net")  # a lab that is made anew has a network of its own each time

    # --- up and down ---

    def run(self, *arguments):
        enter_network(self.home)
        done = subprocess.run([TOP / "lab", *map(str, arguments)], env={**os.environ, "LAB": self.name}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"lab {' '.join(map(str, arguments))} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self, *options):
        """A fresh city: empty databases."""
        self.down()
        self.run("up", *options)
        join_network(self.name)
        if BACKEND == "vagrant":  # a machine that is made anew takes minutes
            for machine in self.machines.values():
                machine.forget()
            for name, machine in self.machines.items():
                machine.systemctl("start", f"traffic-{name}.target")
        self.context = zmq.Context()  # its threads live where they were begun
        for store, (machine, port) in STORES.items():
            asker = self.context.socket(zmq.REQ)
            asker.linger = 0
            asker.connect(f"tcp://{ADDRESS[machine]}:{port}")
            self.sockets[store] = asker

    def configure(self, settings):
        """Gives every machine these settings ({"section.key": value}) besides, and starts everything again. For what `lab up` would wait in vain
        with: it expects a city that is busy, and an analytics that can answer for the stores."""
        text = "".join("[{}]\n{} = {}\n".format(*name.split("."), value) for name, value in settings.items())
        for name, machine in self.machines.items():
            machine.write(DROP_IN, text)
            machine.systemctl("restart", f"traffic-{name}.target")
        for unit, machine in MACHINE_OF.items():
            wait_until(lambda: self.machines[machine].is_active(unit), f"{unit} runs", START_PATIENCE_SEC)
        self.stored()

    def down(self):
        for asker in self.sockets.values():
            asker.close()
        self.sockets = {}
        if self.context:
            self.context.term()
            self.context = None
        if BACKEND == "nspawn" and (LABS / self.name).exists():
            self.run("down")

    def relay_directory(self):
        return self.machines["pc1"].live_root() / "run/traffic"

    # --- what it holds ---

    def stored(self):
        """{store: sensor events}."""
        totals = {}
        for store, asker in self.sockets.items():
            asker.send_json({"command": "SYSTEM_STATUS"})
            if not asker.poll(10000):
                raise SystemExit(f"the {store} store does not answer")
            totals[store] = asker.recv_json()["data"]["db_summary"]["total_sensor_events"]
        return totals

    # --- what it counted ---

    def metrics_path(self, unit):
        return self.machines[MACHINE_OF[unit]].live_root() / METRICS / f"{unit}.prom"

    def samples(self):
        """{unit: samples}, written by each service after the call: they hold all that was done before it."""
        asked = time.time()
        texts = {}

        def all_written():
            for unit in UNITS:
                path = self.metrics_path(unit)
                if unit not in texts and path.exists() and path.stat().st_mtime > asked:
                    texts[unit] = path.read_text()
            return len(texts) == len(UNITS)

        wait_until(all_written, "every service writes its counters", METRICS_PATIENCE_SEC)
        return {unit: prom.parse(text) for unit, text in texts.items()}

    # --- what it costs ---

    def usage(self):
        """{unit: {"cpu_seconds", "pss_bytes"}}: CPU time since the process began, and its part of the memory."""
        return {unit: self.usage_of(unit) for unit in UNITS}

    def usage_of(self, unit):
        pid = self.machines[MACHINE_OF[unit]].pid(unit)
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        memory = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        return {"cpu_seconds": (int(fields[11]) + int(fields[12])) / TICKS_PER_SEC, "pss_bytes": int(memory["Pss"].split()[0]) * 1024}

    def starts(self, n_runs):
        """{"systemd": {unit: [seconds]}, "process": the same}: started again so often, one at a time, until it said that it is ready; with its
        sandbox, which systemd makes first, and from its main() on."""
        starts = {who: {unit: [] for unit in UNITS} for who in ("systemd", "process")}
        for _ in range(n_runs):
            for unit in UNITS:
                machine = self.machines[MACHINE_OF[unit]]
                machine.systemctl("restart", unit)
                text = machine.systemctl("show", "--property=ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic", unit)
                shown = {name: int(value) for name, value in (line.split("=", 1) for line in text.splitlines())}
                seconds = (shown["ActiveEnterTimestampMonotonic"] - shown["ExecMainStartTimestampMonotonic"]) / 1e6
                starts["systemd"][unit].append(round(seconds, 4))
            for unit, counted in self.samples().items():
                starts["process"][unit].append(prom.total(counted, "traffic_ready_seconds"))
        return starts

    def systemd_usage(self):
        """{unit: {"cpu_seconds", "memory_bytes", "told_by"}}, as systemd accounts for the service; where it cannot (a host with the old control
        groups hands none to its containers), what /proc says of its one process."""
        used = {}
        for unit in UNITS:
            text = self.machines[MACHINE_OF[unit]].systemctl("show", "--property=CPUUsageNSec,MemoryCurrent", unit)
            shown = dict(line.split("=", 1) for line in text.splitlines())
            if all(value.isdigit() for value in shown.values()):
                used[unit] = {"cpu_seconds": int(shown["CPUUsageNSec"]) / 1e9, "memory_bytes": int(shown["MemoryCurrent"]), "told_by": "systemd"}
            else:
                process = self.usage_of(unit)
                used[unit] = {"cpu_seconds": process["cpu_seconds"], "memory_bytes": process["pss_bytes"], "told_by": "/proc"}
        return used

    def light_latencies(self, since):
        """[(Unix time, seconds)]: the [LATENCY] entries of the signal service's journal."""
        lines = self.machines["pc2"].execute("journalctl", "--quiet", "--output=json", "--unit=traffic-signal",
                                             f"--since=@{since:.6f}", check=False).splitlines()
        entries = [json.loads(line) for line in lines if '"LATENCY_US"' in line]
        return [(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, int(entry["LATENCY_US"]) / 1e6) for entry in entries
                if int(entry["__REALTIME_TIMESTAMP"]) / 1e6 >= since]
