"""What can be said of a machine by the commands that are run in it."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from waiting import PATIENCE  # noqa: E402

EXEC_TIMEOUT_SEC = 120 * PATIENCE


class Machine:
    """Of a lab, by its name; execute() is its kind's."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name

    def output_of(self, command, done, check):
        """A finished command's standard output."""
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def systemctl(self, *arguments, check=True):
        return self.execute("systemctl", *arguments, check=check)

    def is_up(self):
        try:
            return self.execute("systemctl", "is-system-running", check=False) in ("running", "degraded")
        except (LookupError, subprocess.TimeoutExpired):
            return False

    def is_active(self, unit):
        return self.systemctl("is-active", unit, check=False) == "active"

    def forget(self):
        """Ends its services and removes everything that they keep."""
        self.systemctl("stop", f"traffic-{self.name}.target", "traffic-*.service")
        self.execute("sh", "-c", "umount --quiet /var/lib/traffic/*; rm -rf /var/lib/traffic/*/* /run/systemd/system/traffic-*.d;"
                     " rm -f /etc/traffic/traffic.conf.d/60-*.conf; systemctl daemon-reload; systemctl reset-failed")

    def signal(self, unit, number):
        """The process that got it; 0 when there is none."""
        pid = self.pid(unit)
        return pid if pid and self.signal_pid(pid, number) else 0
