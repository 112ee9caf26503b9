"""Analytics over its real links, everybody else played by the test: what it stores, what it asks of the lights, whom it asks."""
import json
import re
import signal
import threading
import time

import pytest
import zmq

from city import City, wait_until
from custody import Writer, identity, split_hop

QUERIES, BROKER, COMMANDS, REPORTS = (f"tcp://127.0.0.1:{port}" for port in (5561, 5560, 5562, 5570))
PORTS = {"primary": (5563, 5573, 5575), "replica": (5564, 5574, 5576)}
NOW = "2026-01-01T08:00:00Z"
REPLY_WITHIN_MSEC = 10_000


ACK_PORTS = {"primary": 5571, "replica": 5572}
HEALTH_PORT = 5565
EVENTS_OF_A_LIFE = 300


class Store:
    """Records, acknowledgements, heartbeats and questions of one store, by a thread of its own; the test turns its switches.

    What it has committed outlives its sockets (restart()); with is_v0 it is one of the first implementation."""

    def __init__(self, context, role, is_v0=False):
        self.role, self.context, self.is_v0 = role, context, is_v0
        self.beats = self.answers = self.commits = self.reads = self.acknowledges = True
        self.epoch = 1
        self.n_waiting = 0
        self.needs_refill = False
        self.records, self.asked, self.heard = [], [], []
        self.identities, self.n_repeats = set(), 0
        self.cursors, self.writer_epoch, self.has_asked = {}, 0, set()
        self.copies = {}  # table -> [record]: what COPY_RECORDS finds
        self.taken, self.copied, self.silent_from_page = [], [], 0
        self.begin()

    def begin(self):
        self.is_running = True
        records_port, heartbeat_port, query_port = PORTS[self.role]
        self.pull = self.bind(zmq.PULL, records_port, RCVHWM=10)
        self.sockets = {self.pull: self.take}
        if not self.is_v0:
            self.ack = self.bind(zmq.PUB, ACK_PORTS[self.role])
            self.heartbeat = self.bind(zmq.ROUTER, heartbeat_port)
            self.query = self.bind(zmq.ROUTER, query_port)
            self.sockets |= {self.heartbeat: self.beat, self.query: self.answer}
        elif self.role == "primary":
            self.health = self.bind(zmq.REP, HEALTH_PORT)
            self.sockets |= {self.health: self.pong}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def bind(self, pattern, port, **options):
        socket = self.context.socket(pattern)
        socket.linger = 0
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), value)
        wait_until(lambda: Writer.is_bound(socket, port), f"port {port} is free")
        return socket

    def run(self):
        while self.is_running:
            poller = zmq.Poller()
            for socket in self.sockets:
                if self.is_wanted(socket):
                    poller.register(socket, zmq.POLLIN)
            for socket, _ in poller.poll(20):
                self.sockets[socket]()
        for socket in list(self.sockets) + ([] if self.is_v0 else [self.ack]):
            socket.close()

    def is_wanted(self, socket):
        return self.reads if socket is self.pull else self.beats if self.is_v0 else True

    def take(self):
        frame, hop = split_hop(self.pull.recv())
        if self.is_v0 or not hop:
            assert not (self.is_v0 and hop), "a store of the first implementation gets frames as they were"
            self.store(frame)
            return
        stream, epoch, position, oldest = hop
        self.writer_epoch = max(self.writer_epoch, epoch)
        cursor = self.cursors.setdefault(stream, oldest - 1)
        if epoch == self.writer_epoch and position == cursor + 1:
            self.cursors[stream] = position
            self.has_asked.discard(stream)
            self.store(frame)
        elif position > cursor + 1 and stream not in self.has_asked:
            self.has_asked.add(stream)
            self.acknowledge(stream, asks=True)
        if self.acknowledges:
            self.acknowledge(stream)

    def acknowledge(self, stream, **more):
        self.ack.send(json.dumps({"stream": stream, "position": self.cursors[stream], "epoch": self.writer_epoch, **more}).encode())

    def store(self, frame):
        record = json.loads(frame)
        who = (record["type"], *identity(record["data"]))
        if who in self.identities:
            self.n_repeats += 1
        else:
            self.identities.add(who)
            self.records.append(record)

    def beat(self):
        *route, theirs = self.heartbeat.recv_multipart()
        self.heard.append(json.loads(theirs))
        if self.beats:
            n = len(self.records)
            own = {"role": self.role, "boot_id": "0", "epoch": self.epoch, "seq": 1, "can_commit": self.commits, "rows_waiting": self.n_waiting,
                   "records": n, "event_set": f"{sum(map(hash, self.identities)) % 2**64:016x}", "committed_until": 1000 + n,
                   "needs_refill": self.needs_refill}
            self.heartbeat.send_multipart([*route, json.dumps(own).encode()])

    def last_heard(self, member):
        return self.heard[-1][member] if self.heard else None

    def pong(self):
        self.heard.append(self.health.recv())
        self.health.send(b"PONG" if self.commits else b"ERROR")

    def answer(self):
        *route, question = self.query.recv_multipart()
        question = json.loads(question)
        self.asked.append(question["command"])
        if self.answers:
            reply = {"status": "OK", "command": question["command"], "message": f"from {self.role}", "timestamp": NOW,
                     "data": self.data_for(question), "query_id": question["query_id"]}
            self.query.send_multipart([*route, json.dumps(reply).encode()])

    def data_for(self, question):
        if question["command"] == "COPY_RECORDS":
            return self.copy(question["table"], question["after_id"])
        if question["command"] == "TAKE_RECORDS":
            return self.fill(question["records"], question["is_last"])
        return {"records": [self.role]}

    def copy(self, table, after_id):
        """Two rows a page; the id of a row is its place, from 1."""
        self.copied.append((table, after_id))
        rows = self.copies.get(table, [])
        page = rows[after_id:after_id + 2]
        return {"records": page, "last_id": after_id + len(page), "done": after_id + 2 >= len(rows)}

    def fill(self, records, is_last):
        self.taken.append(records)
        self.answers &= len(self.taken) != self.silent_from_page
        for record in records:
            self.store(json.dumps(record).encode())
        self.needs_refill &= not is_last

    def of_type(self, kind):
        return [record["data"] for record in list(self.records) if record["type"] == kind]

    def forget(self):
        """As if its file had been lost; only while it is stopped."""
        self.records, self.identities, self.cursors, self.copies = [], set(), {}, {}
        self.needs_refill = True

    def stop(self):
        self.is_running = False
        self.thread.join()

    def restart(self):
        self.stop()
        self.epoch += 1
        self.begin()


