"""What can be done to a city: each a context manager that begins a fault and ends it again. `draw` is the case's random.Random.

What a fault breaks comes back by itself where it should (systemd), else at the end of the `with`.
"""
import signal
import socket
import struct
import threading
import time
from contextlib import ExitStack, contextmanager

import zmq
from faults import disks, links, upgrade
from faults.city import Load
from faults.machines import ADDRESS, wait_until
from history.databases import copy_database

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
WATCHDOG_SEC = 5
# Every link that is bound to an address, and the ZMTP socket type whose peer may speak to it.
PORTS = {("pc1", 5555): b"SUB", ("pc1", 5556): b"SUB", ("pc1", 5557): b"SUB", ("pc1", 5560): b"SUB", ("pc1", 5566): b"PUSH",
         ("pc1", 5567): b"PUSH", ("pc1", 5568): b"PUSH", ("pc1", 5569): b"PUSH", ("pc2", 5561): b"REQ", ("pc2", 5562): b"PUSH",
         ("pc2", 5564): b"PUSH", ("pc2", 5570): b"SUB", ("pc2", 5572): b"SUB", ("pc2", 5574): b"DEALER", ("pc2", 5576): b"DEALER",
         ("pc3", 5563): b"PUSH", ("pc3", 5565): b"REQ", ("pc3", 5571): b"SUB", ("pc3", 5573): b"DEALER", ("pc3", 5575): b"DEALER"}


@contextmanager
def nothing(city, draw):
    """The control: a run that proves that what the others find is the fault's."""
    yield


# --- processes ---


@contextmanager
def killed(city, draw, *units):
    for unit in units:
        city.machine_of(unit).signal(unit, signal.SIGKILL)
    yield


@contextmanager
def dies_at(city, draw, unit, point):
    """It kills itself whenever it has passed this point some times, again and again."""
    with city.drop_in(unit, f"[Service]\nEnvironment=TRAFFIC_FAULT={point}:{draw.randrange(20, 400)}\n"):
        city.machine_of(unit).systemctl("restart", unit)
        yield
    city.machine_of(unit).systemctl("restart", unit)


@contextmanager
def stopped(city, draw, *units):
    """SIGSTOP; the watchdog has to notice. At the end every process has been replaced."""
    pids = {unit: city.machine_of(unit).signal(unit, signal.SIGSTOP) for unit in units}
    yield
    for unit, pid in pids.items():
        wait_until(lambda: city.machine_of(unit).pid(unit) not in (0, pid), f"the watchdog replaces {unit}", WATCHDOG_SEC + 10)


@contextmanager
def frozen(city, draw, *units):
    """SIGSTOP, and it goes on before any watchdog bites."""
    pids = {unit: city.machine_of(unit).signal(unit, signal.SIGSTOP) for unit in units}
    try:
        yield
    finally:
        for unit, pid in pids.items():
            if pid:
                city.machine_of(unit).signal_pid(pid, signal.SIGCONT)


@contextmanager
def slow(city, draw, unit, stop_sec=0.2, go_sec=0.04):
    """It runs a sixth of the time, in pulses too short for anybody to call it dead."""
    end = threading.Event()

    def pulse():
        while not end.is_set():
            pid = city.machine_of(unit).signal(unit, signal.SIGSTOP)
            if pid:
                end.wait(stop_sec)
                city.machine_of(unit).signal_pid(pid, signal.SIGCONT)
            time.sleep(go_sec)

    thread = threading.Thread(target=pulse)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def crash_loop(city, draw, unit):
    """It cannot even start, for longer than systemd's default patience; then it is repaired, and nobody starts it."""
    with city.drop_in(unit, "[Service]\nExecStartPre=/bin/false\n"):
        city.machine_of(unit).signal(unit, signal.SIGKILL)
        yield


@contextmanager
def clock_of(city, draw, unit, shift):
    """CLOCK_REALTIME of one service is wrong; nobody touches the machine's."""
    environment = f"LD_PRELOAD={FAKETIME} FAKETIME={shift} FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1 FAKETIME_NO_CACHE=1"
    with city.drop_in(unit, f"[Service]\nEnvironment={environment}\n"):
        city.machine_of(unit).systemctl("restart", unit)
        yield
    city.machine_of(unit).systemctl("restart", unit)


@contextmanager
def service_stopped(city, draw, unit):
    """An operator stops it, and starts it again at the end."""
    city.machine_of(unit).systemctl("stop", unit)
    try:
        yield
    finally:
        city.machine_of(unit).systemctl("start", unit)


@contextmanager
def upgraded(city, draw):
    """apt installs a higher version on all machines, one after the other, then the old one again."""
    with upgrade.next_version(city, draw.randrange(100, 1000)) as (install_next, install_again):
        city.begins()
        for name in ADDRESS:
            install_next(name)
        yield
        for name in ADDRESS:
            install_again(name)


@contextmanager
def limited(city, draw, settings, away):
    """So little room to keep things that it is used up while the one that they are for is away. `settings`: {unit: "section.key =
    value"}."""
    path = "/etc/traffic/traffic.conf.d/60-fault.conf"
    try:
        for unit, setting in settings.items():
            section, _, rest = setting.partition(".")
            city.machine_of(unit).write(path, f"[{section}]\n{rest}\n")
            city.machine_of(unit).systemctl("restart", unit)
        city.wait_healthy()
        city.begins()
        with service_stopped(city, draw, away):
            yield
        city.wait_steady()
    finally:
        for unit in settings:
            city.machine_of(unit).remove(path)
            city.machine_of(unit).systemctl("restart", unit)


# --- machines ---


@contextmanager
def crashed(city, draw, *machines):
    for name in machines:
        city.machines[name].crash()
    try:
        yield
    finally:
        for name in machines:
            city.run_lab("boot", name)


