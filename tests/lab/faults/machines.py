"""The lab's machines as this host sees them: their processes, files and network namespaces, reached without the detour over `lab`
because a fault has its moment.

What starts a machine and gives it its packages is `lab`'s.
"""
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(TOP / "tests" / "harness"))
from waiting import wait_until  # noqa: E402, F401 (also for those who use machines)

LABS = Path("/var/lib/olaverde-lab")
ADDRESS = {"pc1": "10.83.0.1", "pc2": "10.83.0.2", "pc3": "10.83.0.3"}
SERVICES = {
    "pc1": ["traffic-sensor@camera", "traffic-sensor@inductive", "traffic-sensor@gps", "traffic-broker"],
    "pc2": ["traffic-analytics", "traffic-signal", "traffic-store@replica"],
    "pc3": ["traffic-store@primary"],
}
UNITS = [unit for units in SERVICES.values() for unit in units]
MACHINE_OF = {unit: machine for machine, units in SERVICES.items() for unit in units}
STATE_DIR = {
    "traffic-broker": "/var/lib/traffic/broker", "traffic-analytics": "/var/lib/traffic/analytics",
    "traffic-store@replica": "/var/lib/traffic/replica", "traffic-store@primary": "/var/lib/traffic/primary",
}
INSIDE = ["/usr/bin/env", "-i", "HOME=/root", "LANG=C.UTF-8", "USER=root", "TERM=dumb",
          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          "/bin/sh", "-c", 'env "$@"; exit $?', "sh"]  # why: machine_exec in nspawn.sh
CLONE_NEWNET = 0x40000000
EXEC_TIMEOUT_SEC = 120


def enter_network(namespace):
    """From now on this process and its children live in the network of this open namespace file."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter the network {namespace.name}")


def join_network(lab):
    """The same, of a lab."""
    with open(f"/run/netns/olaverde-{lab}") as namespace:
        enter_network(namespace)


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def is_first_of_its_namespace(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    numbers = status.partition("NSpid:")[2].partition("\n")[0].split()
    return len(numbers) > 1 and numbers[-1] == "1"


def signal_process(pid, number):
    """Whether there was such a process: it may have ended since somebody looked, by itself or by another fault."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class Machine:
    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.directory = LABS / lab / name

    def keeper(self):
        """nspawn's process id, of which the machine is a child. (The number alone may be somebody else's by now.)"""
        pid = int((self.directory / "nspawn.pid").read_text())
        if not any(f"{self.directory}/" in word for word in command_line(pid)):
            raise LookupError(f"{self.name} of lab {self.lab} does not run")
        return pid

    def leader(self):
        """The machine's first process, as this host numbers it. LookupError while it does not run."""
        try:
            return next(pid for pid in children(self.keeper()) if is_first_of_its_namespace(pid))
        except (OSError, ValueError, StopIteration):
            raise LookupError(f"{self.name} of lab {self.lab} does not run") from None

    def live_root(self):
        """Its files as its processes see them, what is mounted inside included."""
        return Path(f"/proc/{self.leader()}/root")

    def root(self):
        """Its files, also while it does not run; then without what was mounted inside."""
        try:
            return self.live_root()
        except LookupError:
            return self.directory / "root"

    def execute(self, *command, check=True, stdin=None):
        """A command inside; its standard output."""
        done = subprocess.run(["nsenter", "--no-fork", f"--target={self.leader()}", "--mount", "--uts", "--ipc", "--net", "--pid",
                               "--root", "--wd", "--", *INSIDE, *command], input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=EXEC_TIMEOUT_SEC)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def in_network(self, *command, stdin=None):
        """A command of this host in the machine's network: the machine needs no tools for it."""
        subprocess.run(["nsenter", f"--target={self.leader()}", "--net", "--", *command], input=stdin, text=True, check=True,
                       capture_output=True, timeout=EXEC_TIMEOUT_SEC)

    def systemctl(self, *arguments, check=True):
        return self.execute("systemctl", *arguments, check=check)

    def pid(self, unit):
        """The process of a service, as this host numbers it; 0 while there is none."""
        name, _, instance = unit.partition("@")
        wanted = [f"/usr/sbin/{name}"] + ([instance] if instance else [])
        for pid in children(self.leader()):
            if command_line(pid)[:len(wanted)] == wanted:
                return pid
        return 0

    def signal(self, unit, number):
        """The process that got it; 0 when there is none."""
        pid = self.pid(unit)
        return pid if pid and signal_process(pid, number) else 0

    def crash(self):
        """It dies at once, as if unplugged, but for what the kernel has not written yet: that survives (see tests/unit/store for
        disks that forget)."""
        os.kill(self.leader(), signal.SIGKILL)

    def is_up(self):
        try:
            return self.execute("systemctl", "is-system-running", check=False) in ("running", "degraded")
        except (LookupError, subprocess.TimeoutExpired):
            return False

    def ready_at(self, unit):
        """When the service last became active: CLOCK_MONOTONIC, which machines share with this host, in seconds."""
        return int(self.systemctl("show", "--property=ActiveEnterTimestampMonotonic", "--value", unit)) / 1e6

    def is_active(self, unit):
        return self.systemctl("is-active", unit, check=False) == "active"

    def write(self, path, text):
        """A small file inside, readable for all."""
        target = self.live_root() / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o644)

    def remove(self, path):
        (self.live_root() / path.lstrip("/")).unlink(missing_ok=True)
