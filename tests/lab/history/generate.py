"""Hands readings to the relay sockets of a city at a steady rate, and logs what was handed in and what was acknowledged.

    PYTHONPATH=tests/lab python3 -m history.generate --lab city --log FILE [--seed S] [--rate R] [--seconds T]

It works like a careful program at the roadside: each reading has an identity of its own and is kept until it is acknowledged; when
a sensor dies, everything that it had not acknowledged is handed in again, in order. Readings that became due while no sensor took
them follow at four times the pace. SIGTERM (or the end of --seconds) ends it once everything is acknowledged, or after --drain seconds.

FILE.now is what others look at meanwhile: how many readings of all kinds were due, handed in, acknowledged and refused (struct NOW).
"""
import argparse
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

from history.log import LogWriter
from history.readings import KINDS, Readings, sensors_of

TURN_SEC = 0.001
RECONNECT_SEC = 0.02
CATCH_UP = 4
OUTSTANDING_MAX = 20000  # per kind: more than any relay takes
CITY = Path(__file__).resolve().parents[3] / "config" / "city.json"
NOW = struct.Struct("=4Q")  # due, handed in, acknowledged, refused
ACK = b'{"ack":'


class Now:
    """The counts as others see them, in a file that is mapped."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(NOW.size))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), NOW.size)

    def write(self, *counts):
        self.map[:] = NOW.pack(*counts)  # pack_into() would make them zero first, and somebody looks at that moment


def read_now(path):
    """(due, handed in, acknowledged, refused) of a generator that runs, or of one that has ended."""
    with open(path, "rb") as file:
        return NOW.unpack(file.read(NOW.size))


class Feed:
    """One kind: its connection, what it has handed in, what it waits for."""

    def __init__(self, header, kind, log, find_socket):
        self.readings = Readings(header, kind)
        self.kind, self.log, self.find_socket = kind, log, find_socket
        self.socket = None
        self.next_attempt = 0
        self.sent = 0  # the newest number ever handed in
        self.waiting = {}  # numbers handed in but not answered, in order
        self.again = []  # of those, what this connection has not seen yet; the next one last
        self.n_acknowledged = self.n_refused = 0

    def connect(self, now):
        if now < self.next_attempt:
            return
        self.next_attempt = now + RECONNECT_SEC
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            connection.connect(str(self.find_socket(self.kind)))
        except (OSError, LookupError):
            connection.close()
            return
        self.socket = connection
        self.again = sorted(self.waiting, reverse=True)
        self.log.connected(self.kind, True)

    def disconnect(self):
        self.socket.close()
        self.socket = None
        self.log.connected(self.kind, False)

    def send(self, number):
        """Whether the relay took it."""
        try:
            self.socket.send(self.readings.packet(number))
            return True
        except BlockingIOError:
            return False
        except OSError:
            self.disconnect()
            return False

    def hand_in(self, most, most_new):
        """Hands in what the last connection left unanswered, then up to `most_new` new readings; `most` altogether."""
        while self.again and most > 0:
            if not self.send(self.again[-1]):
                return
            self.again.pop()
            most -= 1
        n_new = min(most, most_new, OUTSTANDING_MAX - len(self.waiting))
        if n_new <= 0 or self.again:
            return
        first, self.sent = self.sent + 1, self.sent + n_new
        self.log.sent(self.kind, first, self.sent)
        numbers = range(first, self.sent + 1)
        self.waiting.update(dict.fromkeys(numbers))
        for number in numbers:
            if not self.send(number):
                if self.socket:
                    self.again = list(range(self.sent, number - 1, -1))
                return

    def hear(self):
        """Takes the answers that have come."""
        acknowledged = []
        while self.socket:
            try:
                answer = self.socket.recv(2048)
            except BlockingIOError:
                break
            except OSError:
                answer = b""
            if not answer:
                self.disconnect()
                break
            if answer.startswith(ACK):
                number = int(answer[len(ACK):-1])
                if self.waiting.pop(number, self) is None:
                    acknowledged.append(number)
            else:
                self.hear_refusal(answer)
        self.n_acknowledged += len(acknowledged)
        self.log.acknowledged(self.kind, acknowledged)

    def hear_refusal(self, answer):
        _, _, rest = answer.partition(b'{"refused":')
        number, _, why = rest.partition(b",")
        self.log.refused(self.kind, int(number) if number.isdigit() else 0, why.decode(errors="replace"))
        self.n_refused += 1
        if number.isdigit():
            self.waiting.pop(int(number), None)
        else:  # the source is not a relay: ask again later
            self.disconnect()
            self.next_attempt = time.monotonic() + 0.5


class Generator:
    def __init__(self, header, log_path, find_socket, begun):
        """`begun`: the header's start_us on the monotonic clock."""
        self.log = LogWriter(log_path, header)
        self.now = Now(f"{log_path}.now")
        self.feeds = [Feed(header, kind, self.log, find_socket) for kind in KINDS]
        self.per_second = header["rate"] / len(KINDS)
        self.begun, self.turned = begun, time.monotonic()
        self.due = 0  # of each kind
        self.is_ending = False

    def turn(self):
        now = time.monotonic()
        if not self.is_ending:
            self.due = int((now - self.begun) * self.per_second)
        most = int((now - self.turned) * self.per_second * CATCH_UP) + 1
        self.turned = now
        for feed in self.feeds:
            if feed.socket is None:
                feed.connect(now)
            if feed.socket:
                feed.hand_in(most, self.due - feed.sent)
            feed.hear()
        self.now.write(self.due * len(self.feeds), *(sum(getattr(feed, name) for feed in self.feeds)
                                                     for name in ("sent", "n_acknowledged", "n_refused")))

    def end(self):
        self.is_ending = True

    def is_done(self):
        return all(not feed.waiting and feed.sent >= self.due for feed in self.feeds)

    def run(self, seconds, drain_sec):
        """True when everything due was handed in and acknowledged."""
        end, give_up = self.begun + seconds, None
        idle = select.poll()
        while True:
            self.turn()
            now = time.monotonic()
            if now >= end:
                self.end()
            if self.is_ending:
                give_up = give_up or now + drain_sec
                if self.is_done() or now > give_up:
                    break
            idle.poll(TURN_SEC * 1000)
        for feed in self.feeds:
            if feed.socket:
                feed.socket.close()
        self.log.close()
        return self.is_done()


