"""Copies of the city's SQLite files, and what is in them.

Only the service that owns a file opens it: another process that did could, at its end, write into it. So a file and its log are
copied, again when a checkpoint came in between, and the copy is opened.
"""
import json
import shutil
import sqlite3
import time
from pathlib import Path

RECORD_TABLES = ("sensor_events", "congestion_history", "semaphore_states", "priority_actions")
# What the arrival in one store added to a record; everything else is the record.
OF_ARRIVAL = {"id", "created_at", "created_us", "checksum"}
COPY_ATTEMPTS = 50
WAL_HEADER_BYTES = 32


def fingerprint(database):
    """Changes with every checkpoint and every time the log begins anew; not when something is put behind the log's end."""
    state = database.stat()
    log = Path(f"{database}-wal")
    try:
        with open(log, "rb") as file:
            header = file.read(WAL_HEADER_BYTES)
    except FileNotFoundError:
        header = b""
    return state.st_ino, state.st_size, state.st_mtime_ns, header


def copy_database(database, directory):
    """The path of a copy that is as the file was at one moment. FileNotFoundError when there is no file."""
    copy = Path(directory) / database.name
    Path(directory).mkdir(parents=True, exist_ok=True)
    for _ in range(COPY_ATTEMPTS):
        for old in Path(directory).glob(f"{database.name}*"):
            old.unlink()
        before = fingerprint(database)
        shutil.copyfile(database, copy)
        try:
            shutil.copyfile(f"{database}-wal", f"{copy}-wal")
        except FileNotFoundError:
            pass
        if fingerprint(database) == before:
            return copy
        time.sleep(0.05)
    raise OSError(f"{database} changed during each of {COPY_ATTEMPTS} attempts to copy it")


def opened(copy):
    database = sqlite3.connect(copy)
    database.text_factory = lambda text: text.decode(errors="replace")  # a damaged text is a row too
    database.execute("PRAGMA query_only = 1")
    return database


def stored_events(database):
    """(producer, epoch, number, sensor, sensor type, intersection, timestamp, event) of every row, by no index: one that is damaged
    would hide what the table holds. Of a damaged table, the rows before the damage."""
    try:
        yield from database.execute("SELECT producer_id, epoch, seq, sensor_id, tipo_sensor, interseccion, timestamp, event_data"
                                    " FROM sensor_events NOT INDEXED")
    except sqlite3.DatabaseError:
        pass  # is_sound() says so


def is_sound(database):
    try:
        return database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    except sqlite3.DatabaseError:
        return False


def spooled_identities(database):
    """{(producer, epoch, number)} of the sensor events that wait in a spool or an outbox for at least one reader."""
    found = set()
    for (frame,) in database.execute("SELECT frame FROM frames WHERE position > (SELECT min(acknowledged) FROM readers)"):
        text = frame.decode(errors="replace") if isinstance(frame, bytes) else frame
        try:
            members = json.loads(text[text.index("{"):])
        except ValueError:
            continue
        if "type" in members:  # a record for a store
            if members["type"] != "sensor_event":
                continue
            members = members["data"]
        found.add((members.get("producer_id"), members.get("epoch"), members.get("seq")))
    return found


def only_in(first, second, before_usec):
    """How many records of `first` (paths of copies) that arrived before `before_usec` are not in `second` as they are there, by table."""
    database = opened(first)
    database.execute("ATTACH ? AS second", (str(second),))
    counts = {}
    for table in RECORD_TABLES:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[1] not in OF_ARRIVAL]
        names = ", ".join(columns)
        counts[table] = database.execute(f"SELECT count(*) FROM (SELECT {names} FROM main.{table} WHERE created_us < ?"
                                         f" EXCEPT SELECT {names} FROM second.{table})", (before_usec,)).fetchone()[0]
    database.close()
    return counts
