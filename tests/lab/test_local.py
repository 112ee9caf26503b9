"""The city without machines: plain processes on loopback."""
import json
import os
import subprocess

import pytest

from conftest import TOP, wait_until


def lab(*arguments, check=True):
    return subprocess.run([TOP / "lab", *arguments], env={**os.environ, "LAB": "local"}, stdin=subprocess.DEVNULL, check=check,
                          capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def local():
    lab("down")
    summary = lab("up", "--local", "--input", "random").stdout
    yield summary
    lab("down")


def test_local_city_works_and_says_so(local):
    assert "16 intersections" in local
    assert json.loads(lab("exec", "pc3", "trafficctl", "--json", "status").stdout)["data"]["pc3_alive"] is True


def test_killed_process_comes_back(local):
    def broker():
        return lab("exec", "pc1", "pgrep", "--full", "^traffic-broker --config .*/local-local/", check=False).stdout.strip()

    def restarts():
        [machine] = json.loads(lab("status", "--json").stdout)["machines"]
        return next(service["restarts"] for service in machine["services"] if service["unit"] == "traffic-broker.service")

    before, pid = restarts(), broker()
    subprocess.run(["kill", "-KILL", pid], check=True)
    wait_until(lambda: restarts() > before and broker() not in ("", pid), "the broker is back", 5)


def test_links_of_a_local_city_cannot_be_cut_and_that_is_said(local):
    done = lab("cut", "pc1", "pc2", check=False)
    assert done.returncode == 1
    assert "local" in done.stderr
