"""The relay socket of a sensor: what programs hand in, and when they are told that it is safe."""
import json
import os
import random
import socket
import subprocess
from pathlib import Path

import pytest

from city import City
from custody import identity
from relay import Client, packet
from sensors import MANY, V0, Subscriber, V0Subscriber, assert_no_gap, sensor

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
