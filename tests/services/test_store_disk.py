"""A store on a bad disk: full, read-only, broken, slow, locked, damaged, or with its file taken away. In each case nothing is acknowledged that
is not safe, the store says what is wrong, and goes on by itself when it can."""
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from stores import PORTS, context, event, make_disk, make_store  # noqa: F401 (fixtures)


class Faults:
    """The disk of a store that was started with `environment`; see disk-fault.c."""

    def __init__(self, directory):
        self.path = Path(directory) / "disk-fault"
        library = Path(os.environ["TRAFFIC_BUILD"]) / "tests/services/libdisk-fault.so"
        options = os.environ.get("ASAN_OPTIONS", "")  # a sanitizer wants to be loaded first
        self.environment = {"LD_PRELOAD": str(library), "TRAFFIC_DISK_FAULT": str(self.path),
                            "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}

    def set(self, word):
        written = self.path.with_suffix(".new")
        written.write_text(word)
        written.rename(self.path)


@pytest.fixture
def faults(tmp_path):
    return Faults(tmp_path)


def events(first, last):
    return (event(n) for n in range(first, last + 1))


def store_first(store, writer, n=100):
    writer.send(*events(1, n))
    writer.wait_acknowledged(n)


# --- what goes by


@pytest.mark.parametrize("word,says", [("eio", "I/O error"), ("eio-sync", "I/O error"), ("erofs", "I/O error"), ("enospc", "full")])
def test_disk_that_refuses_for_a_while_costs_nothing(make_store, faults, word, says):
    store = make_store(is_started=False).start(**faults.environment)
    writer = store.writer()
    store_first(store, writer)
    pid = store.process.pid
    faults.set(word)
    writer.send(*events(101, 2000))
    store.assert_in_trouble(says)
    writer.send_positions(*range(101, 111))
    assert writer.hear(1500) == 100
    assert store.beat()["needs_refill"] is True  # what it said before the file was closed
    faults.set("well")
    store.assert_well_again()
    writer.wait_acknowledged(2000, is_sending_again=True)
    assert store.process.pid == pid
    store.stop()
    store.assert_exactly(range(1, 2001))


def test_death_after_a_failed_sync_costs_nothing(make_store, faults):
    """What was written but not synced may be read back by the next process: nobody was told that it is there."""
    store = make_store(is_started=False).start(**faults.environment)
    writer = store.writer()
    store_first(store, writer)
    faults.set("eio-sync")
    writer.send(*events(101, 200))
    store.assert_in_trouble("I/O error")
    assert writer.hear(100) == 100
    assert store.city.stop(store.title, 9) == -9
    faults.set("well")
    store.start(**faults.environment)
    writer.wait_acknowledged(200, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(1, 201))


def test_slow_disk_delays_acknowledgements_and_the_heartbeat_alike(make_store, faults):
    """The heartbeat comes from the loop that commits: while a commit is stuck nobody may believe that the store is well."""
    store = make_store(is_started=False).start(**faults.environment)
    writer = store.writer()
    store_first(store, writer)
    assert store.beat()["can_commit"] is True
    faults.set("slow")
    writer.send(*events(101, 200))
    store.heartbeat.send_json({"role": "analytics", "boot_id": "0" * 32, "epoch": 1, "seq": 1000})
    while store.heartbeat.poll(1000):  # answered while the commit had not begun
        store.heartbeat.recv()
        store.heartbeat.send_json({"role": "analytics", "boot_id": "0" * 32, "epoch": 1, "seq": 1001})
    assert writer.hear() == 100
    faults.set("well")
    assert store.heartbeat.poll(10_000)
    store.heartbeat.recv()
    writer.wait_acknowledged(200)
    assert store.beat()["can_commit"] is True


@pytest.mark.parametrize("role", PORTS)
def test_full_disk_costs_nothing(make_store, make_disk, role):
    store = make_store(role, is_started=False)
    disk = make_disk(store.state_dir, mib=8)
    store.start()
    writer = store.writer()
    store_first(store, writer)
    disk.fill()
    n = 100
    while store.beat()["can_commit"]:
        writer.send(*events(n + 1, n + 500))
        n += 500
        writer.hear(20)
    store.assert_in_trouble("full")
    acknowledged = writer.hear(1500)
    assert 100 <= acknowledged < n
    assert store.ask("QUERY_EVENTS", limit=1)["data"]["events"][0]["seq"] == acknowledged
    disk.empty()
    store.assert_well_again()
    writer.wait_acknowledged(n, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(1, n + 1))


# --- what is there at the start


def assert_waits_at_start(store, writer):
    """Alive, honest, taking nothing."""
    assert not store.beat()["can_commit"]
    assert store.ping() == b"ERROR"
    assert store.ask("SYSTEM_STATUS")["cause"] == "UNAVAILABLE"
    assert store.ask("COPY_RECORDS", table="sensor_event")["cause"] == "UNAVAILABLE"
    assert store.ask("TAKE_RECORDS", records=[], is_last=True)["cause"] == "UNAVAILABLE"
    store.city.wait_log(store.title, "cannot commit")
    writer.send(*events(101, 150))
    assert writer.hear(1500) in (0, 100)


def test_store_starts_on_a_read_only_disk_and_waits(make_store, make_disk):
    store = make_store(is_started=False)
    disk = make_disk(store.state_dir, mib=16)
    store.start()
    writer = store.writer()
    store_first(store, writer)
    store.stop()
    disk.remount("ro")
    store.start()
    assert_waits_at_start(store, writer)
    store.city.wait_log(store.title, "cannot commit: .*unable to open")
    disk.remount("rw")
    store.assert_well_again()
    writer.wait_acknowledged(150, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(1, 151))


def test_store_starts_with_a_locked_file_and_waits(make_store):
    store = make_store()
    writer = store.writer()
    store_first(store, writer)
    store.stop()
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE totals SET made_at = made_at")
    other.execute("COMMIT")
    store.start()
    assert_waits_at_start(store, writer)
    other.close()
    store.assert_well_again()
    writer.wait_acknowledged(150, is_sending_again=True)
    assert store.beat()["needs_refill"] is True
    store.stop()
    store.assert_exactly(range(1, 151))


@pytest.mark.parametrize("word", ["eio", "enospc"])
def test_store_starts_on_a_disk_that_refuses_and_waits(make_store, faults, word):
    store = make_store()
    writer = store.writer()
    store_first(store, writer)
    store.stop()
    faults.set(word)
    store.start(**faults.environment)
    store.assert_in_trouble("")
    writer.send(*events(101, 150))
    assert writer.hear(1500) in (0, 100)
    faults.set("well")
    store.assert_well_again()
    writer.wait_acknowledged(150, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(1, 151))


def test_first_start_on_a_full_disk_waits_for_room(make_store, make_disk):
    store = make_store(is_started=False)
    disk = make_disk(store.state_dir, mib=4)
    store.start()
    store.stop()
    for name in ("traffic.db", "traffic.db-wal", "traffic.db-shm"):
        (store.state_dir / name).unlink(missing_ok=True)
    disk.fill()
    store.start()
    store.assert_in_trouble("")
    disk.empty()
    store.assert_well_again()
    writer = store.writer()
    store_first(store, writer)
    assert store.beat()["needs_refill"] is True


# --- a file that is taken away


def assert_ends_and_begins_anew(store, writer, how):
    writer.send(*events(101, 200))
    log = store.wait_death(1)
    assert how in log
    assert writer.hear(200) == 100, "what went into a file that nobody will find is acknowledged"
    store.start()
    writer.wait_acknowledged(200, is_sending_again=True)


def test_deleted_file_ends_the_store_and_it_begins_anew(make_store):
    store = make_store()
    writer = store.writer()
    store_first(store, writer)
    store.ask("TAKE_RECORDS", records=[], is_last=True)
    for path in store.state_dir.glob("traffic.db*"):
        path.unlink()
    assert_ends_and_begins_anew(store, writer, "traffic.db was deleted")
    assert store.beat()["needs_refill"] is True
    store.stop()
    store.assert_exactly(range(101, 201))


def test_idle_store_notices_that_its_file_is_gone(make_store):
    store = make_store()
    store.file.unlink()
    assert "was deleted" in store.wait_death(1)


def test_renamed_file_ends_the_store_and_stays_where_it_is(make_store):
    store = make_store()
    writer = store.writer()
    store_first(store, writer)
    store.file.rename(store.state_dir / "old.db")
    assert_ends_and_begins_anew(store, writer, "renamed")
    assert store.beat()["needs_refill"] is True
    assert (store.state_dir / "old.db").exists()


def test_backup_put_in_the_files_place_is_checked_and_refilled(make_store):
    store = make_store()
    writer = store.writer()
    store_first(store, writer, 50)
    store.ask("TAKE_RECORDS", records=[], is_last=True)
    backup = store.ask("BACKUP", file="b.db")["data"]["path"]
    writer.send(*events(51, 100))
    writer.wait_acknowledged(100)
    shutil.copy(backup, store.state_dir / "new.db")
    (store.state_dir / "new.db").rename(store.file)
    writer.send(*events(101, 200))
    assert "replaced" in store.wait_death(1)
    assert writer.hear(200) == 100
    store.start()
    assert store.beat()["needs_refill"] is True
    store.wait_stored(50)
    writer.send_positions(*range(51, 201))  # a real one has given 51 to 100 away: the refill brings them
    writer.wait_acknowledged(200)
    store.stop()
    store.assert_exactly(range(1, 201))


def test_deleted_log_ends_the_store_and_nothing_is_lost(make_store):
    store = make_store()
    writer = store.writer()
    store_first(store, writer)
    (store.state_dir / "traffic.db-wal").unlink()
    assert_ends_and_begins_anew(store, writer, "traffic.db-wal was deleted")
    store.stop()
    store.assert_exactly(range(1, 201))


# --- damage


def overwrite(path, at, size):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * size)


