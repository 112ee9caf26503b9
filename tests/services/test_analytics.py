"""Analytics over its real links, everybody else played by the test: what it stores, what it asks of the lights, whom it asks."""
import json
import threading
import time

import pytest
import zmq

from city import City, wait_until

QUERIES, BROKER, COMMANDS, REPORTS = (f"tcp://127.0.0.1:{port}" for port in (5561, 5560, 5562, 5570))
PORTS = {"primary": (5563, 5573, 5575), "replica": (5564, 5574, 5576)}
NOW = "2026-01-01T08:00:00Z"
REPLY_WITHIN_MSEC = 10_000


class Store:
    """Records, heartbeats and questions of one store, by a thread of its own; the test turns its switches."""

    def __init__(self, context, role):
        self.role, self.context = role, context
        self.beats = self.answers = self.commits = self.reads = True
        self.records, self.asked = [], []
        self.is_running = True
        records_port, heartbeat_port, query_port = PORTS[role]
        self.pull = self.bind(zmq.PULL, records_port, RCVHWM=10)
        self.heartbeat = self.bind(zmq.ROUTER, heartbeat_port)
        self.query = self.bind(zmq.ROUTER, query_port)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def bind(self, pattern, port, **options):
        socket = self.context.socket(pattern)
        socket.linger = 0
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), value)
        socket.bind(f"tcp://127.0.0.1:{port}")
        return socket

    def run(self):
        while self.is_running:
            poller = zmq.Poller()
            for socket in [self.heartbeat, self.query] + ([self.pull] if self.reads else []):
                poller.register(socket, zmq.POLLIN)
            ready = dict(poller.poll(20))
            if self.heartbeat in ready:
                self.beat()
            if self.query in ready:
                self.answer()
            if self.pull in ready:
                self.records.append(json.loads(self.pull.recv()))
        for socket in (self.pull, self.heartbeat, self.query):
            socket.close()

    def beat(self):
        *route, _ = self.heartbeat.recv_multipart()
        if self.beats:
            own = {"role": self.role, "boot_id": "0", "epoch": 1, "seq": 1, "can_commit": self.commits, "rows_waiting": 0}
            self.heartbeat.send_multipart([*route, json.dumps(own).encode()])

    def answer(self):
        *route, question = self.query.recv_multipart()
        question = json.loads(question)
        self.asked.append(question["command"])
        if self.answers:
            reply = {"status": "OK", "command": question["command"], "message": f"from {self.role}", "timestamp": NOW,
                     "data": {"records": [self.role]}, "query_id": question["query_id"]}
            self.query.send_multipart([*route, json.dumps(reply).encode()])

    def of_type(self, kind):
        return [record["data"] for record in list(self.records) if record["type"] == kind]

    def stop(self):
        self.is_running = False
        self.thread.join()


class World:
    """Everybody that analytics talks to."""

    def __init__(self, context):
        self.context = context
        self.stores = {role: Store(context, role) for role in PORTS}
        self.broker = self.bind(zmq.XPUB, BROKER, XPUB_NODROP=1, SNDHWM=100)
        self.commands = self.bind(zmq.PULL, COMMANDS)
        self.reports = self.bind(zmq.XPUB, REPORTS)
        self.client = None

    @property
    def primary(self):
        return self.stores["primary"]

    @property
    def replica(self):
        return self.stores["replica"]

    def bind(self, pattern, address, **options):
        socket = self.context.socket(pattern)
        socket.linger = 0
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), value)
        socket.bind(address)
        return socket

    def wait_subscribers(self):
        assert self.broker.poll(5000) and self.reports.poll(5000), "analytics subscribes"
        self.broker.recv(), self.reports.recv()

    def camera(self, queue, speed=50.0, intersection="INT-B3", sensor="CAM-X", flags=0, **more):
        event = {"sensor_id": sensor, "tipo_sensor": "camara", "interseccion": intersection, "volumen": queue,
                 "velocidad_promedio": speed, "timestamp": NOW, **more}
        self.broker.send(f"camara {json.dumps(event)}".encode(), flags)
        return event

    def numbered(self, number, queue=1, epoch=7):
        return self.camera(queue, producer_id="sensor-camera@test", epoch=epoch, seq=number)

    def show(self, ns, ew, kind="CHANGE", intersection="INT-B3", **more):
        self.reports.send(json.dumps({"report": kind, "interseccion": intersection, "state_ns": ns, "state_ew": ew, "reason": "plan",
                                      "cycle_duration_sec": 15, "timestamp": NOW, **more}).encode())

    def command(self, within_msec=5000):
        assert self.commands.poll(within_msec), "a request to the lights"
        return json.loads(self.commands.recv())

    def ask(self, command, **members):
        if not self.client:
            self.client = self.context.socket(zmq.REQ)
            self.client.linger = 0
            self.client.connect(QUERIES)
        self.client.send(json.dumps({"command": command, **members}).encode())
        assert self.client.poll(REPLY_WITHIN_MSEC), f"{command} is answered within 10 s"
        return json.loads(self.client.recv())

    def stop(self):
        for store in self.stores.values():
            store.stop()


