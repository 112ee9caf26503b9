"""Disks that refuse: full, read-only, broken, locked, damaged.

A service's state is put on a small ext4 of its own, in a file of this host, because only there an error, a full disk and the switch to
read-only are the kernel's own and concern nobody else.
"""
import fcntl
import os
import random
import signal
import struct
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from faults.machines import MACHINE_OF, STATE_DIR, wait_until

DISK_MIB = 96
EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2
WAL_WRITE_LOCK_BYTE = 120  # of the -shm file: sqlite.org/walformat.html
DATABASE = {"traffic-broker": "spool.db", "traffic-analytics": "outbox.db", "traffic-store@primary": "traffic.db",
            "traffic-store@replica": "traffic.db"}


def host(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def database_path(machine, unit):
    return machine.root() / STATE_DIR[unit].lstrip("/") / DATABASE[unit]


class Disk:
    """The disk on which a unit's state directory lies meanwhile. The unit is stopped and started for it."""

    def __init__(self, city, unit):
        self.machine, self.unit = city.machines[MACHINE_OF[unit]], unit
        self.directory = STATE_DIR[unit]
        self.image = self.machine.directory / f"{DATABASE[unit]}.img"
        self.device = None

    def inside(self, *command):
        return self.machine.execute(*command)

    def attach(self):
        self.device = host("losetup", "--find", "--show", str(self.image))
        number = os.minor(os.stat(self.device).st_rdev)
        self.inside("sh", "-c", f"test -b {self.device} || mknod {self.device} b 7 {number}")
        self.inside("mount", "-t", "ext4", "-o", "errors=remount-ro", self.device, self.directory)

    def detach(self):
        with suppress(AssertionError, LookupError):
            self.inside("umount", self.directory)
        if self.device:
            with suppress(subprocess.CalledProcessError):
                host("losetup", "--detach", self.device)
            self.device = None

    def insert(self):
        """The state moves to the disk."""
        self.machine.systemctl("stop", self.unit)
        with open(self.image, "wb") as file:
            file.truncate(DISK_MIB << 20)
        host("mkfs.ext4", "-q", "-F", str(self.image))
        self.inside("cp", "-a", self.directory, f"{self.directory}.away")
        self.attach()
        self.inside("sh", "-c", f"cp -a {self.directory}.away/. {self.directory}/; chown traffic: {self.directory};"
                    f" chmod 700 {self.directory}")
        self.machine.systemctl("start", self.unit)

    def take_out(self):
        """The state moves back."""
        self.machine.systemctl("stop", self.unit)
        self.inside("sh", "-c", f"rm -rf {self.directory}.away; cp -a {self.directory} {self.directory}.away")
        self.detach()
        self.inside("sh", "-c", f"rm -rf {self.directory}/*; cp -a {self.directory}.away/. {self.directory}/; rm -rf {self.directory}.away"
                    f" {self.directory}/lost+found")
        self.image.unlink()
        self.machine.systemctl("start", self.unit)

    def fill(self):
        self.inside("sh", "-c", f"dd if=/dev/zero of={self.directory}/ballast bs=64k 2>/dev/null; true")

    def unfill(self):
        self.inside("rm", "-f", f"{self.directory}/ballast")

    def fail(self):
        """The file system meets an error and becomes read-only under its users."""
        Path(f"/sys/fs/ext4/{Path(self.device).name}/trigger_fs_error").write_text("1")

    def break_down(self):
        """Everything that is read or written is an I/O error from now on; what was not synced is gone."""
        descriptor = os.open(self.machine.live_root() / self.directory.lstrip("/"), os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(descriptor)

    def repair(self):
        """What an operator does: the service off, the disk checked and mounted again, the service on."""
        self.machine.systemctl("stop", self.unit)
        self.detach()
        subprocess.run(["e2fsck", "-fy", str(self.image)], capture_output=True, check=False)
        self.attach()
        self.machine.systemctl("start", self.unit)


@contextmanager
def disk_under(city, unit):
    disk = Disk(city, unit)
    try:
        disk.insert()
        city.wait_healthy()
        yield disk
    except BaseException:
        disk.detach()
        raise
    disk.take_out()


@contextmanager
def locked(city, unit):
    """Somebody else holds the write lock of the database."""
    path = Path(f"{database_path(city.machines[MACHINE_OF[unit]], unit)}-shm")
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, WAL_WRITE_LOCK_BYTE)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def killed_and_kept_down(city, unit):
    """The service dies without a chance to tidy its files up, and comes back at the end."""
    machine = city.machines[MACHINE_OF[unit]]
    machine.signal(unit, signal.SIGKILL)
    machine.systemctl("stop", unit)
    wait_until(lambda: not machine.pid(unit), f"{unit} is down", 10)
    try:
        yield
    finally:
        machine.systemctl("start", unit)


def flip_bits(path, seed, n_bits=8):
    """Returns what was flipped, for the record."""
    draw = random.Random(seed)
    size = path.stat().st_size
    places = sorted(draw.randrange(size * 8) for _ in range(n_bits))
    with open(path, "r+b") as file:
        for place in places:
            file.seek(place // 8)
            [byte] = file.read(1)
            file.seek(place // 8)
            file.write(bytes([byte ^ 1 << place % 8]))
    return places


def truncate(path, seed):
    size = path.stat().st_size
    os.truncate(path, random.Random(seed).randrange(size // 4, size * 3 // 4 + 1))
