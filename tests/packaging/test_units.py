"""The units: what systemd says of them, and whether they say what the code says."""
import re
import subprocess

import pytest

from conftest import SERVICES, TOP

SYSTEMD = TOP / "systemd"
# Exposure in tenths, as systemd-analyze counts: services that bind only what they are handed, and the others.
MOST_EXPOSED = 12
MOST_EXPOSED_OFFLINE = 6
OFFLINE = [service for service in SERVICES if service.startswith(("traffic-sensor@", "traffic-signal", "traffic-store@"))]


def socket_units():
    units = {}
    for path in SYSTEMD.glob("traffic-link-*.socket"):
        values = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
        units[values["FileDescriptorName"]] = (path.name, int(values["ListenStream"]), values["Service"])
    return units


def endpoints(machine):
    rows = machine.run("traffic-broker", "--print-endpoints").splitlines()
    found = {}
    for row in rows:
        fields = row.split()
        port = next((int(field) for field in fields if re.fullmatch(r"5\d\d\d", field)), None)
        binder = next((field for field in fields if field.startswith("traffic-")), None)
        if port and binder:
            found[fields[0]] = (port, f"{binder}.service")
    return found


def test_every_endpoint_has_its_socket_and_no_socket_is_left_over(installed):
    expected = endpoints(installed)
    assert len(expected) == len(re.findall(r"^ENDPOINT\(", (TOP / "common/wire/endpoints.def").read_text(), re.MULTILINE))
    units = socket_units()
    assert {name: (port, service) for name, (_, port, service) in units.items()} == expected
    assert all(file == f"traffic-link-{name.replace('.', '-')}.socket" for name, (file, _, _) in units.items())


def test_every_unit_is_installed_by_the_build():
    built = (SYSTEMD / "meson.build").read_text()
    for path in SYSTEMD.rglob("*"):
        if path.is_file() and path.name != "meson.build":
            assert f"'{path.relative_to(SYSTEMD)}'" in built, f"{path.name} is not installed"


def test_systemd_finds_nothing_wrong(installed):
    units = [f"{service}.service" for service in SERVICES] + [path.name for path in SYSTEMD.glob("*.socket")] + \
        [path.name for path in SYSTEMD.glob("*.target")]
    done = installed.call("exec", "systemd-analyze", "verify", "--man=no", *units, check=False)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_exposure_is_low(installed, service):
    most = MOST_EXPOSED_OFFLINE if service in OFFLINE else MOST_EXPOSED
    done = installed.call("exec", "systemd-analyze", "security", "--no-pager", f"--threshold={most}", f"{service}.service", check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("service", OFFLINE)
def test_service_that_binds_only_what_it_is_handed_has_no_network(installed, service):
    pid = installed.pid(service)
    links = installed.run("nsenter", "--target", str(pid), "--net", "ip", "-brief", "link").splitlines()
    assert [link.split()[0] for link in links] == ["lo"]


def test_services_run_as_their_own_user(installed):
    for service in SERVICES:
        assert installed.run("stat", "--format=%U", f"/proc/{installed.pid(service)}") == "traffic"


def test_descriptions_of_operator_events_are_in_the_catalogue(installed):
    ids = re.findall(r'^JOURNAL_EVENT\(\w+,\s*"([0-9a-f]{32})"', (TOP / "common/shell/events.def").read_text(), re.MULTILINE)
    listed = installed.run("journalctl", "--list-catalog")
    assert ids and all(identity in listed for identity in ids)


def test_every_socket_is_wanted_by_its_service_and_stops_with_it():
    """A socket that its service does not want would never open; one that it does not stop would start the service again."""
    for path in SYSTEMD.glob("*.socket"):
        service = re.search(r"^Service=(.*)$", path.read_text(), re.MULTILINE).group(1)
        template, _, instance = service.removesuffix(".service").partition("@")
        files = [SYSTEMD / (f"{template}@.service" if instance else service)] + list((SYSTEMD / f"{service}.d").glob("*.conf"))
        wanted = "\n".join(file.read_text() for file in files).replace("%i", instance)
        for key in ("Wants", "After", "PropagatesStopTo"):
            assert re.search(rf"^{key}=.*\b{re.escape(path.name)}(\s|$)", wanted, re.MULTILINE), f"{service}: {key}= lacks {path.name}"