@pytest.fixture
def world():
    context = zmq.Context()
    world = World(context)
    yield world
    world.stop()
    context.destroy(linger=0)


@pytest.fixture
def city(tmp_path, world):
    with City(tmp_path, services=[("analytics", "")]) as city:
        world.wait_subscribers()
        yield city


def events_of(store):
    return [record["event_data"]["seq"] for record in store.of_type("sensor_event")]


def test_an_event_goes_to_both_stores_as_it_came_with_its_identity(city, world):
    event = world.numbered(1)
    for store in world.stores.values():
        [record] = city.wait(lambda: store.of_type("sensor_event"), "the event is stored")
        assert record["event_data"] == event
        assert (record["producer_id"], record["epoch"], record["seq"]) == ("sensor-camera@test", 7, 1)
        assert (record["sensor_id"], record["tipo_sensor"], record["timestamp"]) == ("CAM-X", "camara", NOW)


def test_an_event_without_identity_gets_the_same_one_in_both_stores(city, world):
    world.camera(1)
    world.camera(1)
    city.wait(lambda: len(world.primary.of_type("sensor_event")) == 2 and len(world.replica.of_type("sensor_event")) == 2, "both")
    identities = [[(r["producer_id"], r["epoch"], r["seq"]) for r in store.of_type("sensor_event")] for store in world.stores.values()]
    assert identities[0] == identities[1] and len(set(identities[0])) == 2
    assert identities[0][0][0].startswith("analytics@")


def test_a_repeated_event_is_stored_once_and_a_gap_is_told(city, world):
    for number in (1, 2, 2, 1, 6, 6, 4, 7):
        world.numbered(number)
    city.wait(lambda: events_of(world.primary) == [1, 2, 6, 4, 7], "each new event once, the late one too")
    assert "3 events of sensor-camera@test (epoch 7) are missing before number 6" in city.log("analytics")
    city.wait_fresh_metrics("analytics")
    assert city.metric("analytics", "traffic_events_total", outcome="repeated") == 3
    assert city.metric("analytics", "traffic_events_total", outcome="late") == 1
    assert city.metric("analytics", "traffic_events_missing_total") == 3


def test_a_late_event_decides_nothing(city, world):
    world.numbered(1, queue=1)
    world.numbered(3, queue=1)
    world.numbered(2, queue=50)
    city.wait(lambda: events_of(world.primary) == [1, 3, 2], "all are stored")
    assert world.ask("SYSTEM_STATUS")["data"]["currently_congested"] == []


def test_an_event_of_another_city_is_refused_and_counted(city, world):
    world.camera(50, intersection="INT-Z9")
    world.numbered(1)
    city.wait(lambda: events_of(world.primary) == [1], "the next event is stored")
    assert "INT-Z9" in city.log("analytics")
    city.wait_fresh_metrics("analytics")
    assert city.metric("analytics", "traffic_refused_total", reason="unknown_intersection") == 1


def test_congestion_is_recorded_on_its_edges_and_helped_once_a_green(city, world):
    for queue in (12, 13, 14, 15):
        world.camera(queue)
    first = world.command()
    assert (first["interseccion"], first["action"]) == ("INT-B3", "EXTEND")
    assert "Q=12, Vp=50.0" in first["reason"]
    world.show("GREEN", "RED")
    second = world.command()
    assert (second["direction"], second["new_state"]) == ("NS", "GREEN")
    world.show("GREEN", "RED")
    world.camera(0)
    city.wait(lambda: len(world.primary.of_type("congestion_record")) == 3, "three records")
    states = [(r["traffic_state"], r["decision"]) for r in world.primary.of_type("congestion_record")]
    assert states == [("CONGESTION", "EXTEND_GREEN"), ("CONGESTION", "EXTEND_GREEN"), ("NORMAL", "NO_ACTION")]
    assert world.primary.of_type("congestion_record")[0]["sensor_data"] == {"Q": 12, "Vp": 50, "D": None}
    assert not world.commands.poll(200)
    assert len(world.primary.of_type("semaphore_state")) == 2


