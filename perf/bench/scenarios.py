"""lab bench scenarios: the four of the performance study that the project began with, in the three-machine lab, from the packages.

    1A  one sensor of each kind, a reading every 10 s, standard broker        1B  the same, threaded broker
    2A  two sensors of each kind, a reading every 5 s, standard broker        2B  the same, threaded broker

Throughput is what both stores counted in each interval, latency is what the signal service's journal says ([LATENCY], LATENCY_US), CPU and
memory are systemd's accounts of the units (or /proc's of their processes, where systemd keeps none: told_by says which). Readings are made up by the sensors themselves (sensor.source = random) in the study's city (config/city-seed.json);
control.policy = rules lets readings bring the requests to the lights."""
import statistics
import time

from bench import results
from bench.citylab import TOP, CityLab
from bench.progress import Progress

SCENARIOS = {"1A": (1, 10, "standard"), "1B": (1, 10, "threaded"), "2A": (2, 5, "standard"), "2B": (2, 5, "threaded")}
CITY = TOP / "config" / "city-seed.json"  # the study's: no sensor watches a lane
KINDS = ("camera", "inductive", "gps")
UP_SEC = 75


def options(parser):
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="only this one; may be repeated")
    parser.add_argument("--seconds", type=float, default=120, help="of each (default: 120)")
    parser.add_argument("--speed", type=float, default=1, help="divides the intervals between readings")


def watch(lab, interval_sec, seconds, tell):
    """[{"at", "primary", "replica"}]: what each store counted in each interval. Intervals end on a clock of their own, whatever looking costs."""
    begun, before, counted = time.monotonic(), lab.stored(), []
    n_intervals = max(1, round(seconds / interval_sec))
    for i in range(1, n_intervals + 1):
        while (left := begun + i * interval_sec - time.monotonic()) > 0:
            tell(i * interval_sec - left)
            time.sleep(min(left, 1))
        now = lab.stored()
        counted.append({"at": round(time.monotonic() - begun, 3), **{store: now[store] - before[store] for store in now}})
        before = now
    return counted


def summary(values):
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    return {"n": len(ordered), "min": ordered[0], "median": statistics.median(ordered), "mean": statistics.fmean(ordered),
            "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], "max": ordered[-1]}


def measure(lab, name, arguments, tell):
    n_sensors, interval_sec, mode = SCENARIOS[name]
    settings = {"sensor.count": n_sensors, "control.policy": "rules", **{f"sensor.{kind}_interval_sec": interval_sec for kind in KINDS}}
    lab.up("--city", CITY, "--input", "random", "--mode", mode, "--speed", arguments.speed)
    lab.configure(settings)
    begun, used_before = time.time(), lab.systemd_usage()
    counted = watch(lab, interval_sec / arguments.speed, arguments.seconds, tell)
    elapsed = counted[-1]["at"]
    used = lab.systemd_usage()
    latencies = [seconds for _, seconds in lab.light_latencies(begun)]
    return {"scenario": name, "mode": mode, "sensors_of_each_kind": n_sensors, "interval_seconds": interval_sec, "speed": arguments.speed,
            "settings": settings, "seconds": elapsed, "intervals": counted,
            "events_per_second": {store: round(sum(entry[store] for entry in counted) / elapsed, 3) for store in ("primary", "replica")},
            "light_latency_seconds": summary(latencies),
            "units": {unit: {"cpu_percent": round((used[unit]["cpu_seconds"] - used_before[unit]["cpu_seconds"]) / elapsed * 100, 3),
                             "memory_bytes": used[unit]["memory_bytes"], "told_by": used[unit]["told_by"]} for unit in used}}


def row(measured):
    latency = measured["light_latency_seconds"]
    return {"scenario": measured["scenario"], "mode": measured["mode"], "sensors": 3 * measured["sensors_of_each_kind"],
            "primary_events_per_second": measured["events_per_second"]["primary"],
            "replica_events_per_second": measured["events_per_second"]["replica"],
            "requests": latency["n"],
            **{f"latency_{part}_ms": round(latency[part] * 1000, 3) if latency["n"] else "" for part in ("min", "median", "p99", "max")},
            "cpu_percent": round(sum(unit["cpu_percent"] for unit in measured["units"].values()), 2),
            "memory_mib": round(sum(unit["memory_bytes"] for unit in measured["units"].values()) / 2**20, 1)}


def run(arguments, command):
    names = arguments.scenario or list(SCENARIOS)
    each_sec = UP_SEC + arguments.seconds
    progress = Progress(len(names) * each_sec)
    lab, rows = CityLab(), []
    for i, name in enumerate(names):
        progress.say(f"[{i + 1}/{len(names)}] scenario {name}: the city starts")
        heading = results.heading("scenarios", command)
        measured = measure(lab, name, arguments, lambda at: progress.show(f"scenario {name}: second {at:.0f} of {arguments.seconds:.0f}"))
        results.write_json(arguments.results / f"scenario-{name}.json", heading | measured)
        rows.append(row(measured))
        progress.expect((len(names) - i - 1) * each_sec)
        latency = measured["light_latency_seconds"]
        progress.say(f"scenario {name}: {rows[-1]['primary_events_per_second']} events/s in the primary store, {latency['n']} requests to the lights"
                     + (f", median {latency['median'] * 1000:.2f} ms, max {latency['max'] * 1000:.2f} ms" if latency["n"] else "")
                     + f"; {rows[-1]['cpu_percent']} % of a core, {rows[-1]['memory_mib']} MiB")
    results.write_csv(arguments.results / "scenarios.csv", rows)
    lab.down()
