"""What the city's sensors see in the simulation, as packets for the relay sockets.

Per lane a camera that tells each second who is in view, and a loop upstream that tells each passage; per approach, and for GPS per
intersection, what the sensors of the first implementation told. A loop sees who drives over it, not who changes lanes behind it.
"""
import random
import time
from collections import defaultdict

CAMERA_INTERVAL_SEC, LOOP_INTERVAL_SEC, GPS_INTERVAL_SEC = 10, 30, 10
CAMERA_VIEW_METRES = 100
HALTED_BELOW_MPS = 0.1
HIGH_BELOW_KMH, LOW_ABOVE_KMH = 10, 40
KINDS = ("camera", "inductive", "gps")


class Mean:
    """Of speeds over an interval, in km/h; None when there were none."""

    def __init__(self):
        self.total, self.n = 0.0, 0

    def add(self, speeds):
        self.total += sum(speeds)
        self.n += len(speeds)

    def take(self):
        mean = round(self.total / self.n * 3.6, 1) if self.n else None
        self.total, self.n = 0.0, 0
        return mean


class LaneSight:
    """One waiting lane: who is on it, nearest to the stop line first, and who has just passed the loop."""

    def __init__(self, intersection, lane, lengths):
        self.pieces = [(piece, lengths[piece] + to_stop) for piece, to_stop in lane.pieces]
        self.view, self.loop, self.near = lane.view, lane.loop, lane.near
        name = intersection.id.removeprefix("INT-")
        at = f'"interseccion":"{intersection.id}"'
        self.view_head = f'"sensor_id":"VISTA-{name}-{lane.id}","tipo_sensor":"camara_vista",{at}'
        self.loop_head = f'"sensor_id":"PASO-{name}-{lane.id}","tipo_sensor":"espira_paso",{at}'
        self.vehicles, self.behind_loop, self.gone = [], {}, 0

    def look(self, by_lane):
        vehicles = [(max(0.0, to_stop - place), speed, vehicle) for piece, to_stop in self.pieces for place, speed, vehicle in by_lane.get(piece, ())]
        vehicles.sort()
        before = {vehicle for _, _, vehicle in self.vehicles}
        self.gone = len(before - {vehicle for _, _, vehicle in vehicles})
        self.passed = []
        inside = {}
        for distance, speed, vehicle in vehicles:
            if distance <= self.loop:
                inside[vehicle] = distance
                if vehicle not in self.behind_loop and self.loop - distance <= speed + 1:
                    self.passed.append((self.loop - distance, speed))
        self.behind_loop = inside
        self.vehicles = vehicles

    def in_view(self, metres):
        return [(distance, speed) for distance, speed, _ in self.vehicles if distance <= metres]


class ApproachSight:
    """The first implementation's camera and loop of an approach."""

    def __init__(self, intersection, approach, lanes):
        self.lanes, self.speed, self.crossed = lanes, Mean(), 0
        name = intersection.id.removeprefix("INT-")
        at = f'"interseccion":"{intersection.id}"'
        self.camera_head = f'"sensor_id":"CAM-{name}-{approach.id}","tipo_sensor":"camara",{at}'
        self.loop_head = f'"sensor_id":"ESP-{name}-{approach.id}","tipo_sensor":"espira_inductiva",{at}'

    def look(self):
        self.seen = [speed for lane in self.lanes for _, speed in lane.in_view(CAMERA_VIEW_METRES)]
        self.speed.add(self.seen)
        self.crossed += sum(lane.gone for lane in self.lanes if lane.near == 0)

    def camera(self):
        speed = self.speed.take()
        halted = sum(speed < HALTED_BELOW_MPS for speed in self.seen)
        return f'"volumen":{halted}' + ("" if speed is None else f',"velocidad_promedio":{speed}')

    def loop(self):
        crossed, self.crossed = self.crossed, 0
        return f'"vehiculos_contados":{crossed},"intervalo_segundos":{LOOP_INTERVAL_SEC}'


class GpsSight:
    def __init__(self, intersection, lanes):
        self.lanes, self.speed = lanes, Mean()
        self.head = f'"sensor_id":"GPS-{intersection.id.removeprefix("INT-")}","tipo_sensor":"gps","interseccion":"{intersection.id}"'

    def look(self):
        self.speed.add([speed for lane in self.lanes for _, speed, _ in lane.vehicles])

    def read(self):
        speed = self.speed.take()
        if speed is None:
            return None
        level = "ALTA" if speed < HIGH_BELOW_KMH else "BAJA" if speed > LOW_ABOVE_KMH else "NORMAL"
        return f'"nivel_congestion":"{level}","velocidad_promedio":{speed}'


class Sensors:
    """`loss`: which part of passages and of camera frames never comes, drawn from `seed`."""

    def __init__(self, network, loss=(0, 0), seed=0):
        lengths = {lane.id: lane.length for lane in network.net.lanes.values()}
        self.passage_loss, self.frame_loss = loss
        self.chance = random.Random(seed)
        self.lanes, self.approaches, self.gps = [], [], []
        self.of_intersection = {}
        for intersection in network.intersections:
            sights = {lane: LaneSight(intersection, lane, lengths) for lane in intersection.lanes}
            self.lanes += sights.values()
            self.approaches += [ApproachSight(intersection, approach, [sights[lane] for lane in approach.lanes])
                                for approach in intersection.approaches]
            self.gps.append(GpsSight(intersection, list(sights.values())))
            self.of_intersection[intersection.id] = list(zip(intersection.lanes, sights.values()))

    def read(self, by_lane, second, wall):
        """What every sensor says at this second, {kind: [packet as JSON]}; `wall` is its Unix time."""
        for sight in self.lanes:
            sight.look(by_lane)
        for sight in (*self.approaches, *self.gps):
            sight.look()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall))
        now = f'"timestamp":"{stamp}"'
        members = defaultdict(list)
        for lane in self.lanes:
            if not self.is_lost(self.frame_loss):
                seen = lane.in_view(lane.view)
                cars = ",".join(f"[{distance:.1f},{speed * 3.6:.1f}]" for distance, speed in seen)
                members["camera"].append(f'{lane.view_head},"vehiculos_en_vista":{len(seen)},"vehiculos":[{cars}],{now}')
            for beyond, speed in lane.passed:
                if not self.is_lost(self.passage_loss):
                    ago = min(1.0, beyond / speed) if speed > 0 else 0
                    members["inductive"].append(f'{lane.loop_head},"velocidad":{speed * 3.6:.1f},{now},'
                                                f'"captured_us":{int((wall - ago) * 1_000_000)}')
        self.read_old(members, second, now)
        return {kind: ["{" + one + "}" for one in those] for kind, those in members.items()}

    def read_old(self, members, second, now):
        for place, approach in enumerate(self.approaches):
            if is_due(second, CAMERA_INTERVAL_SEC, place, len(self.approaches)) and not self.is_lost(self.frame_loss):
                members["camera"].append(f"{approach.camera_head},{approach.camera()},{now}")
            if is_due(second, LOOP_INTERVAL_SEC, place, len(self.approaches)):
                members["inductive"].append(f"{approach.loop_head},{approach.loop()},{now}")
        for place, gps in enumerate(self.gps):
            if is_due(second, GPS_INTERVAL_SEC, place, len(self.gps)):
                reading = gps.read()
                if reading:
                    members["gps"].append(f"{gps.head},{reading},{now}")

    def is_lost(self, part):
        return part > 0 and self.chance.random() < part


def is_due(second, interval, place, n_places):
    """Each sensor has its own second within its interval, and its first report waits for a whole one."""
    return second >= interval and second % interval == place * interval // n_places
