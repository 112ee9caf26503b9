"""Links between machines that are cut or lose packets, and single ports that nobody reaches.

Rules stand in the same table as those of `lab cut`, so `lab heal` removes them, whatever became of who made them.
"""
import itertools
import subprocess
from contextlib import contextmanager

from faults.machines import ADDRESS, network_of

numbers = itertools.count(1)


def nft(lab, text):
    network = network_of(lab)
    command = ["nsenter", f"--net={network}", "--", "nft"] if network else ["nft"]
    subprocess.run([*command, "-f", "-"], input=text, text=True, check=True, capture_output=True)


def heal_all(lab):
    nft(lab, "add table bridge lab\ndelete table bridge lab\n")


@contextmanager
def rules(lab, *lines):
    """What these rules of the bridge say holds meanwhile."""
    chain = f"fault{next(numbers)}"
    text = "\n".join(lines)
    nft(lab, f"table bridge lab {{\nchain {chain} {{\ntype filter hook forward priority 0; policy accept;\n{text}\n}}\n}}\n")
    try:
        yield
    finally:
        # The chain may be gone already: another fault's end or `lab heal` has healed everything.
        nft(lab, f"add table bridge lab\nadd chain bridge lab {chain}\nflush chain bridge lab {chain}\ndelete chain bridge lab {chain}\n")


def nothing_passes(source, target):
    """The rules by which neither packets nor the questions for an address go from one machine to another."""
    return [f"{passing(source, target)} counter drop", f"arp saddr ip {ADDRESS[source]} arp daddr ip {ADDRESS[target]} counter drop"]


def passing(source, target):
    """The match for what goes from one machine to another."""
    return f"ip saddr {ADDRESS[source]} ip daddr {ADDRESS[target]}"


def cut(lab, source, target, one_way=False):
    ways = [(source, target)] if one_way else [(source, target), (target, source)]
    return rules(lab, *(rule for way in ways for rule in nothing_passes(*way)))


def lossy(lab, source, target, percent):
    return rules(lab, *(f"{passing(*way)} numgen random mod 100 < {percent} counter drop"
                        for way in ((source, target), (target, source))))


def cut_off(lab, machine):
    """A machine that nobody reaches and that reaches nobody."""
    return rules(lab, *(rule for other in ADDRESS if other != machine for way in ((machine, other), (other, machine))
                        for rule in nothing_passes(*way)))


@contextmanager
def port_closed(machine, port):
    """Nothing arrives at or leaves a port of a machine, not even from itself."""
    name = f"port{port}"
    machine.in_network("nft", "-f", "-", stdin=f"""table inet {name} {{
        chain in {{ type filter hook input priority 0; policy accept; tcp dport {port} counter drop; tcp sport {port} counter drop; }}
        chain out {{ type filter hook output priority 0; policy accept; tcp dport {port} counter drop; tcp sport {port} counter drop; }}
        }}
        """)
    try:
        yield
    finally:
        machine.in_network("nft", "-f", "-", stdin=f"add table inet {name}\ndelete table inet {name}\n")
