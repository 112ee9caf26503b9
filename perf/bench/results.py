"""The files of figures: what a run was, on which machine, what it found."""
import csv
import json
import os
import re
import statistics
import subprocess
import time

from bench.citylab import TOP


def machine():
    """What the figures depend on beside the packages."""
    with open("/proc/cpuinfo") as file:
        models = {line.split(":", 1)[1].strip() for line in file if line.startswith("model name")}
    with open("/proc/meminfo") as file:
        memory_kib = int(file.readline().split()[1])
    return {"cpu": ", ".join(sorted(models)), "cores": os.cpu_count(), "memory_gib": round(memory_kib / 2**20, 1),
            "kernel": os.uname().release, "load_before": round(os.getloadavg()[0], 2)}


def commit():
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or None


def heading(bench, command):
    return {"bench": bench, "command": command, "date": time.strftime("%Y-%m-%d"), "commit": commit(), "machine": machine()}


def write_json(path, results):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1)
    path.write_text(re.sub(r"\[[^][{}]*\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n")  # a bucket is a line, not four


def write_csv(path, rows):
    """Objects with the same members, one each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
