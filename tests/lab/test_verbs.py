"""The lab's own verbs."""
import gzip
import json
import os
import subprocess

import pytest

from conftest import SERVICES, TOP, wait_until


def test_second_up_changes_nothing_that_runs(city):
    before = city.main_pids()
    done = city.run("up", "--no-build", "--input", "random", timeout=120)
    assert "16 intersections" in done.stdout
    assert city.main_pids() == before


def test_up_with_another_mode_changes_the_mode(city):
    city.run("up", "--no-build", "--input", "random", "--mode", "threaded", timeout=120)
    assert "broker.mode = threaded" in city.execute("pc1", "trafficctl", "config", "cat").stdout
    city.wait_city_moves()
    city.run("up", "--no-build", "--input", "random", timeout=120)


def test_up_with_a_city_that_is_none_says_why_and_stops_nothing(city, tmp_path):
    wrong = tmp_path / "city.json"
    wrong.write_text('{"name": "x", "grid": {"rows": ["A"], "columns": ["1"]}}')
    before = city.main_pids()
    done = city.run("up", "--no-build", "--input", "random", "--city", wrong, check=False, timeout=120)
    assert done.returncode == 1
    assert 'city.json: /grid/columns/0: expected a whole number from 1 to 1000000, got "1"' in done.stderr
    assert city.main_pids() == before
    city.run("up", "--no-build", "--input", "random", timeout=120)


def test_machine_in_which_something_failed_is_up(city):
    city.execute("pc1", "systemd-run", "--quiet", "--wait", "--unit=fails", "false", check=False)
    try:
        machine, *_ = json.loads(city.run("status", "--json").stdout)["machines"]
        assert machine["up"]
        city.run("up", "--no-build", "--input", "random", timeout=120)
    finally:
        city.systemctl("pc1", "reset-failed")


def test_up_plays_a_given_recording_in_a_given_city(city, tmp_path):
    recording = tmp_path / "mine.jsonl.gz"
    recording.write_bytes((TOP / "config/recordings/city4x4-peak.jsonl.gz").read_bytes())
    done = city.run("up", "--no-build", "--input", str(recording), "--city", str(TOP / "config/city.json"), "--speed", "10", timeout=120)
    assert "replay of /etc/traffic/recordings/mine.jsonl.gz" in done.stdout
    assert "city.file = /etc/traffic/city.json" in city.execute("pc2", "trafficctl", "config", "cat").stdout
    city.run("up", "--no-build", "--input", "random", timeout=120)


def test_up_as_fast_as_possible_plays_the_whole_recording_once(city):
    before = city.events()
    done = city.run("up", "--no-build", "--speed", "max", timeout=120)
    assert "16 intersections" in done.stdout
    with gzip.open(TOP / "config/recordings/city4x4-peak.jsonl.gz", "rt") as lines:
        recorded = sum('"event"' in line for line in lines)
    wait_until(lambda: city.events() >= before + recorded, "the whole recording is stored", 150)
    city.run("up", "--no-build", "--input", "random", timeout=120)


def test_up_with_a_city_that_is_wrong_says_where(city, tmp_path):
    wrong = tmp_path / "city.json"
    wrong.write_text((TOP / "config/city.json").read_text().replace("INT-A1", "INT A1", 1))
    done = city.run("up", "--no-build", "--input", "random", "--city", str(wrong), check=False, timeout=120)
    assert done.returncode == 1
    assert "city.json" in done.stderr and "INT A1" in done.stderr
    city.run("up", "--no-build", "--input", "random", timeout=120)


def test_crashed_machine_is_down_until_it_is_booted(city):
    before = city.execute("pc3", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout
    city.run("crash", "pc3")
    assert [machine["up"] for machine in json.loads(city.run("status", "--json").stdout)["machines"]] == [True, True, False]
    assert city.run("crash", "pc3", check=False).returncode == 1
    city.run("boot", "pc3")
    assert city.execute("pc3", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout != before
    assert city.run("boot", "pc3").returncode == 0, "a machine that runs is left alone"
    wait_until(lambda: city.trafficctl("pc3", "status")[0] == 0, "the primary store answers", 30)


def test_command_in_a_machine_that_ends_ends_with_it(city):
    boot = city.execute("pc3", "cat", "/proc/1/stat").stdout
    command = subprocess.Popen([TOP / "lab", "exec", "pc3", "sleep", "1000"], env={**os.environ, "LAB": city.name})
    wait_until(lambda: city.execute("pc3", "pgrep", "--exact", "sleep", check=False).stdout, "the command runs", 10)
    city.systemctl("pc3", "reboot", check=False)
    assert command.wait(60) != 0

    def is_back():
        done = city.execute("pc3", "cat", "/proc/1/stat", check=False)
        return done.returncode == 0 and done.stdout != boot and city.is_active("pc3", "traffic-pc3.target")
    wait_until(is_back, "pc3 has rebooted", 60)


def test_city_that_waits_for_a_relay_is_up_without_readings(city):
    city.run("up", "--no-build", "--input", "relay", timeout=120)
    assert "sensor.source = relay" in city.execute("pc1", "trafficctl", "config", "cat").stdout
    city.run("up", "--no-build", "--input", "random", timeout=120)


def test_simulator_is_the_citys_traffic_in_real_time(city):
    done = city.run("up", "--no-build", "--input", "sumo", timeout=120)
    try:
        assert "SUMO drives city_peak in real time" in done.stderr
        city.wait_city_moves()
        assert "control.policy = planner" in city.execute("pc2", "trafficctl", "config", "cat").stdout
        again = city.run("up", "--no-build", "--input", "sumo", timeout=120)
        assert "SUMO drives" not in again.stderr, "one that runs is left alone"
    finally:
        city.run("up", "--no-build", "--input", "random", timeout=120)


def test_status_as_json_names_every_service(city):
    status = json.loads(city.run("status", "--json").stdout)
    seen = {machine["name"]: [service["unit"].removesuffix(".service") for service in machine["services"]]
            for machine in status["machines"]}
    assert {name: sorted(units) for name, units in seen.items()} == {name: sorted(units) for name, units in SERVICES.items()}
    assert all(service["active"] == "active" for machine in status["machines"] for service in machine["services"])
    assert status["city"]["total_intersections"] == 16


def test_exec_gives_back_the_status_of_its_command(city):
    assert city.execute("pc1", "sh", "-c", "exit 7", check=False).returncode == 7


@pytest.mark.parametrize("arguments,expected", [
    (["dance"], "is not a verb"),
    (["up", "--input", "/nowhere"], "expected traffic, random, relay, sumo, sumo:SCENARIO or a readable recording"),
    (["up", "--mode", "fast"], "expected standard or threaded"),
    (["up", "--speed", "-1"], "expected a number"),
    (["up", "--city"], "wants a value"),
    (["exec", "pc9", "true"], "expected one of pc1 pc2 pc3"),
    (["exec", "pc1"], "expected: lab exec MACHINE COMMAND"),
    (["cut", "pc1", "pc1"], "two different machines"),
    (["cut", "pc1", "pc2", "--sideways"], "expected: lab cut"),
    (["test", "everything"], "is not a suite"),
    (["test", "unit", "-k", "some"], "options are for: lab test faults"),
    (["crash"], "expected: lab crash MACHINE"),
    (["boot", "pc9"], "expected one of pc1 pc2 pc3"),
    (["--on", "moon", "status"], "expected nspawn or vagrant"),
])
def test_misuse_says_what_was_expected(city, arguments, expected):
    done = city.run(*arguments, check=False)
    assert done.returncode == 2
    assert expected in done.stderr