def test_only_changes_of_the_lights_are_recorded(city, world):
    world.show("RED", "GREEN", kind="STATE")
    world.show("RED", "RED", kind="CHANGE", producer_id="signal@test", epoch=3, seq=9)
    [record] = city.wait(lambda: world.primary.of_type("semaphore_state"), "the change is stored")
    assert (record["state_ns"], record["state_ew"], record["producer_id"], record["seq"]) == ("RED", "RED", "signal@test", 9)


def test_two_healthy_stores_are_not_called_dead_at_the_start(city, world):
    assert world.ask("QUERY_HISTORY")["answered_by"] == "primary"
    beats = 1.5 / 0.1
    city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["uptime"] > beats * 0.1, "a second and a half passes")
    assert "[FAILOVER]" not in city.log("analytics")


def test_a_dead_primary_is_told_its_queries_go_to_the_replica_and_its_records_wait(city, world):
    world.numbered(1)
    city.wait(lambda: events_of(world.primary) == [1], "the first event is stored")
    world.primary.beats = False
    city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. Using replica DB on PC2\.")
    status = world.ask("SYSTEM_STATUS")
    assert (status["status"], status["answered_by"], status["data"]["pc3_alive"]) == ("FAILOVER", "replica", False)
    assert world.ask("QUERY_HISTORY")["data"] == {"records": ["replica"]}
    for number in range(2, 500):
        world.numbered(number)
    city.wait(lambda: len(events_of(world.replica)) == 499, "the replica gets all")
    assert events_of(world.primary) == [1]
    world.primary.beats = True
    city.wait_log("analytics", r"^\[RECOVERY\] PC3 is back")
    city.wait(lambda: len(events_of(world.primary)) >= 499, "what waited is delivered")
    assert events_of(world.primary) == list(range(1, 500))
    assert world.ask("SYSTEM_STATUS")["status"] == "OK"


def test_a_store_that_beats_but_cannot_commit_is_dead(city, world):
    world.primary.commits = False
    city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. .*it beats but cannot commit")
    assert world.ask("QUERY_HISTORY")["answered_by"] == "replica"


def test_a_silent_store_is_given_up_and_the_other_one_asked(city, world):
    world.primary.answers = False
    assert world.ask("QUERY_HISTORY")["answered_by"] == "replica"
    assert world.primary.asked == ["QUERY_HISTORY"]


def test_a_question_under_way_when_its_store_dies_is_asked_of_the_other_at_once(tmp_path, world):
    with City(tmp_path, {"query.timeout_sec": 9}, services=[("analytics", "")]):
        world.wait_subscribers()
        wait_until(lambda: world.ask("QUERY_HISTORY")["answered_by"] == "primary", "the primary answers")
        world.primary.answers = world.primary.beats = False
        begin = time.monotonic()
        assert world.ask("QUERY_HISTORY")["answered_by"] == "replica"
        assert time.monotonic() - begin < 4  # half of the nine seconds would pass otherwise


def test_without_a_store_everything_is_answered_all_the_same(city, world):
    world.primary.beats = world.replica.beats = False
    city.wait_log("analytics", r"^\[FAILOVER\] .*and so is the")
    status = world.ask("SYSTEM_STATUS")
    assert (status["status"], status["cause"]) == ("ERROR", "UNAVAILABLE")
    assert status["data"]["total_intersections"] == 16 and status["data"]["db_summary"] is not None
    assert world.ask("QUERY_INTERSECTION", interseccion="INT-B3")["data"]["current_readings"] is not None
    assert world.ask("QUERY_HISTORY")["status"] == "ERROR"
    assert world.ask("HEALTH_CHECK")["message"] == "PONG"


def test_a_reply_carries_its_query_id(city, world):
    assert world.ask("QUERY_HISTORY", query_id="mine")["query_id"] == "mine"
    assert world.ask("HEALTH_CHECK", query_id=17)["query_id"] in ("17", 17)


