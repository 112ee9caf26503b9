"""Services and machines that die: what comes back, how fast, and what must not notice."""
import socket
import struct
import time

import pytest

from conftest import ADDRESS, EXIT_DEGRADED, PATIENCE, SERVICES, UNITS, wait_until

BACK_SEC = 1 * PATIENCE
WATCHDOG_SEC = 5
PORT = {"traffic-sensor@camera": 5555, "traffic-sensor@inductive": 5556, "traffic-sensor@gps": 5557, "traffic-broker": 5560,
        "traffic-analytics": 5561, "traffic-signal": 5562, "traffic-store@primary": 5563, "traffic-store@replica": 5564}


def accepts_connections(machine, port):
    try:
        socket.create_connection((ADDRESS[machine], port), timeout=1).close()
        return True
    except OSError:
        return False


def test_replica_answers_while_the_primary_is_stopped_and_recovery_is_logged(city):
    mark = city.journal_mark("pc2", "traffic-analytics")

    def told(text):
        return any(text in line for line in city.journal("pc2", "traffic-analytics", mark))

    city.systemctl("pc3", "stop", "traffic-store@primary")
    wait_until(lambda: told("[FAILOVER] PC3 is down. Using replica DB on PC2."), "failover is logged", 5)
    code, reply = city.trafficctl("pc3", "status")
    assert code == EXIT_DEGRADED
    assert reply["answered_by"] == "replica" and "replica" in reply["message"]
    assert reply["data"]["pc3_alive"] is False
    city.wait_city_moves()

    city.systemctl("pc3", "start", "traffic-store@primary")
    wait_until(lambda: told("[RECOVERY]"), "recovery is logged", 15)
    wait_until(lambda: city.trafficctl("pc3", "status")[0] == 0, "the primary answers", 5)


@pytest.mark.parametrize("machine,unit", UNITS)
def test_stopped_service_stays_stopped_though_its_peers_knock(city, machine, unit):
    city.systemctl(machine, "stop", unit)
    # systemctl waits for the service; its ports close right after it.
    wait_until(lambda: not accepts_connections(machine, PORT[unit]), "its port closes", 1)
    # Peers retry every 100 ms: several have knocked by then.
    end = time.monotonic() + 1
    while time.monotonic() < end:
        assert not city.is_active(machine, unit)
    city.systemctl(machine, "start", unit)
    assert accepts_connections(machine, PORT[unit])


@pytest.mark.parametrize("machine,unit", UNITS)
def test_killed_service_is_back_within_a_second_and_the_rest_untouched(city, machine, unit):
    before = city.main_pids()
    city.systemctl(machine, "kill", "--signal=KILL", "--kill-whom=main", unit)
    killed = time.monotonic()
    wait_until(lambda: city.main_pid(machine, unit) not in (0, before[machine, unit]) and city.is_active(machine, unit),
               f"{unit} is back", BACK_SEC + 10)
    took = city.ready_at(machine, unit) - killed  # by systemd's account: asking takes its time, too
    assert took <= BACK_SEC, f"{unit} was back after {took:.2f} s"
    after = city.main_pids()
    assert {key: pid for key, pid in after.items() if key != (machine, unit)} == \
        {key: pid for key, pid in before.items() if key != (machine, unit)}
    city.wait_city_moves()


def test_ten_quick_deaths_close_no_port_for_good(city):
    killed = 0

    def new_pid():
        pid = city.main_pid("pc1", "traffic-broker")
        return city.is_active("pc1", "traffic-broker") and pid not in (0, killed) and pid

    for _ in range(10):
        killed = wait_until(new_pid, "the broker is back", 5)
        city.execute("pc1", "kill", "-KILL", str(killed))
    wait_until(lambda: accepts_connections("pc1", PORT["traffic-broker"]), "the broker's port is open", 5)
    city.wait_city_moves()


def test_watchdog_restarts_every_stopped_process(city):
    before = city.main_pids()
    for machine, unit in UNITS:
        city.execute(machine, "kill", "-STOP", str(before[machine, unit]))

    def all_replaced():
        after = city.main_pids()
        return all(after[key] not in (0, before[key]) for key in before)

    wait_until(all_replaced, "the watchdog replaced every process", WATCHDOG_SEC + 5)
    city.wait_city_moves()


@pytest.mark.parametrize("machine", list(SERVICES))
def test_rebooted_machine_comes_back_by_itself(city, machine):
    boot = city.execute(machine, "cat", "/proc/1/stat").stdout
    city.systemctl(machine, "reboot", check=False)

    def is_back():
        done = city.execute(machine, "cat", "/proc/1/stat", check=False)
        return done.returncode == 0 and done.stdout != boot and city.is_active(machine, f"traffic-{machine}.target")

    wait_until(is_back, f"{machine} has booted again", 60)
    city.wait_all_active(30)
    wait_until(lambda: city.trafficctl("pc3", "status")[0] == 0, "the primary store answers", 30)
    city.wait_city_moves()


def receive(stranger, n):
    """So many bytes: with a timeout MSG_WAITALL gives what is there."""
    received = b""
    while len(received) < n:
        received += stranger.recv(n - len(received)) or pytest.fail("the peer hung up")
    return received


def pour_endless_message(machine, port, kind, most_bytes):
    """A message whose frames never end, each within the limit; no library sends one. Returns how much went before the peer cut it."""
    with socket.create_connection((ADDRESS[machine], port), timeout=10) as stranger:
        stranger.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48))
        receive(stranger, 64)
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
        stranger.sendall(bytes([4, len(ready)]) + ready)
        assert stranger.recv(1) == b"\x04", "it is ready too"
        frame = b"\x03" + struct.pack(">Q", 60000) + b"x" * 60000
        sent = 0
        try:
            while sent < most_bytes:
                stranger.sendall(frame)
                sent += len(frame)
        except ConnectionError:
            pass
        return sent


def test_endless_message_is_cut_before_it_takes_the_machines_memory(city):
    before = city.main_pids()
    assert pour_endless_message("pc2", PORT["traffic-signal"], b"PUSH", 3 << 30) < 3 << 30
    city.wait_all_active()
    after = city.main_pids()
    del before["pc2", "traffic-signal"], after["pc2", "traffic-signal"]
    assert after == before
    city.wait_city_moves()


def test_settings_that_are_wrong_stop_a_service_until_they_are_right(city):
    city.execute("pc1", "sh", "-c", "printf '[broker]\\nmode = fastest\\n' >/etc/traffic/traffic.conf.d/99-wrong.conf")
    try:
        city.systemctl("pc1", "restart", "traffic-broker", check=False)
        wait_until(lambda: city.systemctl("pc1", "is-failed", "traffic-broker", check=False) == "failed", "the broker gave up", 5)
        assert city.systemctl("pc1", "show", "--property=ExecMainStatus", "--value", "traffic-broker") == "78"
        wait_until(lambda: not accepts_connections("pc1", PORT["traffic-broker"]), "its port closes", 1)
    finally:
        city.execute("pc1", "rm", "/etc/traffic/traffic.conf.d/99-wrong.conf")
    city.systemctl("pc1", "start", "traffic-broker")
    city.wait_city_moves()
