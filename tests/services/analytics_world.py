"""Everybody that analytics talks to, played by the test: both stores, the broker, the signal service, a client. With their fixtures."""
import json
import threading

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


class Store:
    """Records, acknowledgements, heartbeats and questions of one store, by a thread of its own; the test turns its switches.

    What it has committed outlives its sockets (restart()); with is_v0 it is one of the first implementation."""

    def __init__(self, context, role, is_v0=False):
        self.role, self.context, self.is_v0 = role, context, is_v0
        self.beats = self.answers = self.commits = self.reads = self.acknowledges = True
        self.epoch = 1
        self.n_waiting = 0
        self.needs_refill = self.is_closed = False
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
        if self.answers and not self.may_answer(question["command"]):
            refusal = {"status": "ERROR", "command": question["command"], "message": "not now", "timestamp": NOW, "query_id": question["query_id"],
                       "cause": "UNAVAILABLE" if self.is_closed else "REFUSED"}
            self.query.send_multipart([*route, json.dumps(refusal).encode()])
        elif self.answers:
            reply = {"status": "OK", "command": question["command"], "message": f"from {self.role}", "timestamp": NOW,
                     "data": self.data_for(question), "query_id": question["query_id"]}
            if self.answers:  # still, after what was asked
                self.query.send_multipart([*route, json.dumps(reply).encode()])

    def may_answer(self, command):
        return not self.is_closed and (command != "TAKE_RECORDS" or self.needs_refill)

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
        """The next request; questions for reports that analytics believes to have missed are none."""
        while True:
            assert self.commands.poll(within_msec), "a request to the lights"
            command = json.loads(self.commands.recv())
            if command.get("report") != "MISSED":
                return command

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
def make_world():
    """make_world(...) is a World of these arguments, ended with the test."""
    context, made = zmq.Context(), []

    def make(**how):
        made.append(World(context, **how))
        return made[-1]
    yield make
    for world in made:
        world.stop()
    context.destroy(linger=0)


@pytest.fixture
def world(make_world):
    return make_world()


@pytest.fixture
def city(tmp_path, world):
    with City(tmp_path, services=[("analytics", "")]) as city:
        world.wait_subscribers()
        yield city


def events_of(store):
    return [record["event_data"]["seq"] for record in store.of_type("sensor_event") if "event_data" in record]


@pytest.fixture
def writer(world):
    return world.use_custody()


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
