"""The built packages again as a higher version, to be installed over what runs."""
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from faults.machines import TOP

PACKAGES = TOP / ".lab" / "packages"
INSIDE = "/var/cache/lab-packages"
ROLES = {"pc1": ("traffic-common", "traffic-pc1"), "pc2": ("traffic-common", "traffic-pc2"), "pc3": ("traffic-common", "traffic-pc3")}


def package(role):
    [found] = PACKAGES.glob(f"{role}_*.deb")
    return found


def rebuilt(role, version, directory):
    tree = directory / role
    subprocess.run(["dpkg-deb", "--raw-extract", package(role), tree], check=True)
    control = tree / "DEBIAN" / "control"
    old = subprocess.run(["dpkg-deb", "--field", package(role), "Version"], check=True, capture_output=True, text=True).stdout.strip()
    control.write_text(control.read_text().replace(old, version))
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, directory / f"{role}_{version}.deb"], check=True,
                   stdout=subprocess.DEVNULL)


def install(machine, debs):
    """As an operator would, services running."""
    inside = []
    for deb in debs:
        target = machine.live_root() / INSIDE.lstrip("/") / deb.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(deb.read_bytes())
        inside.append(f"{INSIDE}/{deb.name}")
    machine.execute("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", "--no-install-recommends",
                    "--allow-downgrades", "--option=Dpkg::Options::=--force-confold", *inside)


@contextmanager
def next_version(city, number):
    """(install the higher version on a machine, install the present one again)."""
    version = f"9.9.{number}"
    with tempfile.TemporaryDirectory(prefix="upgrade-") as directory:
        for role in {role for roles in ROLES.values() for role in roles}:
            rebuilt(role, version, Path(directory))
        yield (lambda name: install(city.machines[name], [Path(directory) / f"{role}_{version}.deb" for role in ROLES[name]]),
               lambda name: install(city.machines[name], [package(role) for role in ROLES[name]]))
