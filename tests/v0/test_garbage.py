"""What strangers send: nothing stops, everything is refused, answered where an answer is due, and counted."""
import random
import socket

import pytest

from peers import (CAMERA, GPS, HEALTH, HOST, INDUCTIVE, PRIMARY, QUERIES, REPLICA, SIGNAL, Monitor, Pusher, Sensor, Subscriber,
                   camera, gps, loop)

SEED = 5560
ONE_KIB = b"x" * 1024
NOT_JSON = [b"", b" ", b"\0", b"\xff\xfe\xfd", b"PING", b"{", b"[]", b"null", b"5", b"{}x", b"{'a':1}", b'{"a":NaN}', b'{"a":"\\ud800"}',
            b'{"a":"\\u0000"}', b"[" * 10_000, b'{"a":' * 2_000, b"\xed\xa0\x80", ONE_KIB]


@pytest.fixture(autouse=True)
def nothing_stops(city):
    before = city.pids()
    yield
    assert city.pids() == before
    assert len(before) == 5


def shown(value):
    return ascii(value[:24]) if isinstance(value, bytes) else None


def refused(city, service, link):
    return city.metric(service, "traffic_refused_total", link=link)


def count_refusals(city, service, link, send, n_expected):
    """Runs `send` and waits until the service has counted that many refusals more on this link."""
    city.wait_fresh_metrics(service)
    before = refused(city, service, link)
    send()
    city.wait(lambda: refused(city, service, link) >= before + n_expected, f"{service} counts {n_expected} refusals on {link}")
    assert refused(city, service, link) == before + n_expected


BAD_EVENTS = {
    "camara": [camera("INT-A1", queue="doce"), camera("INT-A1", speed=-1), camera("INT-A1", timestamp="yesterday"),
               {"sensor_id": "x"}, camera("INT-A1", tipo_sensor="gps")],
    "espira": [loop("INT-A1", vehicles="nueve"), loop("INT-A1", vehicles=-1), loop("INT-A1", intervalo_segundos=0), {}],
    "gps": [gps("INT-A1", speed=1e308), gps("INT-A1", nivel_congestion="MEDIA"), gps("INT-A1", interseccion=7), {}],
}
SENSORS = [("camara", CAMERA, "sensor.camera", camera), ("espira", INDUCTIVE, "sensor.inductive", loop), ("gps", GPS, "sensor.gps", gps)]


@pytest.mark.parametrize("topic,port,link,make", SENSORS)
def test_bad_events_are_counted_where_they_come_in(city, peer, topic, port, link, make):
    sensor = peer(Sensor, port)
    sensor.wait_subscriber()

    def send():
        for garbage in NOT_JSON:
            sensor.publish_bytes(topic.encode() + b" " + garbage)
        for event in BAD_EVENTS[topic]:
            sensor.publish(topic, event)
        sensor.publish_bytes(topic.encode() + b" " + b" " * 16 * 1024 + b"{}")  # above 16 KiB
        sensor.publish_bytes(topic.encode() + b"_x {}")  # a topic that begins with an old one
        sensor.publish_bytes(topic.encode(), b"{}")  # two frames
        sensor.publish(topic, make("INT-A1"))
    count_refusals(city, "broker", link, send, len(NOT_JSON) + len(BAD_EVENTS[topic]) + 3)


@pytest.mark.parametrize("topic,port,link,make", SENSORS)
def test_a_good_event_behind_bad_ones_is_forwarded(city, peer, topic, port, link, make):
    sensor, subscriber = peer(Sensor, port), peer(Subscriber, topic.encode())
    sensor.wait_subscriber()

    def heard():
        for garbage in NOT_JSON:
            sensor.publish_bytes(topic.encode() + b" " + garbage)
        sensor.publish(topic, make("INT-A1", sensor="GOOD"))
        return subscriber.receive(50)
    assert city.wait(heard, "a good event is forwarded")[1]["sensor_id"] == "GOOD"


def test_events_of_unknown_intersections_are_counted(city, peer):
    sensor = peer(Sensor, CAMERA)
    sensor.wait_subscriber()
    count_refusals(city, "analytics", "broker", lambda: sensor.publish("camara", camera("INT-Z9")), 1)
    assert city.metric("analytics", "traffic_refused_total", link="broker", reason="unknown_intersection") >= 1


