"""The history's generator and checker themselves: a checker that finds nothing proves nothing."""
import contextlib
import json
import random
import socket
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from faults.machines import TOP, wait_until
from history import check, databases, generate
from history.log import History, LogWriter
from history.readings import KINDS, Readings, producer_of, sensors_of

SCHEMA = next((TOP / "common/store/schema").glob("001-*.sql")).read_text()
SPOOL_SCHEMA = next((TOP / "common/store/schema/spool").glob("001-*.sql")).read_text()
HEADER = {"seed": 7, "epoch": 1234567, "rate": 300, "start_us": 1763662800_000000, "sensors": sensors_of(TOP / "config/city.json")}
N = 50  # readings of each kind
COPIED_USEC = 2_000_000_000_000_000


def write_log(path, sent=N, acknowledged=N):
    log = LogWriter(path, HEADER)
    for kind in KINDS:
        log.connected(kind, True)
        log.sent(kind, 1, sent)
        log.acknowledged(kind, range(1, acknowledged + 1))
    log.close()
    return path


def rows_of(kind, numbers):
    readings = Readings(HEADER, kind)
    for number in numbers:
        members = readings.members(number)
        timestamp = members["timestamp_fin" if kind == "inductive" else "timestamp"]
        yield [readings.producer, HEADER["epoch"], number, members["sensor_id"], members["tipo_sensor"], members["interseccion"], timestamp,
               json.dumps(members)]


class Store:
    """A store's file as a service would leave it, to be spoiled by a test."""

    def __init__(self, path):
        self.path = path
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.executescript(SCHEMA)
        for kind in KINDS:
            for row in rows_of(kind, range(1, N + 1)):
                self.insert(row)

    def insert(self, row, created_usec=1000):
        self.database.execute("INSERT INTO sensor_events (producer_id, epoch, seq, sensor_id, tipo_sensor, interseccion, timestamp,"
                              " event_data, created_at, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '2026-01-01T00:00:00Z', ?)",
                              (*row, created_usec))

    def light(self, colour, created_usec=1000):
        """A record of one light."""
        self.run("INSERT INTO semaphore_states (interseccion, state_ns, state_ew, timestamp, created_at, created_us, producer_id, epoch,"
                 " seq) VALUES ('INT-A1', ?, 'GREEN', 't', 't', ?, 'signal@pc2', 1, 1)", colour, created_usec)

    def run(self, sql, *values):
        return self.database.execute(sql, values)


class Case:
    def __init__(self, directory):
        self.directory = directory
        self.log = write_log(directory / "history.log")
        self.primary, self.replica = Store(directory / "primary.db"), Store(directory / "replica.db")
        self.spools = {}

    def spool(self, *frames, acknowledged=0):
        """A spool with these frames, of which its slowest reader has acknowledged some."""
        path = self.directory / "spool.db"
        database = sqlite3.connect(path)
        database.executescript(SPOOL_SCHEMA)
        database.executemany("INSERT INTO frames (odometer, checksum, frame) VALUES (0, 0, ?)", [(frame,) for frame in frames])
        database.executemany("INSERT INTO readers VALUES (?, ?)", [("primary", acknowledged), ("replica", len(frames))])
        database.commit()
        self.spools["broker"] = path

    def check(self, **more):
        return check.check(History(self.log), {"primary": self.primary.path, "replica": self.replica.path}, self.spools, COPIED_USEC,
                           **more)


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


def counts_of(report, store):
    return {name: report["stores"][store][name] for name in ("lost", "waiting", "duplicate", "corrupt", "strange")
            if report["stores"][store][name]}


def test_faultless_history_is_good(case):
    report = case.check()
    assert report["is_good"]
    assert report["sent"] == report["acknowledged"] == report["stores"]["primary"]["stored"] == len(KINDS) * N
    assert "Nothing lost" in check.table(report)


