"""The log of a history: a text file that only grows, one line for what happened to a run of readings of one kind.

    {"seed": 7, ...}            the header, as JSON
    S camera 1 20               about to be handed in for the first time
    A camera 1 17               acknowledged
    X camera 18 why             refused: nothing was taken
    C camera / D camera         connected / disconnected; what was not acknowledged by then is handed in again
    E                           the generator ended by itself

"S" is written before the first byte is sent, "A" after the answer came: whatever dies when, the log never claims more than was.
"""
import json
import os

from history.readings import KINDS


class LogWriter:
    def __init__(self, path, header):
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self.line(json.dumps(header))

    def line(self, text):
        os.write(self.descriptor, text.encode() + b"\n")

    def sent(self, kind, first, last):
        self.line(f"S {kind} {first} {last}")

    def acknowledged(self, kind, numbers):
        """Numbers in any order; answers come in order, so this is nearly always one line."""
        lines, first, last = [], None, None
        for number in numbers:
            if first is not None and number == last + 1:
                last = number
                continue
            if first is not None:
                lines.append(f"A {kind} {first} {last}")
            first = last = number
        if first is not None:
            lines.append(f"A {kind} {first} {last}")
            self.line("\n".join(lines))

    def refused(self, kind, number, why):
        self.line(f"X {kind} {number} {' '.join(why.split())}")

    def connected(self, kind, is_connected):
        self.line(f"{'C' if is_connected else 'D'} {kind}")

    def close(self):
        self.line("E")
        os.close(self.descriptor)


class KindHistory:
    """Of one kind: `sent` numbers 1..sent may be in the city; `acknowledged[number]` says whether the city took it over."""

    def __init__(self):
        self.sent = 0
        self.acknowledged = bytearray(1)
        self.n_refused = 0
        self.first_refusal = None

    def add_sent(self, first, last):
        if first != self.sent + 1 or last < first:
            raise ValueError(f"expected what is handed in to follow {self.sent}, got {first} to {last}")
        self.sent = last
        self.acknowledged.extend(bytes(last - first + 1))

    def add_acknowledged(self, first, last):
        if not 1 <= first <= last <= self.sent:
            raise ValueError(f"acknowledged {first} to {last}, but only {self.sent} were handed in")
        self.acknowledged[first:last + 1] = b"\1" * (last - first + 1)

    @property
    def n_acknowledged(self):
        return sum(self.acknowledged)


class History:
    """A log, read back. A last line that was cut off (the generator was killed) says nothing."""

    def __init__(self, path):
        self.kinds = {kind: KindHistory() for kind in KINDS}
        self.has_ended = False
        with open(path, "rb") as file:
            self.header = json.loads(file.readline())
            for number, line in enumerate(file, start=2):
                if line.endswith(b"\n"):
                    try:
                        self.read(line.decode().rstrip("\n").split(" ", 3))
                    except (ValueError, KeyError, IndexError) as error:
                        raise ValueError(f"{path}:{number}: {error}") from None

    def read(self, words):
        if words[0] == "S":
            self.kinds[words[1]].add_sent(int(words[2]), int(words[3]))
        elif words[0] == "A":
            self.kinds[words[1]].add_acknowledged(int(words[2]), int(words[3]))
        elif words[0] == "X":
            kind = self.kinds[words[1]]
            kind.n_refused += 1
            kind.first_refusal = kind.first_refusal or words[3]
        elif words[0] == "E":
            self.has_ended = True
        elif words[0] not in ("C", "D"):
            raise ValueError(f"expected S, A, X, C, D or E, got {words[0]!r}")
