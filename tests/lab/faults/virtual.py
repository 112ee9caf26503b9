"""Machines that are virtual machines of vagrant/: this host reaches them by SSH alone, with what `vagrant ssh-config` says.

Connections to a machine share one that stays open, which `lab` configures (tests/lab/vagrant.sh): a handshake takes a second or two where
the processor is emulated.
"""
import os
import shlex
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from faults.machine import EXEC_TIMEOUT_SEC, Machine

TOP = Path(__file__).resolve().parents[3]
WORK = TOP / ".lab" / "vagrant"
NETWORK = Path("/run/netns/olaverde-libvirt")
SSH_FAILED = 255
RELAY_SCRIPT = (Path(__file__).parent / "relay.pl").read_text()
RELAY_PAUSE_SEC = 0.5
PACKET_MAX_BYTES = 1 << 16
# A file and its log, as they were at one moment: again when a checkpoint came in between (history/databases.py).
COPY_SCRIPT = r"""
set -e
copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT
state() { stat -c '%i %s %y' "$1"; head -c 32 "$1-wal" 2>/dev/null | cksum; }
for database in /var/lib/traffic/*/*.db; do
    copy=$copies$database
    mkdir -p "${copy%/*}"
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        before=$(state "$database")
        cp "$database" "$copy"
        cp "$database-wal" "$copy-wal" 2>/dev/null || rm -f "$copy-wal"
        [ "$(state "$database")" != "$before" ] || break
    done
done
tar -C "$copies" -cz .
"""


def outside(*command):
    """The command line that runs a command where the machines' network is."""
    return ["nsenter", f"--net={NETWORK}", "--", *command] if NETWORK.exists() else list(command)


class RelayBridge(threading.Thread):
    """A relay socket of this host whose packets go to one of the machine and back. One client at a time, as a sensor's has."""

    def __init__(self, machine, kind, path):
        super().__init__(daemon=True)
        self.machine, self.kind = machine, kind
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen(1)

    def run(self):
        while True:
            client, _ = self.listener.accept()
            command = self.machine.command_line("perl", "-e", RELAY_SCRIPT, f"/run/traffic/sensor-{self.kind}.sock")
            with client, open(self.machine.directory / "relay.log", "a") as log:
                process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
                threading.Thread(target=self.hand_in, args=(client, process), daemon=True).start()
                self.answer(client, process)
                process.kill()
                process.wait()
            time.sleep(RELAY_PAUSE_SEC)  # nobody may be there for a while

    @staticmethod
    def hand_in(client, process):
        with suppress(OSError):
            while packet := client.recv(PACKET_MAX_BYTES):
                os.write(process.stdin.fileno(), packet + b"\n")
        process.stdin.close()  # the other end goes when it hears nothing more, and lets the sensor know

    @staticmethod
    def answer(client, process):
        with suppress(OSError):
            for line in process.stdout:
                client.send(line.rstrip(b"\n"))
            client.shutdown(socket.SHUT_RDWR)


class VirtualMachine(Machine):
    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.directory = WORK / name
        self.bridges = {}

    def command_line(self, *command):
        return outside("ssh", "-F", str(self.directory / "ssh-config"), self.name, "sudo", "env", shlex.join(command))

    def call(self, *command, **options):
        done = subprocess.run(self.command_line(*command), capture_output=True, timeout=EXEC_TIMEOUT_SEC, **options)
        if done.returncode == SSH_FAILED:
            raise LookupError(f"{self.name} does not answer: {done.stderr}")
        return done

    def execute(self, *command, check=True, stdin=None):
        """A command inside; its standard output."""
        done = self.call(*command, input=stdin, stdin=None if stdin else subprocess.DEVNULL, text=True)
        return self.output_of(command, done, check)

    in_network = execute  # with the tools of the machine

    def pid(self, unit):
        """The process of a service, as the machine numbers it; 0 while there is none."""
        return int(self.systemctl("show", "--property=MainPID", "--value", unit))

    def signal_pid(self, pid, number):
        return self.call("kill", f"-{int(number)}", str(pid)).returncode == 0

    def crash(self):
        """The power goes: what its disk holds is what was synced."""
        subprocess.run([TOP / "lab", "crash", self.name], check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def ready_at(self, unit):
        """When the service last became active, by this host's CLOCK_MONOTONIC, in seconds."""
        shown, uptime = self.execute("sh", "-c", f"systemctl show --property=ActiveEnterTimestampMonotonic --value {unit}; cat /proc/uptime"
                                     ).splitlines()
        return time.monotonic() - (float(uptime.split()[0]) - int(shown) / 1e6)

    def root(self):
        """A copy of what its services keep."""
        directory = self.directory / "root"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        with tempfile.TemporaryFile() as archive:
            subprocess.run(self.command_line("sh", "-c", COPY_SCRIPT), check=True, stdin=subprocess.DEVNULL, stdout=archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as copies:
                copies.extractall(directory)
        return directory

    def relay_socket(self, kind):
        """Of this process: another one that asks gets a socket of its own."""
        path = Path(tempfile.gettempdir()) / f"olaverde-relay-{self.name}-{kind}.sock"
        if kind not in self.bridges:
            self.bridges[kind] = RelayBridge(self, kind, path)
            self.bridges[kind].start()
        return path

    def read(self, path):
        done = self.call("cat", path, stdin=subprocess.DEVNULL, text=True)
        if done.returncode != 0:
            raise FileNotFoundError(done.stderr)
        return done.stdout

    def write(self, path, text):
        """A small file inside, readable for all."""
        self.execute("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod 644 "$1"', "sh", path, stdin=text)

    def remove(self, path):
        self.execute("rm", "-f", path)
