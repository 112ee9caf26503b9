"""The table of everything that is done to the city under load: a name, what is done, what must hold beside P1 and P2 (nothing lost, stored
twice or changed; the equation of every producer holds; both stores hold the same), and how.

A case and a seed are a run: the same seed draws the same places, moments and bytes.
"""
from dataclasses import dataclass

from faults import actions, disks, expectations
from faults.machines import MACHINE_OF, UNITS

QUICK, WHOLE = "quick", "whole"
SPOOLERS = ("traffic-broker", "traffic-analytics", "traffic-store@primary", "traffic-store@replica")
STORES = ("traffic-store@primary", "traffic-store@replica")
SENSORS = ("traffic-sensor@camera", "traffic-sensor@inductive", "traffic-sensor@gps")
POINTS = ("before-commit", "after-commit", "after-ack")
LINKS = (("pc1", "pc2"), ("pc2", "pc3"))
SECONDS = (0.2, 1, 5, 60)
DATABASES = {"traffic-broker": "spool.db", "traffic-analytics": "outbox.db", "traffic-store@primary": "traffic.db",
             "traffic-store@replica": "traffic.db"}


@dataclass(frozen=True)
class Case:
    name: str
    does: str
    fault: object  # (city, draw) -> context manager
    holds: str = ""
    expects: tuple = ()  # of expectations.py, asked when the city has recovered
    during: tuple = ()  # the same, asked just before the fault ends
    hold_sec: float = 1  # between the fault's beginning and its end
    rate: int = 1000
    tier: str = WHOLE
    chaos: tuple = None  # drawn by `lab chaos`, and these machines must be there for it


def short(unit):
    """traffic-store@primary is "primary" in names of cases."""
    return unit.removeprefix("traffic-").rpartition("@")[2]


def at(*units):
    return tuple(sorted({MACHINE_OF[unit] for unit in units}))


def bound(fault, *arguments):
    return lambda city, draw: fault(city, draw, *arguments)


def kills():
    for unit in UNITS:
        yield Case(f"kill-{short(unit)}", f"kill -9 {unit}", bound(actions.killed, unit), "back by itself", (expectations.all_run,),
                   rate=2000, tier=QUICK, chaos=at(unit))
    for unit in SENSORS[:1] + SPOOLERS:
        for point in POINTS:
            yield Case(f"die-{short(unit)}-{point}", f"{unit} kills itself {point.replace('-', ' ')}, again and again for 4 s",
                       bound(actions.dies_at, unit, point), "it did die there", (expectations.died_of_fault_point(unit),), hold_sec=4,
                       tier=QUICK if point == "after-commit" and unit in ("traffic-broker", "traffic-analytics", STORES[0]) else WHOLE,
                       chaos=at(unit))
    for i, one in enumerate(UNITS):
        for other in UNITS[i + 1:]:
            yield Case(f"kill-{short(one)}-and-{short(other)}", f"kill -9 {one} and {other} at once", bound(actions.killed, one, other),
                       "both back by themselves", (expectations.all_run,), rate=500, chaos=at(one, other),
                       tier=QUICK if (one, other) == ("traffic-broker", "traffic-analytics") else WHOLE)
    yield Case("kill-everything", "kill -9 every service at once", bound(actions.killed, *UNITS), "all back by themselves",
               (expectations.all_run,), tier=QUICK, chaos=at(*UNITS))


def hangs():
    for unit in UNITS:
        yield Case(f"stop-{short(unit)}", f"SIGSTOP {unit}", bound(actions.stopped, unit),
                   "the watchdog replaces it within 5.5 s and says so", (expectations.watchdog_said(unit),),
                   tier=QUICK if unit == "traffic-analytics" else WHOLE, chaos=at(unit))
    for unit in SPOOLERS:
        yield Case(f"slow-{short(unit)}", f"{unit} runs a sixth of the time for 10 s", bound(actions.slow, unit), "nobody is called dead",
                   (expectations.nobody_died,), hold_sec=10, rate=500)
    yield Case("freeze-primary-3s", "SIGSTOP the primary store for 3 s", bound(actions.frozen, STORES[0]),
               "failover within 0.9 s", (expectations.failed_over("primary"),), hold_sec=3, chaos=("pc3",))


