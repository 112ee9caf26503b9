"""Install, upgrade, remove, purge: on real machines."""
from conftest import ROLES, SERVICES, deb, wait_until

TRACES = "find /etc /usr /var/lib /run/traffic* /var/spool /srv /opt -xdev 2>/dev/null | " \
    "grep -v -e ^/var/lib/dpkg -e ^/var/lib/apt -e ^/var/lib/systemd -e ^/usr/lib/udev -e '-$' -e ^/etc/ld.so.cache | sort"


def pids(machine):
    return {service: machine.pid(service) for service in SERVICES}


def test_all_roles_on_one_host_are_a_running_city(machine):
    machine.install(*ROLES)
    assert all(machine.is_active(service) for service in SERVICES)
    wait_until(machine.city_answers, "the city answers", 20)
    assert machine.succeeds("trafficctl", "config", "check")
    # A new sensor publishes at once or after its interval, 10 s.
    wait_until(lambda: '"total_sensor_events": 0' not in machine.run("trafficctl", "--json", "status"), "events arrive", 30)


def test_one_role_starts_only_its_own(machine):
    machine.install("traffic-common", "traffic-pc3")
    assert machine.is_active("traffic-store@primary")
    assert machine.run("ls", "/usr/sbin").count("traffic-") == 1
    assert not machine.succeeds("test", "-e", "/lib/systemd/system/traffic-broker.service")


def test_role_without_common_is_refused(machine):
    machine.call("put", deb("traffic-pc1"), "/var/cache/traffic-pc1.deb")
    assert not machine.succeeds("apt-get", "--yes", "install", "/var/cache/traffic-pc1.deb")


def test_upgrade_restarts_what_runs_and_leaves_stopped_what_is_stopped(machine, next_version):
    machine.install(*ROLES)
    machine.run("systemctl", "stop", "traffic-broker")
    machine.shell("echo '# mine' >>/etc/traffic/traffic.conf")
    before = pids(machine)
    sockets = machine.shell("systemctl show --property=Id,ActiveEnterTimestampMonotonic 'traffic-*.socket'")
    machine.install(*ROLES, directory=next_version)
    after = pids(machine)
    assert not machine.is_active("traffic-broker") and after["traffic-broker"] == 0
    for service in SERVICES:
        if service != "traffic-broker":
            assert machine.is_active(service)
            assert after[service] not in (0, before[service]), f"{service} was not restarted"
    assert machine.shell("systemctl show --property=Id,ActiveEnterTimestampMonotonic 'traffic-*.socket'") == sockets, \
        "sockets stay open across an upgrade"
    assert "# mine" in machine.run("cat", "/etc/traffic/traffic.conf")


def test_upgrade_leaves_a_stopped_target_stopped(machine, next_version):
    machine.install(*ROLES)
    machine.run("systemctl", "stop", "traffic-pc1.target")
    machine.install(*ROLES, directory=next_version)
    assert not machine.is_active("traffic-pc1.target")
    assert not machine.is_active("traffic-broker")
    assert machine.is_active("traffic-pc2.target")


def test_removed_package_stops_keeps_its_data_and_starts_when_it_comes_back(machine):
    machine.install(*ROLES)

    def databases():
        return {file for file in machine.shell("ls /var/lib/traffic/primary").split() if not file.endswith(("-wal", "-shm"))}

    before = wait_until(databases, "the store has a file", 10)
    machine.apt("remove", "traffic-pc3")
    assert not machine.succeeds("pgrep", "-f", "traffic-store primary")
    assert ":5563 " not in machine.run("ss", "--listening", "--tcp", "--numeric")
    assert machine.is_active("traffic-store@replica"), "the other roles go on"
    assert databases() == before
    machine.install("traffic-pc3")
    assert machine.is_active("traffic-store@primary")


def test_purge_removes_what_was_made(machine):
    before = machine.shell(TRACES, check=False)
    machine.install(*ROLES)
    wait_until(machine.city_answers, "the city answers", 20)
    machine.apt("purge", *ROLES)
    assert not machine.succeeds("getent", "passwd", "traffic")
    assert not machine.succeeds("pgrep", "-u", "traffic")
    left = set(machine.shell(TRACES, check=False).splitlines()) - set(before.splitlines())
    assert not left


def test_purge_of_one_role_keeps_the_others_data(machine):
    machine.install(*ROLES)
    wait_until(machine.city_answers, "the city answers", 20)
    machine.apt("purge", "traffic-pc2")
    assert not machine.succeeds("test", "-e", "/var/lib/traffic/replica")
    assert machine.succeeds("test", "-e", "/var/lib/traffic/primary")
    assert machine.is_active("traffic-store@primary")


def test_databases_survive_the_purge_of_common_alone(machine):
    machine.install(*ROLES)
    wait_until(machine.city_answers, "the city answers", 20)
    machine.apt("remove", *ROLES)
    machine.run("dpkg", "--purge", "traffic-common")
    assert machine.shell("ls /var/lib/traffic/primary")
    machine.run("dpkg", "--purge", "traffic-pc1", "traffic-pc2", "traffic-pc3")
    assert not machine.succeeds("test", "-e", "/var/lib/traffic")
    assert not machine.succeeds("getent", "passwd", "traffic")