def relay_finder(arguments):
    """Where a kind's relay socket is now: a machine that boots again is another root."""
    if arguments.sockets:
        return lambda kind: Path(arguments.sockets) / f"sensor-{kind}.sock"
    from faults.machines import Machine
    machine = Machine(arguments.lab, "pc1")
    return machine.relay_socket


def main():
    parser = argparse.ArgumentParser(prog="history.generate", description="Hands readings to relay sockets and logs what became of them.")
    parser.add_argument("--lab", default=os.environ.get("LAB", "city"), help="the lab whose pc1 gets the readings")
    parser.add_argument("--sockets", help="instead: the directory of the relay sockets")
    parser.add_argument("--log", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1000, help="readings a second, of all kinds together")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--drain", type=float, default=120, help="seconds to wait at the end for what is not acknowledged")
    parser.add_argument("--city", default=CITY)
    arguments = parser.parse_args()
    now_usec, begun = time.time_ns() // 1000, time.monotonic()
    header = {"seed": arguments.seed, "epoch": now_usec, "rate": arguments.rate, "start_us": now_usec,
              "sensors": sensors_of(arguments.city)}
    generator = Generator(header, arguments.log, relay_finder(arguments), begun)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: generator.end())
    return 0 if generator.run(arguments.seconds, arguments.drain) else 1


if __name__ == "__main__":
    sys.exit(main())