def test_damage_that_a_question_meets_ends_the_store_and_it_begins_anew(make_store):
    store = make_store()
    writer = store.writer()
    store_first(store, writer, 5000)
    store.stop()  # everything is in the file now, nothing in its log
    store.start()
    overwrite(store.file, 20 * 4096, store.file.stat().st_size - 21 * 4096)
    answer = store.ask("COPY_RECORDS", table="sensor_event")
    for after_id in range(0, 5000, 100):
        if answer["status"] == "ERROR":
            break
        answer = store.ask("COPY_RECORDS", table="sensor_event", after_id=after_id)
    assert answer["cause"] == "UNAVAILABLE"
    assert "malformed" in store.wait_death(1)
    assert (store.state_dir / "traffic.db.suspect").exists()
    store.start()
    store.city.wait_log(store.title, "is damaged")
    assert store.beat()["needs_refill"] is True
    # Its cursors are gone with the file: it begins at the oldest that the writer has.
    writer.send(*events(5001, 5100))
    writer.wait_acknowledged(5100, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(5001, 5101))


def make_large(store):
    """More than is read at each start."""
    writer = store.writer()
    payload = {"vehiculos_contados": 1, "intervalo_segundos": 30, "detalle": "x" * 8000}
    writer.send(*(event(n, event_data=payload) for n in range(1, 3001)))
    writer.wait_acknowledged(3000)
    store.stop()
    assert store.file.stat().st_size > 20 << 20
    return writer


