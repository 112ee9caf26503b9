"""The sensor service over its real link and its relay socket: random, replayed and relayed readings, and what becomes of them until
the broker has committed them."""
import gzip
import json
import os
import random
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
import zmq

from city import City, Process, wait_until
from custody import Reader, identity
from relay import Client, packet

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


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


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


# --- random


def values(events):
    return [{k: v for k, v in e.items() if "time" not in k and k not in ("epoch", "captured_us")} for e in events]


@pytest.mark.parametrize("kind,topic", [("camera", "camara"), ("inductive", "espira"), ("gps", "gps")])
def test_same_seed_gives_the_same_readings_after_a_restart(tmp_path, context, kind, topic):
    runs = []
    for run in (1, 2):
        with sensor(tmp_path, {"sensor.speed": 0, "sensor.seed": 5}) as city:
            city.start("sensor", kind)
            runs.append(Subscriber(context, kind).wait(200)[:200])
    assert values(runs[0]) == values(runs[1])
    assert runs[1][0]["epoch"] > runs[0][0]["epoch"]
    assert all(e["topic"] == topic for e in runs[0])
    assert runs[0][0]["producer_id"].startswith(f"sensor-{kind}@")


def test_first_reading_waits_for_the_first_subscriber(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0}) as city:
        process = city.start("sensor", "gps")
        city.wait(lambda: "waiting for a subscriber" in process.status, "STATUS says what it waits for")
        other = V0Subscriber(context, "gps", b"camara")  # the topic of somebody else is no reason to start
        subscriber = Subscriber(context, "gps")
        assert_no_gap(subscriber.wait(100)[:100])
        assert other.read() == []


def test_a_slow_v0_reader_loses_nothing(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, **V0}) as city:
        process = city.start("sensor", "gps")
        subscriber = V0Subscriber(context, "gps", high_water_mark=10)
        subscriber.wait(1)
        city.wait(lambda: "waiting: the link is full" in process.status, "the link is full")
        full_at = process.status
        subscriber.wait(MANY * 10)  # more than any buffer on the way holds
        assert_no_gap(subscriber.events)
        city.wait(lambda: process.status != full_at, "STATUS goes on")


def test_what_was_published_for_a_v0_reader_leaves_a_sensor_that_is_stopped(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, **V0}) as city:
        process = city.start("sensor", "gps")
        subscriber = V0Subscriber(context, "gps", high_water_mark=10)
        subscriber.wait(1)
        city.wait(lambda: "waiting: the link is full" in process.status, "the link is full")
        process.child.terminate()
        while process.is_running() and subscriber.socket.poll(5000):  # without a pause: it waits two seconds for its reader
            subscriber.read()
        assert city.stop("sensor@gps") == 0
        sent, acknowledged, lost = (city.metric("sensor@gps", "traffic_events_total", outcome=outcome)
                                    for outcome in ("sent", "acknowledged", "lost"))
        assert lost == sent - acknowledged <= 1, "the one that the full link did not take"
        assert city.metric("sensor@gps", "traffic_link_frames_total", link="sensor.gps", direction="out") == acknowledged
        subscriber.wait(acknowledged)
        assert_no_gap(subscriber.events)


def test_a_v0_reader_gets_readings_without_a_hop(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, **V0}) as city:
        city.start("sensor", "gps")
        events = V0Subscriber(context, "gps").wait(100)
        assert all("hop" not in e for e in events)


def test_a_new_subscriber_finds_the_source_where_it_stopped(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0}) as city:
        process = city.start("sensor", "gps")
        first = Subscriber(context, "gps")
        first.wait(10)
        first.close()
        city.wait(lambda: "waiting for a subscriber" in process.status, "the source waits")
        second = Subscriber(context, "gps")
        second.wait(10)
        # what the first did not acknowledge comes again, and nothing was published to nobody
        assert second.events[0]["seq"] <= len(first.events) + 1
        assert [e["seq"] for e in second.events] == list(range(second.events[0]["seq"], second.events[0]["seq"] + 10))


def test_count_takes_the_first_sensors_of_the_kind(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, "sensor.count": 3}) as city:
        city.start("sensor", "camera")
        events = Subscriber(context, "camera").wait(30)
    assert {e["sensor_id"] for e in events} == {"CAM-A1-NS", "CAM-A2-NS", "CAM-A3-NS"}


# --- custody


