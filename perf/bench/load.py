"""lab bench load: how much the city takes, how long readings are on their way meanwhile, and what each costs.

For each mode of the broker and each protocol a fresh city gets readings at its relay sockets from a generator in C, at rates that rise until
it does not keep up any more; then the highest sustained rate is found by bisection and confirmed by five runs, all of which must hold. As
many are done at the lowest rate, so that both have a spread. A rate is sustained when
every reading that was due was handed in, at most half a second late, and stood in both databases a second after the last was due: nothing
lost, no backlog. And no backlog on the way: of a hundred readings ninety-nine were on either disk within a second after they were due.

Shipped packages and settings, but for sensor.source = relay, control.policy = rules (so that readings, and not the second, bring requests
to the lights), broker.mode and, without custody, protocol.* = v0."""
import json
import subprocess
import time

from bench import results
from bench.citylab import CITY, TOP, CityLab
from bench.progress import Progress
from bench.prom import Histogram, total

MODES = ("standard", "threaded")
PROTOCOLS = ("custody", "v0")
HOPS = ("broker", "analytics", "primary", "replica")
RATES = (300, 1000, 2000, 4000, 8000, 16000, 20000, 32000, 64000, 128000)  # the sweep
LATE_SEC, CATCH_UP_SEC, GIVE_UP_SEC = 0.5, 1.0, 20
ASK_SEC, STILL_SEC = 0.02, 3  # how often stores are asked; what does not come for so long does not come
STEP = 0.05  # bisection ends when good and bad are so close
SWING_SEC = 4  # an intersection is congested once in so long
UP_SEC, AFTER_SEC = 75, 9  # for the time left: a lab that starts; counters that are written again after a probe
# What is read of whom after a probe.
STAGES = {
    "broker has committed": ("traffic-broker", "traffic_reading_age_seconds", {"stage": "broker_committed"}),
    "analytics has it": ("traffic-analytics", "traffic_reading_age_seconds", {"stage": "analytics_taken"}),
    "request to the lights": ("traffic-analytics", "traffic_reading_age_seconds", {"stage": "light_requested"}),
    "primary store has committed": ("traffic-store@primary", "traffic_reading_age_seconds", {"stage": "store_committed"}),
    "replica store has committed": ("traffic-store@replica", "traffic_reading_age_seconds", {"stage": "store_committed"}),
    "request, until the interlock takes it": ("traffic-signal", "traffic_light_request_age_seconds", {}),
}


DURABLE_STAGES = ("primary store has committed", "replica store has committed")


def options(parser):
    parser.add_argument("--mode", choices=[*MODES, "both"], default="both", help="of the broker")
    parser.add_argument("--protocol", choices=[*PROTOCOLS, "both"], default="both")
    parser.add_argument("--seconds", type=float, default=10, help="of a probe (default: 10)")
    parser.add_argument("--runs", type=int, default=5, help="at the lowest rate and at the one that is confirmed (default: 5)")
    parser.add_argument("--rate", type=float, action="append", metavar="N", help="only this rate, no search; may be repeated")


