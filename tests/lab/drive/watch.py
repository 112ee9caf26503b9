"""`lab watch`: the city from above while it runs: queues and lights of every approach.

Without arguments it shows what runs already: a drive, a lab whose traffic SUMO makes, or else any lab, by what analytics answers. With a
scenario or a network it starts one run of its own, in SUMO-GUI where there is a screen. A light is G, y or r (? until it is heard
of), and on a terminal coloured too, unless NO_COLOR is set.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import zmq

from drive import live
from drive.__main__ import FIRST_SEED, POLICIES, chosen_scenarios, positive
from drive.jobs import Condition, Job
from drive.network import Network
from drive.scenarios import END_SEC, TOP
from drive.signals import CannotMap

REDRAW_SEC = 0.5
CELL = 19
BAR_MOST = 7
COLOURS = {"G": "\x1b[32m", "y": "\x1b[33m", "r": "\x1b[31m", "?": ""}
PLAIN, HOME, CLEAR_REST, HIDE, SHOW = "\x1b[0m", "\x1b[H", "\x1b[J", "\x1b[?25l", "\x1b[?25h"
QUERIES_PORT, REPORTS_PORT = 5561, 5570
PATIENCE_MS = 1000


# --- drawing ---

def draw(shown, width, height, in_colour=False):
    """The picture as text: a cell for each intersection where it lies in the grid. A light is a letter; colours only say it once more."""
    rows = sorted({one["row"] for one in shown["intersections"]})
    columns = sorted({one["column"] for one in shown["intersections"]})
    fitting = columns[:max(1, width // CELL)]
    cells = {(one["row"], one["column"]): one for one in shown["intersections"]}
    until = f" of {shown['end']}" if shown.get("end") else ""
    second = f", second {shown['second']}{until}" if shown.get("second") is not None else ""
    halted = sum(approach["queue"] for one in shown["intersections"] for approach in one["approaches"])
    lines = [f"{shown['title']}{second}: {halted} vehicles halted"[:width], ""]
    for row in rows:
        in_row = [cells.get((row, column)) for column in fitting]
        deep = max(len(one["approaches"]) if one else 0 for one in in_row)
        lines.append("".join(f"{one['id'] if one else '':{CELL}}" for one in in_row))
        for place in range(deep):
            lines.append("".join(draw_approach(one, place, in_colour) for one in in_row))
        lines.append("")
    if len(fitting) < len(columns):
        lines.append(f"({len(columns) - len(fitting)} more columns need a wider terminal)")
    return lines[:height - 1]


def draw_approach(one, place, in_colour):
    if not one or place >= len(one["approaches"]):
        return " " * CELL
    approach = one["approaches"][place]
    queue = approach["queue"]
    bar = "#" * min(queue, BAR_MOST) + ("+" if queue > BAR_MOST else "")
    text = f" {approach['name']:3} {approach['colour']} {bar:{BAR_MOST + 1}} {queue:3}".ljust(CELL)
    return f"{COLOURS[approach['colour']]}{text}{PLAIN}" if in_colour else text


def show(look, is_over=lambda: False):
    """Draws what look() says until it says nothing any more."""
    is_terminal = sys.stdout.isatty()
    in_colour = is_terminal and not os.environ.get("NO_COLOR")
    if is_terminal:
        print(HIDE + "\x1b[2J", end="")
    try:
        while not is_over():
            shown = look()
            if shown:
                size = shutil.get_terminal_size()
                lines = draw(shown, size.columns, size.lines if is_terminal else 1000, in_colour)
                print((HOME if is_terminal else "") + "\n".join(line + ("\x1b[K" if is_terminal else "") for line in lines)
                      + (CLEAR_REST if is_terminal else ""), flush=True)
            elif shown is None:
                break
            time.sleep(REDRAW_SEC)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        os._exit(0)  # whoever read has gone; flushing at the end would only complain again
    finally:
        if is_terminal:
            print(SHOW)


# --- what runs already ---

def look_at_file():
    path = live.newest()
    try:
        return json.loads(path.read_text()) if path else None
    except OSError:
        return {}


class Lab:
    """Any lab: lights from the signal service's reports, queues by asking analytics."""

    def __init__(self, city, address):
        self.city = json.loads(Path(city).read_text())
        context = zmq.Context.instance()
        self.reports = context.socket(zmq.SUB)
        self.reports.subscribe(b"")
        self.reports.connect(f"tcp://{address}:{REPORTS_PORT}")
        self.queries = context.socket(zmq.REQ)
        self.queries.req_relaxed = self.queries.req_correlate = 1
        self.queries.connect(f"tcp://{address}:{QUERIES_PORT}")
        for socket in (self.reports, self.queries):
            socket.linger = 0
        self.colours = {}

    def hear(self):
        while self.reports.poll(0):
            report = json.loads(self.reports.recv())
            if report.get("report") in ("CHANGE", "STATE"):
                self.colours[report["interseccion"]] = {way: report[f"state_{way.lower()}"] for way in ("NS", "EW")}

    def queue(self, intersection):
        self.queries.send_json({"command": "QUERY_INTERSECTION", "interseccion": intersection})
        if not self.queries.poll(PATIENCE_MS):
            return 0
        readings = (self.queries.recv_json().get("data") or {}).get("current_readings") or {}
        return int(readings.get("Q") or 0)

    def look(self):
        self.hear()
        shown = []
        for one in listed(self.city):
            queue, colours = self.queue(one["id"]), self.colours.get(one["id"], {})
            shown.append(one | {"approaches": [
                {"name": way, "queue": queue if way == "NS" else 0, "colour": letter(colours.get(way))}
                for way in ("NS", "EW")]})
        return {"title": f"{self.city['name']} (queues are of the whole intersection)", "intersections": shown}


