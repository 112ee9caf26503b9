"""A SUMO network as its file says it: edges, lanes, junctions with who must not drive at once, connections, traffic light programmes.

Read from the XML alone, plain or gzip, so that a city can be made of a network where no SUMO is installed. It knows nothing of our
city's terms.
"""
import gzip
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field


@dataclass(eq=False)
class Lane:
    id: str
    edge: "Edge"
    length: float  # metres
    speed: float  # metres a second, allowed
    shape: list  # points, from the lane's beginning to its end
    is_for_cars: bool
    outgoing: list = field(default_factory=list)  # connections
    incoming: list = field(default_factory=list)


@dataclass(eq=False)
class Edge:
    id: str
    function: str  # "" of a street; internal, crossing, walkingarea
    start: str  # junction ids
    end: str
    lanes: list = field(default_factory=list)


@dataclass(eq=False)
class Connection:
    start: Lane
    end: Lane
    via: str  # the lane inside the junction, "" without one
    light: str  # tlLogic that controls it, "" for none
    index: int  # of its signal there
    turn: str  # s l r t L R; "invalid" of a crossing

    @property
    def is_turnaround(self):
        return self.turn == "t"


@dataclass(eq=False)
class Junction:
    id: str
    kind: str
    x: float
    y: float
    lanes_in: list
    foes: list  # for each link the others that cross or join it, as text of 0 and 1, link 0 last


@dataclass(eq=False)
class Programme:
    light: str
    id: str
    kind: str
    offset: float
    phases: list  # (seconds, state)


class NetFile:
    def __init__(self, path):
        self.edges, self.lanes, self.junctions, self.programmes = {}, {}, {}, {}
        self.places = {}  # id(connection) -> (junction, its link there)
        root = read_xml(path)
        for element in root.iter("edge"):
            self.add_edge(element)
        for element in root.iter("junction"):
            if element.get("type") != "internal":
                self.add_junction(element)
        for element in root.iter("connection"):
            self.add_connection(element)
        for element in root.iter("tlLogic"):
            self.add_programme(element)
        for junction in self.junctions.values():
            self.place_links(junction)

    def add_edge(self, element):
        edge = Edge(element.get("id"), element.get("function", ""), element.get("from", ""), element.get("to", ""))
        self.edges[edge.id] = edge
        for part in element.iter("lane"):
            shape = [tuple(float(number) for number in point.split(",")[:2]) for point in part.get("shape", "").split()]
            lane = Lane(part.get("id"), edge, float(part.get("length")), float(part.get("speed")), shape,
                        part.get("allow", "") != "pedestrian")
            edge.lanes.append(lane)
            self.lanes[lane.id] = lane

    def add_junction(self, element):
        requests = sorted(element.iter("request"), key=lambda request: int(request.get("index")))
        self.junctions[element.get("id")] = Junction(
            element.get("id"), element.get("type"), float(element.get("x")), float(element.get("y")),
            element.get("incLanes", "").split(), [request.get("foes") for request in requests])

    def add_connection(self, element):
        start, end = self.edges.get(element.get("from")), self.edges.get(element.get("to"))
        if start is None or end is None:
            return  # checked against the programme later: a signal without a way is named there
        connection = Connection(start.lanes[int(element.get("fromLane"))], end.lanes[int(element.get("toLane"))], element.get("via", ""),
                                element.get("tl", ""), int(element.get("linkIndex", -1)), element.get("dir", "s"))
        if start.function == "internal":
            return
        connection.start.outgoing.append(connection)
        connection.end.incoming.append(connection)

    def add_programme(self, element):
        phases = [(float(phase.get("duration", 0)), phase.get("state")) for phase in element.iter("phase")]
        programme = Programme(element.get("id"), element.get("programID", "0"), element.get("type", "static"),
                              float(element.get("offset", 0)), phases)
        if programme.id != "off" and phases:
            self.programmes[programme.light] = programme  # of several SUMO runs the last one, too

    def place_links(self, junction):
        """The junction's links are numbered by its lanes, each lane's connections in the order of the file; crossings come last."""
        number = 0
        for lane_id in junction.lanes_in:
            lane = self.lanes.get(lane_id)
            for connection in lane.outgoing if lane else ():
                if lane.edge.function != "walkingarea" or connection.end.edge.function == "crossing":
                    self.places[id(connection)] = (junction, number)
                    number += 1
        if number != len(junction.foes):
            junction.foes = []  # numbered in a way we do not know

    def are_foes(self, one, other):
        """Whether two connections cross or join inside a junction; None when the network does not tell: whoever drives through one
        junction of a light may meet others at the next one."""
        if id(one) not in self.places or id(other) not in self.places:
            return None
        (junction, i), (other_junction, j) = self.places[id(one)], self.places[id(other)]
        if junction is not other_junction:
            return None
        return junction.foes[i][-1 - j] == "1" if junction.foes else None

    def connections(self):
        for lane in self.lanes.values():
            yield from lane.outgoing


def read_xml(path):
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
        return xml.parse(file).getroot()