def machines():
    for name in ("pc1", "pc2", "pc3"):
        expects = (expectations.failed_over("primary"), expectations.queries_answered) if name == "pc3" else ()
        yield Case(f"crash-{name}", f"{name} dies as a whole and boots again", bound(actions.crashed, name),
                   "failover within 0.9 s, queries answered by the replica within 1 s" if expects else "", expects, hold_sec=3,
                   tier=QUICK if name == "pc3" else WHOLE, chaos=(name,))
    yield Case("crash-pc1-and-pc3", "both machines die and boot again", bound(actions.crashed, "pc1", "pc3"), hold_sec=2)
    yield Case("crash-all", "all three machines die and boot again", bound(actions.crashed, "pc1", "pc2", "pc3"), hold_sec=1)


def cuts():
    for a, b in LINKS:
        for seconds in SECONDS:
            fails_over = b == "pc3" and seconds >= 1
            for name, does, ways in ((f"cut-{a}-{b}", f"{a} and {b} do not hear each other", (a, b)),
                                     (f"cut-{a}-to-{b}", f"nothing goes from {a} to {b}", (a, b, True)),
                                     (f"cut-{b}-to-{a}", f"nothing goes from {b} to {a}", (b, a, True))):
                # A store hears nothing when only the way to it is cut, and still beats: analytics then asks it in vain for nothing.
                is_noticed = fails_over and name != f"cut-{a}-to-{b}"
                yield Case(f"{name}-{seconds}s", f"{does} for {seconds} s", bound(actions.cut, *ways),
                           "failover within 0.9 s" if is_noticed else "", (expectations.failed_over("primary"),) if is_noticed else (),
                           hold_sec=seconds, rate=2000 if seconds < 60 else 500, chaos=() if seconds < 60 else None,
                           tier=QUICK if seconds == 5 and len(ways) == 2 else WHOLE)
        yield Case(f"flap-{a}-{b}", f"the link between {a} and {b} comes and goes at random for 30 s", bound(actions.cut_at_random, a, b),
                   hold_sec=30, rate=500, chaos=())
        yield Case(f"loss-{a}-{b}", f"20 % of the packets between {a} and {b} are lost for 20 s", bound(actions.lossy, a, b), hold_sec=20,
                   rate=500, chaos=())
    for name, machine, port, does in (("acks-broker", "pc1", 5569, "acknowledgements of analytics to the broker"),
                                      ("acks-camera", "pc1", 5566, "acknowledgements of the broker to the cameras"),
                                      ("acks-primary", "pc3", 5571, "acknowledgements of the primary store"),
                                      ("acks-replica", "pc2", 5572, "acknowledgements of the replica store"),
                                      ("broker", "pc1", 5560, "events from the broker"),
                                      ("replica", "pc2", 5564, "records for the replica store")):
        yield Case(f"port-{name}-5s", f"{does} do not arrive for 5 s (port {port}), everything else does",
                   bound(actions.port_closed, machine, port), hold_sec=5, tier=QUICK if name == "acks-broker" else WHOLE, chaos=(machine,))


def bad_disks():
    for unit in SPOOLERS:
        is_primary = unit == STORES[0]
        expects = (expectations.failed_over("primary", most_sec=2.0),) if is_primary else ()
        during = (expectations.health_said_error,) if is_primary else ()
        holds = "nothing acknowledged meanwhile, failover, health says ERROR" if is_primary else "nothing acknowledged meanwhile"
        yield Case(f"full-{short(unit)}", f"the disk of {unit} is full for 8 s", bound(actions.disk_full, unit), holds, expects, during,
                   hold_sec=8, rate=500, tier=QUICK if unit in ("traffic-broker", STORES[0]) else WHOLE)
        yield Case(f"read-only-{short(unit)}", f"the file system of {unit} meets an error and becomes read-only, repaired after 5 s",
                   bound(actions.disk_read_only, unit), holds if not is_primary else "failover", expects, hold_sec=5, rate=500)
        yield Case(f"io-error-{short(unit)}", f"every access to the disk of {unit} is an I/O error, repaired after 5 s",
                   bound(actions.disk_broken, unit), "", expects, hold_sec=5, rate=500)
        yield Case(f"locked-{short(unit)}", f"somebody else holds the lock of {DATABASES[unit]} of {unit} for 12 s",
                   bound(actions.locked, unit), holds, expects, during, hold_sec=12, rate=500)
        for what, damage, suffix in (("flip", disks.flip_bits, ""), ("flip-wal", disks.flip_bits, "-wal"),
                                     ("cut-short", disks.truncate, ""), ("cut-short-wal", disks.truncate, "-wal"),
                                     ("removed", actions.removed, "")):
            file = f"{DATABASES[unit]}{suffix} of {unit}"
            does = {"flip": f"8 bits of {file} flip", "cut-short": f"{file} loses its end", "removed": f"{file} is gone"}
            yield Case(f"{what}-{short(unit)}", f"{does[what.removesuffix('-wal')]} while the service is down",
                       bound(actions.damaged, unit, damage, suffix), "moved aside when it is damaged, filled again from elsewhere",
                       (expectations.all_run,), rate=500, tier=QUICK if (what, unit) == ("cut-short", STORES[0]) else WHOLE)
    for unit in STORES:
        yield Case(f"restore-{short(unit)}", f"an operator puts a copy of {unit}'s database in its place that is 5 s old",
                   bound(actions.restored, unit), "what came since is filled in again", (expectations.all_run,), hold_sec=5, rate=500)