def test_an_order_while_the_signal_service_is_away_is_refused_and_not_kept(city, world):
    world.commands.close()
    city.wait(lambda: world.ask("FORCE_SEMAPHORE", interseccion="INT-A1")["status"] == "ERROR", "the order is refused")
    reply = world.ask("FORCE_GREEN_WAVE", row="B")
    assert (reply["status"], reply["cause"]) == ("ERROR", "UNAVAILABLE")
    assert "traffic-signal" in reply["message"]
    n_recorded = len(world.primary.of_type("priority_action"))
    world.commands = world.bind(zmq.PULL, COMMANDS)
    city.wait(lambda: world.ask("FORCE_SEMAPHORE", interseccion="INT-A2")["status"] == "OK", "the signal service is back")
    assert world.command()["interseccion"] == "INT-A2"
    city.wait(lambda: len(world.primary.of_type("priority_action")) == n_recorded + 1, "only what was asked is recorded")


def test_a_wave_asks_each_intersection_once_and_the_row_goes_first(city, world):
    reply = world.ask("FORCE_GREEN_WAVE", row="B", column=3, reason="ambulance", requested_by="ana")
    asked = {c["interseccion"]: c for c in (world.command() for _ in range(7))}
    assert set(asked) == set(reply["data"]["affected"]) and len(asked) == 7
    assert reply["message"] == "Green wave on row_B and col_3: 7 intersections for 30 s."
    assert asked["INT-B3"]["direction"] == "EW" and asked["INT-A3"]["direction"] == "NS"
    assert {c["action"] for c in asked.values()} == {"WAVE"} and {c["duration_override_sec"] for c in asked.values()} == {30}
    [action] = city.wait(lambda: world.primary.of_type("priority_action"), "the order is recorded")
    assert (action["target"], action["requested_by"], action["reason"]) == ("row_B", "ana", "ambulance")
    assert sorted(action["affected_intersections"]) == sorted(asked)
    assert {r["decision"] for r in world.primary.of_type("congestion_record")} == {"GREEN_WAVE"}


def test_a_signal_service_started_again_during_a_wave_is_asked_for_the_rest_of_it(city, world):
    world.show("GREEN", "RED", epoch=1)
    city.wait(lambda: world.ask("QUERY_INTERSECTION", interseccion="INT-B3")["data"]["lights"], "the lights are known")
    world.ask("FORCE_GREEN_WAVE", row="B", reason="ambulance")
    first = {c["interseccion"]: c for c in (world.command() for _ in range(4))}
    world.show("GREEN", "RED", kind="STATE", epoch=1)
    world.show("RED", "RED", kind="STATE", epoch=2)
    again = {c["interseccion"]: c for c in (world.command() for _ in range(4))}
    assert set(again) == set(first)
    for name, command in again.items():
        assert (command["action"], command["direction"], command["reason"]) == ("WAVE", "EW", first[name]["reason"])
        assert 20 < command["duration_override_sec"] < 30
    world.show("RED", "GREEN", epoch=2)
    world.ask("FORCE_SEMAPHORE", interseccion="INT-A1")
    assert world.command()["action"] == "FORCE", "the wave is asked for once"


def test_a_store_that_reads_too_slowly_stops_the_broker_and_nothing_is_lost(city, world):
    padding = "x" * 8000
    world.replica.reads = False
    n_sent = 0
    end = time.monotonic() + 60
    while time.monotonic() < end:  # until the whole way to the store is full
        try:
            world.camera(1, producer_id="flood", epoch=1, seq=n_sent + 1, padding=padding, flags=zmq.DONTWAIT)
            n_sent += 1
        except zmq.Again:
            if world.broker.poll(1000, zmq.POLLOUT) and "waiting for a store" not in city.processes["analytics"].status:
                continue
            break
    wait_until(lambda: "waiting for a store" in city.processes["analytics"].status, "analytics says that it waits")
    assert world.ask("HEALTH_CHECK")["message"] == "PONG"
    assert "[FAILOVER]" not in city.log("analytics")
    world.replica.reads = True
    city.wait(lambda: len(world.replica.records) >= n_sent and len(world.primary.records) >= n_sent, "all arrive", 60)
    for store in world.stores.values():
        assert events_of(store) == list(range(1, n_sent + 1))