def test_large_file_is_read_when_the_store_is_at_work_already(make_store):
    store = make_store()
    make_large(store)
    store.start()
    store.stop()  # in the middle of it
    store.start()
    store.city.wait_log(store.title, "All of .* is whole")
    store.stop()
    store.assert_exactly(range(1, 3001))


def test_old_records_go_when_a_large_file_has_been_read(make_store):
    store = make_store(keep_rows=100)
    make_large(store)
    store.start()
    store.beat(safe_until=store.beat()["committed_until"])
    store.wait_stored(100)
    log = store.process.log()
    assert re.search("All of .* is whole", log), "rows were deleted under the check"
    store.stop()
    store.assert_exactly(range(2901, 3001))


def test_bit_that_flipped_in_a_large_file_ends_the_store_and_it_begins_anew(make_store):
    store = make_store()
    writer = make_large(store)
    with open(store.file, "r+b") as file:
        content = file.read()
        place = content.index(b"x" * 2000, len(content) // 2)
        file.seek(place)
        file.write(b"y")
    store.start()
    assert "is not what was written" in store.wait_death(1)
    assert (store.state_dir / "traffic.db.suspect").exists()
    store.start()
    store.city.wait_log(store.title, "is damaged")
    assert store.beat()["needs_refill"] is True
    writer.send(*events(3001, 3010))
    writer.wait_acknowledged(3010, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(3001, 3011))


@pytest.mark.parametrize("size", [0, 100, 4096 * 5])
def test_file_cut_short_while_the_store_is_away_is_moved_aside_or_anew(make_store, size):
    store = make_store()
    writer = store.writer()
    store_first(store, writer, 2000)
    store.stop()
    os.truncate(store.file, size)
    store.start()
    assert store.beat()["needs_refill"] is True
    assert bool(list(store.state_dir.glob("traffic.db.corrupt-*"))) == (size > 0)
    writer.send(*events(2001, 2010))
    writer.wait_acknowledged(2010, is_sending_again=True)


def test_file_cut_short_under_the_store_ends_it(make_store):
    store = make_store()
    writer = store.writer()
    store_first(store, writer, 2000)
    store.stop()
    store.start()
    os.truncate(store.file, 4096 * 3)
    writer.send(*events(2001, 2100))
    assert "cut short" in store.wait_death(1)
    assert writer.hear(100) == 2000
    store.start()
    writer.wait_acknowledged(2100, is_sending_again=True)