@pytest.mark.parametrize("garbage", NOT_JSON + [b'{"command":5}', b'{"command":"SYSTEM_STATUS","column":"two"}', b'{"interseccion":"INT-A1"}',
                                                b'{"command":"QUERY_HISTORY","timestamp_inicio":"yesterday"}'], ids=shown)
def test_a_bad_query_gets_an_error_reply(city, peer, garbage):
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


def test_bad_queries_are_counted(city, peer):
    def send():
        for garbage in NOT_JSON:
            peer(Monitor).ask_bytes(garbage)
    count_refusals(city, "analytics", "queries", send, len(NOT_JSON))


def test_bad_commands_to_the_lights_are_counted(city, peer):
    pusher = peer(Pusher, SIGNAL)
    bad = [{"new_state": "GREEN"}, {"interseccion": "INT-A1"}, {"interseccion": "INT-A1", "new_state": "AMBER"},
           {"interseccion": "INT-A1", "new_state": 1}, {"interseccion": "INT-Z9", "new_state": "GREEN"},
           {"interseccion": "INT-A1", "new_state": "GREEN", "created_at": "now"},
           {"interseccion": "INT-A1", "new_state": "GREEN", "duration_override_sec": -1},
           {"interseccion": "INT-A1", "new_state": "GREEN", "reason": "a\nb"}]

    def send():
        for garbage in NOT_JSON:
            pusher.push_bytes(garbage)
        for command in bad:
            pusher.push(command)
        pusher.push_bytes(b'{"interseccion":"INT-A1","new_state":"GREEN"}', b"extra")
    count_refusals(city, "signal", "signal.commands", send, len(NOT_JSON) + len(bad) + 1)


def test_a_command_from_long_ago_is_refused(city, peer):
    """v0's commands queue while the signal is away."""
    pusher = peer(Pusher, SIGNAL)
    old = {"interseccion": "INT-A1", "new_state": "GREEN", "created_at": 1_700_000_000.0}
    count_refusals(city, "signal", "signal.commands", lambda: pusher.push(old), 1)
    assert city.metric("signal", "traffic_refused_total", link="signal.commands", reason="stale") >= 1


@pytest.mark.parametrize("service,port,link", [("store@primary", PRIMARY, "store.primary"), ("store@replica", REPLICA, "store.replica")])
def test_bad_records_are_counted(city, peer, service, port, link):
    pusher = peer(Pusher, port)
    bad = [{"type": "sqlite_master", "data": {}}, {"type": "sensor_event"}, {"data": {}}, {"type": "sensor_event", "data": []},
           {"type": "semaphore_state", "data": {"interseccion": "INT-A1", "state_ns": "BLUE", "state_ew": "RED",
                                                "timestamp": "2026-03-01T10:00:00Z"}},
           {"type": "congestion_record", "data": {"interseccion": None, "traffic_state": None, "decision": None, "timestamp": None}}]

    def send():
        for garbage in NOT_JSON:
            pusher.push_bytes(garbage)
        for record in bad:
            pusher.push(record)
    count_refusals(city, service, link, send, len(NOT_JSON) + len(bad))


@pytest.mark.parametrize("port,title", [(SIGNAL, "signal"), (PRIMARY, "store@primary"), (REPLICA, "store@replica")])
def test_a_frame_above_64_kib_cuts_its_sender_and_nobody_else(city, peer, port, title):
    before = city.metric(title, "traffic_peer_disconnected_total")
    peer(Pusher, port).push_bytes(b"{" + b" " * 64 * 1024 + b"}")
    city.wait(lambda: city.metric(title, "traffic_peer_disconnected_total") > before, f"{title} counts a cut peer")
    assert peer(Monitor).ask("HEALTH_CHECK")["message"] == "PONG"


def test_random_bytes_on_every_port_do_no_harm(city, peer):
    """Not even ZeroMQ: somebody's port scanner. 5560 and above are bound by the city."""
    print("seed", SEED)
    dice = random.Random(SEED)
    for port in (5560, QUERIES, SIGNAL, PRIMARY, REPLICA, HEALTH, 5570, 5573, 5574, 5575, 5576):
        for size in (1, 64, 4096):
            with socket.create_connection((HOST, port), timeout=5) as stranger:
                try:
                    stranger.sendall(dice.randbytes(size))
                except ConnectionError:
                    pass  # hung up on: fair
    assert peer(Monitor).ask("HEALTH_CHECK")["message"] == "PONG"
    assert peer(Monitor, HEALTH).ask_raw(b"PING") == b"PONG"
