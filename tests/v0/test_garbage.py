"""What strangers send: nothing stops, everything is refused, answered where an answer is due, and counted."""
import random
import socket

import pytest

from peers import (CAMERA, GPS, HEALTH, HOST, INDUCTIVE, PRIMARY, QUERIES, REPLICA, SIGNAL, Monitor, Pusher, Sensor, Subscriber,
                   camera, gps, loop)

SEED = 5560
NOT_JSON = [b"", b" ", b"\0", b"\xff\xfe\xfd", b"PING", b"{", b"[]", b"null", b"5", b"{}x", b"{'a':1}", b'{"a":NaN}', b'{"a":"\\ud800"}',
            b'{"a":"\\u0000"}', b"[" * 10_000, b'{"a":' * 2_000, b"\xed\xa0\x80", b"x" * 1024]

BAD_EVENTS = {
    "camara": [camera("INT-A1", queue="doce"), camera("INT-A1", speed=-1), camera("INT-A1", timestamp="yesterday"),
               {"sensor_id": "x"}, camera("INT-A1", tipo_sensor="gps")],
    "espira": [loop("INT-A1", vehicles="nueve"), loop("INT-A1", vehicles=-1), loop("INT-A1", intervalo_segundos=0), {}],
    "gps": [gps("INT-A1", speed=1e308), gps("INT-A1", nivel_congestion="MEDIA"), gps("INT-A1", interseccion=7), {}],
}
BAD_COMMANDS = [{"new_state": "GREEN"}, {"interseccion": "INT-A1"}, {"interseccion": "INT-A1", "new_state": "AMBER"},
                {"interseccion": "INT-A1", "new_state": 1}, {"interseccion": "INT-Z9", "new_state": "GREEN"},
                {"interseccion": "INT-A1", "new_state": "GREEN", "created_at": "now"},
                {"interseccion": "INT-A1", "new_state": "GREEN", "created_at": 1_700_000_000.0},  # v0's queue while the signal is away
                {"interseccion": "INT-A1", "new_state": "GREEN", "duration_override_sec": -1},
                {"interseccion": "INT-A1", "new_state": "GREEN", "reason": "a\nb"}]
BAD_RECORDS = [{"type": "sqlite_master", "data": {}}, {"type": "sensor_event"}, {"data": {}}, {"type": "sensor_event", "data": []},
               {"type": "semaphore_state", "data": {"interseccion": "INT-A1", "state_ns": "BLUE", "state_ew": "RED",
                                                    "timestamp": "2026-03-01T10:00:00Z"}},
               {"type": "congestion_record", "data": {"interseccion": None, "traffic_state": None, "decision": None,
                                                      "timestamp": None}}]
SENSORS = [("camara", CAMERA, camera), ("espira", INDUCTIVE, loop), ("gps", GPS, gps)]


@pytest.fixture(autouse=True)
def nothing_stops(city):
    before = city.pids()
    yield
    assert city.pids() == before
    assert len(before) == 5


def send_bad_events(peer, topic, port, make):
    sensor = peer(Sensor, port)
    sensor.wait_subscriber()
    for garbage in NOT_JSON:
        sensor.publish_bytes(topic.encode() + b" " + garbage)
    for event in BAD_EVENTS[topic]:
        sensor.publish(topic, event)
    sensor.publish_bytes(topic.encode() + b" " + b" " * 16 * 1024 + b"{}")  # above 16 KiB
    sensor.publish_bytes(topic.encode() + b"_x {}")  # a topic that begins with an old one
    sensor.publish_bytes(topic.encode(), b"{}")  # two frames
    sensor.publish(topic, make("INT-Z9"))  # for the broker a good event
    return len(NOT_JSON) + len(BAD_EVENTS[topic]) + 3


def send_bad_queries(peer):
    for garbage in NOT_JSON:
        assert peer(Monitor).ask_bytes(garbage)["status"] == "ERROR"
    return len(NOT_JSON)


def push_bad(peer, port, messages):
    pusher = peer(Pusher, port)
    for garbage in NOT_JSON:
        pusher.push_bytes(garbage)
    for message in messages:
        pusher.push(message)
    pusher.push_bytes(b"{}", b"extra")
    return len(NOT_JSON) + len(messages) + 1


