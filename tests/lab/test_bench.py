"""The benches: what they read, and a short run of each. What the figures are nobody asks here: a machine of tests is busy."""
import csv
import json
import os
import re
import subprocess
import sys

import pytest
from faults.machines import TOP

sys.path.insert(0, str(TOP / "perf"))
from bench import growth, prom, scenarios  # noqa: E402

TEXT = """# TYPE traffic_wait_seconds histogram
traffic_wait_seconds_bucket{service="x",stage="a",le="0.001"} 10
traffic_wait_seconds_bucket{service="x",stage="a",le="0.002"} 30
traffic_wait_seconds_bucket{service="x",stage="a",le="+Inf"} 40
traffic_wait_seconds_bucket{service="x",stage="b",le="0.001"} 7
traffic_x_total{kind="a"} 2
traffic_x_total{kind="b"} 3
"""


def read(text=TEXT):
    return prom.Histogram.read(prom.parse(text), "traffic_wait_seconds", stage="a")


def test_quantiles_lie_where_the_counts_say():
    histogram = read()
    assert histogram.n == 40
    assert histogram.quantile(0.25) == pytest.approx(0.001)
    assert histogram.quantile(0.5) == pytest.approx(0.0015)
    assert histogram.quantile(1) == 0.002  # beyond the last bound nobody knows
    assert read("").quantile(0.5) is None


def test_only_what_came_since_is_counted():
    later = TEXT.replace("} 30", "} 32").replace("} 40", "} 42")
    came = read(later).since(read())
    assert came.buckets == [(0.001, 0), (0.002, 2), (float("inf"), 0)]
    assert came.quantile(0.5) == pytest.approx(0.0015)


def test_labels_choose_samples():
    samples = prom.parse(TEXT)
    assert prom.total(samples, "traffic_x_total") == 5
    assert prom.total(samples, "traffic_x_total", kind="b") == 3


@pytest.mark.parametrize("n", growth.INTERSECTIONS)
def test_cities_of_every_size_name_each_intersection_once(n):
    city = growth.city_of(n)
    places = [sensor["interseccion"] for sensor in city["sensors"]["cameras"]]
    assert n * 0.9 <= len(set(places)) == len(places) <= n
    assert {f"INT-{row}{column}" for row in city["grid"]["rows"] for column in city["grid"]["columns"]} == set(places)


def bench(directory, *arguments):
    done = subprocess.run([TOP / "lab", "bench", *arguments, "--results", directory], env={**os.environ, "LAB": os.environ.get("LAB", "test")},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert "left)" in done.stderr


def report_pages(directory):
    done = subprocess.run([TOP / "lab", "bench", "report", "--results", directory, "--output", directory], capture_output=True, text=True, check=True)
    return int(re.search(r"(\d+) pages", done.stderr)[1])


def test_load_says_what_became_of_every_reading(tmp_path):
    bench(tmp_path, "load", "--mode", "threaded", "--protocol", "custody", "--rate", "600", "--seconds", "5")
    [probe] = json.loads((tmp_path / "load-threaded-custody.json").read_text())["probes"]
    assert probe["due"] == 3000 and probe["stored"] == {"primary": 3000, "replica": 3000}
    for name, stage in probe["stages"].items():
        assert stage["n"] > 0 and 0 < stage["p50"] <= stage["p99"] <= stage["max"], name
    assert all(probe["cpu_us_per_event"][unit] > 0 and probe["pss_bytes"][unit] > 0 for unit in ("traffic-broker", "traffic-store@primary"))


def test_latencies_are_summed_up_where_there_are_any():
    assert scenarios.summary([]) == {"n": 0}
    latencies = scenarios.summary([0.003, 0.001, 0.002, 0.01])
    assert (latencies["n"], latencies["min"], latencies["median"], latencies["max"]) == (4, 0.001, 0.0025, 0.01)


def test_scenario_counts_in_both_stores(tmp_path):
    bench(tmp_path, "scenarios", "--scenario", "2A", "--seconds", "20", "--speed", "50")
    measured = json.loads((tmp_path / "scenario-2A.json").read_text())
    assert len(measured["intervals"]) == 200
    for store in ("primary", "replica"):  # six sensors, ten readings a second each
        assert 50 <= measured["events_per_second"][store] <= 70
    [row] = csv.DictReader((tmp_path / "scenarios.csv").open())
    assert row["scenario"] == "2A" and float(row["memory_mib"]) > 0


def test_growth_and_a_report_of_it(tmp_path):
    bench(tmp_path, "growth", "--part", "clients", "--rate", "300", "--seconds", "2", "--runs", "1")
    measured = json.loads((tmp_path / "growth-clients.json").read_text())["sizes"]
    assert [size["size"] for size in measured] == list(growth.CLIENTS)
    assert all(min(size["stored"].values()) == size["due"] == 600 for size in measured)
    assert report_pages(tmp_path) <= 5
    assert "lab bench load" in (tmp_path / "report.html").read_text()  # what was not measured is named


def test_without_custody_readings_reach_the_stores_too(tmp_path):
    bench(tmp_path, "load", "--mode", "standard", "--protocol", "v0", "--rate", "300", "--seconds", "3")
    [probe] = json.loads((tmp_path / "load-standard-v0.json").read_text())["probes"]
    assert probe["due"] == 900 and min(probe["stored"].values()) > 0


def test_peers_carry_every_event_or_say_why_not(tmp_path):
    sides = ["broker-v0", "broker-custody", "forwarder", "zmq-proxy", "way", "mosquitto-qos1", "jetstream-r1"]  # others take long to start
    asked = [word for side in sides for word in ("--side", side)]
    bench(tmp_path, "peers", "--rounds", "1", "--events", "3000", "--seconds", "0.2", *asked)
    measured = json.loads((tmp_path / "peers.json").read_text())
    assert set(sides) == {*measured["sides"], *measured["skipped"]}
    assert all("apt-get install" in reason for reason in measured["skipped"].values())
    assert {"broker-v0", "broker-custody", "forwarder", "zmq-proxy", "way"} <= set(measured["sides"])
    for side in measured["sides"].values():
        [run] = side["runs"]
        assert run["lost"] == 0 and run["is_confirmed"], side
        assert run["events_per_second"] > 0 and 0 < run["p50_us"] <= run["p99_us"], side
    [ratio] = [ratio for ratio in measured["ratios"] if (ratio["of"], ratio["to"]) == ("broker-v0", "forwarder")]
    assert ratio["wanted"] == 0.85 and ratio["min"] == ratio["median"] == ratio["max"] > 0
    assert report_pages(tmp_path) <= 5
    assert f"our broker, v0 {ratio['median']:.2f} times bare forwarder" in (tmp_path / "report.html").read_text()
