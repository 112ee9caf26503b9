"""Results of runs: a file of JSON lines that only grows, and the table that tests/lab/README.md shows, made from it.

    PYTHONPATH=tests/lab python3 -m faults.results            writes the table into tests/lab/README.md
"""
import json
import statistics
from pathlib import Path

from faults.cases import CASES
from faults.machines import TOP

RESULTS = TOP / ".lab" / "faults.jsonl"
README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- table of cases: written by faults.results -->", "<!-- end of table -->"


# What a run adds up to; all must be 0.
VERDICTS = ("lost", "waiting", "duplicate", "corrupt", "strange", "unaccounted", "in_one_store_only")


def packages():
    """What the packages were built from, as `lab` notes it."""
    stamp = TOP / ".lab" / "packages" / "source"
    return stamp.read_text().strip()[:12] if stamp.exists() else ""


def append(result):
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "a") as file:
        file.write(json.dumps({**result, "packages": packages()}) + "\n")


def passed():
    """Names of the cases whose last run with the present packages was good."""
    last = {result["case"]: result["is_good"] for result in read() if result["packages"] == packages()}
    return {name for name, is_good in last.items() if is_good}


def read(path=RESULTS):
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def spread(values):
    """Median and maximum in seconds, as the table shows them."""
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.2f} / {max(known):.2f}" if known else ""


def table(results):
    lines = ["| case | what is done | runs | readings | lost | duplicated | corrupt | detected, s | recovered, s |",
             "|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    totals = dict.fromkeys(("acknowledged", "lost", "duplicate", "corrupt"), 0)
    n_runs = 0
    for case in CASES:
        runs = [result for result in results if result["case"] == case.name]
        if not runs:
            continue
        sums = {name: sum(run[name] for run in runs) for name in totals}
        for name in totals:
            totals[name] += sums[name]
        n_runs += len(runs)
        cells = (case.name, case.does, len(runs), *sums.values(), spread(run["detection_sec"] for run in runs),
                 spread(run["recovery_sec"] for run in runs))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append("| " + " | ".join(map(str, ("**all**", "", n_runs, *totals.values(), "", ""))) + " |")
    return "\n".join(lines)


def main():
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n\n{table(read())}\n\n{END}{after}")


if __name__ == "__main__":
    main()
