"""Both sides of a hop under custody, as little of them as a test needs and written from the description of the wire alone.

    reader = Reader(context, 5557, 5568)          # reads the GPS sensor's readings and acknowledges them
    reader.wait(100)
    reader.acknowledges = False                    # from now on it only reads

    writer = Writer(context, 5557, 5568).wait_for_reader()
    writer.send('gps {"sensor_id": ...}')
    writer.wait_acknowledged(1)
"""
import json
import random
import re

import zmq

from city import wait_until

HOST = "127.0.0.1"
HOP = re.compile(rb'(?:,|(?<=\{))"hop":"([0-9a-f]{16})\.(\d+)\.(\d+)\.(\d+)"\}\Z')


def split_hop(frame):
    """The frame without its hop, and (stream, epoch, position, oldest), or None when it has none."""
    found = HOP.search(frame)
    if not found:
        return frame, None
    return frame[:found.start()] + b"}", (found[1].decode(), *(int(found[group]) for group in (2, 3, 4)))


def with_hop(frame, stream, epoch, position, oldest):
    assert frame.endswith(b"}")
    comma = b"" if frame[:-1].rstrip().endswith(b"{") else b","
    return frame[:-1] + comma + f'"hop":"{stream}.{epoch}.{position}.{oldest}"}}'.encode()


def identity(event):
    return event["producer_id"], event["epoch"], event["seq"]


class Reader:
    """Subscribes to a link under custody and takes each position once and in order. What it has taken outlives its sockets: restart()."""

    def __init__(self, context, port, ack_port, acknowledges=True, high_water_mark=100000):
        self.context, self.port, self.ack_port = context, port, ack_port
        self.high_water_mark = high_water_mark
        self.acknowledges = acknowledges
        self.cursors = {}  # stream -> position
        self.frames = []  # taken, without their hops
        self.hops = []  # of every frame that came
        self.n_repeats = self.n_dropped = self.n_given_up = self.writer_epoch = 0
        self.asked = set()
        self.connect()

    def connect(self):
        self.socket = self.context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = self.high_water_mark
        self.socket.subscribe(b"")
        self.socket.connect(f"tcp://{HOST}:{self.port}")
        self.ack_socket = self.context.socket(zmq.PUSH)
        self.ack_socket.linger = 0
        self.ack_socket.connect(f"tcp://{HOST}:{self.ack_port}")

    def close(self):
        self.socket.close()
        self.ack_socket.close()

    def restart(self):
        """As a process that ends and comes again with what it had committed."""
        self.close()
        self.asked.clear()
        self.connect()

    def take(self, frame):
        bare, hop = split_hop(frame)
        self.hops.append(hop)
        assert hop, f"a frame without its hop: {frame[:200]}"
        stream, epoch, position, oldest = hop
        self.writer_epoch = max(self.writer_epoch, epoch)
        cursor = self.cursors.setdefault(stream, oldest - 1)
        if position <= cursor:
            self.n_repeats += 1
        elif position == cursor + 1 or (stream in self.asked and position == oldest):  # what is before it is nowhere any more
            self.n_given_up += position - cursor - 1
            self.cursors[stream] = position
            self.frames.append(bare)
            self.asked.discard(stream)
        else:
            self.n_dropped += 1
            if stream not in self.asked:
                self.asked.add(stream)
                self.acknowledge(stream, asks=True)

    def read(self, most=1 << 30):
        heard = set()
        try:
            while len(self.frames) < most:
                parts = self.socket.recv_multipart(zmq.DONTWAIT)
                assert len(parts) == 1
                self.take(parts[0])
                heard.add(self.hops[-1][0])
        except zmq.Again:
            pass
        if self.acknowledges:
            for stream in heard:
                self.acknowledge(stream)
        return self.frames

    def acknowledge(self, stream, position=None, asks=False):
        """With no position: what was taken."""
        ack = {"stream": stream, "position": self.cursors[stream] if position is None else position, "epoch": self.writer_epoch}
        self.ack_socket.send(json.dumps({**ack, "asks": True} if asks else ack).encode())

    def acknowledge_all(self):
        for stream in self.cursors:
            self.acknowledge(stream)

    def wait(self, n, what="frames"):
        wait_until(lambda: len(self.read(n)) >= n, f"{n} {what} (there are {len(self.frames)})")
        return self.events()

    def events(self):
        return [json.loads(frame.split(b" ", 1)[1]) for frame in self.frames]


class Writer:
    """Publishes on a link under custody and keeps everything until it is acknowledged. What it keeps outlives its sockets: restart()."""

    def __init__(self, context, port, ack_port, epoch=1):
        self.context, self.port, self.ack_port = context, port, ack_port
        self.stream, self.epoch = f"{random.getrandbits(64) | 1:016x}", epoch
        self.frames = {}  # position -> frame
        self.last = self.acknowledged = 0
        self.acks = []
        self.bind()

    def bind(self):
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # each subscription is heard, the same one too
        self.ack_socket = self.context.socket(zmq.PULL)
        for socket, port in ((self.socket, self.port), (self.ack_socket, self.ack_port)):
            socket.linger = 0
            socket.sndhwm = 0
            wait_until(lambda: self.is_bound(socket, port), f"port {port} is free")

    @staticmethod
    def is_bound(socket, port):
        """A port that was closed a moment ago is still closing."""
        try:
            socket.bind(f"tcp://{HOST}:{port}")
            return True
        except zmq.ZMQError:
            return False

    def close(self):
        self.socket.close()
        self.ack_socket.close()

    def wait_for_reader(self):
        assert self.socket.poll(20000), "the reader subscribes"
        assert self.socket.recv()[:1] == b"\x01"
        return self

    def wait_for_reader_again(self):
        """A reader went and another one came."""
        wait_until(lambda: self.socket.poll(100) and self.socket.recv()[:1] == b"\x01", "a reader subscribes again")

    def send(self, frame):
        self.last += 1
        self.frames[self.last] = frame if isinstance(frame, bytes) else frame.encode()
        self.send_position(self.last)

    def send_position(self, position):
        oldest = min(self.frames, default=self.last)
        self.socket.send(with_hop(self.frames[position], self.stream, self.epoch, position, oldest))

    def send_again(self):
        for position in range(self.acknowledged + 1, self.last + 1):
            self.send_position(position)

    def hear(self):
        """Takes what the reader has said and returns how far it is."""
        while self.ack_socket.poll(0):
            ack = json.loads(self.ack_socket.recv())
            self.acks.append(ack)
            if ack["stream"] != self.stream:
                continue
            if ack["position"] > self.acknowledged:
                for position in range(self.acknowledged + 1, ack["position"] + 1):
                    del self.frames[position]
                self.acknowledged = ack["position"]
        return self.acknowledged

    def wait_acknowledged(self, position):
        """Sends again from time to time, as a real writer does."""
        for _ in range(40):
            end = 500
            while self.hear() < position and self.ack_socket.poll(end):
                pass
            if self.acknowledged >= position:
                return self
            self.send_again()
        raise AssertionError(f"position {position} is not acknowledged: {self.acknowledged} of {self.last}; {self.acks[-3:]}")
