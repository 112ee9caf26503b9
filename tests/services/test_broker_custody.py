"""The broker under custody, in both modes: nothing acknowledged is lost and nothing arrives twice, whoever is away, slow, killed, or on a
bad disk."""
import json
import os
import random
import re
import sqlite3
import time
from pathlib import Path

import pytest
import zmq

from brokers import INPUTS, Analytics, Publisher, Sensor, Subscriber, broker, deliver, event, modes, named
from city import wait_until
from custody import identity
from stores import make_disk  # noqa: F401 (a fixture)


# --- custody: from the sensors


def spooled(city):
    """What is on the broker's disk, seen while nobody else has it open."""
    with sqlite3.connect(city.directory / "state" / "broker" / "spool.db") as connection:
        return [bytes(row[0]) for row in connection.execute("SELECT frame FROM frames ORDER BY position")]


@modes
def test_what_was_acknowledged_is_on_disk(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        sensor.wait_for_reader()
        for number in range(1, 501):
            sensor.send(named("gps", number))
        sensor.wait_acknowledged(1)
        city.stop("broker", how=9)
        on_disk = [json.loads(frame.split(b" ", 1)[1])["seq"] for frame in spooled(city)]
        assert on_disk == list(range(1, len(on_disk) + 1))
        assert len(on_disk) >= sensor.hear() >= 1


@modes
def test_a_sensor_hears_again_what_it_missed(tmp_path, context, mode):
    """Repeats are acknowledged and are not taken twice; a gap is asked for."""
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        analytics = Analytics(context)
        sensor.wait_for_reader()
        for number in (1, 2, 3):
            sensor.send(named("gps", number))
        sensor.wait_acknowledged(3)
        sensor.frames = {number: named("gps", number).encode() for number in range(1, 7)}
        sensor.last, sensor.acknowledged = 6, 0
        sensor.send_position(2)  # a repeat
        wait_until(lambda: sensor.hear() == 3, "the repeat is acknowledged")
        sensor.send_position(5)  # 4 is missing
        wait_until(lambda: sensor.hear() is not None and any(ack.get("asks") for ack in sensor.acks), "the gap is asked for")
        asked = [ack for ack in sensor.acks if ack.get("asks")]
        assert asked == [{"stream": sensor.stream, "position": 3, "epoch": 1, "asks": True}]
        sensor.send_again()
        sensor.wait_acknowledged(6)
        analytics.wait(6)
        assert analytics.numbers() == [1, 2, 3, 4, 5, 6]


@modes
def test_what_is_refused_under_custody_is_acknowledged_and_does_not_come_again(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        analytics = Analytics(context)
        sensor.wait_for_reader()
        garbage = ["gps {}", "gps {\"sensor_id\":1}", "camaras {}", event("gps", velocidad_promedio="fast"), "gps {" + " " * 20000 + "}"]
        for number, frame in enumerate(garbage):
            sensor.send(named("gps", number))
            sensor.send(frame)
        sensor.wait_acknowledged(2 * len(garbage))
        sensor.send("gps {}")  # alone, with no good one whose commit could tell of it as well
        sensor.wait_acknowledged(2 * len(garbage) + 1)
        analytics.wait(len(garbage))
        assert analytics.numbers() == list(range(len(garbage)))
    assert city.metric("broker", "traffic_refused_total", link="sensor.gps") == len(garbage) + 1


@modes
def test_a_sensor_that_was_replaced_is_told_so_and_not_listened_to(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        new = Sensor(context, "gps", epoch=5)
        city.start("broker")
        analytics = Analytics(context)
        new.wait_for_reader().send(named("gps", 1))
        new.wait_acknowledged(1).close()
        old = Sensor(context, "gps", epoch=4)
        old.wait_for_reader().send(named("gps", 2))
        wait_until(lambda: old.hear() == 0 and any(ack["stream"] == old.stream and ack["epoch"] == 5 for ack in old.acks),
                   "the old one hears of its successor")
        assert len(analytics.wait(1)) == 1
    assert city.metric("broker", "traffic_custody_received_total", link="sensor.gps", outcome="fenced") >= 1


@modes
@pytest.mark.parametrize("point", ["before-commit", "after-commit", "after-ack"])
def test_each_event_arrives_once_wherever_the_broker_is_killed(tmp_path, context, mode, point):
    """Three sensors, as fast as they can, and an analytics that lives through it all; the broker dies several times in a row."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    n_events = 3000
    with broker(tmp_path, mode, **{"custody.resend_sec": 0.1}) as city:
        sensors = {topic: Sensor(context, topic) for topic in INPUTS}
        analytics = Analytics(context)
        for number in range(n_events):
            for topic, sensor in sensors.items():
                sensor.last += 1
                sensor.frames[sensor.last] = named(topic, number, f"generator-{topic}").encode()

        def go_on():
            """What each of them does in its loop; true when all is delivered."""
            analytics.read()
            for sensor in sensors.values():
                while sensor.socket.poll(0):
                    if sensor.socket.recv()[:1] == b"\x01":
                        sensor.send_again()
                sensor.hear()
            return len(analytics.frames) >= 3 * n_events and all(sensor.hear() == sensor.last for sensor in sensors.values())

        for life in range(4):
            # how often a point is passed depends on how many frames share a commit: sometimes fewer times than this
            fault = {"TRAFFIC_FAULT": f"{point}:{dice.randrange(1, 6)}"} if life < 3 else None
            process = city.spawn("broker", environment=fault)
            wait_until(lambda: go_on() or not process.is_running(), "the broker dies or is done")
            if process.is_running():
                break
            assert process.child.wait() == -9
            city.processes.pop("broker")
        assert life >= 1
        wait_until(go_on, "all is delivered")
        found = [identity(e) for e in analytics.events()]
        assert len(found) == len(set(found)) == 3 * n_events
        for topic in INPUTS:
            assert [seq for producer, _, seq in found if producer == f"generator-{topic}"] == list(range(n_events)), topic


@modes
def test_events_with_and_without_a_hop_share_a_link(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        analytics = Analytics(context)
        sensor.wait_for_reader()
        for number in range(100):
            sensor.send(named("gps", 2 * number))
            sensor.socket.send(event("gps", 2 * number + 1).encode())
        sensor.wait_acknowledged(100)
        analytics.wait(200)
        assert analytics.numbers() == list(range(200))


# --- custody: to analytics


@modes
def test_analytics_that_acknowledges_nothing_costs_nothing_but_room(tmp_path, context, mode):
    with broker(tmp_path, mode, **{"custody.window": 100, "custody.resend_sec": 0.05}) as city:
        sensor = Sensor(context, "gps")
        process = city.start("broker")
        analytics = Analytics(context, acknowledges=False)
        sensor.wait_for_reader()
        deliver(sensor, range(1000))
        wait_until(lambda: analytics.read() and analytics.n_repeats >= 200, "the window is sent again")
        assert analytics.numbers() == list(range(100))
        city.wait(lambda: "1000 wait for analytics" in process.status, "STATUS says how many")
        city.wait_log("broker", "analytics has acknowledged nothing for 5 s, 1000 frames are kept")
        analytics.acknowledges = True
        analytics.wait(1000)
        assert analytics.numbers() == list(range(1000))
        city.wait(lambda: analytics.read() and "1000 forwarded, 0 wait for analytics" in process.status, "all are acknowledged")


@modes
def test_what_waits_for_analytics_outlives_the_broker_and_what_it_has_does_not_come_again(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        process = city.start("broker")
        analytics = Analytics(context, acknowledges=False)
        sensor.wait_for_reader()
        deliver(sensor, range(100))
        analytics.wait(100)
        [stream] = analytics.cursors
        analytics.acknowledge(stream, 60)
        city.wait(lambda: "60 forwarded, 40 wait" in process.status, "the acknowledgement is heard")
        assert city.stop("broker") == 0
        analytics.close()
        assert len(spooled(city)) == 40
        city.start("broker")
        again = Analytics(context)
        again.wait(40)
        assert again.numbers() == list(range(60, 100))
        assert again.cursors == {stream: 100} and again.hops[0][2:] == (61, 61)


@modes
def test_analytics_that_lost_its_disk_gets_what_there_still_is(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        analytics = Analytics(context)
        sensor.wait_for_reader()
        deliver(sensor, range(50))
        analytics.wait(50)
        analytics.close()
        fresh = Analytics(context)
        deliver(sensor, range(50, 100))
        fresh.wait(50)
        assert fresh.numbers()[-50:] == list(range(50, 100))


@modes
def test_somebody_who_does_not_read_stops_nobody(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        stuck = Subscriber(context, high_water_mark=1)
        analytics = Analytics(context)
        sensor.wait_for_reader()
        for start in range(0, 40000, 4000):  # in all more than the link holds for one that is stuck
            deliver(sensor, range(start, start + 4000), note="x" * 500)
            analytics.wait(start + 4000)
        assert analytics.numbers() == list(range(40000))
        stuck.read()
        assert len(stuck.frames) < 40000


@modes
def test_sending_waits_for_a_reader_of_every_topic(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensors = {topic: Sensor(context, topic) for topic in INPUTS}
        process = city.start("broker")
        only_gps = Subscriber(context, b"gps")
        for topic, sensor in sensors.items():
            sensor.wait_for_reader()
            deliver(sensor, range(100), topic)
        city.wait(lambda: "300 wait for analytics" in process.status, "all are taken")
        analytics = Analytics(context)
        analytics.wait(300)
        only_gps.wait(100)
        assert [e["number"] for e in only_gps.events()] == list(range(100))
        assert len(analytics.frames) == 300


@pytest.mark.parametrize("garbage", [b"", b"nonsense", b"{}", b"\xff\xfe", b'{"stream":"0000000000000000","position":1,"epoch":1}',
                                     b'{"stream":"0123456789abcdef","position":-1,"epoch":1}', b"{" * 10000],
                         ids=lambda garbage: ascii(garbage[:48]))
def test_garbage_on_the_port_of_acknowledgements_is_refused_and_harmless(tmp_path, context, garbage):
    with broker(tmp_path, "standard") as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        analytics = Analytics(context, acknowledges=False)
        sensor.wait_for_reader()
        deliver(sensor, range(10))
        analytics.wait(10)
        analytics.ack_socket.send(garbage)
        analytics.ack_socket.send_multipart([b"{}", b"another frame"])
        city.wait_log("broker", "refused a frame on link ack.broker")
        analytics.acknowledges = True
        deliver(sensor, range(10, 20))
        analytics.wait(20)
        assert analytics.numbers() == list(range(20))
    assert city.metric("broker", "traffic_refused_total", link="ack.broker") == 2


# --- the limits of the spool


@modes
def test_a_full_spool_takes_nothing_more_and_goes_on_when_there_is_room(tmp_path, context, mode):
    with broker(tmp_path, mode, **{"broker.spool_mib": 1}) as city:
        sensor = Sensor(context, "gps")
        process = city.start("broker")
        sensor.wait_for_reader()
        for number in range(2000):
            sensor.send(named("gps", number, note="x" * 1000))
        city.wait_log("broker", "spool: 80 % of 1 MiB are used")
        city.wait(lambda: "the sensors wait: the spool is full" in process.status, "STATUS says why the sensors wait")
        # what is acknowledged now is what fits, and the rest is still the sensor's
        full_at = city.wait(lambda: re.search(r"(\d+) events taken", process.status), "how many fit")[1]
        wait_until(lambda: sensor.hear() == int(full_at), "those are acknowledged")
        assert 700 < int(full_at) < 1100
        analytics = Analytics(context)
        wait_until(lambda: analytics.read() is not None and sensor.hear() is not None and len(analytics.frames) >= int(full_at), "room")
        sensor.send_again()
        wait_until(lambda: analytics.read() and sensor.hear() == 2000, "the rest")
        analytics.wait(2000)
        assert analytics.numbers() == list(range(2000))


def test_a_start_on_a_full_disk_is_not_tried_ten_times_a_second(tmp_path, make_disk):
    with broker(tmp_path, "standard") as city:
        disk = make_disk(tmp_path / "state" / "broker", mib=1)
        disk.fill()
        begun = time.monotonic()
        process = city.spawn("broker")
        wait_until(lambda: not process.is_running(), "the broker ends: there is no room for its spool")
        assert time.monotonic() - begun >= 2
        assert city.stop("broker") == 1
        disk.empty()
        city.start("broker")


@modes
def test_a_full_spool_stops_a_v0_sensor_and_loses_nothing(tmp_path, context, mode):
    with broker(tmp_path, mode, **{"broker.spool_mib": 1}) as city:
        publisher = Publisher(context, "gps", high_water_mark=100)
        process = city.start("broker")
        publisher.wait_for_broker()
        sent = 0

        def push():
            nonlocal sent
            try:
                while True:
                    publisher.send(event("gps", sent, note="x" * 1000), zmq.DONTWAIT)
                    sent += 1
            except zmq.Again:
                return "the sensors wait: the spool is full" in process.status

        city.wait(push, "the sensor is stopped")
        analytics = Analytics(context)
        analytics.wait(sent)
        assert analytics.numbers() == list(range(sent))
        assert [e["seq"] for e in analytics.events()] == list(range(1, sent + 1))


@modes
def test_a_locked_spool_acknowledges_nothing_until_it_commits(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        process = city.start("broker")
        sensor.wait_for_reader()
        deliver(sensor, range(10))
        with sqlite3.connect(process.state_dir / "spool.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(10, 2000):
                sensor.send(named("gps", number))
            city.wait_log("broker", "spool: cannot commit")
            city.wait(lambda: "the sensors wait: " in process.status, "STATUS says so")
            assert sensor.hear() == 10
            other.execute("ROLLBACK")
        other.close()
        city.wait_log("broker", "spool: commits again")
        sensor.wait_acknowledged(2000)
        analytics = Analytics(context)
        analytics.wait(2000)
        assert analytics.numbers() == list(range(2000))


@modes
@pytest.mark.parametrize("word", ["enospc", "erofs", "eio", "eio-sync"])
def test_a_disk_that_refuses_is_survived_and_nothing_is_acknowledged_meanwhile(tmp_path, context, mode, word):
    fault = tmp_path / "disk-fault"
    library = Path(os.environ["TRAFFIC_BUILD"]) / "tests" / "services" / "libdisk-fault.so"
    options = os.environ.get("ASAN_OPTIONS", "")  # a sanitizer wants to be loaded first
    environment = {"LD_PRELOAD": str(library), "TRAFFIC_DISK_FAULT": str(fault), "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        process = city.start("broker", environment=environment)
        analytics = Analytics(context)
        sensor.wait_for_reader()
        deliver(sensor, range(100))
        fault.write_text(word)
        for number in range(100, 2000):
            sensor.send(named("gps", number))
        city.wait_log("broker", "spool: cannot commit")
        city.wait(lambda: "the sensors wait: " in process.status, "STATUS says so")
        assert sensor.hear() == 100
        assert len(analytics.wait(100)) == 100
        fault.unlink()
        city.wait_log("broker", "spool: commits again")
        sensor.wait_acknowledged(2000)
        analytics.wait(2000)
        assert analytics.numbers() == list(range(2000))


@modes
def test_a_damaged_spool_is_set_aside_and_what_can_be_read_of_it_is_kept(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        sensor = Sensor(context, "gps")
        state_dir = city.start("broker").state_dir
        sensor.wait_for_reader()
        deliver(sensor, range(3000), note="x" * 500)
        assert city.stop("broker") == 0
        path = state_dir / "spool.db"
        with open(path, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size // 2 // 4096 * 4096)
            file.write(os.urandom(4096))
        city.start("broker")
        found = city.wait_log("broker", r"is damaged \(.*\): moved to (\S+); (\d+) frames could be read")
        n_saved = int(found[2])
        assert 2900 < n_saved < 3000
        assert os.path.exists(found[1].rstrip(";"))
        analytics = Analytics(context)
        numbers = [e["number"] for e in analytics.wait(n_saved)]
        assert numbers == sorted(set(numbers)), "in their order and once"
        # and the sensors go on where they stopped, or at worst with what they still have
        sensor.wait_for_reader_again()
        deliver(sensor, range(3000, 3100))
        analytics.wait(n_saved + 100)
        assert analytics.numbers()[-100:] == list(range(3000, 3100))