def outcomes(city, *words):
    return [city.metric("sensor@gps", "traffic_events_total", outcome=word) for word in words]


def test_the_source_waits_for_a_broker_that_acknowledges_nothing_and_goes_on(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 500}) as city:
        process = city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(500)
        city.wait(lambda: "waiting: the broker has not acknowledged 500 readings; 500 sent" in process.status, "STATUS says why it waits")
        assert len(reader.read()) == 500
        reader.acknowledges = True
        reader.acknowledge_all()
        assert_no_gap(reader.wait(MANY))


def test_no_more_than_the_window_is_under_way(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 500, "custody.window": 100, "custody.resend_sec": 0.05}) as city:
        process = city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(100)
        city.wait(lambda: "500 sent" in process.status, "all that fit are made")
        wait_until(lambda: reader.read() and reader.n_repeats >= 200, "the window is sent again")
        assert len(reader.events) == 100
        reader.acknowledges = True
        assert_no_gap(reader.wait(MANY))


def test_what_was_not_acknowledged_comes_again_to_a_broker_that_comes_again(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 500, "custody.resend_sec": 60}) as city:
        city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(500)
        [stream] = reader.cursors
        reader.acknowledge(stream, 200)
        reader.wait(700)
        reader.restart()
        wait_until(lambda: reader.read() and reader.n_repeats >= 500, "what it did not acknowledge")
        assert reader.n_repeats == 500
        reader.acknowledges = True
        reader.acknowledge_all()
        assert_no_gap(reader.wait(MANY))
        assert reader.n_repeats == 500


def test_a_broker_that_misses_something_gets_it_at_once(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 500, "custody.resend_sec": 60}) as city:
        city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(500)
        [stream] = reader.cursors
        reader.acknowledge(stream, 100, asks=True)
        wait_until(lambda: reader.read() and reader.n_repeats >= 400, "what follows position 100")
        assert reader.hops[500][2] == 101
        reader.acknowledges = True
        reader.acknowledge_all()
        assert_no_gap(reader.wait(MANY))


def test_silence_makes_the_sensor_send_again_and_say_so(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [gps(1), gps(2)])
    with sensor(tmp_path, replaying(path, **{"custody.resend_sec": 0.05})) as city:
        city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(2)
        wait_until(lambda: reader.read() and reader.n_repeats >= 4, "both, twice more")
        city.wait_log("sensor@gps", "the broker has acknowledged nothing for 5 s, 2 frames are kept")
        reader.acknowledge_all()
        city.wait_log("sensor@gps", "the broker acknowledges again")


def test_what_is_acknowledged_is_not_sent_again(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [gps(i / 10) for i in range(20)])
    with sensor(tmp_path, replaying(path, **{"custody.resend_sec": 0.05})) as city:
        city.start("sensor", "gps")
        reader = Subscriber(context, "gps")
        reader.wait(20)
        city.wait_fresh_metrics("sensor@gps")
        assert outcomes(city, "sent", "acknowledged") == [20, 20]
        before = reader.n_repeats
        other = V0Subscriber(context, "gps")  # begins again: there is nothing left
        city.wait_fresh_metrics("sensor@gps")
        assert reader.read() and reader.n_repeats == before
        assert other.read() == []


def test_somebody_who_does_not_read_stops_nobody(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0}) as city:
        city.start("sensor", "gps")
        stuck = V0Subscriber(context, "gps", high_water_mark=1)
        reader = Subscriber(context, "gps")
        assert_no_gap(reader.wait(60000))  # far more than the link holds for one that is stuck
        stuck.read()
        assert len(stuck.events) < 60000


def test_a_stopped_sensor_waits_for_what_the_broker_still_commits(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 100}) as city:
        process = city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(100)
        process.child.terminate()
        reader.acknowledges = True
        reader.acknowledge_all()
        assert process.child.wait(timeout=20) == 0  # a second signal would not wait
        city.stop("sensor@gps")
        assert outcomes(city, "sent", "acknowledged", "lost") == [100, 100, 0]
        assert_no_gap(reader.read())


def test_what_a_stopped_sensor_loses_is_counted_and_told(tmp_path, context):
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 100}) as city:
        process = city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(100)
        [stream] = reader.cursors
        reader.acknowledge(stream, 30)
        reader.wait(130)
        assert city.stop("sensor@gps") == 0
        assert outcomes(city, "sent", "acknowledged", "lost") == [130, 30, 100]
        assert re.search("the last 100 readings of sensor-gps@.* are lost", process.log())


