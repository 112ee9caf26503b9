"""A program that hands readings in at a sensor's relay socket. traffic-sensor(8) describes what it says and hears."""
import json
import socket

from city import wait_until


class Client:
    """A program at a relay socket. `reader`, if any, is served while it waits: nothing is acknowledged without it."""

    def __init__(self, path, reader=None):
        self.reader = reader
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(str(path))  # with a timeout it would fail, instead of waiting, while others are accepted

    def send_now(self, packet):
        """False when the socket takes nothing now."""
        if self.reader:
            self.reader.read()
        try:
            self.socket.send(packet if isinstance(packet, bytes) else json.dumps(packet).encode(), socket.MSG_DONTWAIT)
            return True
        except BlockingIOError:
            return False

    def send(self, packet):
        wait_until(lambda: self.send_now(packet), "the packet is taken")

    def answer_now(self):
        """None when there is none."""
        if self.reader:
            self.reader.read()
        try:
            return json.loads(self.socket.recv(4096, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return None

    def answer(self):
        return wait_until(self.answer_now, "an answer")

    def answers(self, n):
        return [self.answer() for _ in range(n)]


def packet(number, **more):
    """A GPS reading with this id."""
    return {"id": number, "sensor_id": "GPS-A1", "tipo_sensor": "gps", "interseccion": "INT-A1", "velocidad_promedio": number % 100,
            **more}