class Probe:
    """One rate for some seconds."""

    def __init__(self, lab, generator, rate, seconds, city=CITY, clients=1, drain=GIVE_UP_SEC):
        self.lab, self.rate, self.seconds = lab, rate, seconds
        self.command = [generator, "--sockets", lab.relay_directory(), "--city", city, "--rate", rate, "--seconds", seconds,
                        "--drain", drain, "--swing", SWING_SEC, "--clients", clients]

    def generate(self, tell):
        """The generator's last line; `tell` is given each of the others."""
        with subprocess.Popen([str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                said = json.loads(line)
                if not said.get("is_end"):
                    tell(said)
        if process.returncode not in (0, 1):
            raise SystemExit(f"the generator ended with {process.returncode}")
        return said

    def wait_stored(self, before, due):
        """({store: readings}, when both had all of them or got no more): a clock's time."""
        stored, grew_at = None, time.monotonic()
        while True:
            now = {store: count - before[store] for store, count in self.lab.stored().items()}
            if now != stored:
                stored, grew_at = now, time.monotonic()
            if min(now.values()) >= due or time.monotonic() - grew_at > STILL_SEC:
                return now, grew_at
            time.sleep(ASK_SEC)

    def fill(self, tell):
        """Only puts the readings into the stores."""
        before = self.lab.stored()
        self.wait_stored(before, self.generate(tell)["due"])

    def run(self, tell):
        before, counted_before = self.lab.stored(), self.lab.samples()
        used_before, begun = self.lab.usage(), time.monotonic()
        said = self.generate(tell)
        stored, at = self.wait_stored(before, said["due"])
        used, counted = self.lab.usage(), self.lab.samples()
        catch_up_sec = max(0.0, at - begun - self.seconds)
        cpu = {unit: (used[unit]["cpu_seconds"] - used_before[unit]["cpu_seconds"]) / said["due"] * 1e6 for unit in used}
        stages = {name: Histogram.read(counted[unit], metric, **labels).since(Histogram.read(counted_before[unit], metric, **labels)).to_json()
                  for name, (unit, metric, labels) in STAGES.items()}
        kept_up = (said["due"] == said["handed_in"] and said["late_max_seconds"] <= LATE_SEC and catch_up_sec <= CATCH_UP_SEC
                   and all((stages[name]["p99"] or 0) <= CATCH_UP_SEC for name in DURABLE_STAGES))
        return {
            "rate": self.rate, "seconds": self.seconds, "due": said["due"], "stored": stored,
            "is_sustained": kept_up and said["refused"] == 0 and min(stored.values()) == said["due"],
            "late_max_seconds": said["late_max_seconds"], "catch_up_seconds": round(catch_up_sec, 3),
            "events_per_second": round(min(stored.values()) / (self.seconds + catch_up_sec)),
            "acknowledged": {"p50": said["acknowledged_p50_seconds"], "p99": said["acknowledged_p99_seconds"],
                             "max": said["acknowledged_max_seconds"]},
            "stages": stages, "cpu_us_per_event": {unit: round(value, 2) for unit, value in cpu.items()},
            "cpu_us_per_event_all": round(sum(cpu.values()), 1), "generator_cpu_us_per_event": round(said["cpu_seconds"] / said["due"] * 1e6, 2),
            "pss_bytes": {unit: value["pss_bytes"] for unit, value in used.items()},
            "requests_to_lights": int(total(counted["traffic-signal"], "traffic_light_request_age_seconds_count")
                                      - total(counted_before["traffic-signal"], "traffic_light_request_age_seconds_count")),
        }


def milliseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.2f} ms"


def words(probe):
    stage = probe["stages"]["primary store has committed"]
    return (f"{probe['rate']:7.0f}/s  {'sustained' if probe['is_sustained'] else 'not kept up':11}  {probe['events_per_second']:6} stored/s"
            f"  {probe['cpu_us_per_event_all']:6.1f} us of CPU  on the primary's disk p50 {milliseconds(stage['p50'])}, p99 {milliseconds(stage['p99'])}")


class Search:
    """The highest sustained rate of one configuration."""

    def __init__(self, lab, generator, arguments, title, progress):
        self.lab, self.generator, self.arguments, self.title, self.progress = lab, generator, arguments, title, progress
        self.probes = []

    def probe(self, rate, seconds):
        def tell(said):
            self.progress.show(f"{self.title}: {rate:.0f}/s, second {said['seconds']:.0f} of {seconds:.0f}")

        probe = Probe(self.lab, self.generator, rate, seconds).run(tell)
        self.probes.append(probe)
        self.progress.say(f"{self.title}: {words(probe)}")
        return probe["is_sustained"]

    def climb(self):
        """(the last rate that was sustained, the first one that was not)."""
        good = 0
        for rate in RATES:
            if not self.hold(rate, self.arguments.runs if rate == RATES[0] else 1):
                return good, rate
            good = rate
        return good, None

    def hold(self, rate, n_runs):
        """Whether each of so many runs sustains it; ends with the first that does not."""
        return all(self.probe(rate, self.arguments.seconds) for _ in range(n_runs))

    def run(self):
        """Events per second; 0 when not even the lowest rate was sustained."""
        good, bad = self.climb()
        while bad and good and bad - good > STEP * good:
            rate = round((good + bad) / 2)
            if self.probe(rate, self.arguments.seconds):
                good = rate
            else:
                bad = rate
        while good and not self.hold(good, self.arguments.runs):
            good = round(good * (1 - STEP))
        return good


def configurations(arguments):
    modes = MODES if arguments.mode == "both" else [arguments.mode]
    protocols = PROTOCOLS if arguments.protocol == "both" else [arguments.protocol]
    return [(mode, protocol) for protocol in protocols for mode in modes]


def run(arguments, command):
    todo = configurations(arguments)
    probe_sec = arguments.seconds + AFTER_SEC
    n_probes = len(arguments.rate) if arguments.rate else 11 + 2 * arguments.runs
    progress = Progress(len(todo) * (UP_SEC + n_probes * probe_sec))
    lab = CityLab()
    for i, (mode, protocol) in enumerate(todo):
        title = f"[{i + 1}/{len(todo)}] {mode} broker, {protocol}"
        heading = results.heading("load", command)
        progress.say(f"{title}: the city starts")
        settings = {"control.policy": "rules"} | {f"protocol.{hop}": protocol for hop in HOPS}
        lab.up("--input", "relay", "--mode", mode)
        lab.configure(settings)
        search = Search(lab, arguments.build / "perf" / "generator", arguments, title, progress)
        starts = lab.starts(arguments.runs)
        sustained = None
        if arguments.rate:
            for rate in arguments.rate:
                search.probe(rate, arguments.seconds)
        else:
            sustained = search.run()
            progress.say(f"{title}: {sustained} events/s sustained")
        progress.expect((len(todo) - i - 1) * (UP_SEC + n_probes * probe_sec))
        results.write_json(arguments.results / f"load-{mode}-{protocol}.json",
                           heading | {"mode": mode, "protocol": protocol, "settings": settings, "sustained_events_per_second": sustained,
                                      "start_seconds": starts,
                                      "probes": search.probes})
    lab.down()
    print(f"Written: {arguments.results.relative_to(TOP) if arguments.results.is_relative_to(TOP) else arguments.results}/load-*.json")