@pytest.mark.parametrize("garbage", [
    b"", b"nonsense", b"{}", b"[1]", b"\xff\xfe", b'{"stream":"00000000000000zz","position":1,"epoch":1}',
    b'{"stream":"0000000000000000","position":1,"epoch":1}', b'{"stream":"0123456789abcdef","position":-1,"epoch":1}',
    b'{"stream":"0123456789abcdef","position":1e300,"epoch":1}', b'{"stream":"0123456789abcdef","position":1}',
    b'{"stream":5,"position":1,"epoch":1}', b"{" * 10000, b"x" * 60000],
    ids=lambda garbage: ascii(garbage[:48]))
def test_garbage_on_the_port_of_acknowledgements_is_refused_and_harmless(tmp_path, context, garbage):
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 100}) as city:
        city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(100)
        reader.ack_socket.send(garbage)
        reader.ack_socket.send_multipart([b"{}", b"another frame"])
        city.wait_log("sensor@gps", "refused a frame on link ack.gps")
        reader.acknowledges = True
        reader.acknowledge_all()
        assert_no_gap(reader.wait(MANY))
    assert city.metric("sensor@gps", "traffic_refused_total", link="ack.gps") == 2


def test_bytes_that_are_no_zeromq_do_no_harm(tmp_path, context):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    with sensor(tmp_path, {"sensor.speed": 0}) as city:
        city.start("sensor", "gps")
        reader = Subscriber(context, "gps")
        for port in (PORTS["gps"], ACK_PORTS["gps"]):
            for size in (1, 64, 4096, 100000):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
                    try:
                        stranger.sendall(dice.randbytes(size))
                    except ConnectionError:
                        pass  # hung up on: fair
        assert_no_gap(reader.wait(MANY))


def test_acknowledgements_of_a_stranger_move_nothing(tmp_path, context):
    """Of a stream that is not this one's, or of what was never sent."""
    with sensor(tmp_path, {"sensor.speed": 0, "custody.sensor_frames": 100}) as city:
        city.start("sensor", "gps")
        reader = Subscriber(context, "gps", acknowledges=False)
        reader.wait(100)
        [stream] = reader.cursors
        reader.acknowledge("0123456789abcdef", 50)
        reader.acknowledge(stream, 101)
        wait_until(lambda: reader.read() and len(reader.cursors) == 2, "the rest begins a new stream")
        assert reader.cursors[stream] == 100
        reader.acknowledges = True
        reader.acknowledge_all()
        reader.wait(MANY)
        assert sorted({e["seq"] for e in reader.events}) == list(range(1, max(e["seq"] for e in reader.events) + 1))


# --- replay


@pytest.mark.parametrize("speed", [0, 1, 20, 1000])
def test_timestamps_are_base_and_offset_at_any_speed(tmp_path, context, speed):
    offsets = [0, 0.25, 0.5, 1]
    path = recording(tmp_path / "r.jsonl.gz", [gps(t) for t in offsets], recorded_from="2012-10-02T09:00:00Z")
    with sensor(tmp_path, replaying(path, speed, **{"sensor.time_base": "recorded"})) as city:
        city.start("sensor", "gps")
        events = Subscriber(context, "gps").wait(4)
    base = 1349168400 * 1000000
    assert [e["captured_us"] - base for e in events] == [t * 1000000 for t in offsets]
    assert [e["timestamp"] for e in events] == ["2012-10-02T09:00:00Z"] * 3 + ["2012-10-02T09:00:01Z"]


def test_base_now_is_the_start_of_the_replay(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [gps(t) for t in (0, 30, 90.5)])
    with sensor(tmp_path, replaying(path)) as city:
        city.start("sensor", "gps")
        before = time.time()
        events = Subscriber(context, "gps").wait(3)
    assert before * 1e6 - 1 <= events[0]["captured_us"] <= time.time() * 1e6
    assert [e["captured_us"] - events[0]["captured_us"] for e in events] == [0, 30000000, 90500000]


def test_a_loop_counts_until_its_reading(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [loop(30)], recorded_from="2012-10-02T09:00:00Z")
    with sensor(tmp_path, replaying(path, **{"sensor.time_base": "recorded"})) as city:
        city.start("sensor", "inductive")
        event = Subscriber(context, "inductive").wait(1)[0]
    assert (event["timestamp_inicio"], event["timestamp_fin"]) == ("2012-10-02T09:00:00Z", "2012-10-02T09:00:30Z")
    assert "timestamp" not in event


