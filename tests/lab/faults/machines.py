"""The lab's three machines, whatever they are made of: LAB_ON names the backend, as it does for `lab`. What starts a machine and gives it
its packages is `lab`'s.

A machine is a `Container` (containers.py) or a `VirtualMachine` (virtual.py), which have in common:

    execute(*command)           its standard output
    systemctl(...), is_active(unit), ready_at(unit), is_up()
    pid(unit), signal(unit, number), signal_pid(pid, number)
    crash()                     it dies at once; `lab boot` brings it back
    write(path, text), read(path), remove(path)     small files of it
    root()                      a directory of this host with its files, or with a copy of those that services keep
    relay_socket(kind)          a path of this host at which readings of that kind are taken
    in_network(*command)        a command that sees its network cards and firewall
"""
import ctypes
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(TOP / "tests" / "harness"))
from waiting import wait_until  # noqa: E402, F401 (also for those who use machines)

from faults.containers import LABS, Container, signal_process  # noqa: E402, F401
from faults.virtual import NETWORK, VirtualMachine  # noqa: E402

BACKEND = os.environ.get("LAB_ON", "nspawn")
ADDRESSES = {
    "nspawn": {"pc1": "10.83.0.1", "pc2": "10.83.0.2", "pc3": "10.83.0.3"},
    "vagrant": {"pc1": "192.168.56.11", "pc2": "192.168.56.12", "pc3": "192.168.56.13"},
}
ADDRESS = ADDRESSES[BACKEND]
Machine = {"nspawn": Container, "vagrant": VirtualMachine}[BACKEND]
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
CLONE_NEWNET = 0x40000000


def enter_network(namespace):
    """From now on this process and its children live in the network of this open namespace file."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter the network {namespace.name}")


def network_of(lab):
    """The file of the network namespace in which the machines' network is; None when it is this host's own."""
    if BACKEND == "nspawn":
        return Path("/run/netns") / f"olaverde-{lab}"
    return NETWORK if NETWORK.exists() else None


def join_network(lab):
    """This process sees the machines' network from now on."""
    path = network_of(lab)
    if path:
        with open(path) as namespace:
            enter_network(namespace)
