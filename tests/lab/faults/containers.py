"""Machines that are containers of this host: their processes, files and network namespaces, reached without the detour over `lab` because a
fault has its moment.
"""
import os
import signal
import subprocess
from pathlib import Path

from faults.machine import EXEC_TIMEOUT_SEC, Machine

LABS = Path("/var/lib/olaverde-lab")
INSIDE = ["/usr/bin/env", "-i", "HOME=/root", "LANG=C.UTF-8", "USER=root", "TERM=dumb",
          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          "/bin/sh", "-c", 'env "$@"; exit $?', "sh"]  # why: machine_exec in nspawn.sh


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


class Container(Machine):
    def __init__(self, lab, name):
        super().__init__(lab, name)
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
        return self.output_of(command, done, check)

    def in_network(self, *command, stdin=None):
        """A command of this host in the machine's network: the machine needs no tools for it."""
        subprocess.run(["nsenter", f"--target={self.leader()}", "--net", "--", *command], input=stdin, text=True, check=True,
                       capture_output=True, timeout=EXEC_TIMEOUT_SEC)

    def pid(self, unit):
        """The process of a service, as this host numbers it; 0 while there is none."""
        name, _, instance = unit.partition("@")
        wanted = [f"/usr/sbin/{name}"] + ([instance] if instance else [])
        for pid in children(self.leader()):
            if command_line(pid)[:len(wanted)] == wanted:
                return pid
        return 0

    def signal_pid(self, pid, number):
        return signal_process(pid, number)

    def crash(self):
        """It dies at once, as if unplugged, but for what the kernel has not written yet: that survives (see tests/unit/store for
        disks that forget)."""
        os.kill(self.leader(), signal.SIGKILL)

    def ready_at(self, unit):
        """When the service last became active: CLOCK_MONOTONIC, which machines share with this host, in seconds."""
        return int(self.systemctl("show", "--property=ActiveEnterTimestampMonotonic", "--value", unit)) / 1e6

    def relay_socket(self, kind):
        return self.live_root() / f"run/traffic/sensor-{kind}.sock"

    def read(self, path):
        return (self.live_root() / path.lstrip("/")).read_text()

    def write(self, path, text):
        """A small file inside, readable for all."""
        target = self.live_root() / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o644)

    def remove(self, path):
        (self.live_root() / path.lstrip("/")).unlink(missing_ok=True)
