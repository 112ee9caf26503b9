"""A sensor and what becomes of its readings until the broker has committed them."""
import random
import re
import socket

import pytest

from city import wait_until
from sensors import ACK_PORTS, MANY, PORTS, Subscriber, V0Subscriber, assert_no_gap, gps, recording, replaying, sensor


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
