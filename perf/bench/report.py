"""lab bench report: five pages at most, HTML and PDF, of what the files in perf/results say.

Nothing is measured here, and no figure stands here but the goals (goals.py): the report of other results says other things. What was not measured is named with the
command that measures it."""
import html
import json
import statistics
import sys
from pathlib import Path

from bench import goals, plots
from bench.citylab import TOP
from bench.goals import confirmed, spread_words
from bench.load import RATES

MODES = ("standard", "threaded")
# What a service does for each event: which part of the work its microseconds are.
WORK = {
    "traffic-sensor@camera": "sensors", "traffic-sensor@inductive": "sensors", "traffic-sensor@gps": "sensors",
    "traffic-broker": "broker", "traffic-analytics": "analytics", "traffic-signal": "signal",
    "traffic-store@replica": "replica store", "traffic-store@primary": "primary store",
}
LIFTS = {
    "sensors": "a packet and an answer for each reading cross the relay socket in system calls of their own",
    "broker": "it reads an event as a whole to check it, and puts it into its spool on disk",
    "analytics": "it reads the event once more, judges its number, writes the record into the outbox and sends it twice",
    "signal": "it hears requests only, not events",
    "replica store": "a record is read, checked, summed and put into a table with three indexes",
    "primary store": "a record is read, checked, summed and put into a table with three indexes",
}
PLOT = "age-by-rate.svg"
N_BARS = 5  # of the highest rates: at the lowest an event costs twenty times as much
STYLE = """
@page { size: A4; margin: 14mm; }
body { font: 9.5pt/1.35 sans-serif; max-width: 186mm; margin: auto; color: #111; }
h1 { font-size: 17pt; margin: 0 0 2mm; } h2 { font-size: 12pt; margin: 5mm 0 1mm; }
table { border-collapse: collapse; margin: 1mm 0 2mm; } td, th { padding: .3mm 2.5mm; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; padding-left: 0; }
.row { display: flex; gap: 4mm; align-items: flex-start; } .row > * { flex: 1; } figure { margin: 0; break-inside: avoid; } figcaption { font-size: 8pt; color: #444; }
code { font-size: 8.5pt; } svg { max-width: 100%; height: auto; } .absent { color: #777; }
.close { font-size: 8.5pt; } .close td { white-space: nowrap; } tr { break-inside: avoid; }
"""


def options(parser):
    parser.add_argument("--output", type=Path, default=TOP / "perf" / "report", help="directory of report.html, report.pdf and the plot of README.md")


# --- numbers as text ---

def ms(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.2f}" if seconds < 0.1 else f"{seconds * 1000:.0f}"


def number(value):
    return f"{value:,.0f}".replace(",", " ")


def table(header, rows):
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{cell}</th>' for cell in header)}</tr>{cells}</table>"


def figure(svg, caption):
    return f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>"


def absent(what, command):
    return f'<p class="absent">{what} was not measured: <code>{command}</code></p>'


# --- what there is ---

class Results:
    def __init__(self, directory):
        def read(pattern):
            return [json.loads(path.read_text()) for path in sorted(directory.glob(pattern))]

        self.scenarios = {one["scenario"]: one for one in read("scenario-*.json")}
        self.loads = {(one["mode"], one["protocol"]): one for one in read("load-*.json")}
        self.growths = {one["part"]: one for one in read("growth-*.json")}
        self.peers = next(iter(read("peers.json")), None)
        self.all = [*self.scenarios.values(), *self.loads.values(), *self.growths.values(), *([self.peers] if self.peers else [])]


def custody_loads(results):
    return {mode: results.loads[mode, "custody"] for mode in MODES if (mode, "custody") in results.loads}


