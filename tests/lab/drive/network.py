"""The city file (traffic-city(5)) of any SUMO network with traffic lights, and how the two belong together.

    python3 -B -m drive.network X.net.xml > city.json      (or the name of a scenario)

Each light that has something to decide becomes an intersection; where it lies gives its id, INT-<letter><number>. Its approaches are
the streets that end there, named by the side they come from; lanes are those in which vehicles wait for it. A lane that is shorter than
a camera sees goes on upstream, through junctions without lights, as long as it is one way: where several lanes of the stop line begin
in the same lane, that one is a lane of its own which feeds all their movements.
"""
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

from drive.netfile import NetFile
from drive.scenarios import SCENARIOS
from drive.signals import CannotMap, map_light

CAMERA_VIEW_METRES = 100
LOOP_METRES = 150  # before the stop line
LANES_MAX = 32  # common/core/signal-model.h
ALL_RED_SEC, MIN_GREEN_SEC, MAX_RED_SEC = 3, 5, 90
SAME_STREET_METRES = 30  # rows and columns of a grid may be that uneven
ROWS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TURNS = {"s": "T", "l": "L", "L": "L", "r": "R", "R": "R", "t": "U"}


@dataclass(eq=False)
class Approach:
    id: str
    edges: list  # usually one; several when their streets share a signal
    direction: str
    lanes: list = field(default_factory=list)
    upstream: str = ""


@dataclass(eq=False)
class WaitingLane:
    """`pieces`: (SUMO's lane, metres from its end to the stop line), nearest first; `near`: where the first one ends."""
    id: str
    approach: Approach
    groups: set
    pieces: list
    near: float
    length: float
    speed: float

    @property
    def view(self):
        return min(CAMERA_VIEW_METRES, self.length)

    @property
    def loop(self):
        return min(LOOP_METRES, self.length)


@dataclass(eq=False)
class Intersection:
    signals: object
    x: float
    y: float
    approaches: list = field(default_factory=list)
    id: str = ""
    row: str = ""
    column: int = 0

    @property
    def lanes(self):
        return [lane for approach in self.approaches for lane in approach.lanes]


# --- lanes ---

def way_upstream(net, lane, from_stop, until):
    """The pieces of a lane back to `until` metres or to where it is not one way any more, and how far that is."""
    pieces = [(lane.id, from_stop)]
    reached = from_stop + lane.length
    while reached < until:
        before = only_way_in(lane)
        if before is None or len([way for way in before.start.outgoing if not way.is_turnaround]) > 1:
            break
        reached = add_inside(net, before, pieces, reached)
        lane = before.start
        pieces.append((lane.id, reached))
        reached += lane.length
    return pieces, reached, lane


def only_way_in(lane):
    """The connection by which all vehicles come into a lane; None when there are several or a light is on the way."""
    ways = [way for way in lane.incoming if not way.is_turnaround]
    return ways[0] if len(ways) == 1 and not ways[0].light else None


def add_inside(net, connection, pieces, reached):
    """The lane inside the junction, which a vehicle is on for a moment."""
    inside = net.lanes.get(connection.via)
    if inside is None:
        return reached
    pieces.append((inside.id, reached))
    return reached + inside.length


def waiting_lanes(net, approach, signals):
    """The lanes of the approach's edge that end at the light, and those upstream that several of them begin in."""
    made, shared = [], {}
    for lane in (lane for edge in approach.edges for lane in edge.lanes):
        groups = {place for place, group in enumerate(signals.groups) if any(way.start is lane for way in group.connections)}
        if not groups:
            continue
        pieces, length, last = way_upstream(net, lane, 0, LOOP_METRES)
        made.append(WaitingLane(f"{approach.id}_{len(made)}", approach, groups, pieces, 0, length, lane.speed))
        way = only_way_in(last)
        if way is not None and length < CAMERA_VIEW_METRES:
            shared.setdefault(way.start.id, []).append((made[-1], way, length))
    for lane_id, followers in shared.items():
        lane = net.lanes[lane_id]
        ahead = {way.end.id for way in lane.outgoing if not way.is_turnaround}
        # Whatever else it leads to must be among the lanes of this stop line, or who waits there is unknown.
        if len(followers) < 2 or len(ahead) != len(followers):
            continue
        pieces = []
        near = add_inside(net, followers[0][1], pieces, min(length for _, _, length in followers))
        more, length, _ = way_upstream(net, lane, near, LOOP_METRES)
        groups = set().union(*(follower.groups for follower, _, _ in followers))
        made.append(WaitingLane(f"{approach.id}_u{lane.edge.lanes.index(lane)}", approach, groups, pieces + more, near, length, lane.speed))
    return made


