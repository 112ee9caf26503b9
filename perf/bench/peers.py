"""lab bench peers: the same messages through what a user might pick instead, alternating with ours in one run.

    the broker alone    ours without custody (standard and threaded; it keeps events on disk all the same) and with it, beside a bare forwarder
                        in C that reads each event as ours does, and beside zmq_proxy(): from the sensors' links to the broker's link
    the whole way       ours from the relay sockets of the sensors to committed rows in both databases, under custody, beside the transport alone
                        of mosquitto (QoS 0 and 1), NATS JetStream (files; one replica, or three servers) and RabbitMQ (quorum queue)

Real events of about 270 bytes. First some seconds at a steady rate: how long it takes from publishing an event until it is consumed, or is in
the slower database. Then as fast as it goes: one client publishes and consumes, a bounded number of events is under way, and the clock stops
when all are consumed and, where there are confirms, confirmed; or are in both databases. Each round starts every side anew and alone, every
second round in the opposite order. Plain processes on loopback, in a network namespace of their own, their data on disk.

Ratios are of two sides in the same round. Ours have the shipped settings but for sensor.source = relay, broker.mode and, without custody,
protocol.analytics = v0. The others keep theirs but for limits above which they would drop: so mosquitto keeps messages in memory only, and
JetStream calls fsync every two minutes. What is not installed is left out and named; all of it:

    apt-get install mosquitto libmosquitto-dev nats-server libnats-dev rabbitmq-server librabbitmq-dev"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

from bench import processes, prom, results, servers
from bench.citylab import CITY
from bench.load import Probe
from bench.processes import CORE_SERVICES, SENSORS, PlainCity, cpu_sec
from bench.progress import Progress
from bench.results import spread

LATENCY_RATE = 1000
RELAY_RATE = 1e6  # more than the city takes: the relay sockets hold the generator back
N_TIMES_MORE = 5  # events of a broker that keeps nothing: it is measured as long as the others
WARM_UP_SEC = 0.5
STORES = ("store@primary", "store@replica")
STORE_AGE = ("traffic_reading_age_seconds", {"stage": "store_committed"})
PACKAGES = {"mosquitto": ("mosquitto", "mosquitto", "libmosquitto-dev"), "jetstream": ("nats-server", "nats-server", "libnats-dev"),
            "rabbitmq": (servers.RABBITMQ_SERVER, "rabbitmq-server", "librabbitmq-dev")}  # program, its package, the library's

# `stand` is a context in `directory` that yields pids; sides without one are the whole city. `usual` events a second are for the time left.
Side = namedtuple("Side", "title group transport stand starts_sec usual")
WITHOUT = {"protocol.analytics": "v0"}
SIDES = {
    "broker-v0": Side("our broker, v0", "broker", "zeromq", lambda d, _: servers.broker(d, WITHOUT), 1, 150000),
    "broker-threaded-v0": Side("our broker, threaded, v0", "broker", "zeromq",
                               lambda d, _: servers.broker(d, {**WITHOUT, "broker.mode": "threaded"}), 1, 150000),
    "broker-custody": Side("our broker, custody", "broker", "zeromq-custody", lambda d, _: servers.broker(d, {}), 1, 150000),
    "forwarder": Side("bare forwarder", "broker", "zeromq", lambda d, client: servers.middle(d, "forward", client), 1, 400000),
    "zmq-proxy": Side("zmq_proxy", "broker", "zeromq", lambda d, client: servers.middle(d, "zmq-proxy", client), 1, 500000),
    "way": Side("our whole way", "way", None, None, 15, 25000),
    "mosquitto-qos0": Side("mosquitto QoS 0", "way", "mosquitto-qos0", lambda d, _: servers.mosquitto(d), 1, 60000),
    "mosquitto-qos1": Side("mosquitto QoS 1", "way", "mosquitto-qos1", lambda d, _: servers.mosquitto(d), 1, 30000),
    "jetstream-r1": Side("JetStream, one replica", "way", "jetstream-r1", lambda d, _: servers.nats(d, 1), 2, 60000),
    "jetstream-r3": Side("JetStream, three replicas", "way", "jetstream-r3", lambda d, _: servers.nats(d, 3), 6, 15000),
    "rabbitmq-quorum": Side("RabbitMQ quorum queue", "way", "rabbitmq-quorum", lambda d, _: servers.rabbitmq(d), 12, 15000),
}
# (of, to, what is wanted at least, or None where it is only stated)
RATIOS = (("broker-v0", "forwarder", 0.85), ("broker-threaded-v0", "broker-v0", 0.95), ("broker-v0", "zmq-proxy", None),
          ("broker-custody", "forwarder", None), ("broker-custody", "zmq-proxy", None), ("way", "mosquitto-qos1", 1),
          ("way", "rabbitmq-quorum", 2), ("way", "jetstream-r3", 1), ("way", "jetstream-r1", None), ("way", "mosquitto-qos0", None))
FIGURES = ("events_per_second", "p50_us", "p99_us", "cpu_us_per_event")


def options(parser):
    parser.add_argument("--rounds", type=int, default=5, help="of all sides (default: 5)")
    parser.add_argument("--events", type=int, default=200000,
                        help=f"as fast as it goes (default: 200000); {N_TIMES_MORE} times as many through a broker alone")
    parser.add_argument("--seconds", type=float, default=3, help=f"at {LATENCY_RATE} events a second (default: 3)")
    parser.add_argument("--side", choices=SIDES, action="append", help="only this one; may be repeated")


# --- one side, once ---

class Exchange:
    """The client's events through whatever stands between its two halves."""

    def __init__(self, side, arguments):
        self.side, self.arguments = side, arguments
        self.client = arguments.build / "perf" / "peers" / "peers"

    def exchange(self, n_events, rate=0):
        done = subprocess.run([self.client, self.side.transport, str(n_events), str(rate)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if not done.stdout:
            raise SystemExit(f"{self.side.title}: {done.stderr}")
        return json.loads(done.stdout) | {"said": done.stderr}

    def run(self, directory):
        n_events = self.arguments.events * (N_TIMES_MORE if self.side.group == "broker" else 1)
        with self.side.stand(directory, self.client) as pids:
            steady = self.exchange(round(LATENCY_RATE * self.arguments.seconds), LATENCY_RATE)
            used = sum(map(cpu_sec, pids))
            fast = self.exchange(n_events)
            used = sum(map(cpu_sec, pids)) - used
        return {"events": n_events, "events_per_second": fast["events_per_second"], "seconds": fast["seconds"], "window": fast["window"],
                "bytes": fast["bytes"], "lost": fast["lost"] + steady["lost"], "repeated": fast["repeated"] + steady["repeated"],
                "is_confirmed": fast["is_confirmed"] and steady["is_confirmed"], "said": steady["said"] + fast["said"],
                "p50_us": steady["p50_us"], "p99_us": steady["p99_us"], "cpu_us_per_event": round(used / n_events * 1e6, 2),
                "client_cpu_us_per_event": round(fast["cpu_seconds"] / n_events * 1e6, 2)}


class Way:
    """Readings from a generator through the city's plain processes into both databases."""

    def __init__(self, _, arguments):
        self.arguments = arguments
        self.generator = arguments.build / "perf" / "generator"

    def hand_in(self, city, rate, seconds):
        """What the generator says at its end, what both stores have of it, and the seconds until then."""
        probe = Probe(city, self.generator, rate, seconds, drain=60 + rate * seconds / 500)
        before, begun = city.stored(), time.monotonic()
        said = probe.generate(lambda _: None)
        stored, at = probe.wait_stored(before, said["due"])
        return said, min(stored.values()), at - begun

    def ages(self, city):
        """Of readings when a store had committed them: a histogram of each store."""
        city.wait_fresh_metrics(*STORES)
        return [prom.Histogram.read(prom.parse(city.metrics_path(store).read_text()), STORE_AGE[0], **STORE_AGE[1]) for store in STORES]

    def steady(self, city):
        """What hand_in() returns, and (p50, p99) of the slower store in seconds. Not of the first readings, for which links are still opened."""
        self.hand_in(city, LATENCY_RATE, WARM_UP_SEC)
        before = self.ages(city)
        handed_in = self.hand_in(city, LATENCY_RATE, self.arguments.seconds)
        came = [now.since(then) for now, then in zip(self.ages(city), before)]
        return handed_in, [max(histogram.quantile(share) for histogram in came) for share in (0.5, 0.99)]

    def run(self, directory):
        settings = {"city.file": CITY, "sensor.source": "relay"}
        with PlainCity(directory, settings=settings, services=[*CORE_SERVICES, *SENSORS]) as city:
            (steady, n_steady, _), (p50, p99) = self.steady(city)
            used = sum(city.cpu_sec().values())
            fast, n_fast, seconds = self.hand_in(city, RELAY_RATE, self.arguments.events / RELAY_RATE)
            used = sum(city.cpu_sec().values()) - used
        due = steady["due"] + fast["due"]
        return {"events": fast["due"], "events_per_second": round(n_fast / seconds), "seconds": round(seconds, 3), "lost": due - n_steady - n_fast,
                "is_confirmed": steady["acknowledged"] + fast["acknowledged"] == due, "p50_us": round(p50 * 1e6), "p99_us": round(p99 * 1e6),
                "acknowledged_p50_us": round(steady["acknowledged_p50_seconds"] * 1e6),
                "acknowledged_p99_us": round(steady["acknowledged_p99_seconds"] * 1e6),
                "cpu_us_per_event": round(used / fast["due"] * 1e6, 2), "client_cpu_us_per_event": round(fast["cpu_seconds"] / fast["due"] * 1e6, 2)}


# --- all of them, round by round ---

def missing(name, transports):
    """Why a side cannot be measured here; None when it can."""
    binary, package, library = PACKAGES.get(name.partition("-")[0], (None,) * 3)
    if binary and not servers.is_installed(binary):
        return f"not installed: apt-get install {package}"
    if SIDES[name].transport and SIDES[name].transport not in transports:
        return f"the client was built without it: apt-get install {library}, then meson setup --reconfigure and ninja in the build directory"
    return None


def expected_sec(side, arguments):
    return side.starts_sec + arguments.seconds + arguments.events * (N_TIMES_MORE if side.group == "broker" else 1) / side.usual


def measure(side, arguments):
    directory = Path(tempfile.mkdtemp(prefix="olaverde-peers-", dir=processes.ON_DISK))
    try:
        return (Exchange if side.transport else Way)(side, arguments).run(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def words(run):
    trouble = "".join([f"; {run['lost']} LOST" if run["lost"] else "", "" if run["is_confirmed"] else "; NOT CONFIRMED"])
    return (f"{run['events_per_second']:7.0f} events/s, {run['cpu_us_per_event']:6.2f} us of CPU each; at {LATENCY_RATE}/s p50 {run['p50_us'] / 1000:.2f} ms, "
            f"p99 {run['p99_us'] / 1000:.2f} ms{trouble}")


def summed_up(runs):
    """{side: its figures over all rounds}."""
    return {name: {"title": SIDES[name].title, "group": SIDES[name].group, "runs": of_side,
                   **{figure: spread([run[figure] for run in of_side]) for figure in FIGURES}} for name, of_side in runs.items()}


def ratios(runs):
    return [{"of": of, "to": to, "wanted": wanted,
             **{key: round(value, 3) for key, value in spread([ours["events_per_second"] / theirs["events_per_second"]
                                                               for ours, theirs in zip(runs[of], runs[to])]).items()}}
            for of, to, wanted in RATIOS if of in runs and to in runs]


def ratio_words(ratio):
    wanted = "" if ratio["wanted"] is None else f"; {ratio['wanted']:g} wanted: {'yes' if ratio['median'] >= ratio['wanted'] else 'NO'}"
    return (f"{SIDES[ratio['of']].title} / {SIDES[ratio['to']].title}: {ratio['median']:.2f} "
            f"({ratio['min']:.2f} to {ratio['max']:.2f}){wanted}")


def run(arguments, command):
    os.environ["TRAFFIC_BUILD"] = str(arguments.build.resolve())
    processes.in_namespace("-B", "-m", "bench", *sys.argv[1:])
    client = arguments.build / "perf" / "peers" / "peers"
    transports = subprocess.run([client, "--transports"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout.split()
    asked = arguments.side or list(SIDES)
    skipped = {name: reason for name in asked if (reason := missing(name, transports))}
    names = [name for name in asked if name not in skipped]
    round_sec = sum(expected_sec(SIDES[name], arguments) for name in names)
    progress = Progress(arguments.rounds * round_sec)
    for name, reason in skipped.items():
        progress.say(f"{SIDES[name].title}: skipped, {reason}")
    heading, runs = results.heading("peers", command), {name: [] for name in names}
    for i in range(arguments.rounds):
        begun = time.monotonic()
        for name in names if i % 2 == 0 else reversed(names):
            progress.show(f"[round {i + 1}/{arguments.rounds}] {SIDES[name].title}")
            runs[name].append(measure(SIDES[name], arguments))
            progress.say(f"[round {i + 1}/{arguments.rounds}] {SIDES[name].title}: {words(runs[name][-1])}")
        progress.expect((arguments.rounds - i - 1) * (time.monotonic() - begun))
    found = ratios(runs)
    results.write_json(arguments.results / "peers.json", heading | {
        "rounds": arguments.rounds, "events": arguments.events, "latency_rate": LATENCY_RATE, "sides": summed_up(runs), "ratios": found, "skipped": skipped})
    for ratio in found:
        print(ratio_words(ratio))
