"""The readings of a history: each is a function of seed, kind and number, so a log of numbers is enough to tell later what a store
must hold, and a reading handed in again is the same to the byte.

Values are whole quarters, which survive any way of writing a double. Most traffic is light: the rules shall have something to
decide now and then, not at each reading.
"""
import json
import time

KINDS = ("camera", "inductive", "gps")
SENSOR_TYPE = {"camera": "camara", "inductive": "espira_inductiva", "gps": "gps"}
CITY_LISTS = {"camera": "cameras", "inductive": "inductive_loops", "gps": "gps"}
MASK = (1 << 64) - 1
CONGESTED_EVERY, CONGESTED_RUN = 4000, 200  # of so many readings so many in a row tell of a queue


def mixed(number):
    """splitmix64: neighbouring numbers get values that have nothing to do with each other."""
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


def sensors_of(city_file):
    """{kind: [(sensor, intersection)]} of a city file."""
    with open(city_file) as file:
        sensors = json.load(file)["sensors"]
    return {kind: [(sensor["sensor_id"], sensor["interseccion"]) for sensor in sensors[CITY_LISTS[kind]]] for kind in KINDS}


def producer_of(seed, kind):
    return f"history-{seed}-{kind}"


class Readings:
    """The readings of one kind. `header` is a history's: seed, epoch, rate (of all kinds together), start_us (Unix time), sensors."""

    def __init__(self, header, kind):
        self.kind = kind
        self.producer = producer_of(header["seed"], kind)
        self.epoch = header["epoch"]
        self.start_usec = header["start_us"]
        self.per_second = header["rate"] / len(KINDS)
        self.sensors = header["sensors"][kind]
        self.salt = mixed(header["seed"] * len(KINDS) + KINDS.index(kind))
        self.second, self.second_text = None, None

    def captured_usec(self, number):
        """When the reading is due, also when it is handed in later."""
        return self.start_usec + int(number * 1_000_000 / self.per_second)

    def timestamp(self, number):
        """The same in whole seconds, as text."""
        second = self.captured_usec(number) // 1_000_000
        if second != self.second:
            self.second, self.second_text = second, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        return self.second_text

    def values(self, number):
        """(member, value) pairs that say what was measured."""
        random = mixed(self.salt ^ number)
        is_congested = number % CONGESTED_EVERY < CONGESTED_RUN
        speed = (random % 40 + (20 if is_congested else 150)) / 4
        if self.kind == "camera":
            return (("volumen", random // 64 % 4 + (12 if is_congested else 0)), ("velocidad_promedio", speed))
        if self.kind == "inductive":
            return (("vehiculos_contados", random // 64 % 18), ("intervalo_segundos", 30))
        return (("nivel_congestion", "ALTA" if speed < 10 else "NORMAL" if speed <= 40 else "BAJA"), ("velocidad_promedio", speed))

    def members(self, number):
        """All that the stored event must say, but for its identity."""
        sensor, intersection = self.sensors[mixed(self.salt + number) % len(self.sensors)]
        timestamp = "timestamp_fin" if self.kind == "inductive" else "timestamp"
        return {"sensor_id": sensor, "tipo_sensor": SENSOR_TYPE[self.kind], "interseccion": intersection,
                **dict(self.values(number)), timestamp: self.timestamp(number), "captured_us": self.captured_usec(number)}

    def packet(self, number):
        """What is handed in: its number is also the id that the answer names."""
        members = {"id": number, **self.members(number), "producer_id": self.producer, "epoch": self.epoch, "seq": number}
        return json.dumps(members, separators=(",", ":")).encode()
