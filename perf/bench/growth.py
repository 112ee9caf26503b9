"""lab bench growth: whether an event costs more in a larger city, over more connections, or in a fuller database.

    intersections   16 to 10,000 of them, each with a camera, a loop and a GPS sensor
    clients         1 to 64 programs at each relay socket
    rows            10^3 to 10^7 readings in the stores, put there as fast as the city takes them; and how long the last ten events
                    of an intersection take to ask for, at the store itself (link query.primary) and through analytics (5561)

Each size is measured by the same rate of readings for some seconds, as in lab bench load: CPU of every process for each event.
Shipped packages and settings, but for city.file, sensor.source = relay and control.policy = rules."""
import itertools
import json
import statistics
import string
import tempfile
import time
from pathlib import Path

import zmq
from bench import results
from bench.citylab import CITY, CityLab
from bench.load import Probe, words
from bench.progress import Progress
from faults.machines import ADDRESS

PARTS = ("intersections", "clients", "rows")
INTERSECTIONS = (16, 100, 1000, 10000)
CLIENTS = (1, 4, 16, 64)
UP_SEC, AFTER_SEC, FILL_PER_SEC = 50, 9, 20000
FILL_RATE = 32000  # more than the city takes: the relay sockets hold the generator back
LINKS = {"store": ("pc3", 5575), "analytics": ("pc2", 5561)}
N_QUESTIONS, WARM_UP = 500, 20


def options(parser):
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; may be repeated")
    parser.add_argument("--rate", type=float, default=2000, help="readings a second while measuring (default: 2000)")
    parser.add_argument("--seconds", type=float, default=10, help="of a run")
    parser.add_argument("--runs", type=int, default=3, help="of each size (default: 3); that of the median cost stands for it")
    parser.add_argument("--max-rows", type=float, default=1e7, help="the fullest database")
    parser.add_argument("--max-intersections", type=int, default=INTERSECTIONS[-1], help="the largest city")


def city_of(n):
    """A square city of about n intersections: {of a city file}."""
    side = round(n ** 0.5)
    # Letters alone: with digits in them R1 and column 11 would be R11 and column 1.
    rows = ["".join(letters) for letters in itertools.islice(itertools.product(string.ascii_uppercase, repeat=1 if side <= 26 else 2), side)]
    columns = list(range(1, n // side + 1))
    ids = [f"{row}{column}" for row in rows for column in columns]
    sensors = {kind: [{"sensor_id": f"{prefix}-{place}", "interseccion": f"INT-{place}"} for place in ids]
               for kind, prefix in (("cameras", "CAM"), ("inductive_loops", "ESP"), ("gps", "GPS"))}
    return {"name": f"{len(ids)} intersections", "grid": {"rows": rows, "columns": columns}, "sensors": sensors}


def sizes(arguments):
    rows = []
    while (size := 10 ** (len(rows) + 3)) <= arguments.max_rows:
        rows.append(size)
    return {"intersections": [n for n in INTERSECTIONS if n <= arguments.max_intersections], "clients": list(CLIENTS), "rows": rows}


class Growth:
    def __init__(self, arguments, progress):
        self.arguments, self.progress = arguments, progress
        self.lab = CityLab()
        self.generator = arguments.build / "perf" / "generator"

    def up(self, *more):
        self.lab.up("--input", "relay", "--set", "control.policy=rules", *more)

    def probe(self, title, **more):
        probes = []
        for i in range(self.arguments.runs):
            probe = Probe(self.lab, self.generator, self.arguments.rate, self.arguments.seconds, **more).run(
                lambda said: self.progress.show(f"{title}: second {said['seconds']:.0f} of {self.arguments.seconds:.0f}"))
            self.progress.say(f"{title}: {words(probe)}")
            probes.append(probe)
        probes.sort(key=lambda probe: probe["cpu_us_per_event_all"])
        return probes[len(probes) // 2] | {"cpu_us_per_event_runs": [probe["cpu_us_per_event_all"] for probe in probes]}

    def intersections(self, counts):
        for n in counts:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(city_of(n), file)
                file.flush()
                self.up("--city", file.name)
                yield n, self.probe(f"{n} intersections", city=Path(file.name))

    def clients(self, counts):
        self.up()
        for n in counts:
            yield n, self.probe(f"{n} clients of each sensor", clients=n)

    def rows(self, counts):
        self.up()
        for n in counts:
            self.fill(n)
            probe = self.probe(f"{n} rows")
            yield n, probe | {"questions": {link: self.ask(*place) for link, place in LINKS.items()}}

    def fill(self, n):
        while (lacking := n - min(self.lab.stored().values())) > 0:
            def tell(said):
                self.progress.show(f"filling up to {n} rows: {said['acknowledged']} of {lacking}")
            Probe(self.lab, self.generator, FILL_RATE, lacking / FILL_RATE, drain=lacking / 1000 + 60).fill(tell)

    def ask(self, machine, port):
        """Seconds from question to answer: the last ten events of an intersection, again and again."""
        question = {"command": "QUERY_EVENTS", "interseccion": "INT-B2", "limit": 10}
        durations = []
        with self.lab.context.socket(zmq.REQ) as asker:
            asker.linger = 0
            asker.connect(f"tcp://{ADDRESS[machine]}:{port}")
            for _ in range(WARM_UP + N_QUESTIONS):
                begun = time.monotonic()
                asker.send_json(question)
                answer = asker.recv()
                durations.append(time.monotonic() - begun)
        said = json.loads(answer)
        if said.get("status") not in ("OK", "FAILOVER"):
            raise SystemExit(f"the question was refused: {answer.decode()}")
        durations = sorted(durations[WARM_UP:])
        return {"n": len(durations), "p50": statistics.median(durations), "p99": durations[int(len(durations) * 0.99)], "max": durations[-1]}


def estimate(todo, probe_sec):
    """Seconds for each part."""
    return {part: sum({"intersections": UP_SEC + probe_sec, "clients": probe_sec, "rows": probe_sec + size / FILL_PER_SEC}[part] for size in sized)
            + UP_SEC for part, sized in todo.items()}


def run(arguments, command):
    todo = {part: sized for part, sized in sizes(arguments).items() if part in (arguments.part or PARTS)}
    needed = estimate(todo, arguments.runs * (arguments.seconds + AFTER_SEC))
    progress = Progress(sum(needed.values()))
    growth = Growth(arguments, progress)
    for i, (part, sized) in enumerate(todo.items()):
        heading = results.heading("growth", command)
        progress.say(f"[{i + 1}/{len(todo)}] {part}: the city starts")
        measured = [{"size": size} | probe for size, probe in getattr(growth, part)(sized)]
        results.write_json(arguments.results / f"growth-{part}.json", heading | {"part": part, "sizes": measured})
        results.write_csv(arguments.results / f"growth-{part}.csv",
                          [{part: one["size"], "cpu_us_per_event": one["cpu_us_per_event_all"], "events_per_second": one["events_per_second"]}
                           for one in measured])
        progress.expect(sum(list(needed.values())[i + 1:]))
    growth.lab.down()
