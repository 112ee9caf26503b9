"""The verdict: what a history says was handed over against what the stores hold. Pure: rows in, counts out.

    LOST        acknowledged, in no spool any more, and not in the store
    WAITING     acknowledged, not in the store, but still in a spool
    DUPLICATE   an identity that is there more than once: each row after the first
    CORRUPT     stored, but not as it was handed in
    STRANGE     stored under this history's name, but never handed in
"""
import json
from dataclasses import dataclass, field

from history.readings import KINDS, Readings, producer_of

EXAMPLES = 5


@dataclass
class StoreVerdict:
    stored: int = 0  # different identities
    lost: int = 0
    waiting: int = 0
    duplicate: int = 0
    corrupt: int = 0
    strange: int = 0
    examples: list = field(default_factory=list)
    unstored: dict = field(default_factory=dict)  # kind: [first, last] runs of what was acknowledged and is not there
    counts: dict = field(default_factory=dict, repr=False)  # kind: how often each number is there

    @property
    def is_faultless(self):
        return self.lost == self.waiting == self.duplicate == self.corrupt == self.strange == 0

    def example(self, text):
        if len(self.examples) < EXAMPLES:
            self.examples.append(text)


class KindJudge:
    """The rows of one kind: which numbers came, and whether each says what it must."""

    def __init__(self, header, kind, history):
        self.kind, self.history = kind, history
        self.readings = Readings(header, kind)
        self.counts = bytearray(history.sent + 1)  # how often each number is stored, up to 255

    def expect(self, number, row):
        """What is wrong with a row, or nothing."""
        sensor, sensor_type, intersection, timestamp, event = row
        must = self.readings.members(number)
        time_member = "timestamp_fin" if self.kind == "inductive" else "timestamp"
        columns = {"sensor_id": sensor, "tipo_sensor": sensor_type, "interseccion": intersection, time_member: timestamp}
        for name, value in columns.items():
            if must[name] != value:
                return f"column {name} is {value!r}, not {must[name]!r}"
        try:
            said = json.loads(event)
        except ValueError:
            return f"event_data is no JSON: {event!r:.80}"
        for name, value in must.items():
            if said.get(name) != value:
                return f"event_data says {name} {said.get(name)!r}, not {value!r}"
        return None

    def row(self, number, row, verdict):
        if not isinstance(number, int) or not 1 <= number <= self.history.sent:
            verdict.strange += 1
            verdict.example(f"STRANGE {self.readings.producer} {number}")
            return
        if self.counts[number]:
            verdict.duplicate += 1
            verdict.example(f"DUPLICATE {self.readings.producer} {number}")
        else:
            verdict.stored += 1
        self.counts[number] = min(self.counts[number] + 1, 255)
        wrong = self.expect(number, row)
        if wrong:
            verdict.corrupt += 1
            verdict.example(f"CORRUPT {self.readings.producer} {number}: {wrong}")

    def absent(self, spooled, verdict):
        """What was acknowledged and is not there."""
        ranges = []
        for number in range(1, self.history.sent + 1):
            if self.counts[number] or not self.history.acknowledged[number]:
                continue
            if (self.readings.producer, self.readings.epoch, number) in spooled:
                verdict.waiting += 1
            else:
                verdict.lost += 1
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        if ranges:
            verdict.unstored[self.kind] = ranges
            verdict.example(f"absent of {self.readings.producer}: " + ", ".join(f"{a} to {b}" for a, b in ranges[:3]))


def judge_store(history, rows, spooled=frozenset()):
    """`rows` as stored_events() gives them, of any producers; those of others are none of this history's business."""
    verdict = StoreVerdict()
    judges = {producer_of(history.header["seed"], kind): KindJudge(history.header, kind, history.kinds[kind]) for kind in KINDS}
    for producer, epoch, number, *row in rows:
        judge = judges.get(producer)
        if judge and epoch == history.header["epoch"]:
            judge.row(number, row, verdict)
    for judge in judges.values():
        judge.absent(spooled, verdict)
        verdict.counts[judge.kind] = judge.counts
    return verdict


def equation(history, verdict, spooled, drops):
    """Per producer: sent = stored + counted drops + still spooled. Sent is what the city took over: acknowledged, or there after all.
    `drops` is what the services say they dropped, by kind."""
    terms = {}
    for kind in KINDS:
        producer, epoch = producer_of(history.header["seed"], kind), history.header["epoch"]
        in_store, acknowledged = verdict.counts[kind], history.kinds[kind].acknowledged
        in_spool = {number for name, its_epoch, number in spooled
                    if name == producer and its_epoch == epoch and number < len(in_store) and not in_store[number]}
        n_stored = sum(1 for count in in_store if count)
        n_sent = sum(1 for number in range(1, len(in_store)) if acknowledged[number] or in_store[number] or number in in_spool)
        dropped = drops.get(kind, 0)
        terms[producer] = {"sent": n_sent, "stored": n_stored, "drops": dropped, "spooled": len(in_spool),
                           "difference": n_sent - n_stored - dropped - len(in_spool)}
    return terms
