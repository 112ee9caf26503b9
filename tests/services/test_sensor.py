"""The sensor service over its real link: random and replayed readings."""
import time

import pytest

from city import Process
from sensors import MANY, PORTS, V0, Subscriber, V0Subscriber, assert_no_gap, camera, gps, loop, recording, replaying, sensor


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