def clocks():
    for unit in SPOOLERS + SENSORS[:1]:
        for shift in ("+1h", "-1h"):
            way = "ahead" if shift[0] == "+" else "behind"
            yield Case(f"clock{shift}-{short(unit)}", f"the clock of {unit} is {shift[1:]} {way} for 5 s",
                       bound(actions.clock_of, unit, shift), "nobody is called dead for it", (), (expectations.clock_was_wrong(unit),),
                       hold_sec=5, rate=500, tier=QUICK if (unit, shift) == ("traffic-analytics", "-1h") else WHOLE)


def strangers():
    sizes = (("64KiB", (64 << 10) + 1), ("1MiB", 1 << 20), ("1GiB", 1 << 30))
    for name, size in sizes:
        yield Case(f"frame-{name}", f"a frame of {size} bytes at every port", bound(actions.poured, actions.pour_frame(size)),
                   "no process ends, none grows beyond 300 MiB", (expectations.same_processes, expectations.small_processes), rate=500)
    yield Case("junk", "random bytes and frames of random bytes at every port",
               bound(actions.poured, actions.pour_bytes, actions.pour_junk_frames), "no process ends, nobody is called dead",
               (expectations.same_processes, expectations.nobody_died), rate=500, tier=QUICK, chaos=())
    yield Case("flood", "20000 readings a second more for 5 s", actions.flood, "no process ends", (expectations.same_processes,),
               hold_sec=5)
    yield Case("command-flood", "1000 unasked-for commands to the lights in a second", actions.commanded,
               "no green shorter than its minimum", (expectations.greens_are_long_enough,), rate=500, tier=QUICK,
               hold_sec=8)  # a minimum green and its intergreen
    yield Case("force-green-twice", "FORCE GREEN for the same intersection, twice", actions.forced_twice,
               "what is recorded is what the lights show", (expectations.record_is_what_lights_show,), rate=500)


def lives():
    for unit in SPOOLERS:
        yield Case(f"crash-loop-{short(unit)}", f"{unit} cannot start for 6 s, then it is repaired", bound(actions.crash_loop, unit),
                   "it comes back by itself", (expectations.all_run,), hold_sec=6, rate=500,
                   tier=QUICK if unit == "traffic-broker" else WHOLE)
    for unit in ("traffic-broker", "traffic-analytics", *STORES):
        yield Case(f"away-{short(unit)}", f"an operator stops {unit} for 5 s", bound(actions.service_stopped, unit),
                   "who asked in vain is answered again", (expectations.same_client_is_answered,), hold_sec=5, chaos=at(unit))
    yield Case("away-primary-60s", "PC3's store is away for 60 s", bound(actions.service_stopped, STORES[0]), hold_sec=60, rate=500)
    yield Case("upgrade", "apt installs a higher version on all machines, then the old one again", actions.upgraded,
               "every service was replaced", (expectations.all_replaced,), hold_sec=3)
    yield Case("control", "nothing", actions.nothing, "nobody died, no process ends",
               (expectations.nobody_died, expectations.same_processes), hold_sec=5, rate=2000, tier=QUICK)


def bounds():
    spool, outbox = {"traffic-broker": "broker.spool_mib = 1"}, {"traffic-analytics": "analytics.outbox_mib = 1"}
    for name, settings, away in (("spool", spool, "traffic-analytics"), ("outbox", {**outbox, **spool}, STORES[0])):
        alarms = tuple(expectations.alarm_was_raised(unit) for unit in settings)
        yield Case(f"limit-{name}", f"1 MiB of {' and '.join(settings)} to keep things in, and {away} is away until far more has come",
                   bound(actions.limited, settings, away), "an alarm before, nothing acknowledged at the limit", alarms,
                   (expectations.generator_waits,), hold_sec=40, rate=2000)


CASES = [case for group in (lives, kills, hangs, machines, cuts, bad_disks, bounds, clocks, strangers) for case in group()]
BY_NAME = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES)
