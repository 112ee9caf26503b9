"""What a run's trips say: delay, travel time, throughput, stops, the worst trip; and the figures of several seeds as one row.

Delay of a trip is what it lost by being slower than allowed plus how long it waited to enter. Every trip that was due counts: those
under way at the end with what they have lost so far, those never let in with all the time they waited.
"""
import statistics
import xml.etree.ElementTree as xml

FIGURES = ("delay", "travel_time", "throughput", "stops", "worst_trip")
NEEDS = ["--tripinfo-output.write-unfinished", "--tripinfo-output.write-undeparted"]


def trips(path, without=()):
    """(delay, travel time, stops, has arrived) of each trip but some."""
    for _, trip in xml.iterparse(path):
        if trip.tag != "tripinfo" or trip.get("id") in without:
            continue
        waited = float(trip.get("departDelay"))
        if float(trip.get("depart")) < 0:
            yield waited, waited, 0, False
        else:
            yield (float(trip.get("timeLoss")) + waited, float(trip.get("duration")) + waited, int(trip.get("waitingCount")),
                   float(trip.get("arrival")) >= 0)


def measure(path, seconds, without=()):
    """The figures of one run; `throughput` in trips an hour, times in seconds."""
    rows = list(trips(path, without))
    if not rows:
        raise ValueError(f"{path}: nobody wanted to travel")
    delays, times, stops, arrived = zip(*rows)
    return {"delay": statistics.fmean(delays), "travel_time": statistics.fmean(times), "throughput": sum(arrived) * 3600 / seconds,
            "stops": statistics.fmean(stops), "worst_trip": max(delays), "trips": len(rows), "arrived": sum(arrived)}


def summary(runs):
    """One row of several seeds: medians, and the range of the delay."""
    row = {figure: round(statistics.median(run[figure] for run in runs), 3) for figure in FIGURES}
    row |= {"delay_min": round(min(run["delay"] for run in runs), 3), "delay_max": round(max(run["delay"] for run in runs), 3),
            "seeds": len(runs), "trips": runs[0]["trips"], "valid": all(run.get("valid", True) for run in runs)}
    return row
