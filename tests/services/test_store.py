"""A store over its real links: what it keeps when the disk does not, what it says about itself, what it refuses."""
import functools
import json
import resource
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
import zmq

import city as harness
from city import City
from stores import PORTS, context, event, make_store  # noqa: F401 (fixtures)


# --- storing


@pytest.mark.parametrize("role", PORTS)
def test_everything_is_stored_once_and_counted(make_store, role):
    store = make_store(role)
    store.push(*(event(n) for n in range(1, 5001)), *(event(n) for n in range(4901, 5001)), event(5001))
    store.wait_stored(5001)
    # An interval includes its end: event 3600, on the hour, is the last of the hour before.
    assert store.ask("COUNT_EVENTS", interval_sec=3600)["data"]["counts"] == [
        {"from": "2026-03-01T09:00:00Z", "events": 1, "vehicles": 3600 % 30},
        {"from": "2026-03-01T10:00:00Z", "events": 5000, "vehicles": sum(n % 30 for n in range(1, 5002) if n != 3600)}]
    assert store.city.stop(store.title) == 0
    assert store.rows("SELECT count(*), count(DISTINCT seq) FROM sensor_events") == [(5001, 5001)]
    assert store.city.metric(store.title, "traffic_store_repeats_total") == 100


def test_both_stores_with_the_same_events_have_the_same_set(make_store):
    primary, replica = make_store("primary"), make_store("replica")
    primary.push(*(event(n) for n in range(1, 201)))
    replica.push(*(event(n) for n in range(200, 0, -1)))
    primary.wait_stored(200)
    replica.wait_stored(200)
    assert primary.status()["event_set"] == replica.status()["event_set"]
    primary.push(event(201))
    replica.push(event(202))
    primary.wait_stored(201)
    replica.wait_stored(201)
    assert primary.status()["event_set"] != replica.status()["event_set"]


def test_what_waits_for_its_commit_is_committed_at_the_end(make_store):
    store = make_store(commit_sec=10, commit_rows=100000)
    store.push(*(event(n) for n in range(1, 101)))
    store.city.wait(lambda: store.status()["store"]["rows_waiting"] == 100, "all are taken")
    assert store.status()["db_summary"]["total_sensor_events"] == 0
    assert store.city.stop(store.title) == 0
    assert store.rows("SELECT count(*) FROM sensor_events") == [(100,)]


def test_what_was_committed_survives_a_kill(make_store):
    store = make_store()
    store.push(*(event(n) for n in range(1, 501)))
    store.wait_stored(500)
    before = store.status()["event_set"]
    assert store.city.stop(store.title, signal.SIGKILL) == -signal.SIGKILL
    store.city.start("store", "primary")
    assert store.status()["event_set"] == before
    store.push(event(500), event(501))
    store.wait_stored(501)


@pytest.mark.parametrize("frame,reason", [
    (b"\xff", "not_utf8"), (b"{", "not_json"), (b'{"type":"zz","data":{}}', "unknown_type"), (b'{"type":"sensor_event"}', "missing_field"),
    (json.dumps(event(1, seq=-1)).encode(), "out_of_range"), (json.dumps(event(1, interseccion=5)).encode(), "wrong_type"),
    (json.dumps(event(1, interseccion="INT-Z9")).encode(), "unknown_intersection")])
def test_bad_records_are_refused_counted_and_nothing_else(make_store, frame, reason):
    store = make_store()
    store.push(event(1), frame, event(2))
    store.wait_stored(2)
    store.city.wait_log(store.title, "refused a frame on link store.primary.*" + reason)
    assert store.city.stop(store.title) == 0
    assert store.city.metric(store.title, "traffic_refused_total", link="store.primary", reason=reason) == 1


# --- when the file refuses


def test_record_that_the_tables_refuse_is_counted_and_told(make_store):
    store = make_store()
    assert store.city.stop(store.title) == 0
    store.rows("ALTER TABLE sensor_events ADD COLUMN odd INTEGER CHECK (seq <> 3)")
    store.city.start("store", "primary")
    store.push(*(event(n) for n in range(1, 6)))
    store.wait_stored(4)
    store.city.wait_log(store.title, "lost 1 record that its tables refuse.*CHECK constraint failed")
    assert store.city.stop(store.title) == 0
    assert store.city.metric(store.title, "traffic_store_dropped_total") == 1