def test_acknowledged_but_absent_is_lost(case):
    case.primary.run("DELETE FROM sensor_events WHERE producer_id = ? AND seq = 30", producer_of(7, "gps"))
    report = case.check()
    assert not report["is_good"]
    assert counts_of(report, "primary") == {"lost": 1}
    assert counts_of(report, "replica") == {}
    assert report["stores"]["primary"]["unstored"] == {"gps": [[30, 30]]}
    assert report["equation"]["primary"][producer_of(7, "gps")]["difference"] == 1
    assert "30 to 30" in check.table(report)


def test_absent_at_either_end_is_lost(case):
    for number in (1, N):
        case.replica.run("DELETE FROM sensor_events WHERE producer_id = ? AND seq = ?", producer_of(7, "camera"), number)
    assert counts_of(case.check(), "replica") == {"lost": 2}


def test_absent_but_never_acknowledged_is_nobodys_promise(case):
    write_log(case.log, sent=N + 10, acknowledged=N)
    report = case.check()
    assert report["is_good"]
    assert report["sent"] - report["acknowledged"] == len(KINDS) * 10


def test_stored_but_never_acknowledged_is_no_fault(case):
    """The answer was lost, not the reading."""
    write_log(case.log, acknowledged=N - 1)
    report = case.check()
    assert report["is_good"]
    assert report["equation"]["primary"][producer_of(7, "gps")]["sent"] == N


def test_identity_that_is_there_twice_is_a_duplicate(case):
    case.replica.run("DROP INDEX sensor_events_identity")
    case.replica.insert(next(rows_of("camera", [12])))
    report = case.check()
    assert not report["is_good"]
    assert counts_of(report, "replica") == {"duplicate": 1}


def test_duplicate_is_seen_though_the_index_denies_it(case):
    """A file whose index lost an entry: asked by the index, the row would be there once."""
    case.replica.run("PRAGMA writable_schema = ON")
    case.replica.run("UPDATE sqlite_master SET sql = replace(sql, 'seq IS NOT NULL', 'seq > 20') WHERE name = 'sensor_events_identity'")
    case.replica.database.close()
    case.replica.database = sqlite3.connect(case.replica.path, isolation_level=None)
    case.replica.insert(next(rows_of("camera", [12])))
    report = case.check()
    assert counts_of(report, "replica") == {"duplicate": 1}


@pytest.mark.parametrize("change", [
    "event_data = json_set(event_data, '$.velocidad_promedio', 99)",
    "event_data = json_remove(event_data, '$.velocidad_promedio')",
    "event_data = 'not JSON'",
    "interseccion = 'INT-XX'",
    "timestamp = '2026-01-01T00:00:00Z'",
    "sensor_id = 'CAM-XX'",
    "tipo_sensor = 'gps'",
    "event_data = cast(x'7b80ff7d' AS TEXT)",
])
def test_stored_otherwise_than_handed_in_is_corrupt(case, change):
    case.primary.run(f"UPDATE sensor_events SET {change} WHERE producer_id = ? AND seq = 9", producer_of(7, "camera"))
    report = case.check()
    assert not report["is_good"]
    assert counts_of(report, "primary") == {"corrupt": 1}


def test_stored_under_the_identity_of_another_reading_is_corrupt(case):
    case.primary.run("DELETE FROM sensor_events WHERE producer_id = ? AND seq = 9", producer_of(7, "camera"))
    row = next(rows_of("camera", [10]))
    row[2] = 9
    case.primary.insert(row)
    assert counts_of(case.check(), "primary") == {"corrupt": 1}


def test_stored_but_never_handed_in_is_strange(case):
    case.primary.insert(next(rows_of("camera", [N + 1])))
    report = case.check()
    assert not report["is_good"]
    assert counts_of(report, "primary") == {"strange": 1}


def test_other_producers_and_earlier_histories_are_no_business_of_this_one(case):
    for store in (case.primary, case.replica):
        for row in rows_of("camera", [1, 2, 3]):
            store.insert(["sensor-camera@pc1", *row[1:]])
            store.insert([row[0], HEADER["epoch"] - 1, *row[2:]])
    assert case.check()["is_good"]


