"""The broker over its real links, in both modes: what it forwards, what it refuses, and that nothing is lost on the way."""
import json

import pytest
import zmq

from city import City, wait_until

INPUTS = {"camara": 5555, "espira": 5556, "gps": 5557}
OUTPUT = "tcp://127.0.0.1:5560"
MANY = 20000

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


class Subscriber:
    def __init__(self, context, topic=b"", high_water_mark=0):
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = high_water_mark
        self.socket.subscribe(topic)
        self.socket.connect(OUTPUT)
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


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def event(topic, number=0, **more):
    members = {
        "camara": {"sensor_id": "CAM-A1-NS", "tipo_sensor": "camara", "volumen": 3},
        "espira": {"sensor_id": "ESP-A1-NS", "tipo_sensor": "espira_inductiva", "vehiculos_contados": 3, "intervalo_segundos": 30},
        "gps": {"sensor_id": "GPS-A1", "tipo_sensor": "gps", "velocidad_promedio": 31.5},
    }[topic]
    return f"{topic} " + json.dumps({**members, "interseccion": "INT-A1", "timestamp": "2026-02-09T15:10:00Z", "number": number, **more})


def broker(tmp_path, mode):
    return City(tmp_path, settings={"broker.mode": mode}, services=[])


@modes
def test_events_with_an_identity_are_forwarded_byte_for_byte(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publishers = {topic: Publisher(context, topic) for topic in INPUTS}
        city.start("broker")
        subscriber = Subscriber(context)
        sent = []
        for topic, publisher in publishers.items():
            publisher.wait_for_broker()
            sent.append(event(topic, producer_id="mine", epoch=1, seq=1, extra=[1.50]) + " ")
            publisher.send(sent[-1])
        assert sorted(subscriber.wait(3)) == sorted(sent)


@modes
def test_events_without_identity_get_one_without_gaps(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publishers = {topic: Publisher(context, topic) for topic in INPUTS}
        city.start("broker")
        subscriber = Subscriber(context)
        for publisher in publishers.values():
            publisher.wait_for_broker()
        for number in range(1000):
            for topic, publisher in publishers.items():
                publisher.send(event(topic, number))
        subscriber.wait(3000)
        events = subscriber.events()
    assert {e["producer_id"][:7] for e in events} == {"broker@"}
    assert len({(e["producer_id"], e["epoch"]) for e in events}) == 1
    assert [e["seq"] for e in events] == list(range(1, 3001))  # in the order in which they left
    assert all(e["captured_us"] > 1600000000000000 for e in events)
    for kind in ("camara", "espira_inductiva", "gps"):  # and each sensor in its own
        assert [e["number"] for e in events if e["tipo_sensor"] == kind] == list(range(1000))
    assert city.metric("broker", "traffic_events_identified_total") == 3000


@modes
def test_what_is_no_event_is_refused_counted_and_costs_nothing_else(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publisher = Publisher(context, "gps")
        city.start("broker")
        subscriber = Subscriber(context)
        publisher.wait_for_broker()
        garbage = [b"", b"nonsense", b"gps", b"gps {}", b"gps {\"sensor_id\":", b"\xff\xfe", b"+" + event("gps").encode(), b"gps " + b" " * 20000,
                   event("gps", velocidad_promedio="fast").encode()]
        for frame in garbage:
            publisher.send(frame)
            publisher.send(event("gps"))
        publisher.socket.send_multipart([event("gps").encode(), b"a second frame"])
        publisher.send(event("gps"))
        subscriber.wait(len(garbage) + 1)
        assert all(e["velocidad_promedio"] == 31.5 for e in subscriber.events())
        city.wait_log("broker", "velocidad_promedio|radar|nonsense")
    assert city.metric("broker", "traffic_refused_total", link="sensor.gps") == len(garbage) + 1


@modes
def test_a_slow_reader_stops_the_sensor_and_loses_nothing(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publisher = Publisher(context, "gps", high_water_mark=100)
        city.start("broker")
        publisher.wait_for_broker()
        subscriber = Subscriber(context, high_water_mark=10)
        sent = 0

        def push():
            nonlocal sent
            try:
                while True:
                    publisher.send(event("gps", sent, note="x" * 1000), zmq.DONTWAIT)
                    sent += 1
            except zmq.Again:
                return "wait for a reader" in city.processes["broker"].status

        city.wait(push, "the sensor is stopped")
        subscriber.wait(sent)
        assert [e["number"] for e in subscriber.events()] == list(range(sent))
        assert [e["seq"] for e in subscriber.events()] == list(range(1, sent + 1))


@modes
def test_what_was_forwarded_leaves_a_broker_that_is_stopped(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publisher = Publisher(context, "gps", high_water_mark=100)
        process = city.start("broker")
        publisher.wait_for_broker()
        subscriber = Subscriber(context, high_water_mark=10)
        sent = 0

        def push():
            nonlocal sent
            try:
                while True:
                    publisher.send(event("gps", sent, note="x" * 1000), zmq.DONTWAIT)
                    sent += 1
            except zmq.Again:
                return "wait for a reader" in process.status

        city.wait(push, "the broker's link is full")
        process.child.terminate()
        while process.is_running() and subscriber.socket.poll(5000):  # without a pause: it waits two seconds for its reader
            subscriber.read()
        assert city.stop("broker") == 0
        forwarded = city.metric("broker", "traffic_events_total", outcome="forwarded")
        subscriber.wait(forwarded)


@modes
def test_a_topic_without_reader_waits_and_the_others_go_on(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publishers = {topic: Publisher(context, topic) for topic in INPUTS}
        city.start("broker")
        only_gps = Subscriber(context, b"gps")
        for topic, publisher in publishers.items():
            publisher.wait_for_broker()
        for number in range(100):
            for topic, publisher in publishers.items():
                publisher.send(event(topic, number))
        only_gps.wait(100)
        all_topics = Subscriber(context)
        wait_until(lambda: sum("camara" in frame for frame in all_topics.read()) == 100
                   and sum("espira" in frame for frame in all_topics.frames) == 100, "the waiting topics arrive whole")
        cameras = [e["number"] for e in all_topics.events() if e["tipo_sensor"] == "camara"]
        assert cameras == list(range(100))


@modes
def test_sensors_may_come_after_the_broker_and_come_again(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        city.start("broker")
        subscriber = Subscriber(context)
        for life in (1, 2):
            publisher = Publisher(context, "gps").wait_for_broker()
            publisher.send(event("gps", life))
            wait_until(lambda: [e["number"] for e in (subscriber.read(), subscriber.events())[1]] == list(range(1, life + 1)),
                       "the sensor is heard")
            publisher.socket.close()


@modes
def test_the_whole_road_side_loses_nothing_at_full_speed(tmp_path, context, mode):
    """Three sensors as fast as the links take it, through the broker: each producer's numbers without a gap."""
    with City(tmp_path, settings={"broker.mode": mode, "sensor.speed": 0}, services=[]) as city:
        for kind in ("camera", "inductive", "gps"):
            city.start("sensor", kind)
        city.start("broker")
        subscriber = Subscriber(context, high_water_mark=1000)
        subscriber.wait(MANY)
        numbers = {}
        for e in subscriber.events():
            numbers.setdefault(e["producer_id"], []).append(e["seq"])
        assert len(numbers) == 3
        for producer, seqs in numbers.items():
            assert seqs == list(range(1, len(seqs) + 1)), producer