def test_each_process_replays_its_own_kind(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [camera(1), loop(1), gps(2), camera(3), gps(4)])
    with sensor(tmp_path, replaying(path)) as city:
        for kind in PORTS:
            city.start("sensor", kind)
        got = {kind: [e["topic"] for e in Subscriber(context, kind).wait(n)] for kind, n in
               (("camera", 2), ("inductive", 1), ("gps", 2))}
    assert got == {"camera": ["camara"] * 2, "inductive": ["espira"], "gps": ["gps"] * 2}


def test_a_looped_recording_goes_on_in_time(tmp_path, context):
    path = recording(tmp_path / "r.jsonl.gz", [gps(10), gps(20)], duration=60)
    with sensor(tmp_path, replaying(path, loop="yes")) as city:
        city.start("sensor", "gps")
        events = Subscriber(context, "gps").wait(6)[:6]
    assert [(e["captured_us"] - events[0]["captured_us"]) / 1e6 for e in events] == [0, 10, 60, 70, 120, 130]
    assert_no_gap(events)


def test_an_ended_replay_keeps_the_service_up_and_says_so(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [gps(1), gps(2)])
    with sensor(tmp_path, replaying(path)) as city:
        process = city.start("sensor", "gps")
        subscriber = Subscriber(context, "gps")
        subscriber.wait(2)
        city.wait(lambda: "has ended" in process.status and "2 sent" in process.status, "STATUS says that it ended")
        city.wait_log("sensor@gps", "the recording has ended")
        assert process.is_running()


def test_a_loop_over_nothing_of_this_kind_ends(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [camera(1)])
    with sensor(tmp_path, replaying(path, loop="yes")) as city:
        process = city.start("sensor", "gps")
        subscriber = Subscriber(context, "gps")
        city.wait(lambda: "has ended" in process.status, "STATUS says that it ended")
        city.wait_log("sensor@gps", "holds nothing for this sensor")


def test_refused_lines_are_named_and_counted_and_cost_nothing_else(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [
        gps(1), "nonsense", gps(2, sensor="GPS-Z9"), gps(3, intersection="INT-Z9"), gps(4, intersection="INT-A2"),
        gps(5, timestamp="2026-02-09T15:10:00Z"), gps(6, speed=301), gps(0.5), gps(101), gps(7)])
    with sensor(tmp_path, replaying(path)) as city:
        process = city.start("sensor", "gps")
        subscriber = Subscriber(context, "gps")
        events = subscriber.wait(2)
        city.wait(lambda: "2 sent, 8 refused" in process.status, "all lines are read")
        log = process.log()
    assert [e["velocidad_promedio"] for e in events] == [30, 30]
    assert_no_gap(events)
    for line, why in ((3, "nonsense"), (4, "GPS-Z9"), (5, "INT-Z9"), (6, "INT-A1"), (7, "timestamp"), (8, "velocidad_promedio"),
                      (9, '"t"'), (10, '"t"')):
        found = [text for text in log.splitlines() if f"r.jsonl:{line}: refused" in text]
        assert len(found) == 1 and why in found[0], (line, log)
    assert city.metric("sensor@gps", "traffic_refused_total", link="recording") == 8


def test_sensors_beyond_the_count_are_left_out_and_counted(tmp_path, context):
    path = recording(tmp_path / "r.jsonl", [gps(1), gps(2, "GPS-A2", "INT-A2"), gps(3)])
    with sensor(tmp_path, replaying(path, **{"sensor.count": 1})) as city:
        process = city.start("sensor", "gps")
        subscriber = Subscriber(context, "gps")
        subscriber.wait(2)
        city.wait(lambda: "2 sent, 0 refused" in process.status, "STATUS")
    assert city.metric("sensor@gps", "traffic_events_total", outcome="left_out") == 1
    assert city.metric("sensor@gps", "traffic_events_total", outcome="sent") == 2


def test_a_damaged_file_ends_the_replay_and_not_the_service(tmp_path, context):
    path = recording(tmp_path / "r.jsonl.gz", [gps(i / 100, speed=i % 97) for i in range(5000)])
    path.write_bytes(path.read_bytes()[:-2000])
    with sensor(tmp_path, replaying(path)) as city:
        process = city.start("sensor", "gps")
        subscriber = Subscriber(context, "gps")
        subscriber.wait(100)
        city.wait(lambda: "the file is damaged" in process.status, "STATUS says that it is damaged")
        city.wait_log("sensor@gps", "cannot be read beyond line")


