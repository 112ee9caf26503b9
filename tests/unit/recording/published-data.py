"""Real published data through the converter: each hour of the recording holds exactly the vehicles that the source says.

    published-data.py TRAFFIC-RECORDING CITY SOURCE-ROOT

The data belongs to others and is not shipped (config/recordings/README.md says where the public gets it). It is looked for in the
directory that OLAVERDE_DATA names, else in ../shared/data beside the checkout; without it the test says so and is skipped (77)."""
import csv
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

recorder, city, source_root = sys.argv[1:4]
data = Path(os.environ.get("OLAVERDE_DATA") or Path(source_root).resolve().parent / "shared/data")
counts_file = data / "counts/metro_interstate_traffic_volume.csv"
detectors = data / "mndot5min"


def run(*arguments):
    return subprocess.run([recorder, *map(str, arguments)], check=True, capture_output=True, text=True)


def hourly_counts():
    """First value of each hour, read without the converter."""
    counts = {}
    with open(counts_file, newline="") as file:
        for row in csv.DictReader(file):
            hour = datetime.datetime.strptime(row["date_time"], "%m/%d/%y %H:%M")
            counts.setdefault(hour, int(row["traffic_volume"]))
    return counts


def week_sums(first_day, directory):
    recording = Path(directory) / "week.jsonl.gz"
    run("convert", "--from", "uci-traffic-volume", counts_file, "--city", city, "--from-date", first_day.date(), "--days", 7, "-o", recording)
    run("check", "--city", city, recording)
    info = json.loads(run("info", "--json", "--hours", recording).stdout)
    return {datetime.datetime.strptime(h["hour"], "%Y-%m-%dT%H:%M:%SZ"): h for h in info["hours"]}


def check_week(counts, first_day, directory):
    converted = week_sums(first_day, directory)
    for index in range(7 * 24):
        hour = first_day + datetime.timedelta(hours=index)
        got = converted.get(hour, {"vehicles": 0, "events": {"espira": 0}})
        assert got["vehicles"] == counts.get(hour, 0), f"{hour}: expected {counts.get(hour)} vehicles, got {got['vehicles']}"
        assert (got["events"]["espira"] > 0) == (hour in counts), f"{hour}: a gap has no events and an hour has some"
    return sum(hour["vehicles"] for hour in converted.values())


def main():
    missing = [str(path) for path in (counts_file, detectors) if not path.exists()]
    if missing:
        print(f"skipped: the published data is absent ({', '.join(missing)}). Set OLAVERDE_DATA to where it is; "
              "config/recordings/README.md says where to get it.")
        return 77
    counts = hourly_counts()
    with tempfile.TemporaryDirectory() as directory:
        # with gaps, with the end of summer time, and a week without a gap
        for day in ("2012-10-08", "2012-11-01", "2017-05-01"):
            first_day = datetime.datetime.fromisoformat(day)
            print(f"week of {day}: {check_week(counts, first_day, directory):.0f} vehicles, every hour exact")
        for name, form in (("speed_6005", "mndot-speed"), ("speed_t4013", "mndot-speed"), ("speed_7578", "mndot-speed"),
                           ("occupancy_6005", "mndot-occupancy"), ("occupancy_t4013", "mndot-occupancy")):
            recording = Path(directory) / f"{name}.jsonl.gz"
            told = run("convert", "--from", form, detectors / f"{name}.csv", "--city", city, "--days", 3, "-o", recording).stderr
            run("check", "--city", city, recording)
            print(f"{name}: {told.splitlines()[-2]}")
    return 0


sys.exit(main())