def test_locked_database_loses_nothing_and_says_so(make_store):
    store = make_store()
    store.push(*(event(n) for n in range(1, 11)))
    store.wait_stored(10)
    with sqlite3.connect(store.state_dir / "traffic.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        store.push(*(event(n) for n in range(11, 30_011)))
        store.assert_in_trouble("locked")
        assert len(store.ask("QUERY_EVENTS", interseccion="INT-A1")["data"]["events"]) == 10
        assert store.ask("BACKUP")["cause"] == "UNAVAILABLE"
        # Memory holds what had been taken: the rest waits in the link, then at the sender.
        assert store.status()["store"]["rows_waiting"] < 5_000
        other.execute("COMMIT")
    store.assert_well_again()
    store.wait_stored(30_010)


def test_idle_store_notices_a_lock_without_a_record(make_store):
    store = make_store()
    with sqlite3.connect(store.state_dir / "traffic.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        store.assert_in_trouble("locked")
        other.execute("COMMIT")
    store.assert_well_again()


def test_failed_writes_lose_nothing_and_the_file_is_opened_again(make_store, monkeypatch):
    """A file that must not grow makes write() fail with EFBIG, an input/output error to SQLite. Children of Python get SIGXFSZ back to
    its deadly default unless told otherwise."""
    monkeypatch.setattr(harness.subprocess, "Popen", functools.partial(subprocess.Popen, restore_signals=False))
    store = make_store()
    store.push(*(event(n) for n in range(1, 2001)))
    store.wait_stored(2000)
    pid = store.city.processes[store.title].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, hard))
    store.push(*(event(n) for n in range(2001, 4001)))
    store.assert_in_trouble("I/O error")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    store.assert_well_again()
    store.wait_stored(4000)
    assert store.city.processes[store.title].pid == pid
    assert store.city.stop(store.title) == 0
    assert store.rows("PRAGMA integrity_check") == [("ok",)]
    assert store.rows("SELECT count(DISTINCT seq) FROM sensor_events") == [(4000,)]