class World:
    """Everybody that analytics talks to. The broker is one of the first implementation, unless a test puts a Writer in its place."""

    def __init__(self, context, v0_stores=(), has_stores=True):
        self.context = context
        self.stores = {role: Store(context, role, role in v0_stores) for role in PORTS} if has_stores else {}
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

    def use_custody(self):
        """Puts a broker that keeps what is not acknowledged in the place of the one that does not."""
        self.broker.close()
        self.writer = Writer(self.context, 5560, 5569)
        return self.writer

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
    return [record["event_data"]["seq"] for record in store.of_type("sensor_event") if "event_data" in record]


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


def test_a_wave_that_an_earlier_life_ordered_is_known_from_what_holds_the_lights(tmp_path, world):
    with City(tmp_path, services=[("analytics", "")]) as city:
        world.wait_subscribers()
        world.show("RED", "GREEN", kind="STATE", intersection="INT-B1", wave_us=20_000_000)
        world.show("RED", "GREEN", kind="STATE", intersection="INT-B2", wave_us=900_000)
        world.show("RED", "GREEN", kind="CHANGE", intersection="INT-B3", wave_us=20_000_000)
        world.show("RED", "GREEN", kind="STATE", intersection="INT-B4")
        city.wait(lambda: world.ask("QUERY_INTERSECTION", interseccion="INT-B4")["data"]["lights"], "the reports came")
        assert world.ask("SYSTEM_STATUS")["data"]["currently_green_wave"] == ["INT-B1"]
        assert world.primary.of_type("congestion_record") == [], "it was recorded when it was ordered"


# --- custody ---


@pytest.fixture
def writer(world):
    yield world.use_custody()
    world.writer.close()


