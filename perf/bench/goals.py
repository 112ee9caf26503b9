"""What the system is to reach, and what of that the files in perf/results say: a row for each goal.

The reference is the first implementation, in Python: 500 events/s into both databases, 1.9 ms of CPU and 106 MiB. Its figures, and so the
goals, are of two shared cores."""
from bench.results import spread

LOWEST_RATE, LATENCY_RATE, MILLION = 300, 20000, 1e6
REQUEST = "request to the lights"


def runs_at(load, rate):
    """The runs that sustained this rate."""
    return [probe for probe in load["probes"] if probe["rate"] == rate and probe["is_sustained"]]


def confirmed(load):
    """The runs at the highest rate that was sustained, every one of them."""
    rates = [probe["rate"] for probe in load["probes"] if probe["is_sustained"]]
    return runs_at(load, load["sustained_events_per_second"] or max(rates)) if rates else []


def requests(runs, quantile):
    """Of the runs in which readings brought requests to the lights."""
    return [run["stages"][REQUEST][quantile] for run in runs if run["stages"][REQUEST]["n"]]


def spread_words(values, scale=1, digits=1):
    found = {part: f"{value * scale:.{digits}f}" for part, value in spread(values).items()}
    return found["median"] if len(values) == 1 else f"{found['median']} ({found['min']} to {found['max']})"


def of_load(load):
    command = load["command"]
    best, low, fast = confirmed(load), runs_at(load, LOWEST_RATE), runs_at(load, LATENCY_RATE)
    rows = []
    if best:
        rows.append(["G1 events/s into both databases, custody", "50 000", spread_words([probe["rate"] for probe in best], digits=0), len(best), command])
        rows.append(["G2 CPU for an event, us", "25", spread_words([probe["cpu_us_per_event_all"] for probe in best]), len(best), command])
    if requests(low, "p50"):
        rows.append([f"G3 sensor to command at {LOWEST_RATE}/s, p50 ms", "0.25",
                     spread_words(requests(low, "p50"), 1000, 2), len(requests(low, "p50")), command])
    rows.append([f"G3 sensor to command at {LATENCY_RATE}/s, p99 ms", "5",
                 spread_words(requests(fast, "p99"), 1000, 1) if requests(fast, "p99") else "not sustained", len(requests(fast, "p99")), command])
    if low:
        rows.append([f"G7 memory of all services at {LOWEST_RATE}/s, MiB", "42",
                     spread_words([sum(probe["pss_bytes"].values()) / 2**20 for probe in low], digits=0), len(low), command])
    for who, words in (("process", "from main() to READY"), ("systemd", "from a unit's start to READY, its sandbox included")):
        starts = [seconds for of_unit in load["start_seconds"][who].values() for seconds in of_unit]
        rows.append([f"G7 {words}, ms", "30", spread_words(starts, 1000, 0), len(starts), command])
    return rows


def of_growth(growth):
    first, last = growth["sizes"][0], growth["sizes"][-1]
    ratios = [cost / first["cpu_us_per_event_all"] for cost in last["cpu_us_per_event_runs"]]
    rows = [[f"G8 an event's cost at {last['size']:.0f} {growth['part']} to the median at {first['size']:.0f}", "1", spread_words(ratios, digits=2),
             len(ratios), growth["command"]]]
    for size in growth["sizes"]:
        if size["size"] == MILLION and "questions" in size:
            for link, goal in (("store", "150"), ("analytics", "300")):
                asked = size["questions"][link]
                rows.append([f"G4 last ten events of 1 000 000, {'at the store' if link == 'store' else 'through 5561'}, p50 us", goal,
                             f"{asked['p50'] * 1e6:.0f} (p99 {asked['p99'] * 1e6:.0f})", asked["n"], growth["command"]])
    return rows


def of_peers(peers):
    titles = {name: side["title"] for name, side in peers["sides"].items()}
    return [[f"{'G5' if peers['sides'][ratio['of']]['group'] == 'broker' else 'G6'} {titles[ratio['of']]} to {titles[ratio['to']]}, events/s",
             f"{ratio['wanted']:g}", f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})", peers["rounds"], peers["command"]]
            for ratio in peers["ratios"] if ratio["wanted"] is not None]


def rows(results):
    """[[what, goal, median (least to most), runs, command]], by goal."""
    found = []
    if ("standard", "custody") in results.loads:
        found += of_load(results.loads["standard", "custody"])
    for growth in results.growths.values():
        found += of_growth(growth)
    if results.peers:
        found += of_peers(results.peers)
    return sorted(found, key=lambda row: row[0][:2])