def test_what_still_waits_in_a_spool_is_not_lost_but_not_delivered_either(case):
    for number in (3, 4):
        for store in (case.primary, case.replica):
            store.run("DELETE FROM sensor_events WHERE producer_id = ? AND seq = ?", producer_of(7, "gps"), number)
    event = Readings(HEADER, "gps").packet(3).decode()
    record = {"type": "sensor_event", "data": {"producer_id": producer_of(7, "gps"), "epoch": HEADER["epoch"], "seq": 4}}
    case.spool(b"gps " + event.encode(), json.dumps(record), "not JSON", '{"type":"semaphore_state","data":{}}')
    report = case.check()
    assert not report["is_good"]
    assert counts_of(report, "primary") == {"waiting": 2}
    assert report["equation"]["primary"][producer_of(7, "gps")] == {"sent": N, "stored": N - 2, "drops": 0, "spooled": 2, "difference": 0}


def test_what_every_reader_of_a_spool_has_acknowledged_waits_for_nobody(case):
    for store in (case.primary, case.replica):
        store.run("DELETE FROM sensor_events WHERE producer_id = ? AND seq IN (3, 4)", producer_of(7, "gps"))
    case.spool(*(b"gps " + Readings(HEADER, "gps").packet(number) for number in (3, 4)), acknowledged=1)
    assert counts_of(case.check(), "replica") == {"lost": 1, "waiting": 1}


def test_counted_drop_settles_the_equation_but_stays_a_loss(case):
    case.primary.run("DELETE FROM sensor_events WHERE producer_id = ? AND seq = 3", producer_of(7, "gps"))
    report = case.check(drops={"gps": 1})
    assert report["equation"]["primary"][producer_of(7, "gps")]["difference"] == 0
    assert not report["is_good"]


@pytest.mark.parametrize("store,other", [("primary", "replica"), ("replica", "primary")])
@pytest.mark.parametrize("created_usec,count", [(COPIED_USEC - check.UNDER_WAY_USEC - 1, 1), (COPIED_USEC - check.UNDER_WAY_USEC, 0)])
def test_record_in_one_store_only_is_told_unless_it_is_of_just_now(case, store, other, created_usec, count):
    getattr(case, store).light("RED", created_usec)
    report = case.check()
    assert report["only_in"][store]["semaphore_states"] == count
    assert report["only_in"][other]["semaphore_states"] == 0
    assert report["is_good"] == (count == 0)


def test_same_identity_with_another_content_is_not_the_same_record(case):
    for store, colour in ((case.primary, "RED"), (case.replica, "GREEN")):
        store.light(colour)
    report = case.check()
    assert report["only_in"]["primary"]["semaphore_states"] == report["only_in"]["replica"]["semaphore_states"] == 1