def event_frame(number, intersection="INT-B3", **more):
    event = {"sensor_id": "CAM-X", "tipo_sensor": "camara", "interseccion": intersection, "volumen": 1, "velocidad_promedio": 50.0,
             "timestamp": NOW, "producer_id": "sensor-camera@test", "epoch": 7, "seq": number, **more}
    return "camara " + json.dumps(event)


def send_events(writer, numbers, **more):
    for number in numbers:
        writer.send(event_frame(number, **more))


def has_all(world, n, roles=("primary", "replica")):
    """The stores have the events 1 to n, each once, whatever order they came in."""
    return all(sorted(events_of(world.stores[role])) == list(range(1, n + 1)) for role in roles)


def has_all_but(world, n, n_lost):
    """The stores have the events 1 to n, each once, except a few."""
    return all(n - n_lost <= len(events_of(store)) == len(set(events_of(store))) for store in world.stores.values())


def test_events_are_acknowledged_once_they_are_on_disk_whether_a_store_is_there_or_not(tmp_path, world, writer):
    world.primary.stop()
    world.replica.stop()
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 101))
        writer.wait_acknowledged(100)
        world.primary.begin()
        world.replica.begin()
        city.wait(lambda: has_all(world, 100), "both stores get all")


def test_what_is_refused_or_repeated_is_acknowledged_all_the_same(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, [1])
        send_events(writer, [2], intersection="INT-Z9")
        writer.send('camara {"volumen":"many"}')
        writer.send('niebla {"sensor_id":"CAM-X"}')
        send_events(writer, [1, 3])
        writer.wait_acknowledged(6)
        city.wait(lambda: events_of(world.primary) == events_of(world.replica) == [1, 3], "only what is an event is stored, once")


def test_a_frame_that_never_came_is_asked_for_and_nothing_is_taken_before_it(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, [1])
        writer.wait_acknowledged(1)
        send = writer.send_position
        writer.send_position = lambda position: None
        send_events(writer, [2])
        writer.send_position = send
        send_events(writer, [3])
        city.wait(lambda: writer.hear() is not None and any(ack.get("asks") and ack["position"] == 1 for ack in writer.acks), "it asks")
        assert events_of(world.primary) == [1]
        writer.send_again()
        writer.wait_acknowledged(3)
        city.wait(lambda: events_of(world.primary) == events_of(world.replica) == [1, 2, 3], "both stores have them in order")


@pytest.mark.parametrize("passage", [1, 2, 7])
@pytest.mark.parametrize("point", ["before-commit", "after-commit", "after-ack"])
def test_killed_at_any_point_it_loses_nothing_and_stores_nothing_twice(tmp_path, world, writer, point, passage):
    with City(tmp_path, services=[]) as city:
        process = city.start("analytics", environment={"TRAFFIC_FAULT": f"{point}:{passage}"})
        writer.wait_for_reader()
        for number in range(1, EVENTS_OF_A_LIFE + 1):
            send_events(writer, [number])
            if number % 20 == 0 and process.is_running():
                wait_until(lambda: writer.hear() >= number or not process.is_running(), "it commits, or dies of it")
        assert wait_until(lambda: not process.is_running(), "it dies at its fault point") and city.stop("analytics") == -signal.SIGKILL
        city.start("analytics")
        writer.wait_acknowledged(EVENTS_OF_A_LIFE)
        city.wait(lambda: has_all(world, EVENTS_OF_A_LIFE), "both stores have everything once")
        assert world.primary.identities == world.replica.identities


def test_a_store_that_was_away_under_load_gets_what_it_lacks_while_load_goes_on(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 101))
        city.wait(lambda: has_all(world, 100), "both stores have the first")
        world.primary.stop()
        city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. Using replica DB on PC2\. \(no heartbeat; detected after 0\.\d+ s; it lacks \d+ records\)")
        send_events(writer, range(101, 2001))
        city.wait(lambda: has_all(world, 2000, ["replica"]), "the replica gets all")
        status = world.ask("SYSTEM_STATUS")["data"]
        backlogs = {store["role"]: store["backlog"] for store in status["stores"]}
        assert backlogs["primary"] >= 1900 and backlogs["replica"] == 0
        assert status["outbox"]["bytes"] > 0 and status["outbox"]["trouble"] is None
        world.primary.restart()
        send_events(writer, range(2001, 2501))
        city.wait_log("analytics", r"^\[RECOVERY\] PC3 is back after [0-9.]+ s\. Using primary DB on PC3\. It lacks \d+ records\.")
        writer.wait_acknowledged(2500)
        city.wait(lambda: has_all(world, 2500), "what it lacked is delivered, and what is new")
        city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["outbox"]["bytes"] == 0, "the outbox is empty again")