def test_every_refusal_is_counted_where_it_comes_in(city, peer):
    """All links at once, because counters are written every 5 s."""
    links = [("broker", "sensor.camera"), ("broker", "sensor.inductive"), ("broker", "sensor.gps"), ("analytics", "queries"),
             ("analytics", "broker"), ("signal", "signal.commands"), ("store@primary", "store.primary"), ("store@replica", "store.replica")]

    def refused():
        return [city.metric(service, "traffic_refused_total", link=link) for service, link in links]
    city.wait_fresh_metrics(*{service for service, _ in links})
    before = refused()
    sent = [send_bad_events(peer, *sensor) for sensor in SENSORS]
    sent += [send_bad_queries(peer), len(SENSORS)]  # the unknown intersection of each sensor
    sent += [push_bad(peer, SIGNAL, BAD_COMMANDS), push_bad(peer, PRIMARY, BAD_RECORDS), push_bad(peer, REPLICA, BAD_RECORDS)]
    expected = [count + n for count, n in zip(before, sent)]
    city.wait(lambda: all(now >= wanted for now, wanted in zip(refused(), expected)), f"{links} count {sent} refusals")
    assert refused() == expected
    assert city.metric("signal", "traffic_refused_total", link="signal.commands", reason="stale") == 1
    assert city.metric("analytics", "traffic_refused_total", link="broker", reason="unknown_intersection") == len(SENSORS)


@pytest.mark.parametrize("topic,port,make", SENSORS)
def test_a_good_event_behind_bad_ones_is_forwarded(city, peer, topic, port, make):
    sensor, subscriber = peer(Sensor, port), peer(Subscriber, topic.encode())
    sensor.wait_subscriber()

    def heard():
        for garbage in NOT_JSON:
            sensor.publish_bytes(topic.encode() + b" " + garbage)
        sensor.publish(topic, make("INT-A1", sensor="GOOD"))
        return subscriber.receive(50)
    assert city.wait(heard, "a good event is forwarded")[1]["sensor_id"] == "GOOD"


@pytest.mark.parametrize("garbage", NOT_JSON + [b'{"command":5}', b'{"command":"SYSTEM_STATUS","column":"two"}', b'{"interseccion":"INT-A1"}',
                                                b'{"command":"QUERY_HISTORY","timestamp_inicio":"yesterday"}'],
                         ids=lambda garbage: ascii(garbage[:24]))
def test_a_bad_query_gets_an_error_reply_and_the_next_one_its_answer(city, peer, garbage):
    monitor = peer(Monitor)
    reply = monitor.ask_bytes(garbage)
    assert reply["status"] == "ERROR"
    assert reply["message"]
    assert monitor.ask("HEALTH_CHECK")["message"] == "PONG"


def test_a_query_of_two_frames_gets_an_error_reply(city, peer):
    monitor = peer(Monitor)
    monitor.socket.send_multipart([b'{"command":"HEALTH_CHECK"}', b"extra"])
    assert monitor.socket.poll(10_000), "silence locks a v0 monitor"
    assert len(monitor.socket.recv_multipart()) == 1
    assert monitor.ask("HEALTH_CHECK")["message"] == "PONG"


def test_a_frame_above_64_kib_cuts_its_sender_and_nobody_else(city, peer):
    ports = {"signal": SIGNAL, "store@primary": PRIMARY, "store@replica": REPLICA, "analytics": QUERIES}

    def cut(title):
        return city.metric(title, "traffic_peer_disconnected_total")
    city.wait_fresh_metrics(*ports)
    before = {title: cut(title) for title in ports}
    for port in ports.values():
        kind = Monitor if port == QUERIES else Pusher
        peer(kind, port).socket.send(b"{" + b" " * 64 * 1024 + b"}")
    city.wait(lambda: all(cut(title) > before[title] for title in ports), f"{list(ports)} count a cut peer")
    assert peer(Monitor).ask("HEALTH_CHECK")["message"] == "PONG"


def test_random_bytes_on_every_port_do_no_harm(city, peer):
    """Not even ZeroMQ: somebody's port scanner. 5560 and above are bound by the city."""
    print("seed", SEED)
    dice = random.Random(SEED)
    for port in (5560, 5569, QUERIES, SIGNAL, PRIMARY, REPLICA, HEALTH, 5570, 5573, 5574, 5575, 5576):
        for size in (1, 64, 4096):
            with socket.create_connection((HOST, port), timeout=5) as stranger:
                try:
                    stranger.sendall(dice.randbytes(size))
                except ConnectionError:
                    pass  # hung up on: fair
    assert peer(Monitor).ask("HEALTH_CHECK")["message"] == "PONG"
    assert peer(Monitor, HEALTH).ask_raw(b"PING") == b"PONG"