@pytest.mark.parametrize("place", ["sensor_events_by_intersection", "sensor_events"])
def test_damaged_file_is_not_good(case, place):
    [(page,)] = case.primary.run("SELECT rootpage FROM sqlite_master WHERE name = ?", place)
    [(size,)] = case.primary.run("PRAGMA page_size")
    case.primary.database.close()
    with open(case.primary.path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    report = case.check()
    assert not report["stores"]["primary"]["is_sound"]
    assert not report["is_good"]
    assert "file damaged" in check.table(report)


def test_history_that_never_ran_proves_nothing_and_says_so(case):
    """A city that refused everything has lost nothing."""
    log = LogWriter(case.log, HEADER)
    log.sent("gps", 1, 3)
    log.refused("gps", 2, "this sensor's readings\ndo not come from here")
    log.close()
    for store in (case.primary, case.replica):
        store.run("DELETE FROM sensor_events")
    report = case.check()
    assert (report["sent"], report["acknowledged"], report["refused"]) == (3, 0, 1)
    assert not report["is_good"]


# --- the log ---


def test_log_whose_last_line_was_cut_off_says_what_was_before(tmp_path):
    path = write_log(tmp_path / "log")
    whole = path.read_bytes()
    path.write_bytes(whole[:whole.rindex(b"A gps") + 8])
    history = History(path)
    assert history.kinds["camera"].n_acknowledged == N
    assert (history.kinds["gps"].sent, history.kinds["gps"].n_acknowledged) == (N, 0)
    assert not history.has_ended


@pytest.mark.parametrize("line", ["A camera 1 51", "A camera 0 1", "S camera 52 53", "Q camera 1", "A bus 1 1", "A camera"])
def test_log_that_contradicts_itself_is_refused(tmp_path, line):
    path = write_log(tmp_path / "log")
    with open(path, "a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"log:\d+: "):
        History(path)


def test_acknowledgements_out_of_order_are_kept_each(tmp_path):
    log = LogWriter(tmp_path / "log", HEADER)
    log.sent("gps", 1, 6)
    log.acknowledged("gps", [5, 1, 2, 4])
    history = History(tmp_path / "log")
    assert list(history.kinds["gps"].acknowledged) == [0, 1, 1, 0, 1, 1, 0]


# --- copies ---


def test_copy_is_as_the_file_was_at_one_moment_though_its_log_begins_anew_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / "live.db"
    live = sqlite3.connect(path, isolation_level=None)
    live.executescript("PRAGMA journal_mode = WAL; CREATE TABLE readings (number)")
    live.executemany("INSERT INTO readings VALUES (?)", ((number,) for number in range(500)))
    copyfile, copied = databases.shutil.copyfile, []

    def copyfile_and_checkpoint(source, target):
        copyfile(source, target)
        if not copied:
            live.execute("PRAGMA wal_checkpoint(RESTART)")
            live.execute("INSERT INTO readings VALUES (500)")
        copied.append(source)

    monkeypatch.setattr(databases.shutil, "copyfile", copyfile_and_checkpoint)
    database = databases.opened(databases.copy_database(path, tmp_path / "copy"))
    assert databases.is_sound(database)
    assert [number for (number,) in database.execute("SELECT number FROM readings")] == list(range(501))
    assert len(copied) == 4, "a file and its log, twice"


def test_copy_of_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        databases.copy_database(tmp_path / "none.db", tmp_path / "copy")


# --- readings and their generator ---


def test_reading_is_the_same_each_time_and_another_with_another_seed():
    for kind in KINDS:
        first, again = Readings(HEADER, kind), Readings(HEADER, kind)
        other = Readings({**HEADER, "seed": 8}, kind)
        assert [first.packet(n) for n in range(1, 100)] == [again.packet(n) for n in reversed(range(1, 100))][::-1]
        assert sum(first.values(n) == other.values(n) for n in range(1, 100)) < 50


class Relay:
    """A sensor as its clients see it; `answer(number)` says what becomes of a reading: bytes, or None to keep silent."""

    def __init__(self, directory, answer):
        self.packets = {kind: [] for kind in KINDS}
        self.answer = answer
        self.directory = directory
        self.listeners, self.clients = {}, []
        for kind in KINDS:
            self.listeners[kind] = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.listeners[kind].bind(str(directory / f"sensor-{kind}.sock"))
            self.listeners[kind].listen()
            threading.Thread(target=self.accept, args=(kind,), daemon=True).start()

    def accept(self, kind):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listeners[kind].accept()
                self.clients.append(client)
                threading.Thread(target=self.serve, args=(kind, client), daemon=True).start()

    def serve(self, kind, client):
        with contextlib.suppress(OSError):
            while packet := client.recv(65536):
                self.packets[kind].append(packet)
                answer = self.answer(json.loads(packet)["id"])
                if answer:
                    client.send(answer)

    def drop_clients(self):
        """The sensor dies and is back at once."""
        clients, self.clients = self.clients, []
        for client in clients:
            client.shutdown(socket.SHUT_RDWR)
            client.close()


@pytest.fixture
def generator(tmp_path):
    """start(answer) runs a generator against such a relay, until its end."""
    running = []

    def start(answer, seconds=60, drain_sec=20, rate=3000):
        relay = Relay(tmp_path, answer)
        header = {**HEADER, "rate": rate}
        it = generate.Generator(header, tmp_path / "log", lambda kind: tmp_path / f"sensor-{kind}.sock", time.monotonic())
        it.result = None

        def run():
            it.result = it.run(seconds, drain_sec)

        it.thread = threading.Thread(target=run, daemon=True)
        it.thread.start()
        running.append(it)
        return relay, it

    yield start
    for it in running:
        it.end()
        it.thread.join(30)


def acknowledge(number):
    return b'{"ack":%d}' % number


def test_generator_logs_what_it_handed_in_and_what_was_acknowledged(generator, tmp_path):
    relay, it = generator(acknowledge, seconds=0.3)
    it.thread.join(30)
    assert it.result is True
    history = History(tmp_path / "log")
    assert history.has_ended
    for kind in KINDS:
        numbers = [json.loads(packet)["seq"] for packet in relay.packets[kind]]
        assert numbers == list(range(1, history.kinds[kind].sent + 1)) and numbers
        assert history.kinds[kind].n_acknowledged == len(numbers)
        assert relay.packets[kind][0] == Readings({**HEADER, "rate": 3000}, kind).packet(1)
    n_all = sum(history.kinds[kind].sent for kind in KINDS)
    assert generate.read_now(tmp_path / "log.now")[1:] == (n_all, n_all, 0)


def test_what_a_dead_sensor_had_not_acknowledged_is_handed_in_again_in_order_before_anything_new(generator, tmp_path):
    relay, it = generator(lambda number: acknowledge(number) if number <= 100 else None)
    wait_until(lambda: all(len(packets) > 150 for packets in relay.packets.values()), "some are not acknowledged", 20)
    relay.answer = acknowledge
    relay.drop_clients()
    wait_until(lambda: it.due > 0 and all(len(feed.waiting) < 10 and feed.sent > 300 for feed in it.feeds), "all are acknowledged", 20)
    it.end()
    it.thread.join(30)
    assert it.result is True
    for kind in KINDS:
        numbers = [json.loads(packet)["seq"] for packet in relay.packets[kind]]
        begun_again = next(i for i in range(1, len(numbers)) if numbers[i] <= numbers[i - 1])
        assert numbers[begun_again:] == list(range(101, numbers[-1] + 1))
        assert sorted(set(numbers)) == list(range(1, numbers[-1] + 1))
        assert len({packet for packet in relay.packets[kind]}) == numbers[-1], "again means the same bytes"
    log = (tmp_path / "log").read_text()
    assert all(f"D {kind}\n" in log for kind in KINDS)


def test_generator_that_is_never_answered_gives_up_and_claims_nothing(generator, tmp_path):
    _, it = generator(lambda number: None, seconds=0.1, drain_sec=0.2)
    it.thread.join(30)
    assert it.result is False
    assert all(kind.sent > 0 and kind.n_acknowledged == 0 for kind in History(tmp_path / "log").kinds.values())


def test_relay_that_reads_nothing_blocks_the_generator_without_losing_its_place(generator, tmp_path):
    gate = threading.Event()

    def slowly(number):
        gate.wait(20)
        return acknowledge(number)

    relay, it = generator(slowly, rate=30000)
    wait_until(lambda: all(feed.again for feed in it.feeds), "the sockets are full", 20)
    gate.set()
    it.end()
    it.thread.join(30)
    assert it.result is True
    for kind in KINDS:
        numbers = [json.loads(packet)["seq"] for packet in relay.packets[kind]]
        assert numbers == list(range(1, len(numbers) + 1))


def test_refused_reading_is_logged_and_not_handed_in_again(generator, tmp_path):
    seed = random.randrange(1, 1 << 30)
    print("seed", seed)
    refused = random.Random(seed).randrange(1, 90)
    _, it = generator(lambda n: b'{"refused":%d,"why":"no"}' % n if n == refused else acknowledge(n), seconds=0.1)
    it.thread.join(30)
    history = History(tmp_path / "log")
    assert all(kind.n_refused == 1 and kind.n_acknowledged == kind.sent - 1 for kind in history.kinds.values())


def test_lab_is_judged_by_copies_of_its_files(case, tmp_path):
    for machine, name, store in (("pc3", "primary", case.primary), ("pc2", "replica", case.replica)):
        place = tmp_path / machine / "var/lib/traffic" / name / "traffic.db"
        place.parent.mkdir(parents=True)
        place.write_bytes(Path(store.path).read_bytes())
    assert check.check_lab(case.log, lambda name: tmp_path / name)["is_good"]
