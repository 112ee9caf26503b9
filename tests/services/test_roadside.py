"""Sensor and broker together, between a program that hands readings in and an analytics that lives through everything: whoever is
killed, what was acknowledged arrives, and once."""
import json
import random

import pytest

from city import City, wait_until
from custody import Reader, identity
from relay import Client, packet

N_READINGS = 4000
N_KILLS = 8


class Program:
    """Hands readings in, each with an identity of its own, and again when the connection ended before they were acknowledged."""

    def __init__(self, path, n_readings):
        self.path = path
        self.acked = set()
        self.unanswered = []
        self.to_send = list(range(n_readings))
        self.client = None

    def hung_up_on(self):
        self.client.socket.close()
        self.client = None
        self.to_send = sorted(self.unanswered + self.to_send)
        self.unanswered = []

    def go_on(self):
        """As much as can be done without waiting."""
        try:
            if not self.client:
                self.client = Client(self.path)
            while self.to_send and len(self.unanswered) < 200 and self.client.send_now(
                    packet(self.to_send[0], producer_id="program", epoch=3, seq=self.to_send[0])):
                self.unanswered.append(self.to_send.pop(0))
            while answer := self.client.answer_now():
                self.unanswered.remove(answer["ack"])
                self.acked.add(answer["ack"])
        except (ConnectionError, FileNotFoundError, json.JSONDecodeError):
            if self.client:
                self.hung_up_on()


@pytest.mark.parametrize("mode", ["standard", "threaded"])
def test_what_was_acknowledged_arrives_whoever_is_killed(tmp_path, context, mode):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    settings = {"broker.mode": mode, "sensor.source": "relay", "custody.resend_sec": 0.1}
    with City(tmp_path, settings, services=[("broker", ""), ("sensor", "gps")]) as city:
        analytics = Reader(context, 5560, 5569)
        program = Program(city.runtime_dir / "sensor-gps.sock", N_READINGS)

        def progress(n):
            program.go_on()
            analytics.read()
            return len(program.acked) >= n

        # at places spread over the whole run, so that each kill meets readings under way
        for place in sorted(dice.sample(range(1, N_READINGS - 400), N_KILLS)):
            wait_until(lambda: progress(place), f"{place} are acknowledged")
            name, instance = dice.choice([("broker", ""), ("sensor", "gps")])
            city.stop(f"{name}@{instance}" if instance else name, how=9)
            city.start(name, instance)
        wait_until(lambda: progress(N_READINGS), "all are acknowledged")
        wait_until(lambda: analytics.read() is not None and {seq for _, _, seq in map(identity, analytics.events())} >= program.acked,
                   "all arrive")
        delivered = [identity(e) for e in analytics.events()]
        assert set(delivered) == {("program", 3, number) for number in range(N_READINGS)}
        # handed in twice is the program's own doing, after a sensor died: each of them at most what was under way then
        assert len(delivered) - len(set(delivered)) <= 200 * N_KILLS


@pytest.mark.parametrize("mode", ["standard", "threaded"])
def test_what_was_sent_arrives_once_though_the_broker_is_killed(tmp_path, context, mode):
    """The sensor lives: nobody has to do anything twice, so nothing arrives twice and nothing is missing."""
    with City(tmp_path, {"broker.mode": mode, "sensor.speed": 0, "custody.sensor_frames": 500},
              services=[("broker", "")]) as city:
        sensor = city.start("sensor", "gps")
        analytics = Reader(context, 5560, 5569)
        for life in range(1, 6):
            wait_until(lambda: len(analytics.read()) >= 3000 * life, f"{3000 * life} arrive")
            city.stop("broker", how=9)
            city.start("broker")
        sensor.child.terminate()
        wait_until(lambda: analytics.read() is not None and not sensor.is_running(), "the sensor is stopped")
        assert city.stop("sensor@gps") == 0
        sent, lost = (int(city.metric("sensor@gps", "traffic_events_total", outcome=outcome)) for outcome in ("sent", "lost"))
        assert lost == 0
        wait_until(lambda: len(analytics.read()) >= sent, "all that was sent arrives")
        assert [e["seq"] for e in analytics.events()] == list(range(1, sent + 1))
