"""Who listens to a sensor, of ours and of the first implementation, and what it can replay, for tests that start one."""
import gzip
import json

import zmq

from city import City, wait_until
from custody import Reader

PORTS = {"camera": 5555, "inductive": 5556, "gps": 5557}
ACK_PORTS = {"camera": 5566, "inductive": 5567, "gps": 5568}
MANY = 3000
V0 = {"protocol.broker": "v0"}


class Subscriber(Reader):
    """The broker, as the sensor sees it: acknowledges what it reads."""

    def __init__(self, context, kind, **options):
        self.events = []
        super().__init__(context, PORTS[kind], ACK_PORTS[kind], **options)

    def read(self, most=1 << 30):
        super().read(most)
        for frame in self.frames[len(self.events):]:
            topic, text = frame.split(b" ", 1)
            self.events.append({"topic": topic.decode(), **json.loads(text)})
        return self.events

    def wait(self, n, what="readings"):
        wait_until(lambda: len(self.read(n)) >= n, f"{n} {what} (there are {len(self.events)})")
        return self.events


class V0Subscriber:
    """A broker of the first implementation, or anybody else who only listens."""

    def __init__(self, context, kind, topic=b"", high_water_mark=100000):
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = high_water_mark
        self.socket.subscribe(topic)
        self.socket.connect(f"tcp://127.0.0.1:{PORTS[kind]}")
        self.events = []

    def read(self, most=1 << 30):
        try:
            while len(self.events) < most:
                frames = self.socket.recv_multipart(zmq.DONTWAIT)
                assert len(frames) == 1
                topic, text = frames[0].split(b" ", 1)
                self.events.append({"topic": topic.decode(), **json.loads(text)})
        except zmq.Again:
            pass
        return self.events

    def wait(self, n, what="readings"):
        wait_until(lambda: len(self.read(n)) >= n, f"{n} {what}")
        return self.events


def gps(t, sensor="GPS-A1", intersection="INT-A1", speed=30.0, **more):
    return {"t": t, "topic": "gps", "event": {"sensor_id": sensor, "tipo_sensor": "gps", "interseccion": intersection,
                                              "velocidad_promedio": speed, **more}}


def camera(t, sensor="CAM-A1-NS"):
    return {"t": t, "topic": "camara", "event": {"sensor_id": sensor, "tipo_sensor": "camara", "interseccion": "INT-A1",
                                                 "volumen": 1}}


def loop(t):
    return {"t": t, "topic": "espira", "event": {"sensor_id": "ESP-A1-NS", "tipo_sensor": "espira_inductiva",
                                                 "interseccion": "INT-A1", "vehiculos_contados": 4, "intervalo_segundos": 30}}


def recording(path, lines, **header):
    head = {"format": "traffic-recording", "version": 1, "origin": "test", "duration": 100, "counts": {}, **header}
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in [head, *lines])
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def replaying(path, speed=0, loop="no", **more):
    return {"sensor.source": "replay", "sensor.recording": path, "sensor.speed": speed, "sensor.loop": loop, **more}


def assert_no_gap(events):
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert len({(e["producer_id"], e["epoch"]) for e in events}) == 1


def sensor(tmp_path, settings):
    return City(tmp_path, settings=settings, services=[])
