"""Who a broker talks to, of ours and of the first implementation, for tests that start one."""
import json

import pytest
import zmq

from city import City, wait_until
from custody import Reader, Writer

INPUTS = {"camara": 5555, "espira": 5556, "gps": 5557}
ACKS = {"camara": 5566, "espira": 5567, "gps": 5568}
OUTPUT, OUTPUT_ACKS = 5560, 5569

modes = pytest.mark.parametrize("mode", ["standard", "threaded"])


class Publisher:
    """A sensor of the first implementation: a PUB that binds a port. It knows nothing of identity."""

    def __init__(self, context, topic, high_water_mark=0):
        self.socket = context.socket(zmq.XPUB)
        self.socket.linger = 0
        self.socket.sndhwm = high_water_mark
        self.socket.setsockopt(zmq.XPUB_NODROP, 1)
        wait_until(lambda: self.is_bound(INPUTS[topic]), "the port is free")

    def is_bound(self, port):
        """A port that was closed a moment ago is still closing."""
        try:
            self.socket.bind(f"tcp://127.0.0.1:{port}")
            return True
        except zmq.ZMQError:
            return False

    def wait_for_broker(self):
        assert self.socket.poll(20000), "the broker subscribes"
        assert self.socket.recv()[:1] == b"\x01"
        return self

    def send(self, frame, flags=0):
        self.socket.send(frame if isinstance(frame, bytes) else frame.encode(), flags)


class Sensor(Writer):
    """A sensor of ours, as the broker sees it."""

    def __init__(self, context, topic, epoch=1):
        super().__init__(context, INPUTS[topic], ACKS[topic], epoch)


class Analytics(Reader):
    """Acknowledges what it reads."""

    def __init__(self, context, **options):
        super().__init__(context, OUTPUT, OUTPUT_ACKS, **options)

    def numbers(self):
        return [e["number"] for e in self.events()]


class Subscriber:
    """An analytics of the first implementation, or anybody else who only listens."""

    def __init__(self, context, topic=b"", high_water_mark=0):
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = high_water_mark
        self.socket.subscribe(topic)
        self.socket.connect(f"tcp://127.0.0.1:{OUTPUT}")
        self.frames = []

    def read(self, most=1 << 30):
        try:
            while len(self.frames) < most:
                frames = self.socket.recv_multipart(zmq.DONTWAIT)
                assert len(frames) == 1
                self.frames.append(frames[0].decode())
        except zmq.Again:
            pass
        return self.frames

    def wait(self, n):
        wait_until(lambda: len(self.read(n)) >= n, f"{n} events")
        return self.frames

    def events(self):
        return [json.loads(frame.split(" ", 1)[1]) for frame in self.frames]


def event(topic, number=0, **more):
    members = {
        "camara": {"sensor_id": "CAM-A1-NS", "tipo_sensor": "camara", "volumen": 3},
        "espira": {"sensor_id": "ESP-A1-NS", "tipo_sensor": "espira_inductiva", "vehiculos_contados": 3, "intervalo_segundos": 30},
        "gps": {"sensor_id": "GPS-A1", "tipo_sensor": "gps", "velocidad_promedio": 31.5},
    }[topic]
    return f"{topic} " + json.dumps({**members, "interseccion": "INT-A1", "timestamp": "2026-02-09T15:10:00Z", "number": number, **more})


def broker(tmp_path, mode, **settings):
    return City(tmp_path, settings={"broker.mode": mode, **settings}, services=[])


def named(topic, number, producer="generator", **more):
    """An event with an identity: its number."""
    return event(topic, number, producer_id=producer, epoch=7, seq=number, **more)


def deliver(sensor, numbers, topic="gps", **more):
    for number in numbers:
        sensor.send(named(topic, number, **more))
    sensor.wait_acknowledged(sensor.last)