def test_a_restart_while_a_store_is_dead_loses_nothing(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.stop()
        send_events(writer, range(1, 501))
        writer.wait_acknowledged(500)
        assert city.stop("analytics") == 0
        city.start("analytics")
        send_events(writer, range(501, 601))
        writer.wait_acknowledged(600)
        city.wait(lambda: has_all(world, 600, ["replica"]), "the replica gets all")
        world.primary.begin()
        city.wait(lambda: has_all(world, 600), "the primary gets what was kept for it")


def test_what_was_acknowledged_before_a_restart_is_not_sent_again_to_a_store_that_has_it(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 101))
        city.wait(lambda: has_all(world, 100), "both stores have all")
        city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["outbox"]["bytes"] == 0, "the outbox is empty")
        city.stop("analytics")
        city.start("analytics")
        send_events(writer, range(101, 111))
        writer.wait_acknowledged(110)
        city.wait(lambda: has_all(world, 110), "the new ones come")
        assert world.primary.n_repeats == world.replica.n_repeats == 0


def test_a_full_outbox_stops_the_broker_and_goes_on_when_there_is_room(tmp_path, world, writer):
    padding = "x" * 8000
    with City(tmp_path, {"analytics.outbox_mib": 1}, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.acknowledges = False
        send_events(writer, range(1, 301), padding=padding)
        wait_until(lambda: "takes no events: the outbox is full" in city.processes["analytics"].status, "analytics says that it is full")
        assert "fills up" in city.log("analytics") or "% of 1 MiB are used" in city.log("analytics")
        assert writer.hear() < 300
        assert world.ask("HEALTH_CHECK")["message"] == "PONG"
        assert world.ask("FORCE_SEMAPHORE", interseccion="INT-A1")["status"] == "OK", "an order of an operator still has room"
        assert "[FAILOVER]" not in city.log("analytics")
        world.primary.acknowledges = True
        writer.wait_acknowledged(300)
        city.wait(lambda: has_all(world, 300), "both stores get all")
        city.wait(lambda: world.primary.of_type("priority_action") and world.replica.of_type("priority_action"), "the order, too")


def test_a_slow_store_holds_up_neither_the_events_nor_the_other_store(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.replica.reads = False
        send_events(writer, range(1, 1001), padding="x" * 2000)
        writer.wait_acknowledged(1000)
        city.wait(lambda: has_all(world, 1000, ["primary"]), "the primary has all")
        assert "[FAILOVER]" not in city.log("analytics")
        world.replica.reads = True
        city.wait(lambda: has_all(world, 1000), "the slow one gets all in the end")


def test_an_outbox_with_a_damaged_page_loses_at_most_that_page(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.stop()
        world.replica.stop()
        send_events(writer, range(1, 1001))
        writer.wait_acknowledged(1000)
        state_dir = city.processes["analytics"].state_dir
        city.stop("analytics")
        with open(state_dir / "outbox.db", "r+b") as file:
            file.seek(40 * 4096)
            file.write(b"\xff" * 4096)
        world.primary.begin()
        world.replica.begin()
        process = city.spawn("analytics")
        wait_until(lambda: has_all_but(world, 1000, 30) or not process.is_running(), "it ends when it meets the damage, or has met it at once")
        if not process.is_running():
            city.stop("analytics")
            city.start("analytics")
        city.wait_log("analytics", r"outbox\.db is damaged")
        send_events(writer, range(1001, 1051))
        writer.wait_acknowledged(1050)
        wait_until(lambda: has_all_but(world, 1050, 30), "what could be read and what is new arrive")
        assert world.primary.identities == world.replica.identities


def test_an_outbox_of_nothing_but_garbage_stops_nobody(tmp_path, world, writer):
    state_dir = tmp_path / "state" / "analytics"
    state_dir.mkdir(parents=True)
    (state_dir / "outbox.db").write_bytes(b"no database at all" * 1000)
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 11))
        writer.wait_acknowledged(10)
        city.wait(lambda: has_all(world, 10), "events arrive")
        assert len(list(state_dir.glob("outbox.db*"))) > 1, "the garbage is kept beside it"


def who_ends(writer, cities):
    """Sends events until one of the cities' analytics has ended by itself."""
    def ended():
        send_events(writer, [writer.last + 1])
        if writer.hear() < writer.last - 10:  # one of them misses something
            writer.send_again()
        return next((city for city in cities if not city.processes["analytics"].is_running()), None)
    return wait_until(ended, "one of them ends")


def test_an_older_analytics_ends_when_a_newer_one_has_written(tmp_path, world, writer):
    with City(tmp_path / "old", {"network.bind": "127.0.0.1"}, services=[("analytics", "")]) as old:
        writer.wait_for_reader()
        send_events(writer, [1])
        writer.wait_acknowledged(1)
        old.wait(lambda: has_all(world, 1), "the first one is the writer")
        with City(tmp_path / "new", {"network.bind": "127.0.0.2"}, services=[]) as new:
            new.start("analytics")
            assert who_ends(writer, [old, new]) is old, "the one that began earlier"
            assert "has heard a writer of epoch" in old.log("analytics")
            assert old.stop("analytics") != 0
            new.wait(lambda: has_all(world, writer.last), "the newer one goes on")
            # As systemd would: its next life is above the other's.
            old.start("analytics")
            assert who_ends(writer, [old, new]) is new, "now the other one is the older"
            new.stop("analytics")
            writer.wait_acknowledged(writer.last)
            old.wait(lambda: has_all(world, writer.last), "nothing was lost between the two")


# --- what the stores hear ---


def test_a_store_hears_how_much_it_lacks(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.replica.acknowledges = False
        send_events(writer, range(1, 51))
        city.wait(lambda: world.replica.last_heard("backlog") == 50, "the replica hears of its backlog")
        city.wait(lambda: world.primary.last_heard("backlog") == 0, "the primary has none")


def test_a_store_may_delete_only_what_the_other_one_has_acknowledged(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 11))
        city.wait(lambda: world.primary.last_heard("safe_until") == world.replica.last_heard("safe_until") == 1010, "both have ten")
        assert world.ask("SYSTEM_STATUS")["data"]["stores_agree"] is True
        world.replica.acknowledges = False
        send_events(writer, range(11, 21))
        city.wait(lambda: len(world.primary.records) == 20 and world.replica.last_heard("safe_until") == 1020, "the primary acknowledged all")
        n_beats = len(world.primary.heard)
        city.wait(lambda: len(world.primary.heard) > n_beats + 5, "some beats")
        assert world.primary.last_heard("safe_until") == 1010
        world.replica.acknowledges = True
        send_events(writer, [21])
        city.wait(lambda: world.primary.last_heard("safe_until") == 1021, "the replica has acknowledged it, too")


def test_how_long_readings_take_to_both_disks_is_measured(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        assert world.ask("SYSTEM_STATUS")["data"]["durable_seconds"] == {"samples": 0, "p50": None, "p99": None}
        for number in range(1, 65):
            send_events(writer, [number], captured_us=time.time_ns() // 1000)
        durable = city.wait(lambda: (d := world.ask("SYSTEM_STATUS")["data"]["durable_seconds"])["samples"] == 4 and d, "one of 16 is measured")
        assert 0 < durable["p50"] <= durable["p99"] < 20
        city.wait_fresh_metrics("analytics")
        assert city.metric("analytics", "traffic_durable_seconds", quantile="0.99") > 0


# --- stores of the first implementation ---


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_a_store_of_the_first_implementation_gets_records_as_they_always_were_and_is_not_asked(tmp_path, role):
    context = zmq.Context()
    world = World(context, v0_stores=[role])
    other = "replica" if role == "primary" else "primary"
    try:
        with City(tmp_path, {f"protocol.{role}": "v0"}, services=[("analytics", "")]) as city:
            world.wait_subscribers()
            for number in range(1, 101):
                world.numbered(number)
            city.wait(lambda: has_all(world, 100), "both stores have all")
            assert world.ask("QUERY_HISTORY")["answered_by"] == other
            status = world.ask("SYSTEM_STATUS")
            assert status["status"] == "OK"
            assert {s["role"]: (s["protocol"], s["alive"]) for s in status["data"]["stores"]}[role] == ("v0", True)
            city.wait_fresh_metrics("analytics")
            assert city.metric("analytics", "traffic_records_best_effort_total", store=role) == 100
            assert city.metric("analytics", "traffic_records_best_effort_total", store=other) == 0
            assert "[FAILOVER]" not in city.log("analytics")
    finally:
        world.stop()
        context.destroy(linger=0)


def test_a_primary_of_the_first_implementation_lives_as_long_as_it_answers_pong(tmp_path):
    context = zmq.Context()
    world = World(context, v0_stores=["primary"])
    try:
        with City(tmp_path, {"protocol.primary": "v0"}, services=[("analytics", "")]) as city:
            world.wait_subscribers()
            city.wait(lambda: len(world.primary.heard) > 5, "it is asked")
            assert set(world.primary.heard) == {b"PING"}
            world.primary.beats = False
            city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. .*no answer to PING")
            assert world.ask("SYSTEM_STATUS")["data"]["pc3_alive"] is False
            for number in range(1, 51):
                world.numbered(number)
            city.wait(lambda: has_all(world, 50, ["replica"]), "the replica gets all")
            assert events_of(world.primary) == []
            world.primary.beats = True
            city.wait_log("analytics", r"^\[RECOVERY\] PC3 is back")
            city.wait(lambda: has_all(world, 50), "what was kept is sent")
            world.primary.commits = False
            city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. .*it does not answer PONG")
    finally:
        world.stop()
        context.destroy(linger=0)


def test_a_replica_of_the_first_implementation_lives_as_long_as_its_link_takes_records(tmp_path):
    context = zmq.Context()
    world = World(context, v0_stores=["replica"])
    try:
        with City(tmp_path, {"protocol.replica": "v0"}, services=[("analytics", "")]) as city:
            world.wait_subscribers()
            world.replica.stop()
            for number in range(1, 51):
                world.numbered(number)
            city.wait_log("analytics", r"^\[FAILOVER\] The replica store on PC2 is down\. .*its link takes nothing")
            world.replica.begin()
            city.wait_log("analytics", r"^\[RECOVERY\] The replica store on PC2 is back")
            city.wait(lambda: has_all(world, 50), "what was kept is sent")
    finally:
        world.stop()
        context.destroy(linger=0)


# --- filling a store from its peer ---

TABLES = ["sensor_event", "congestion_record", "semaphore_state", "priority_action"]


def old_records(kind, n):
    """Records of an earlier time; numbers and blanks as only a copy byte by byte keeps them."""
    return [{"type": kind, "data": {"producer_id": f"old-{kind}", "epoch": 1, "seq": seq, "interseccion": "INT-A1", "value": 1.10,
                                    "text": "a/b é"}} for seq in range(1, n + 1)]


def fill_primary(world, n):
    world.primary.copies = {table: old_records(table, n) for table in TABLES}
    return {(table, f"old-{table}", 1, seq) for table in TABLES for seq in range(1, n + 1)}


def test_a_store_that_began_with_an_empty_file_gets_what_the_other_one_holds(tmp_path, world):
    old = fill_primary(world, 5)
    world.replica.needs_refill = True
    with City(tmp_path, services=[("analytics", "")]) as city:
        city.wait_log("analytics", r"The replica store has what the primary store held: 20 records in ")
        assert world.replica.identities == old and world.replica.n_repeats == 0
        assert not world.replica.needs_refill
        kept = {json.dumps(record) for record in world.replica.records}
        assert kept == {json.dumps(record) for records in world.primary.copies.values() for record in records}
        n_pages = len(world.replica.taken)
        city.wait(lambda: len(world.replica.heard) > 40, "it is left alone for four seconds")
        assert len(world.replica.taken) == n_pages


def test_two_new_and_empty_stores_are_filled_at_once(city, world):
    world.primary.needs_refill = world.replica.needs_refill = True
    city.wait_log("analytics", r"The primary store has what the replica store held: 0 records in 0\.\d s")
    city.wait_log("analytics", r"The replica store has what the primary store held: 0 records in ")
    assert world.primary.taken == world.replica.taken == [[]]


def test_a_store_that_is_being_filled_does_not_answer_while_the_other_one_can(city, world):
    world.replica.answers = False  # of COPY_RECORDS, too: the filling goes on for ever
    world.primary.needs_refill = True
    city.wait(lambda: "COPY_RECORDS" in world.replica.asked, "the filling begins")
    world.replica.answers = True
    city.wait(lambda: not world.primary.needs_refill, "it ends after all")


def test_filling_begins_again_after_a_restart_and_goes_on_after_a_silence(tmp_path, world):
    old = fill_primary(world, 9)
    world.replica.needs_refill = True
    world.replica.silent_from_page = 3
    world.primary.answers = False
    with City(tmp_path, services=[("analytics", "")]) as city:
        city.wait(lambda: "COPY_RECORDS" in world.primary.asked, "the first page is asked for")
        world.primary.beats = False
        city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down")
        world.primary.beats = world.primary.answers = True
        city.wait(lambda: len(world.replica.taken) == 3, "it goes on")
        world.replica.answers = True
        world.replica.restart()
        city.wait(lambda: not world.replica.needs_refill, "it ends")
        assert world.replica.identities == old
        assert world.primary.copied.count(("sensor_event", 0)) >= 2, "after the restart it began anew"


def test_filling_waits_until_the_peer_has_what_left_the_outbox(tmp_path, world, writer):
    fill_primary(world, 3)
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.acknowledges = False
        send_events(writer, range(1, 21))
        city.wait(lambda: has_all(world, 20, ["replica"]), "the replica has them, the primary acknowledges nothing")
        world.replica.stop()
        world.replica.forget()
        world.replica.epoch += 1
        world.replica.begin()
        send_events(writer, [21])
        city.wait(lambda: has_all(world, 21, ["replica"]), "the outbox gives the new file what it still holds")
        n_beats = len(world.replica.heard)
        city.wait(lambda: len(world.replica.heard) > n_beats + 5, "some beats")
        assert "COPY_RECORDS" not in world.primary.asked
        world.primary.acknowledges = True
        send_events(writer, [22])
        city.wait(lambda: not world.replica.needs_refill, "it is filled now")
        city.wait(lambda: has_all(world, 22, ["replica"]), "and has the newest")


# --- with stores as they are ---


def count_of(city, role, context):
    """(how many events, their set) of a real store."""
    socket = context.socket(zmq.REQ)
    socket.linger = 0
    socket.connect(f"tcp://127.0.0.1:{PORTS[role][2]}")
    try:
        socket.send(json.dumps({"command": "SYSTEM_STATUS"}).encode())
        return socket.poll(2000) and json.loads(socket.recv())["data"]["event_set"]
    finally:
        socket.close()


def test_a_real_store_that_lost_its_file_has_everything_again_under_load(tmp_path):
    context = zmq.Context()
    world = World(context, has_stores=False)
    writer = world.use_custody()
    try:
        with City(tmp_path, services=[("analytics", ""), ("store", "primary"), ("store", "replica")]) as city:
            writer.wait_for_reader()
            send_events(writer, range(1, 3001))
            writer.wait_acknowledged(3000)
            city.wait(lambda: count_of(city, "replica", context)["count"] == count_of(city, "primary", context)["count"] == 3000, "both have all")
            for role, peer in [("primary", "replica"), ("replica", "primary")]:  # new files, too
                city.wait_log("analytics", f"The {role} store has what the {peer} store held")
            state_dir = city.processes["store@replica"].state_dir
            city.stop("store@replica", signal.SIGKILL)
            for file in state_dir.glob("traffic.db*"):
                file.unlink()
            send_events(writer, range(3001, 3501))
            city.start("store", "replica")
            for number in range(3501, 4001):
                send_events(writer, [number])
            writer.wait_acknowledged(4000)
            city.wait(lambda: len(re.findall("The replica store has what", city.log("analytics"))) == 2, "it is filled")
            city.wait(lambda: count_of(city, "replica", context)["count"] == 4000, "it has all")
            assert count_of(city, "replica", context) == count_of(city, "primary", context)
            city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["stores_agree"], "they are seen to be equal")
    finally:
        writer.close()
        context.destroy(linger=0)
