"""What a run shows of itself while it runs: a small file that `lab watch` reads. Nobody waits for anybody."""
import json
import os
import time

from drive.scenarios import TOP

PLACE = TOP / ".lab/live"
EVERY_SEC = 0.25
FRESH_SEC = 5
HALTED_BELOW_MPS = 0.1


class Live:
    def __init__(self, title, network, displays, sensors, end=None):
        self.title, self.end = title, end
        self.network, self.displays, self.sensors = network, displays, sensors
        PLACE.mkdir(parents=True, exist_ok=True)
        self.path = PLACE / f"{os.getpid()}.json"
        self.written = 0.0

    def show(self, second):
        if time.monotonic() - self.written < EVERY_SEC:
            return
        self.written = time.monotonic()
        shown = {"title": self.title, "second": second, "end": self.end,
                 "intersections": [self.intersection(one, second) for one in self.network.intersections]}
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(shown))
        new.rename(self.path)

    def intersection(self, one, second):
        display = self.displays[one.id]
        clearing = display.clearing(second)
        approaches = {}
        for lane, sight in self.sensors.of_intersection[one.id]:
            of_approach = approaches.setdefault(lane.approach.id, {"name": lane.approach.id, "queue": 0, "colour": "r"})
            of_approach["queue"] += sum(1 for _, speed, _ in sight.vehicles if speed < HALTED_BELOW_MPS)
            if lane.groups & display.green:
                of_approach["colour"] = "G"
            elif lane.groups & clearing and of_approach["colour"] == "r":
                of_approach["colour"] = "y"
        return {"id": one.id, "row": one.row, "column": one.column, "approaches": list(approaches.values())}

    def close(self):
        self.path.unlink(missing_ok=True)


def newest():
    """The file of the run that has written last, if one runs."""
    files = [(path.stat().st_mtime, path) for path in PLACE.glob("*.json")]
    if files and time.time() - max(files)[0] < FRESH_SEC:
        return max(files)[1]
    return None
