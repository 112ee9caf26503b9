"""A machine with nothing of ours on it, and the packages that `lab` built from this checkout."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "harness"))
from waiting import wait_until  # noqa: E402, F401 (for the tests)

PACKAGES = TOP / ".lab" / "packages"
ROLES = ["traffic-common", "traffic-pc1", "traffic-pc2", "traffic-pc3"]
SERVICES = ["traffic-sensor@camera", "traffic-sensor@inductive", "traffic-sensor@gps", "traffic-broker", "traffic-analytics",
            "traffic-signal", "traffic-store@replica", "traffic-store@primary"]
INSIDE = "/var/cache/packages"


def deb(role, directory=PACKAGES):
    [found] = directory.glob(f"{role}_*.deb")
    return found


class Machine:
    tool = TOP / "tests" / "packaging" / "machine"

    def call(self, *arguments, check=True):
        done = subprocess.run([self.tool, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, arguments))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def run(self, *command, check=True):
        return self.call("exec", *command, check=check).stdout.strip()

    def shell(self, script, check=True):
        return self.run("sh", "-c", script, check=check)

    def succeeds(self, *command):
        return self.call("exec", *command, check=False).returncode == 0

    def apt(self, *arguments):
        self.run("DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", "--quiet", "--no-install-recommends",
                 "--option=Dpkg::Options::=--force-confdef", "--option=Dpkg::Options::=--force-confold", *arguments)

    def install(self, *roles, directory=PACKAGES):
        """apt install ./ROLE.deb, as an operator would."""
        inside = []
        for role in roles:
            package = deb(role, directory)
            self.call("put", package, f"{INSIDE}/{package.name}")
            inside.append(f"{INSIDE}/{package.name}")
        self.apt("install", *inside)

    def is_active(self, unit):
        return self.succeeds("systemctl", "--quiet", "is-active", unit)

    def pid(self, unit):
        return int(self.run("systemctl", "show", "--property=MainPID", "--value", unit))

    def city_answers(self):
        return self.succeeds("trafficctl", "status")


@pytest.fixture
def machine():
    """Fresh for each test."""
    machine = Machine()
    machine.call("new")
    yield machine
    machine.call("gone")


@pytest.fixture(scope="module")
def installed():
    """All roles on one host, for the tests that only look."""
    machine = Machine()
    machine.call("new")
    machine.install(*ROLES)
    yield machine
    machine.call("gone")


@pytest.fixture(scope="session")
def next_version(tmp_path_factory):
    """The same packages as version 9.9.9."""
    directory = tmp_path_factory.mktemp("next")
    for role in ROLES:
        tree = directory / role
        subprocess.run(["dpkg-deb", "--raw-extract", deb(role), tree], check=True)
        control = tree / "DEBIAN" / "control"
        version = subprocess.run(["dpkg-deb", "--field", deb(role), "Version"], check=True, capture_output=True,
                                 text=True).stdout.strip()
        control.write_text(control.read_text().replace(version, "9.9.9"))
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, directory / f"{role}_9.9.9.deb"], check=True,
                       stdout=subprocess.DEVNULL)
    return directory


def environment(**more):
    return {**os.environ, **more}