def best_probe(load):
    """One of those at the highest rate that was sustained: that of the median cost."""
    runs = sorted(confirmed(load), key=lambda probe: probe["cpu_us_per_event_all"])
    return runs[len(runs) // 2] if runs else None


def by_rate(load):
    """{rate: the runs that sustained it}, from the lowest: those of the sweep up to the confirmed one. What the search found above that depended on
    the moment."""
    confirmed_rates = {run["rate"] for run in confirmed(load)}
    swept = {rate for rate in RATES if confirmed_rates and rate < max(confirmed_rates)}
    return {rate: runs for rate in sorted(swept | confirmed_rates) if (runs := goals.runs_at(load, rate))}


def by_work(probe):
    """{part of the work: CPU microseconds for an event}."""
    parts = {}
    for unit, usec in probe["cpu_us_per_event"].items():
        parts[WORK[unit]] = parts.get(WORK[unit], 0) + usec
    return parts


# --- the parts of the report ---

def machine_part(results):
    first = results.all[0]
    machine = first["machine"]
    dates = sorted({one["date"] for one in results.all})
    commits = sorted({str(one["commit"]) for one in results.all})
    loads = [one["machine"]["load_before"] for one in results.all]
    return (f"<p>{html.escape(machine['cpu'])}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB, Linux {machine['kernel']}. "
            f"All three machines of the lab share it. Measured {dates[0]}{' to ' + dates[-1] if len(dates) > 1 else ''}, "
            f"commit {html.escape(', '.join(commits))}; load average before the runs {min(loads)} to {max(loads)}.</p>")


def method_part(results):
    commands = list(dict.fromkeys(one["command"] for one in results.all))
    return ("<p>The packages, installed with apt in three machines that systemd runs, with the shipped settings except those that each "
            "bench names (<code>lab bench BENCH --help</code>). Readings enter at the relay sockets of the sensors and count when both "
            "databases have committed them (WAL, synchronous = FULL). Ages are since a reading's due time. Histograms have four buckets for "
            "each doubling, so a quantile is known to an eighth. "
            + ("Beside others everything is a plain process on loopback. " if results.peers else "") + "Commands: "
            + ", ".join(f"<code>{html.escape(command)}</code>" for command in commands) + ".</p>")


def goals_part(results):
    rows = goals.rows(results)
    if not rows:
        return absent("What the goals are about", "lab bench load")
    cells = [[html.escape(str(cell)) for cell in (*row[:4], row[4].split()[2])] for row in rows]
    return f'<div class="close">{table(["", "goal", "median (least to most)", "runs", "lab bench"], cells)}</div>'


def headline_part(results):
    rows = []
    for (mode, protocol), load in sorted(results.loads.items()):
        runs = confirmed(load)
        if runs:
            stages = [run["stages"]["primary store has committed"] for run in runs]
            rows.append([f"{mode} broker, {protocol}", number(runs[0]["rate"]), len(runs), spread_words([run["cpu_us_per_event_all"] for run in runs]),
                         *(spread_words([stage[quantile] for stage in stages], 1000) for quantile in ("p50", "p99")),
                         spread_words([sum(run["pss_bytes"].values()) / 2**20 for run in runs], digits=0)])
    if not rows:
        return absent("Load", "lab bench load")
    return table(["", "events/s sustained", "runs", "CPU us/event", "on disk p50 ms", "p99 ms", "memory MiB"], rows)


def scenario_part(results):
    if not results.scenarios:
        return absent("The four scenarios", "lab bench scenarios")
    groups, values, errors, charts = {}, {}, {}, {}
    for name, one in results.scenarios.items():
        n = f"{3 * one['sensors_of_each_kind']} sensors"
        groups.setdefault(n, {})[one["mode"]] = one["events_per_second"]["primary"]
        latency = one["light_latency_seconds"]
        if latency["n"]:
            middle = latency["median"] * 1000
            values.setdefault(n, {})[one["mode"]] = middle
            errors.setdefault(n, {})[one["mode"]] = (middle - latency["min"] * 1000, latency["max"] * 1000 - middle)
        charts[name] = [(entry["at"], entry["primary"]) for entry in one["intervals"]]
    rows = [[f"{name}: {3 * one['sensors_of_each_kind']} sensors, {one['interval_seconds'] / one['speed']:g} s, {one['mode']}",
             one["events_per_second"]["primary"], one["events_per_second"]["replica"], one["light_latency_seconds"]["n"],
             *(ms(one["light_latency_seconds"].get(part)) for part in ("min", "median", "max")),
             f"{sum(unit['cpu_percent'] for unit in one['units'].values()):.1f}",
             f"{sum(unit['memory_bytes'] for unit in one['units'].values()) / 2**20:.0f}"] for name, one in results.scenarios.items()]
    bars = figure(plots.grouped_bars(groups, "events/s stored"), "Throughput, by sensors and mode of the broker.")
    if values:
        bars += figure(plots.grouped_bars(values, "ms", errors=errors), "Request to the lights until the interlock takes it: median, from the shortest to the longest.")
    return (table(["scenario", "primary events/s", "replica events/s", "requests", "min ms", "median ms", "max ms", "CPU % of a core", "memory MiB"], rows)
            + f'<div class="row">{bars}</div>' + figure(plots.small_multiples(charts, "events"), "Events that the primary store counted in each interval."))


def age_by_rate(results):
    """The plot that stands in README.md, too; None without what it shows."""
    lines = {}
    for mode, load in custody_loads(results).items():
        for quantile in ("p50", "p99"):
            lines[f"{mode}, {quantile}"] = [(rate, statistics.median(run["stages"]["primary store has committed"][quantile] for run in runs) * 1000)
                                            for rate, runs in by_rate(load).items()]
    return plots.curves(lines, "events/s", "ms", width=5) if lines else None


def load_part(results):
    loads = custody_loads(results)
    if not loads:
        return absent("Load under custody", "lab bench load")
    first = next(iter(loads.values()))
    bars = {f"{number(rate)}/s": by_work(runs[-1]) for rate, runs in list(by_rate(first).items())[-N_BARS:]}
    lowest = min((probe for probe in first["probes"]), key=lambda probe: probe["rate"])
    highest = best_probe(first) or lowest
    rows = [[name, *(ms(probe["stages"][name][quantile]) for probe in (lowest, highest) for quantile in ("p50", "p99"))] for name in lowest["stages"]]
    rows.insert(0, ["acknowledged to the program that handed it in",
                    *(ms(probe["acknowledged"][quantile]) for probe in (lowest, highest) for quantile in ("p50", "p99"))])
    return (table(["age of a reading, ms", f"{number(lowest['rate'])}/s p50", "p99", f"{number(highest['rate'])}/s p50", "p99"], rows)
            + figure(age_by_rate(results), "Age of a reading on the disk of the primary store, by rate.")
            + figure(plots.stacked(bars, "CPU us for each event"), f"Where the microseconds go, at the highest rates ({first['mode']} broker, custody)."))


def growth_part(results):
    if not results.growths:
        return absent("Growth", "lab bench growth")
    shown = ""
    for part, one in results.growths.items():
        shown += figure(plots.curves({"CPU of all services": [(size["size"], size["cpu_us_per_event_all"]) for size in one["sizes"]]}, part, "us/event",
                                     is_log_y=False, width=2.2), f"An event's cost against {part}.")
    rows = ""
    if "rows" in results.growths:
        rows = table(["rows stored", "last ten at the store, p50 us", "p99", "through analytics, p50 us", "p99"],
                     [[number(size["size"]), *(f"{size['questions'][link][quantile] * 1e6:.0f}" for link in ("store", "analytics") for quantile in ("p50", "p99"))]
                      for size in results.growths["rows"]["sizes"]])
    return f'<div class="row">{shown}</div>{rows}'


def peers_part(results):
    if not results.peers:
        return absent("What a user might pick instead", "lab bench peers")
    sides = results.peers["sides"]

    rows = [[side["title"], *(number(side["events_per_second"][part]) for part in ("median", "min", "max")),
             *(f"{side[figure]['median'] / 1000:.2f}" for figure in ("p50_us", "p99_us")), f"{side['cpu_us_per_event']['median']:.1f}"]
            for side in sides.values()]
    compared = [[f"{sides[ratio['of']]['title']} / {sides[ratio['to']]['title']}", *(f"{ratio[part]:.2f}" for part in ("median", "min", "max")),
                 "" if ratio["wanted"] is None else f"{ratio['wanted']:g}"] for ratio in results.peers["ratios"]]
    bars = {side["title"]: tuple(side["events_per_second"][part] for part in ("median", "min", "max")) for side in sides.values()}
    skipped = "; ".join(f"{name}: {reason}" for name, reason in results.peers["skipped"].items())
    return ('<div class="close">' + table(["", "events/s", "least", "most", f"p50 ms at {number(results.peers['latency_rate'])}/s", "p99 ms", "CPU us/event"], rows)
            + table(["events/s, in the same round", "ratio", "least", "most", "wanted"], compared)
            + figure(plots.lying_bars(bars, "events/s"), f"Median, least and most; rounds: {results.peers['rounds']}.")
            + (f'<p class="absent">Left out: {html.escape(skipped)}</p>' if skipped else "") + "</div>")


def analysis_part(results):
    said = []
    loads = custody_loads(results)
    for mode, load in loads.items():
        probe = best_probe(load)
        if not probe:
            continue
        parts = sorted(by_work(probe).items(), key=lambda item: -item[1])
        cores = load["machine"]["cores"]
        ceiling = cores * 1e6 / probe["cpu_us_per_event_all"]
        name, most = parts[0]
        said.append(f"With the {mode} broker an event costs {probe['cpu_us_per_event_all']:.0f} us of CPU at {number(probe['rate'])} events/s. {cores} cores would so carry "
                    f"{number(ceiling)} a second if nothing else ran; {probe['rate'] / ceiling:.0%} of that was sustained. The largest part is that of the {name} "
                    f"({most:.0f} us, {most / probe['cpu_us_per_event_all']:.0%}): {LIFTS[name]}.")
    if len(loads) == 2:
        rates = {mode: load["sustained_events_per_second"] or best_probe(load)["rate"] for mode, load in loads.items() if best_probe(load)}
        if len(rates) == 2:
            said.append(f"Threads of its own for each topic give the broker {rates['threaded'] / rates['standard']:.2f} times the rate of one thread.")
    for mode in MODES:
        both = [results.loads.get((mode, protocol)) for protocol in ("custody", "v0")]
        probes = [best_probe(load) for load in both if load]
        if len(probes) == 2 and all(probes):
            said.append(f"Custody costs: the {mode} broker's city sustains {probes[0]['rate'] / probes[1]['rate']:.2f} times the rate that it does without "
                        f"({number(probes[0]['rate'])} and {number(probes[1]['rate'])} events/s).")
    for part, one in results.growths.items():
        first, last = one["sizes"][0], one["sizes"][-1]
        said.append(f"From {number(first['size'])} to {number(last['size'])} {part} an event costs {last['cpu_us_per_event_all'] / first['cpu_us_per_event_all']:.2f} times as much.")
    if results.peers:
        titles = {name: side["title"] for name, side in results.peers["sides"].items()}
        judged = [f"{titles[ratio['of']]} {ratio['median']:.2f} times {titles[ratio['to']]} (wanted: {ratio['wanted']:g})"
                  for ratio in results.peers["ratios"] if ratio["wanted"] is not None]
        if judged:
            said.append(f"Events/s beside others: {'; '.join(judged)}.")
    medians = [one["light_latency_seconds"]["median"] for one in results.scenarios.values() if one["light_latency_seconds"]["n"]]
    if medians:
        said.append(f"In the study's scenarios the machine idles; a request reaches the interlock within {ms(statistics.median(medians))} ms (median of the scenarios).")
    return "".join(f"<p>{sentence}</p>" for sentence in said)


def page(results):
    parts = [("Machine", machine_part), ("Method", method_part), ("The goals", goals_part), ("Sustained", headline_part), ("What the numbers say", analysis_part),
             ("Load", load_part), ("The study's four scenarios", scenario_part), ("Growth", growth_part),
             ("Beside others", peers_part)]
    body = "".join(f"<h2>{title}</h2>{part(results)}" for title, part in parts)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Ola Verde: performance</title><style>{STYLE}</style><h1>Ola Verde: performance</h1>{body}</html>'


def run(arguments, _):
    from weasyprint import HTML
    results = Results(arguments.results)
    if not results.all:
        raise SystemExit(f"{arguments.results}: no results; run lab bench scenarios, load, growth or peers first")
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = page(results)
    (arguments.output / "report.html").write_text(text)
    if plot := age_by_rate(results):
        (arguments.output / PLOT).write_text(plot)
    document = HTML(string=text).render()
    document.write_pdf(arguments.output / "report.pdf")
    print(f"{arguments.output}/report.html, report.pdf: {len(document.pages)} pages", file=sys.stderr)