# --- approaches and names ---

def heading(edge):
    """Where traffic goes at the end of an edge, as a vector of length 1; x to the east, y to the north."""
    shape = edge.lanes[-1].shape or [(0, 0), (0, 1)]
    (x0, y0), (x1, y1) = shape[-2:] if len(shape) > 1 else (shape[0], shape[0])
    length = math.hypot(x1 - x0, y1 - y0) or 1
    return (x1 - x0) / length, (y1 - y0) / length


def side(vector):
    x, y = vector
    if abs(x) > abs(y):
        return "W" if x > 0 else "E"
    return "S" if y > 0 else "N"


def make_approaches(net, signals):
    """One for each street that has a signal, or for several that share one."""
    streets = []
    for group in signals.groups:
        edges = [] if group.is_crossing else list(dict.fromkeys(way.start.edge for way in group.connections))
        touched = [street for street in streets if set(street) & set(edges)]
        streets = [street for street in streets if street not in touched]
        if edges:
            streets.append(list(dict.fromkeys([edge for street in touched for edge in street] + edges)))
    if not streets:
        raise CannotMap(signals.light, "", "no street has a signal, only crossings")
    approaches = []
    for edges in sorted(streets, key=lambda edges: "NESW".index(side(heading(edges[0])))):
        name = side(heading(edges[0]))
        same = sum(1 for approach in approaches if approach.id[0] == name)
        approaches.append(Approach(f"{name}{same + 1}" if same else name, edges, "NS" if name in "NS" else "EW"))
    if len({approach.direction for approach in approaches}) == 1 and len(approaches) > 1:
        most_other = min if approaches[0].direction == "NS" else max
        turned = most_other(approaches, key=lambda approach: abs(heading(approach.edges[0])[1]))
        turned.direction = "EW" if turned.direction == "NS" else "NS"
    for approach in approaches:
        approach.lanes = waiting_lanes(net, approach, signals)
    return approaches


def name_groups(intersection):
    """By approach and turns; a crossing by the approach that it is green with most often, whose walkers it takes."""
    taken = set()
    for group in intersection.signals.groups:
        approach = approach_of(intersection, group)
        turns = "X" if group.is_crossing else "".join(letter for letter in "TLRU" if letter in {
            TURNS.get(way.turn, "T") for way in group.connections})
        name, number = f"{approach.id}-{turns}", 1
        while name in taken:
            number += 1
            name = f"{approach.id}-{turns}{number}"
        taken.add(name)
        group.id = name


def approach_of(intersection, group):
    if not group.is_crossing:
        return next(approach for approach in intersection.approaches if group.street in approach.edges)
    place = intersection.signals.groups.index(group)

    def shared_phases(approach):
        own = {number for number, other in enumerate(intersection.signals.groups)
               if not other.is_crossing and other.street in approach.edges}
        return sum(1 for phase in intersection.signals.phases if place in phase.greens and own & phase.greens)
    return max(intersection.approaches, key=shared_phases)


def clusters(values):
    """Each value's number in the order of groups of values that lie near each other."""
    numbers, number, before = {}, -1, None
    for value in sorted(values):
        if before is None or value - before > SAME_STREET_METRES:
            number += 1
        numbers[value] = number
        before = value
    return numbers


