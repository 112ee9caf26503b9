"""The table of a drive: for people, as JSON, as CSV and as a plot. Of several drives as one, with the table as Markdown on standard
output:

    PYTHONPATH=tests/lab python3 -B -m drive.table OUTPUT-DIRECTORY TABLE.json...
"""
import csv
import json
import statistics
import sys
from pathlib import Path

from drive import measures

COLUMNS = ("scenario", "policy", "condition", *measures.FIGURES, "delay_min", "delay_max", "ambulances", "ambulance", "ambulance_worst",
           "seeds", "trips", "valid", "problem")
NAMES = {"sumo-static": "SUMO static", "sumo-actuated": "SUMO actuated", "sumo-delay_based": "SUMO delay_based"}
COLOURS = {"sumo-static": "#c8c8c8", "sumo-actuated": "#9a9a9a", "sumo-delay_based": "#6b6b6b", "fixed": "#e6c9a8", "rules": "#d9a066",
           "actuated": "#8fbcd4", "max-pressure": "#4a90b8", "planner": "#2e8b57"}


def rows(jobs):
    """One row for each scenario, policy and condition, in the order of the jobs, of what has been done so far."""
    groups = {}
    for job in (job for job in jobs if job.result):
        groups.setdefault((job.scenario.name, job.policy, job.condition.name), []).append(job.result)
    return [row(*key, results) for key, results in groups.items()]


def row(scenario, policy, condition, results):
    made = {"scenario": scenario, "policy": policy, "condition": condition}
    valid = [result for result in results if result.get("valid")]
    if valid:
        made |= measures.summary(valid)
    else:
        made |= dict.fromkeys(measures.FIGURES)
    ratios = [ratio for result in valid for ratio in result.get("ambulances", ())]
    if ratios:
        made |= {"ambulances": len(ratios), "ambulance": round(statistics.median(ratios), 3), "ambulance_worst": round(max(ratios), 3)}
    problems = [result.get("problem", "not run") for result in results if not result.get("valid")]
    return made | {"valid": not problems} | ({"problem": problems[0]} if problems else {})


def text(made):
    head = f"{'scenario':12} {'policy':18} {'condition':26} {'delay, s/trip':>20} {'travel, s':>10} {'trips/h':>8} {'stops':>6} {'worst, s':>9}"
    lines, before = [head], None
    for one in made:
        if before not in (None, one["scenario"]):
            lines.append("")
        before = one["scenario"]
        name = NAMES.get(one["policy"], one["policy"])
        start = f"{one['scenario']:12} {name:18} {one['condition']:26} "
        if one["delay"] is None:
            lines.append(f"{start}INVALID: {one['problem']}")
            continue
        spread = f"({one['delay_min']:.1f}..{one['delay_max']:.1f})" if one["seeds"] > 1 else ""
        line = (f"{start}{one['delay']:6.2f} {spread:>13} {one['travel_time']:10.1f} {one['throughput']:8.0f} {one['stops']:6.2f} "
                f"{one['worst_trip']:9.0f}")
        if "ambulance" in one:
            line += f"  {one['ambulances']} ambulances: {one['ambulance']:.2f} x free flow, the slowest {one['ambulance_worst']:.2f}"
        lines.append(line if one["valid"] else f"{line}  INVALID: {one['problem']}")
    return "\n".join(lines)


def as_json(made):
    return json.dumps(made, indent=1)


def keep(made, directory):
    """What there is by now: a long drive may be ended before its end."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "table.json").write_text(as_json(made) + "\n")


def write(made, directory):
    keep(made, directory)
    with open(directory / "table.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(made)
    plot(made, directory / "delay.png")


def plot(made, path):
    """Delay by scenario and policy, of the runs to which nothing else was done; the range of the seeds as a line."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    made = [one for one in made if one["delay"] is not None and not one["condition"]]
    scenarios = list(dict.fromkeys(one["scenario"] for one in made))
    policies = [policy for policy in COLOURS if any(one["policy"] == policy for one in made)]
    if not made:
        return
    figure, axes = pyplot.subplots(figsize=(max(5, 1.6 * len(scenarios) + 2), 4))
    width = 0.85 / len(policies)
    for place, policy in enumerate(policies):
        for one in (one for one in made if one["policy"] == policy):
            x = scenarios.index(one["scenario"]) + (place - (len(policies) - 1) / 2) * width
            axes.bar(x, one["delay"], width, color=COLOURS[policy])
            axes.plot([x, x], [one["delay_min"], one["delay_max"]], color="black", linewidth=0.8)
        axes.bar(0, 0, color=COLOURS[policy], label=NAMES.get(policy, policy))
    axes.set_xticks(range(len(scenarios)), scenarios)
    axes.set_ylabel("delay, seconds a trip")
    # A controller that lets the network jam is far off; what compares the others must stay visible.
    usual = sorted(one["delay"] for one in made)
    axes.set_ylim(0, min(max(usual) * 1.08, 3 * usual[len(usual) // 2]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def markdown(made):
    lines = ["| scenario | policy | condition | seeds | delay, s/trip | range | travel time, s | trips/h | stops | worst trip, s |",
             "|---|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    for one in made:
        name = NAMES.get(one["policy"], one["policy"])
        name = f"**{name}**" if name == "planner" else name
        start = f"| {one['scenario']} | {name} | {one['condition']} |"
        if one["delay"] is None:
            lines.append(f"{start} | invalid | | | | | |")
            continue
        lines.append(f"{start} {one['seeds']} | {one['delay']:.1f} | {one['delay_min']:.1f}..{one['delay_max']:.1f} | {one['travel_time']:.1f} | "
                     f"{one['throughput']:.0f} | {one['stops']:.2f} | {one['worst_trip']:.0f} |")
    return "\n".join(lines)


def main():
    directory, *files = sys.argv[1:]
    made = {}
    for file in files:  # a later file's row replaces an earlier one's
        made |= {(one["scenario"], one["policy"], one["condition"]): one for one in json.loads(Path(file).read_text())}
    order = list(dict.fromkeys(scenario for scenario, _, _ in made))
    policies = list(COLOURS)
    rows_made = sorted(made.values(), key=lambda one: (order.index(one["scenario"]), bool(one["condition"]), policies.index(one["policy"])))
    write(rows_made, Path(directory))
    print(markdown(rows_made))


if __name__ == "__main__":
    main()