def letter(state):
    """Of a direction's light as reports have it; of one that nothing has been heard of yet, a question mark."""
    return {"GREEN": "G", "RED": "r"}.get(state, "?")


def listed(city):
    """The city's intersections with their places, whether the file lists them or not."""
    if "intersections" in city:
        return [{key: one[key] for key in ("id", "row", "column")} for one in city["intersections"]]
    return [{"id": f"INT-{row}{column}", "row": row, "column": column} for row in city["grid"]["rows"] for column in city["grid"]["columns"]]


# --- a run of its own ---

def run_shown(scenario, policy, speed):
    directory = TOP / ".lab/drive/runs" / f"watch-{os.getpid()}"
    has_screen = bool(os.environ.get("DISPLAY"))
    job = Job(scenario, policy, Condition(), FIRST_SEED, directory, is_shown=has_screen)
    directory.mkdir(parents=True)
    specification = directory / "run.json"
    specification.write_text(json.dumps(job.specification() | {"speed": speed}))
    child = subprocess.Popen([TOP / "tests/harness/in-namespace", sys.executable, "-B", "-m", "drive.run", specification],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    file = live.PLACE / f"{child.pid}.json"
    said = []

    def look():
        try:
            return json.loads(file.read_text())
        except OSError:
            return {}
    try:
        if has_screen:
            print("SUMO-GUI shows it; close its window or press Ctrl-C to end it.")
            said = child.stdout.readlines()
        else:
            show(look, lambda: child.poll() is not None)
    except KeyboardInterrupt:
        pass
    finally:
        child.send_signal(2)
        said = said or child.stdout.readlines()
        child.wait()
        shutil.rmtree(directory, ignore_errors=True)
    problem = next((json.loads(line)["failed"] for line in said if line.startswith('{"failed"')), None)
    if problem:
        sys.exit(f"lab watch: {problem}")


def main():
    parser = argparse.ArgumentParser(prog="lab watch", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", action="append", metavar="NAME", help="start one run of this traffic")
    parser.add_argument("--net", type=Path, help="or of any SUMO network with traffic lights ...")
    parser.add_argument("--routes", type=Path, help="... and its demand")
    parser.add_argument("--policy", choices=POLICIES, default="planner")
    parser.add_argument("--speed", type=positive, default=5, help="simulated seconds a second (default: 5)")
    parser.add_argument("--begin", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--end", type=positive, default=END_SEC, help=argparse.SUPPRESS)
    parser.add_argument("--lab", nargs=2, metavar=("CITY", "ADDRESS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.scenario or options.net:
        [scenario, *_] = chosen_scenarios(parser, options)
        try:
            Network(scenario.net)
        except (CannotMap, OSError) as error:
            sys.exit(f"lab watch: {scenario.net}: {error}")
        run_shown(scenario, options.policy, options.speed)
    elif live.newest():
        show(look_at_file)
    elif options.lab:
        show(Lab(*options.lab).look)
    else:
        sys.exit("lab watch: nothing runs. Try: ./lab watch --scenario city_peak, or ./lab up first")


if __name__ == "__main__":
    main()