def name_intersections(intersections):
    """Rows from the north, columns from the west: the network's own grid when it is one, else one made of its order."""
    row_of = clusters(-one.y for one in intersections)
    column_of = clusters(one.x for one in intersections)
    places = {(row_of[-one.y], column_of[one.x]) for one in intersections}
    n_rows, n_columns = (max(numbers.values()) + 1 for numbers in (row_of, column_of))
    if len(places) == len(intersections) and n_rows <= len(ROWS) and n_rows * n_columns <= 2 * len(intersections):
        for one in intersections:
            one.row, one.column = ROWS[row_of[-one.y]], column_of[one.x] + 1
    else:
        width = max(math.ceil(math.sqrt(len(intersections))), math.ceil(len(intersections) / len(ROWS)))
        southward = sorted(intersections, key=lambda one: (-one.y, one.x))
        for start in range(0, len(southward), width):
            for place, one in enumerate(sorted(southward[start:start + width], key=lambda one: one.x)):
                one.row, one.column = ROWS[start // width], place + 1
    for one in intersections:
        one.id = f"INT-{one.row}{one.column}"
    intersections.sort(key=lambda one: (one.row, one.column))


# --- the network ---

class Network:
    """`intersections` in the order of their ids; `left_alone`: lights with nothing to decide, which keep the network's programme."""

    def __init__(self, path):
        self.net = NetFile(path)
        self.intersections, self.left_alone = [], []
        connections = {}
        for connection in self.net.connections():
            if connection.light:
                connections.setdefault(connection.light, {}).setdefault(connection.index, []).append(connection)
        for light, programme in self.net.programmes.items():
            self.add_light(light, programme, connections.get(light, {}))
        if not self.intersections:
            raise CannotMap("(none)", "", f"{path} has no traffic light with anything to decide")
        name_intersections(self.intersections)
        self.lane_of = {piece: (intersection, lane) for intersection in self.intersections for lane in intersection.lanes
                        for piece, _ in lane.pieces}
        self.find_neighbours()

    def add_light(self, light, programme, connections):
        if programme.kind.startswith("rail"):
            return
        signals = map_light(self.net, programme, connections)
        if signals is None:
            self.left_alone.append(light)
            return
        junctions = {way.start.edge.end for group in signals.groups for way in group.connections if not group.is_crossing}
        at = [self.net.junctions[name] for name in sorted(junctions) if name in self.net.junctions]
        intersection = Intersection(signals, sum(one.x for one in at) / len(at), sum(one.y for one in at) / len(at))
        intersection.approaches = make_approaches(self.net, signals)
        while len(intersection.lanes) > LANES_MAX and any(lane.near > 0 for lane in intersection.lanes):
            farther = next(lane for lane in intersection.lanes if lane.near > 0)
            farther.approach.lanes.remove(farther)
        if len(intersection.lanes) > LANES_MAX:
            raise CannotMap(light, "", f"{len(intersection.lanes)} lanes wait for it, at most {LANES_MAX} are possible")
        name_groups(intersection)
        self.intersections.append(intersection)

    def downstream(self, connection):
        """(intersection, lane) that a movement leads to, or None when it leaves the city or the way parts."""
        lane = connection.end
        for _ in range(100):
            if lane.id in self.lane_of:
                return self.lane_of[lane.id]
            ways = [way for way in lane.outgoing if not way.is_turnaround]
            if len(ways) != 1:
                return None
            lane = ways[0].end
        return None

    def find_neighbours(self):
        """Per group the intersection and lanes it leads to, of several turns straight on; per approach who is upstream."""
        self.leads_to, sources = {}, {}
        for intersection in self.intersections:
            for group in intersection.signals.groups:
                found = [(way, self.downstream(way)) for way in group.connections]
                found = sorted([(way, there) for way, there in found if there], key=lambda one: one[0].turn != "s")
                for _, (there, lane) in found:
                    sources.setdefault(lane.approach, set()).add(intersection.id)
                if found:
                    there = found[0][1][0]
                    lanes = [lane for _, (other, lane) in found if other is there]
                    self.leads_to[group] = (there, list(dict.fromkeys(lane.id for lane in lanes)))
        for approach, ids in sources.items():
            if len(ids) == 1:
                [approach.upstream] = ids

    def city(self, name):
        """The city file as an object."""
        rows = sorted({one.row for one in self.intersections})
        columns = sorted({one.column for one in self.intersections})
        sensors = {"cameras": [], "inductive_loops": [], "gps": []}
        for intersection in self.intersections:
            add_sensors(sensors, intersection)
        return {"name": name[:63], "grid": {"rows": rows, "columns": columns},
                "intersections": [self.describe(one) for one in self.intersections], "sensors": sensors}

    def describe(self, one):
        groups, phases = one.signals.groups, one.signals.phases

        def ids(places):
            return [groups[place].id for place in sorted(places)]
        described = {"id": one.id, "row": one.row, "column": one.column, "x": round(one.x, 1), "y": round(one.y, 1),
                     "name": one.signals.light, "approaches": [self.describe_approach(one, approach) for approach in one.approaches],
                     "movements": [self.describe_movement(one, group) for group in groups],
                     "conflicts": [[groups[a].id, groups[b].id] for a, b in sorted(one.signals.conflicts)],
                     "phases": [describe_phase(number, phase, ids) for number, phase in enumerate(phases)],
                     "times": {"min_green_sec": MIN_GREEN_SEC, "yellow_sec": 0, "all_red_sec": ALL_RED_SEC, "max_red_sec": longest_red(one)},
                     "plan": {"stages": [{"phase": str(phase + 1), "green_sec": seconds} for phase, seconds in one.signals.stages],
                              "offset_sec": one.signals.offset}}
        return described

    def describe_approach(self, one, approach):
        described = {"id": approach.id, "direction": approach.direction}
        if approach.upstream:
            described["from"] = approach.upstream
        described["lanes"] = [{"id": lane.id, "length_m": round(lane.length, 1), "speed_kmh": round(lane.speed * 3.6, 1),
                               "movements": [one.signals.groups[place].id for place in sorted(lane.groups)]} for lane in approach.lanes]
        return described

    def describe_movement(self, one, group):
        described = {"id": group.id, "approach": approach_of(one, group).id}
        if group in self.leads_to:
            there, lanes = self.leads_to[group]
            described |= {"to": there.id, "to_lanes": lanes}
        return described


def describe_phase(number, phase, ids):
    """One in which everybody yields has nobody to yield to but whom the city does not know."""
    permitted = phase.permitted if phase.permitted != phase.greens else set()
    return {"id": str(number + 1), "movements": ids(phase.greens - permitted), "permitted": ids(permitted)}


def longest_red(one):
    """The maximum red must leave room for the network's own plan."""
    stages, worst = one.signals.stages, 0
    for place in range(len(one.signals.groups)):
        reds = [0]
        for phase, seconds in stages * 2:
            if place in one.signals.phases[phase].greens:
                reds.append(0)
            else:
                reds[-1] += seconds + ALL_RED_SEC
        worst = max(worst, max(reds) + ALL_RED_SEC)
    return max(MAX_RED_SEC, math.ceil(worst + MIN_GREEN_SEC + 2 * ALL_RED_SEC))


def add_sensors(sensors, intersection):
    """Per lane a camera and a passage loop, per approach the sensors of the first implementation, and GPS."""
    at, name = {"interseccion": intersection.id}, intersection.id.removeprefix("INT-")
    for approach in intersection.approaches:
        sensors["cameras"].append({"sensor_id": f"CAM-{name}-{approach.id}"} | at | {"approach": approach.id})
        sensors["inductive_loops"].append({"sensor_id": f"ESP-{name}-{approach.id}"} | at | {"approach": approach.id})
        for lane in approach.lanes:
            sensors["cameras"].append({"sensor_id": f"VISTA-{name}-{lane.id}"} | at | {"lane": lane.id, "view_m": round(lane.view, 1)})
            sensors["inductive_loops"].append({"sensor_id": f"PASO-{name}-{lane.id}"} | at
                                              | {"lane": lane.id, "distance_m": round(lane.loop, 1)})
    sensors["gps"].append({"sensor_id": f"GPS-{name}"} | at)


def main():
    [given] = sys.argv[1:]
    path = SCENARIOS[given].net if given in SCENARIOS else Path(given)
    try:
        print(json.dumps(Network(path).city(path.name.partition(".")[0]), indent=1))
    except (CannotMap, OSError) as error:
        sys.exit(f"{given}: {error}" + ("" if path.suffix else f" (expected a network or one of {', '.join(SCENARIOS)})"))


if __name__ == "__main__":
    main()