@pytest.mark.parametrize("damage", ["header", "pages", "half"])
def test_damaged_file_moves_aside_and_the_store_goes_on(make_store, damage):
    store = make_store()
    store.push(*(event(n) for n in range(1, 2001)))
    store.wait_stored(2000)
    assert store.city.stop(store.title) == 0
    path = store.state_dir / "traffic.db"
    content = bytearray(path.read_bytes())
    if damage == "half":
        content = content[:len(content) // 2]
    else:
        at = 0 if damage == "header" else 6 * 4096
        content[at:at + 8192] = b"\xa5" * 8192
    path.write_bytes(content)
    store.city.start("store", "primary")
    store.city.wait_log(store.title, "is damaged")
    [aside] = Path(store.state_dir).glob("traffic.db.corrupt-*Z")
    assert aside.read_bytes() == bytes(content)
    store.push(event(1))
    store.wait_stored(1)


def test_file_of_a_newer_program_stops_the_service_for_good(make_store):
    store = make_store()
    assert store.city.stop(store.title) == 0
    with sqlite3.connect(store.state_dir / "traffic.db") as file:
        file.execute("PRAGMA user_version = 99")
    process = store.city.spawn("store", "primary")
    assert process.child.wait(20) == 78
    assert "99" in process.log()
    store.city.processes.clear()


# --- signs of life


def test_heartbeat_tells_who_and_how(make_store):
    store = make_store("replica")
    first, second = store.beat(), store.beat()
    assert first["role"] == "replica" and first["can_commit"] is True and first["rows_waiting"] == 0
    assert second["seq"] == first["seq"] + 1 and second["epoch"] == first["epoch"] > 0
    assert len(first["boot_id"]) == 32 and first["disk_free_bytes"] > 0
    store.city.wait(lambda: store.beat()["committed_until"] > second["committed_until"], "an idle store proves that it commits")


def test_beat_that_is_none_is_refused_and_not_answered(make_store):
    store = make_store()
    store.heartbeat.send(b"{}")
    assert store.beat()["seq"] == 1  # the answer to the first good one
    store.city.wait_log(store.title, "refused a frame on link heartbeat.primary")


@pytest.mark.parametrize("frames", [(b"",), (b"ping",), (b"PING ",), (b"PING", b"PING"), (b"\xff",)])
def test_anything_but_ping_gets_error(make_store, frames):
    store = make_store()
    assert store.ping(*frames) == b"ERROR"
    assert store.ping() == b"PONG"


def test_full_disk_is_told(make_store):
    store = make_store(disk_alarm_percent=1)
    store.city.wait_log(store.title, "The disk of the primary store is .* full")


# --- retention


def test_nothing_is_deleted_until_the_other_store_is_known_to_have_it(make_store):
    store = make_store(keep_rows=100)
    store.push(*(event(n) for n in range(1, 501)))
    store.wait_stored(500)
    until = store.beat()["committed_until"]
    store.push(*(event(n) for n in range(501, 601)))
    store.wait_stored(600)
    # Retention has its turn every second, and an idle store commits as often: after two such commits it has had one.
    store.city.wait(lambda: store.beat()["committed_until"] > until + 2_500_000, "retention had its turn")
    assert store.status()["event_set"]["count"] == 600
    store.beat(safe_until=until)
    store.wait_stored(100)
    events = store.ask("QUERY_EVENTS", limit=1)["data"]["events"]
    assert events[0]["seq"] == 600


# --- questions


@pytest.mark.parametrize("request_members,cause,words", [
    ({"command": "QUERY_INTERSECTION", "interseccion": "INT-Z9"}, "NOT_FOUND", "INT-Z9"),
    ({"command": "QUERY_INTERSECTION"}, "BAD_REQUEST", "interseccion"),
    ({"command": "HEALTH_CHEK"}, "BAD_REQUEST", "did you mean HEALTH_CHECK?"),
    ({"command": "FORCE_GREEN_WAVE", "row": "B"}, "BAD_REQUEST", "ask analytics"),
    ({"command": "FORCE_SEMAPHORE", "interseccion": "INT-A1"}, "BAD_REQUEST", "ask analytics"),
    ({"command": "COUNT_EVENTS"}, "BAD_REQUEST", "interval_sec"),
    ({"command": "QUERY_EVENTS", "before_id": 9}, "NOT_FOUND", "9"),
    ({"command": "QUERY_HISTORY", "timestamp_inicio": "yesterday"}, "BAD_REQUEST", "timestamp_inicio"),
    ({"command": "BACKUP", "file": "../traffic.db"}, "BAD_REQUEST", "../traffic.db"),
    ({}, "BAD_REQUEST", "command")])
def test_refusals_say_what_was_wrong(make_store, request_members, cause, words):
    store = make_store()
    answer = store.ask_frames(json.dumps({"query_id": "q7", **request_members}).encode())
    assert (answer["status"], answer["cause"], answer["data"]) == ("ERROR", cause, None)
    assert words in answer["message"] and answer["answered_by"] == "primary"
    is_well_formed = "command" in request_members and "timestamp_inicio" not in request_members
    assert answer.get("query_id") == ("q7" if is_well_formed else None)
    assert store.ask("HEALTH_CHECK")["message"] == "PONG"


@pytest.mark.parametrize("frames", [(b"{",), (b"\xff",), (b"{}", b"{}"), (b"[1]",), (b"",)])
def test_what_is_no_question_gets_an_answer_all_the_same(make_store, frames):
    store = make_store()
    assert store.ask_frames(*frames)["status"] == "ERROR"
    assert store.ask("HEALTH_CHECK")["message"] == "PONG"


def test_long_counts_of_several_askers_come_back_while_records_go_on(make_store):
    store = make_store()
    store.push(*(event(n) for n in range(1, 30_001)))
    store.wait_stored(30_000)
    askers = [store.socket(zmq.DEALER, PORTS["primary"][1]) for _ in range(3)]
    for number, asker in enumerate(askers):
        asker.send_json({"command": "COUNT_EVENTS", "interval_sec": 3600, "query_id": number})
    store.push(*(event(n) for n in range(30_001, 31_001)))
    assert store.ask("HEALTH_CHECK")["message"] == "PONG"
    for number, asker in enumerate(askers):
        assert asker.poll(10_000)
        answer = asker.recv_json()
        assert answer["query_id"] == str(number)
        assert sum(count["events"] for count in answer["data"]["counts"]) >= 30_000
    store.wait_stored(31_000)


def test_more_askers_than_places_are_told_to_ask_again(make_store):
    store = make_store()
    store.push(*(event(n) for n in range(1, 20_001)))
    store.wait_stored(20_000)
    asker = store.socket(zmq.DEALER, PORTS["primary"][1])
    for number in range(200):
        asker.send_json({"command": "COUNT_EVENTS", "interval_sec": 3600, "query_id": number})
    answers = []
    while len(answers) < 200:
        assert asker.poll(10_000)
        answers.append(asker.recv_json())
    assert {answer["query_id"] for answer in answers} == {str(number) for number in range(200)}
    assert {answer.get("cause") for answer in answers} <= {None, "UNAVAILABLE"}
    assert sum(answer["status"] == "OK" for answer in answers) >= 64


# --- backup


def test_backup_is_a_whole_database_made_while_records_come_in(make_store):
    store = make_store()
    store.push(*(event(n) for n in range(1, 10_001)))
    store.wait_stored(10_000)
    asker = store.socket(zmq.DEALER, PORTS["primary"][1])
    asker.send_json({"command": "BACKUP", "file": "monday.db"})
    store.push(*(event(n) for n in range(10_001, 12_001)))
    assert asker.poll(20_000)
    answer = asker.recv_json()
    assert answer["status"] == "OK"
    path = Path(answer["data"]["path"])
    assert path.name == answer["data"]["file"] == "monday.db" and path.stat().st_size == answer["data"]["bytes"]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        [(n_events, n_told)] = copy.execute("SELECT (SELECT count(*) FROM sensor_events), sensor_events FROM totals").fetchall()
        assert n_events == n_told and 10_000 <= n_events <= 12_000
    assert store.ask("BACKUP", file="monday.db")["cause"] == "REFUSED"
    store.wait_stored(12_000)


def test_second_backup_at_the_same_time_is_refused(make_store):
    store = make_store()
    store.push(*(event(n) for n in range(1, 20_001)))
    store.wait_stored(20_000)
    asker = store.socket(zmq.DEALER, PORTS["primary"][1])
    asker.send_json({"command": "BACKUP", "query_id": 1})
    asker.send_json({"command": "BACKUP", "file": "second.db", "query_id": 2})
    answers = {}
    while len(answers) < 2:
        assert asker.poll(20_000)
        answer = asker.recv_json()
        answers[answer["query_id"]] = answer
    assert answers["2"]["cause"] == "REFUSED"
    assert answers["1"]["status"] == "OK" and answers["1"]["data"]["file"].startswith("traffic-primary-")


def test_without_a_state_directory_the_service_says_what_it_needs(tmp_path):
    with City(tmp_path, services=[]) as city:
        binary = Path(harness.os.environ["TRAFFIC_BUILD"]) / "services/store/traffic-store"
        command = [binary, "primary", "--config", city.config, "--runtime-dir", city.runtime_dir]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert ended.returncode == 78
        assert "--state-dir" in ended.stderr + ended.stdout


def test_heartbeat_is_answered_in_the_middle_of_a_long_count(make_store):
    """Counting is done in turns between messages: the beat that is sent after the question is answered before it."""
    store = make_store()
    store.push(*(event(n) for n in range(1, 100_001)))
    store.wait_stored(100_000)
    asker = store.socket(zmq.DEALER, PORTS["primary"][1])
    for number in range(30):
        asker.send_json({"command": "COUNT_EVENTS", "interval_sec": 3600, "query_id": number})
    n_beats_before_the_last_answer = 0
    n_answers = 0
    while n_answers < 30:
        store.beat()
        n_beats_before_the_last_answer += 1
        while asker.poll(0):
            asker.recv()
            n_answers += 1
    assert n_beats_before_the_last_answer > 10


def test_damage_met_while_running_restarts_into_a_fresh_file(make_store, monkeypatch):
    """Writes fail, so the file is opened again, and by then it is damaged: the process ends, the next one moves the file aside."""
    monkeypatch.setattr(harness.subprocess, "Popen", functools.partial(subprocess.Popen, restore_signals=False))
    store = make_store()
    store.push(*(event(n) for n in range(1, 2001)))
    store.wait_stored(2000)
    process = store.city.processes[store.title]
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8192, hard))
    store.push(event(2001))
    store.city.wait(lambda: store.ask("QUERY_HISTORY").get("cause") == "UNAVAILABLE", "the file is closed and cannot be opened")
    for name in ("traffic.db", "traffic.db-wal"):
        with open(store.state_dir / name, "r+b") as file:
            file.write(b"\xa5" * 8192)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert process.child.wait(20) == 1
    store.city.processes.clear()
    assert (store.state_dir / "traffic.db.suspect").exists()
    store.city.start("store", "primary")
    store.city.wait_log(store.title, "is damaged")
    assert not (store.state_dir / "traffic.db.suspect").exists()
    store.push(event(1))
    store.wait_stored(1)