@pytest.mark.parametrize("make,settings,why", [
    (None, {}, "No such file"),
    (lambda path: path.write_text("nonsense\n"), {}, "expected the header of a recording"),
    (lambda path: recording(path, [], duration=0), {"sensor.loop": "yes"}, "duration 0 cannot be looped"),
    (lambda path: recording(path, []), {"sensor.time_base": "recorded"}, "when it was recorded"),
])
def test_a_recording_that_cannot_be_used_is_a_configuration_error(tmp_path, make, settings, why):
    path = tmp_path / "r.jsonl"
    if make:
        make(path)
    city = sensor(tmp_path, {**replaying(path), **settings})
    process = Process(city, "sensor", "gps", {})
    assert process.child.wait(timeout=20) == 78
    assert why in process.log()


# --- relay


MOST_CLIENTS = 64


RELAY = {"sensor.source": "relay"}


def relay_path(city):
    return city.runtime_dir / "sensor-gps.sock"


def relayed(city, context, **options):
    """A reader and a client whose answers depend on it."""
    reader = Subscriber(context, "gps", **options)
    return reader, Client(relay_path(city), reader)


def test_each_packet_is_answered_once_and_refusals_do_not_wait(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        reader, client = relayed(city, context, acknowledges=False)
        asked = [packet(1), {**packet(2), "id": "two"}, packet(3, velocidad_promedio=301), {"id": 4}, b"nonsense", packet(6, interseccion="INT-Z9"),
                 packet(7, sensor_id="GPS-A2"), packet(8, sensor_id="CAM-A1-NS"), packet(9)]
        for one in asked:
            client.send(one)
        refusals = client.answers(6)
        assert [a["refused"] for a in refusals] == [3, 4, None, 6, 7, 8]
        for refusal, why in enumerate(("velocidad_promedio", "sensor_id", "JSON", "INT-Z9", "INT-A2", "CAM-A1-NS")):
            assert why in refusals[refusal]["why"]
        events = reader.wait(3)
        assert client.answer_now() is None, "nothing is on the broker's disk yet"
        reader.acknowledge_all()
        assert client.answers(3) == [{"ack": 1}, {"ack": "two"}, {"ack": 9}]
        assert [e["velocidad_promedio"] for e in events] == [1, 2, 9]
        assert_no_gap(events)
    assert city.metric("sensor@gps", "traffic_refused_total", link="relay") == 6


def test_what_the_broker_has_committed_is_answered_and_no_more(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        reader, client = relayed(city, context, acknowledges=False)
        for number in range(1, 6):
            client.send(packet(number))
        reader.wait(5)
        [stream] = reader.cursors
        reader.acknowledge(stream, 3)
        assert client.answers(3) == [{"ack": 1}, {"ack": 2}, {"ack": 3}]
        reader.acknowledge(stream, 2)  # an old one
        reader.acknowledge(stream, 4)
        assert client.answer() == {"ack": 4}
        assert client.answer_now() is None


def test_thousands_may_be_under_way(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        reader, client = relayed(city, context, acknowledges=False)
        for number in range(MANY):
            client.send(packet(number))
        reader.wait(MANY)
        reader.acknowledge_all()
        assert client.answers(MANY) == [{"ack": number} for number in range(MANY)]


def test_an_identity_of_the_client_is_kept(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        reader, client = relayed(city, context)
        for number in (1, 2, 3):
            given = {"producer_id": "sumo", "epoch": 9, "seq": 77} if number == 2 else {}
            client.send(packet(number, **given))
            assert client.answer() == {"ack": number}
        events = reader.wait(3)
    assert [(e["producer_id"][:6], e["seq"]) for e in events] == [("sensor", 1), ("sumo", 77), ("sensor", 2)]


def test_several_clients_are_served_each_in_its_order(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        reader, first = relayed(city, context)
        clients = [first, *(Client(relay_path(city), reader) for _ in range(4))]
        for number in range(200):
            for index, client in enumerate(clients):
                client.send(packet(number, velocidad_promedio=index))
        for client in clients:
            assert client.answers(200) == [{"ack": number} for number in range(200)]
        assert_no_gap(reader.wait(1000))


def test_the_answer_waits_for_a_subscriber(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        process = city.start("sensor", "gps")
        client = Client(relay_path(city))
        client.send(packet(1))
        city.wait(lambda: "relay for 1 clients; waiting for a subscriber" in process.status, "the client is there")
        assert client.answer_now() is None
        client.reader = Subscriber(context, "gps")
        assert client.answer() == {"ack": 1}


def send_all_it_takes(client, sent, make=packet):
    """Sends packets numbered from `sent` on until the client would block; how many there are then."""
    while client.send_now(make(sent)):
        sent += 1
    return sent


def test_a_broker_that_commits_nothing_stops_the_client_and_loses_nothing(tmp_path, context):
    with sensor(tmp_path, {**RELAY, "custody.sensor_frames": 50}) as city:
        process = city.start("sensor", "gps")
        reader, client = relayed(city, context, acknowledges=False)
        sent = 0

        def push():
            nonlocal sent
            sent = send_all_it_takes(client, sent)
            return "waiting: the broker has not acknowledged 50 readings" in process.status

        city.wait(push, "the client is stopped")
        assert sent > 50
        assert len(reader.wait(50)) == 50
        assert client.answer_now() is None
        reader.acknowledges = True
        reader.acknowledge_all()
        assert [a["ack"] for a in client.answers(sent)] == list(range(sent))
        assert_no_gap(reader.wait(sent))


def test_a_full_v0_link_stops_the_client_and_loses_nothing(tmp_path, context):
    with sensor(tmp_path, {**RELAY, **V0}) as city:
        process = city.start("sensor", "gps")
        subscriber = V0Subscriber(context, "gps", high_water_mark=10)
        client = Client(relay_path(city))
        sent, acked = 0, []

        def read_answers():
            while (answer := client.answer_now()):
                acked.append(answer["ack"])
            return len(acked)

        def push():
            nonlocal sent
            sent = send_all_it_takes(client, sent, lambda number: packet(number, velocidad_promedio=1, note="x" * 2000))
            read_answers()
            return "waiting: the link is full" in process.status

        city.wait(push, "the link is full")
        assert read_answers() < sent
        city.wait(lambda: subscriber.read() and read_answers() == sent, "all are acknowledged")
        assert acked == list(range(sent))
        subscriber.wait(sent)
        assert_no_gap(subscriber.events)


def test_what_was_read_is_published_though_its_client_has_gone(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        process = city.start("sensor", "gps")
        reader, client = relayed(city, context, acknowledges=False)
        client.send(packet(1))
        client.send(packet(2))
        reader.wait(2)
        client.socket.close()
        city.wait(lambda: "relay for 0 clients" in process.status, "the client has gone")
        again = Client(relay_path(city), reader)
        again.send(packet(3))
        assert_no_gap(reader.wait(3))
        reader.acknowledge_all()
        assert again.answer() == {"ack": 3}
        assert again.answer_now() is None, "the answers of another client are nobody's"


def test_a_client_that_does_not_read_its_answers_holds_up_nobody(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        reader, deaf = relayed(city, context)
        sent = 0

        def push():
            nonlocal sent
            sent = send_all_it_takes(deaf, sent)
            return len(reader.read()) < sent  # its answers are stuck: what it sent is not read any more

        city.wait(push, "the deaf client is stuck")
        other = Client(relay_path(city), reader)
        other.send(packet(-1))
        assert other.answer() == {"ack": -1}
        assert deaf.answers(sent) == [{"ack": number} for number in range(sent)]


def test_clients_beyond_the_most_are_turned_away_and_told_once(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        clients = [Client(relay_path(city)) for _ in range(MOST_CLIENTS)]
        for _ in range(100):
            stranger = Client(relay_path(city))
            assert stranger.socket.recv(100) == b"", "it is hung up on"
            stranger.socket.close()
        assert city.log("sensor@gps").count("turned away") == 1
        assert all(client.answer_now() is None for client in clients), "they are still connected"


def test_a_packet_above_16_kib_is_refused_and_the_next_is_taken(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        reader, client = relayed(city, context)
        client.send(packet(1, note="x" * 20000))
        answer = client.answer()
        assert answer["refused"] is None and "at most 16384 bytes" in answer["why"]
        client.send(packet(2))
        assert client.answer() == {"ack": 2}


def test_the_socket_of_a_dead_process_is_taken_over(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        city.start("sensor", "gps")
        city.stop("sensor@gps", how=9)
        assert relay_path(city).exists()
        city.start("sensor", "gps")
        reader, client = relayed(city, context)
        client.send(packet(1))
        assert client.answer() == {"ack": 1}
        city.stop("sensor@gps")
        assert not relay_path(city).exists()


def test_what_was_committed_is_answered_before_a_sensor_that_is_stopped_has_gone(tmp_path, context):
    with sensor(tmp_path, RELAY) as city:
        process = city.start("sensor", "gps")
        reader, client = relayed(city, context, acknowledges=False)
        for number in range(100):
            client.send(packet(number))
        reader.wait(100)
        process.child.terminate()
        reader.acknowledge_all()
        assert process.child.wait(timeout=20) == 0  # a second signal would not wait
        city.stop("sensor@gps")
        assert client.answers(100) == [{"ack": number} for number in range(100)]


@pytest.mark.parametrize("point", ["before-commit", "after-commit", "after-ack"])
def test_whatever_was_acknowledged_reached_the_broker_wherever_the_sensor_is_killed(tmp_path, context, point):
    """The client hands in again what had no answer when the sensor died, as it is told to."""
    n_readings = 200
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    with sensor(tmp_path, RELAY) as city:
        reader = Subscriber(context, "gps")
        acked, n_lives = set(), 0
        while len(acked) < n_readings:
            n_lives += 1
            # one acknowledgement of the broker may stand for all readings, so there may be no second passage after a commit
            passages = 0 if n_lives > 3 else 1 if point == "after-commit" else dice.randrange(1, 60)
            process = city.start("sensor", "gps", environment={"TRAFFIC_FAULT": f"{point}:{passages}"} if passages else None)
            client = Client(relay_path(city), reader)
            wanted = [number for number in range(n_readings) if number not in acked]
            try:
                for number in wanted:
                    client.send(packet(number, producer_id="sumo", epoch=1, seq=number))
                while len(acked) < n_readings:
                    acked.add(client.answer()["ack"])
            except (ConnectionError, json.JSONDecodeError):
                pass  # the sensor was killed: its socket is reset, or at its end
            if passages:
                assert process.child.wait(timeout=20) == -9
                city.processes.pop("sensor@gps")
            # what had been answered before is with the broker already: the reader takes before it acknowledges
            assert acked <= {e["seq"] for e in reader.events}
        assert n_lives == 4
        assert {identity(e) for e in reader.read()} == {("sumo", 1, number) for number in range(n_readings)}


def listen_at(path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen()
    return listener


def spawn_activated(city, listener, source):
    """A sensor that gets its relay socket as systemd would give it: as descriptor 3, in an environment that names its pid."""
    (city.directory / "state").mkdir(exist_ok=True)
    command = [str(Path(os.environ["TRAFFIC_BUILD"]) / "services" / "sensor" / "traffic-sensor"), "gps", "--config", str(city.config),
               "--state-dir", str(city.directory / "state"), "--runtime-dir", str(city.runtime_dir), "--set", f"sensor.source={source}"]
    give = 'exec 3<&$0; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=relay exec "$@"'
    return subprocess.Popen(["bash", "-c", give, str(listener.fileno()), *command], pass_fds=[listener.fileno()],
                            stderr=subprocess.PIPE, text=True)


def end_activated(child):
    child.terminate()
    _, said = child.communicate(timeout=20)
    assert child.returncode == 0
    return said


def test_systemd_may_bring_the_socket(tmp_path, context):
    city = City(tmp_path, services=[])
    with listen_at(tmp_path / "activated.sock") as listener:
        child = spawn_activated(city, listener, "relay")
        try:
            client = Client(tmp_path / "activated.sock", Subscriber(context, "gps"))
            client.send(packet(1))
            assert client.answer() == {"ack": 1}
            assert not relay_path(city).exists()
        finally:
            end_activated(child)


def test_client_of_a_relay_that_is_not_the_source_is_told_so(tmp_path):
    city = City(tmp_path, services=[])
    with listen_at(tmp_path / "activated.sock") as listener:
        child = spawn_activated(city, listener, "random")
        try:
            client = Client(tmp_path / "activated.sock")
            answer = client.answer()
            assert answer["refused"] is None and "source = relay" in answer["why"]
        finally:
            assert "relay" not in end_activated(child)