# --- links ---


@contextmanager
def cut(city, draw, source, target, one_way=False):
    with links.cut(city.lab, source, target, one_way):
        yield


@contextmanager
def cut_at_random(city, draw, source, target, most_sec=1.5):
    """The link comes and goes."""
    end = threading.Event()

    def flap():
        while not end.wait(draw.uniform(0.05, most_sec)):
            with links.cut(city.lab, source, target, one_way=draw.random() < 0.3):
                end.wait(draw.uniform(0.05, most_sec))

    thread = threading.Thread(target=flap)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def lossy(city, draw, source, target, percent=20):
    with links.lossy(city.lab, source, target, percent):
        yield


@contextmanager
def port_closed(city, draw, machine, port):
    with links.port_closed(city.machines[machine], port):
        yield


# --- disks ---


@contextmanager
def disk_full(city, draw, unit):
    with disks.disk_under(city, unit) as disk:
        city.begins()
        disk.fill()
        yield
        disk.unfill()


@contextmanager
def disk_read_only(city, draw, unit):
    with disks.disk_under(city, unit) as disk:
        city.begins()
        disk.fail()
        yield
        disk.repair()


@contextmanager
def disk_broken(city, draw, unit):
    with disks.disk_under(city, unit) as disk:
        city.begins()
        disk.break_down()
        yield
        disk.repair()


@contextmanager
def locked(city, draw, unit):
    with disks.locked(city, unit):
        yield


@contextmanager
def damaged(city, draw, unit, damage, suffix=""):
    """A file changes while its service is down. All else is delivered before, so that no reading has its only copy in it."""
    city.load.pause()
    try:
        city.wait_quiet()
        city.begins()
        with disks.killed_and_kept_down(city, unit):
            path = disks.database_path(city.machine_of(unit), unit)
            damage(path.with_name(path.name + suffix), draw.randrange(1 << 30))
    finally:
        city.load.go_on()
    yield


def removed(path, seed):
    """A new disk: everything of the database is gone."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def restored(city, draw, unit):
    """An operator puts an old copy of the database in the place of the present one."""
    machine = city.machine_of(unit)
    path = disks.database_path(machine, unit)
    old = copy_database(path, machine.directory / "old")
    yield
    city.begins()
    with disks.killed_and_kept_down(city, unit):
        removed(path, 0)
        for suffix in ("", "-wal"):
            source = old.with_name(old.name + suffix)
            if source.exists():
                path.with_name(path.name + suffix).write_bytes(source.read_bytes())
        machine.execute("sh", "-c", f"chown traffic: /var/lib/traffic/*/{path.name}*")


# --- strangers ---


@contextmanager
def flood(city, draw, rate=20000):
    """Readings far beyond what the city is made for."""
    load = Load(city.lab, city.load.log.with_suffix(".flood.log"), city.load.seed + 1_000_000, rate)
    city.extra_loads.append(load)
    try:
        yield
    finally:
        load.finish()


def connect(machine, port):
    return socket.create_connection((ADDRESS[machine], port), timeout=5)


def pour_bytes(machine, port, kind, draw):
    """No protocol at all."""
    with connect(machine, port) as stranger:
        stranger.sendall(draw.randbytes(draw.randrange(1, 5000)))


def zmtp_peer(machine, port, kind):
    """A connection that has shaken hands as a socket of this kind. Only what every version of the protocol has."""
    stranger = connect(machine, port)
    stranger.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48))
    greeting = b""
    while len(greeting) < 64:
        part = stranger.recv(64 - len(greeting))
        if not part:
            raise ConnectionError("no greeting")
        greeting += part
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    stranger.sendall(bytes([4, len(ready)]) + ready)
    return stranger


def pour_frame(size):
    """One frame of that size, of which the peer takes as much as it likes."""
    def pour(machine, port, kind, draw):
        with zmtp_peer(machine, port, kind) as stranger:
            stranger.sendall(b"\x02" + struct.pack(">Q", size))
            rest, part = size, draw.randbytes(65536)
            while rest > 0:
                stranger.sendall(part[:rest])
                rest -= len(part)
    return pour


def pour_junk_frames(machine, port, kind, draw):
    """A hundred well-formed frames that say nothing anybody could understand."""
    with zmtp_peer(machine, port, kind) as stranger:
        for _ in range(100):
            size = draw.randrange(0, 255)
            stranger.sendall(bytes([0, size]) + draw.randbytes(size))


@contextmanager
def poured(city, draw, *pourers):
    """Strangers at every port of every machine."""
    for (machine, port), kind in PORTS.items():
        for pour in pourers:
            try:
                pour(machine, port, kind, draw)
            except (ConnectionError, TimeoutError, OSError):
                pass  # cut off, as it should be
    yield


@contextmanager
def commanded(city, draw, n_commands=1000):
    """Somebody who has no business there asks the lights for one change after another."""
    asker = zmq.Context.instance().socket(zmq.PUSH)
    asker.connect(f"tcp://{ADDRESS['pc2']}:5562")
    intersections = sorted({intersection for _, intersection in city.load.sensors["gps"]})
    for i in range(n_commands):
        asker.send_json({"interseccion": draw.choice(intersections), "new_state": ("GREEN", "RED")[i % 2], "reason": "mischief",
                         "created_at": time.time()})
        time.sleep(1 / n_commands)
    asker.close(linger=1000)
    yield


@contextmanager
def forced_twice(city, draw):
    for _ in range(2):
        city.machines["pc3"].execute("trafficctl", "signal", "INT-A1", "NS", "--reason", "twice")
    yield


def together(*faults):
    """Several faults at once."""
    @contextmanager
    def all_of_them(city, draw):
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault(city, draw))
            yield
    return all_of_them
