"""A simulator's side of lock-step with the services ([clock] source = tick): readings and ticks go in at the relay sockets of the
sensors, what the lights do comes back on the reports' link. traffic-sensor(8) describes both.

    with Lockstep(runtime_dir) as city:
        for k in range(3600):
            for event in readings_of(k):
                city.hand_in("camera", event)          # or "inductive", "gps"
            for change in city.step(T0 + k * 1_000_000):  # city time, Unix microseconds
                show(change["interseccion"], change["groups"])

A step returns what was reported until it was DONE. The first one waits for every service to come up, as long as `patience_sec`. Whatever
makes the run worthless (a refusal, a fault that a service tells, silence) raises RunInvalid.

A reading is the wire's event as a dict, or its JSON as bytes. One without a time is of the step's; one that happened within the step (a
passage) says when: `timestamp`, and `captured_us` where less than a second matters.
"""
import json
import select
import socket
import time

import zmq

SOURCES = ("camera", "inductive", "gps")
REPORTS = "tcp://127.0.0.1:5570"


class RunInvalid(Exception):
    """The run says nothing any more, and why."""


class Relay:
    """The relay socket of one kind of sensor: any number of packets under way, and how many answers are owed."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = None
        self.n_sent = self.n_acknowledged = 0
        self.waiting = []  # packets of this step

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.socket.connect(self.path)
        self.socket.setblocking(False)

    def put(self, members):
        """`members` is the JSON of an object, as bytes."""
        self.n_sent += 1
        self.waiting.append(b'{"id":%d,%s' % (self.n_sent, members[1:]))

    def open(self, tick):
        """Before the readings of this step."""
        self.put(tick)
        self.waiting.insert(0, self.waiting.pop())

    def send(self):
        """Sends what the socket takes now. True when that was all."""
        send = self.socket.send
        for i, packet in enumerate(self.waiting):
            try:
                send(packet)
            except BlockingIOError:
                del self.waiting[:i]
                return False
        self.waiting.clear()
        return True

    def hear(self):
        """Takes the answers that are there: a service does not read from who does not."""
        receive = self.socket.recv
        try:
            while answer := receive(2048):
                if not answer.startswith(b'{"ack"'):
                    raise RunInvalid(f"{self.path}: {answer.decode(errors='replace')}")
                self.n_acknowledged += 1
        except BlockingIOError:
            return
        raise RunInvalid(f"{self.path}: the sensor has ended the connection")

    def close(self):
        if self.socket:
            self.socket.close()


class Lockstep:
    """`sources` as in [clock] tick_sources. `check()`, if any, is called while waiting: it may raise (a service has died)."""

    def __init__(self, runtime_dir, context=None, sources=SOURCES, reports=REPORTS, first=0, patience_sec=30, check=None):
        self.relays = {kind: Relay(f"{runtime_dir}/sensor-{kind}.sock") for kind in sources}
        self.context = context or zmq.Context.instance()
        self.reports = self.context.socket(zmq.SUB)
        self.reports.linger = 0
        self.reports.rcvhwm = 0
        self.reports.subscribe(b"")
        self.reports.connect(reports)
        self.k = first  # of the next tick
        self.patience_sec = patience_sec
        self.check = check
        self.waited_sec = 0.0  # for services, in all steps

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for relay in self.relays.values():
            relay.close()
        self.reports.close()

    def wait(self, is_done, pause, what):
        """Asks is_done() until it is true, and calls pause() between."""
        end = time.monotonic() + self.patience_sec
        while not is_done():
            if time.monotonic() > end:
                raise RunInvalid(f"step {self.k}: not within {self.patience_sec} s: {what}")
            if self.check:
                self.check()
            pause()

    def connect(self, relay):
        def is_connected():
            try:
                relay.connect()
                return True
            except (FileNotFoundError, ConnectionRefusedError):
                relay.close()
                return False
        self.wait(is_connected, lambda: time.sleep(0.02), f"{relay.path} takes connections")

    def hand_in(self, kind, event):
        self.relays[kind].put(event if isinstance(event, bytes) else json.dumps(event, separators=(",", ":")).encode())

    def send_all(self, relay):
        """Kind after kind, as the broker takes them: each behind the other's tick."""
        if not relay.socket:
            self.connect(relay)

        def is_sent():
            relay.hear()
            return relay.send()
        self.wait(is_sent, lambda: select.select([relay.socket], [relay.socket], [], 0.1), f"{relay.path} takes the readings")

    def tick(self, t_us, absent=None, last=False):
        """Hands in what waits, between the tick that opens the step and the one that ends it."""
        tick = {"k": self.k, "t_us": t_us} | ({"absent": absent} if absent else {}) | ({"last": True} if last else {})
        for relay in self.relays.values():
            relay.open(json.dumps(tick | {"opens": True}).encode())
            relay.put(json.dumps(tick).encode())
            self.send_all(relay)

    def wait_done(self):
        """What has been reported until the step is done."""
        heard = []

        def is_done():
            try:
                while True:
                    report = json.loads(self.reports.recv(zmq.DONTWAIT))
                    if report["report"] == "PAST":  # for analytics
                        continue
                    if report["report"] not in ("HELLO", "DONE", "INVALID"):
                        heard.append(report)
                        continue
                    if "reason" in report:
                        raise RunInvalid(f"step {self.k}: {report['report']}: {report['reason']}")
                    if report["report"] == "DONE" and report["k"] == self.k:
                        return True
            except zmq.Again:
                return False
        def pause():
            if not self.reports.poll(100):
                self.hear_relays()
        self.wait(is_done, pause, "DONE")
        self.hear_relays()
        return heard

    def hear_relays(self):
        for relay in self.relays.values():
            relay.hear()

    def step(self, t_us, absent=None, last=False):
        """One step of the city: what the lights do from `t_us` on. `absent="analytics"`: nobody waits for it in this step. `last`: it
        ends the run; the services are ready for another one."""
        began = time.monotonic()
        self.tick(t_us, absent, last)
        heard = self.wait_done()
        self.waited_sec += time.monotonic() - began
        self.k += 1
        return heard
