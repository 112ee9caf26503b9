"""Ambulances along a row or a column of the city, with or without a green wave, and how long they took.

Each drives like any other car: what helps it is only the lights. But its driver wants to go just as fast as is allowed, where those of
the others differ: so that free flow, which it is compared with, is the street at its speed limit for each of them. Its wave is ordered
when it sets out, half a minute before it enters the city, and is told each second where it is, as a vehicle with a radio would.
"""
import json
import xml.etree.ElementTree as xml

import zmq

QUERIES_PORT = 5561
KIND_OF_VEHICLE = "lab-drive-ambulance"
DEPARTURES = (900, 1500, 2100, 2700)  # into the city
SETS_OUT_SEC = 30  # before that
PATIENCE_SEC = 10


class NoWay(Exception):
    """The row or column is not a street that can be driven along."""


class Ambulances:
    """`street`: ("row", "B"), ("column", 3) or None."""

    def __init__(self, street, network, simulation, has_wave):
        self.street, self.network, self.simulation, self.has_wave = street, network, simulation, has_wave
        self.names, self.driving = set(), {}  # name -> its wave
        if not street:
            return
        self.sumo = simulation.sumo
        route = find_route(street, network, self.sumo)
        self.sumo.route.add("ambulance", route)
        self.sumo.vehicletype.copy("DEFAULT_VEHTYPE", KIND_OF_VEHICLE)
        self.sumo.vehicletype.setSpeedFactor(KIND_OF_VEHICLE, 1)
        self.sumo.vehicletype.setSpeedDeviation(KIND_OF_VEHICLE, 0)
        first = network.net.edges[route[0]].lanes[0]
        self.first_sec = first.length / first.speed

    def act(self):
        if not self.street:
            return
        now = self.simulation.now
        if self.has_wave and now + SETS_OUT_SEC in DEPARTURES:
            self.order(f"ambulance-{now + SETS_OUT_SEC}")
        if now in DEPARTURES:
            name = f"ambulance-{now}"
            self.sumo.vehicle.add(name, "ambulance", KIND_OF_VEHICLE, departLane="best", departSpeed="max")
            self.names.add(name)
        for name in self.driving.keys() & self.names:
            self.follow(name)

    def order(self, name):
        kind, which = self.street
        reply = ask({"command": "FORCE_GREEN_WAVE", kind: which, "reason": name, "mode": "progressive",
                     "eta_sec": SETS_OUT_SEC + self.first_sec})
        self.driving[name] = (reply.get("data") or {}).get("wave") or f"{kind}_{which}"

    def follow(self, name):
        """Where it is, or that it has arrived."""
        if name in self.sumo.simulation.getArrivedIDList():
            ask({"command": "CANCEL_GREEN_WAVE", "wave": self.driving.pop(name)}, may_fail=True)
            return
        for lane, vehicles in self.simulation.by_lane.items():
            for place, _, vehicle in vehicles:
                if vehicle == name and lane in self.network.lane_of:
                    one, waiting = self.network.lane_of[lane]
                    to_stop = dict(waiting.pieces)[lane] + self.network.net.lanes[lane].length - place
                    ask({"command": "MOVE_GREEN_WAVE", "wave": self.driving[name], "interseccion": one.id,
                         "distance_m": round(max(0, to_stop), 1)}, may_fail=True)

    def figures(self, trips):
        """How many times as long as alone on green each of them took."""
        if not self.names:
            return {}
        ratios = []
        for trip in xml.parse(trips).getroot():
            if trip.get("id") in self.names and float(trip.get("arrival")) >= 0:
                duration, lost, waited = (float(trip.get(name)) for name in ("duration", "timeLoss", "departDelay"))
                ratios.append((duration + waited) / (duration - lost))
        if len(ratios) < len(self.names):
            raise NoWay(f"{len(self.names) - len(ratios)} of {len(self.names)} ambulances did not arrive")
        return {"ambulances": ratios}


def ask(query, may_fail=False):
    """`may_fail`: a wave that is over can be told nothing any more."""
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.linger = 0
    socket.connect(f"tcp://127.0.0.1:{QUERIES_PORT}")
    try:
        socket.send(json.dumps(query).encode())
        if not socket.poll(PATIENCE_SEC * 1000):
            raise TimeoutError(f"analytics does not answer {query}")
        reply = socket.recv_json()
        if reply["status"] == "ERROR" and not may_fail:
            raise RuntimeError(f"analytics refuses {query}: {reply['message']}")
        return reply
    finally:
        socket.close()


def find_route(street, network, sumo):
    """The edges of the whole street in the direction in which each intersection leads to the next one."""
    kind, which = street
    along = [one for one in network.intersections if str(getattr(one, kind)) == str(which)]
    for ordered in (along, along[::-1]):
        ends = find_ends(ordered, network)
        if ends:
            return list(sumo.simulation.findRoute(*ends).edges)
    raise NoWay(f"{kind} {which}: its intersections do not follow each other on one street")


def find_ends(ordered, network):
    """The edge that leads into the street and the one that leads out of it, or None when it is none in this direction."""
    entries = []
    for one, after in zip(ordered, ordered[1:]):
        ways = [way for way in straight_on(one) if (network.downstream(way) or (None,))[0] is after]
        if not ways:
            return None
        entries.append(ways[0])
    if not entries:
        return None
    last_approach = network.downstream(entries[-1])[1].approach
    last = next((way for way in straight_on(ordered[-1]) if way.start.edge in last_approach.edges), None)
    return (entries[0].start.edge.id, last.end.edge.id) if last else None


def straight_on(one):
    return [way for group in one.signals.groups for way in group.connections if way.turn == "s"]
