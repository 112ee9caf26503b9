"""A store over its real links, and those who talk to it: a writer of records, with and without custody, a client with questions, analytics
with its heartbeat.

    store = make_store("replica", commit_sec=0)
    writer = store.writer()                       # under custody
    writer.send(event(1), event(2))
    writer.wait_acknowledged(2)
"""
import ctypes
import json
import os
import random
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from city import City, wait_until
from custody import with_hop

PORTS = {"primary": (5563, 5575, 5573, 5571), "replica": (5564, 5576, 5574, 5572)}
HEALTH = 5565
WHEN = "2026-03-01T10:%02d:%02dZ"
CLONE_NEWNS = 0x00020000


def event(n, **more):
    """The n-th event of a loop: one a second, n % 30 vehicles."""
    return {"type": "sensor_event", "data": {
        "sensor_id": "ESP-A1", "tipo_sensor": "espira_inductiva", "interseccion": "INT-A1", "timestamp": WHEN % (n // 60 % 60, n % 60),
        "event_data": {"vehiculos_contados": n % 30, "intervalo_segundos": 30}, "producer_id": "loop@test", "epoch": 1, "seq": n, **more}}


def encoded(message):
    return message if isinstance(message, bytes) else json.dumps(message).encode()


class Writer:
    """Who writes records under custody: numbers its frames, keeps them until they are acknowledged, sends again when told to."""

    def __init__(self, store, epoch=1, stream=None):
        records, _, _, acks = PORTS[store.role]
        self.store, self.epoch = store, epoch
        self.stream = stream or f"{random.getrandbits(64) | 1:016x}"
        self.frames, self.last, self.acknowledged, self.acks = {}, 0, 0, []
        self.records = store.socket(zmq.PUSH, records)
        self.subscription = store.socket(zmq.SUB, acks)
        self.subscription.rcvhwm = 0
        self.subscription.subscribe(b"")

    def put(self, *messages):
        """Numbers frames without sending them."""
        for message in messages:
            self.last += 1
            self.frames[self.last] = encoded(message)

    def send(self, *messages):
        first = self.last + 1
        self.put(*messages)
        self.send_positions(*range(first, self.last + 1))

    def send_positions(self, *positions, oldest=None):
        """What is acknowledged this writer no longer has, unless it is told to send it."""
        oldest = oldest or min(self.acknowledged + 1, *positions, self.last)
        for position in positions:
            self.records.send(with_hop(self.frames[position], self.stream, self.epoch, position, oldest))

    def send_again(self):
        self.send_positions(*range(self.acknowledged + 1, self.last + 1))

    def hear(self, timeout_msec=0):
        """Everything the store has said; then how far it is."""
        while self.subscription.poll(timeout_msec):
            ack = self.subscription.recv_json()
            self.acks.append(ack)
            if ack["stream"] == self.stream:
                assert ack["position"] <= self.last, "what nobody sent is acknowledged"
                self.acknowledged = max(self.acknowledged, ack["position"])
            timeout_msec = 0
        return self.acknowledged

    def wait_acknowledged(self, position, is_sending_again=False):
        def is_acknowledged():
            if self.hear(100) < position and is_sending_again:
                self.send_again()
            return self.acknowledged >= position
        wait_until(is_acknowledged, f"position {position} is acknowledged ({self.acknowledged} is)")
        return self

    def wait_asked(self, position):
        """Waits until the store asks for what follows `position`."""
        def is_asked():
            self.hear(100)
            return any(ack.get("asks") and ack["position"] == position and ack["stream"] == self.stream for ack in self.acks)
        wait_until(is_asked, f"what follows {position} is asked for ({self.acks[-3:]})")


class Store:
    """One store and everything that talks to it."""

    def __init__(self, directory, context, role="primary", **settings):
        self.role, self.context = role, context
        self.city = City(directory, {f"store.{name}": value for name, value in settings.items()}, services=[])
        self.title = f"store@{role}"
        records, queries, heartbeat, _ = PORTS[role]
        self.records = self.socket(zmq.PUSH, records)
        self.queries = self.socket(zmq.REQ, queries)
        self.heartbeat = self.socket(zmq.DEALER, heartbeat)
        self.n_beats = 0

    def start(self, **environment):
        self.city.start("store", self.role, environment=environment)
        return self

    def spawn(self, **environment):
        return self.city.spawn("store", self.role, environment=environment)

    def stop(self):
        assert self.city.stop(self.title) == 0

    def wait_death(self, status):
        """The process ends by itself."""
        process = self.process
        wait_until(lambda: not process.is_running(), "the store ends by itself")
        assert self.city.stop(self.title) == status, process.log()
        return process.log()

    def renew_questions(self):
        """A REQ socket whose question died with the store."""
        self.queries.close()
        self.queries = self.socket(zmq.REQ, PORTS[self.role][1])

    def socket(self, pattern, port):
        made = self.context.socket(pattern)
        made.linger = 0
        made.sndhwm = 0  # what a paused store does not take waits here
        made.reconnect_ivl = 10
        made.connect(f"tcp://127.0.0.1:{port}")
        return made

    def writer(self, **how):
        return Writer(self, **how)

    @property
    def process(self):
        return self.city.processes[self.title]

    @property
    def state_dir(self):
        return self.city.directory / "state" / self.title

    @property
    def file(self):
        return self.state_dir / "traffic.db"

    def push(self, *messages):
        """Without custody."""
        for message in messages:
            self.records.send(encoded(message))

    def ask(self, command, **members):
        return self.ask_frames(json.dumps({"command": command, **members}).encode())

    def ask_frames(self, *frames):
        self.queries.send_multipart(frames)
        wait_until(lambda: self.queries.poll(100) or not self.process.is_running(), "a reply")
        assert self.queries.poll(0), "no reply: the store has ended"
        return json.loads(self.queries.recv())

    def status(self):
        return self.ask("SYSTEM_STATUS")["data"]

    def beat(self, **members):
        self.n_beats += 1
        self.heartbeat.send_json({"role": "analytics", "boot_id": "0" * 32, "epoch": 1, "seq": self.n_beats, **members})
        assert self.heartbeat.poll(10_000), "no beat"
        return self.heartbeat.recv_json()

    def ping(self, *frames):
        with closing(self.socket(zmq.REQ, HEALTH)) as asker:
            asker.send_multipart(frames or (b"PING",))
            assert asker.poll(10_000), "silence"
            return asker.recv()

    def wait_stored(self, n):
        self.city.wait(lambda: self.status()["db_summary"]["total_sensor_events"] == n, f"{n} events are stored")

    def rows(self, sql):
        """Of the file, once its store has gone."""
        with closing(sqlite3.connect(self.file)) as file:
            return file.execute(sql).fetchall()

    def assert_exactly(self, numbers):
        """The store has ended; its file holds these events, each once, and says so in its totals."""
        numbers = list(numbers)
        assert self.rows("PRAGMA integrity_check") == [("ok",)]
        assert [n for n, in self.rows("SELECT seq FROM sensor_events ORDER BY seq")] == numbers
        assert self.rows("SELECT sensor_events FROM totals") == [(len(numbers),)]

    def assert_in_trouble(self, words):
        self.city.wait(lambda: not self.beat()["can_commit"], "the heartbeat says that it cannot commit")
        if self.role == "primary":
            assert self.ping() == b"ERROR"
        answer = self.ask("HEALTH_CHECK")
        assert (answer["status"], answer["cause"]) == ("ERROR", "UNAVAILABLE") and words in answer["message"]
        self.city.wait_log(self.title, f"cannot commit: .*{words}")
        self.city.wait(lambda: "cannot commit" in self.process.status, "STATUS= says so")

    def assert_well_again(self):
        self.city.wait(lambda: self.beat()["can_commit"], "the heartbeat says that it can commit")
        if self.role == "primary":
            assert self.ping() == b"PONG"
        assert self.ask("HEALTH_CHECK")["message"] == "PONG"
        self.city.wait_log(self.title, "commits again")


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def make_store(tmp_path, context):
    """Makes and starts stores; is_started=False leaves the starting to the test."""
    made = []

    def make(role="primary", is_started=True, **settings):
        made.append(Store(tmp_path, context, role, **settings))
        made[-1].city.__enter__()
        return made[-1].start() if is_started else made[-1]

    yield make
    for store in made:
        store.city.__exit__()


class Disk:
    """A small file system of its own on a directory, which only this test sees."""

    def __init__(self, directory, mib):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", self.directory)

    @staticmethod
    def run(*command):
        subprocess.run(list(map(str, command)), check=True, capture_output=True)

    def remount(self, how):
        self.run("mount", "-o", f"remount,{how}", self.directory)

    def fill(self):
        with open(self.directory / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass

    def empty(self):
        os.unlink(self.directory / "filler")


@pytest.fixture
def make_disk():
    """Needs mount points of our own: skipped where the kernel does not allow them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) < 0:
        pytest.skip("no mount namespace: run as root, or allow user namespaces")
    Disk.run("mount", "--make-rprivate", "/")
    made = []

    def make(directory, mib):
        made.append(Disk(directory, mib))
        return made[-1]

    yield make
    for disk in made:
        Disk.run("umount", "-l", disk.directory)
