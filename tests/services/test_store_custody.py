"""Records under custody: each is in the database once and acknowledged afterwards, whatever dies in between; and a store that began with an
empty file gets what the other one holds."""
import json
import random
import signal
import sqlite3

import pytest

from city import wait_until
from stores import PORTS, context, event, make_store  # noqa: F401 (fixtures)

TABLES = ["sensor_event", "congestion_record", "semaphore_state", "priority_action"]
POINTS = ["before-commit", "after-commit", "after-ack"]


def cursor_of(store, writer):
    """The position that the file of an ended store says is committed."""
    stream = int(writer.stream, 16)
    stream -= (stream >> 63) << 64  # SQLite's integers have a sign
    return dict(store.rows("SELECT stream, committed FROM intake")).get(stream)


def received(store, outcome):
    return store.city.metric(store.title, "traffic_custody_received_total", link=f"store.{store.role}", outcome=outcome)


# --- acknowledging


@pytest.mark.parametrize("role", PORTS)
def test_what_is_acknowledged_is_in_the_file(make_store, role):
    store = make_store(role)
    writer = store.writer()
    writer.send(*(event(n) for n in range(1, 2001)))
    writer.wait_acknowledged(2000)
    store.stop()
    store.assert_exactly(range(1, 2001))
    assert cursor_of(store, writer) == 2000
    assert received(store, "taken") == 2000


def test_nothing_is_acknowledged_before_it_is_committed(make_store):
    store = make_store(commit_sec=10, commit_rows=100)
    writer = store.writer()
    writer.send(*(event(n) for n in range(1, 100)))
    store.city.wait(lambda: store.beat()["rows_waiting"] == 99, "99 records wait")
    assert writer.hear(1500) == 0  # longer than the pause after which a store says by itself where it is
    writer.send(event(100))
    writer.wait_acknowledged(100)


def test_repeats_are_acknowledged_again_and_stored_once(make_store):
    store = make_store()
    writer = store.writer()
    writer.send(*(event(n) for n in range(1, 101)))
    writer.wait_acknowledged(100)
    writer.acknowledged = 0  # the acknowledgement was lost
    writer.send_positions(*range(50, 101))
    writer.wait_acknowledged(100)
    store.stop()
    store.assert_exactly(range(1, 101))
    assert received(store, "repeat") == 51
    assert store.city.metric(store.title, "traffic_store_repeats_total") == 0  # they did not come as far as the database


def test_gap_is_asked_for_once_and_nothing_behind_it_is_taken(make_store):
    store = make_store()
    writer = store.writer()
    writer.send(event(1), event(2))
    writer.wait_acknowledged(2)
    writer.put(*(event(n) for n in range(3, 21)))
    writer.send_positions(*range(5, 21))
    writer.wait_asked(2)
    writer.hear(200)
    assert sum(bool(ack.get("asks")) for ack in writer.acks) == 1
    assert store.status()["event_set"]["count"] == 2
    writer.send_again()
    writer.wait_acknowledged(20)
    store.stop()
    store.assert_exactly(range(1, 21))
    assert received(store, "gap") == 16


def test_what_its_writer_gave_up_is_told_and_does_not_hold_up_the_rest(make_store):
    store = make_store()
    writer = store.writer()
    writer.send(event(1), event(2))
    writer.wait_acknowledged(2)
    writer.put(*(event(n) for n in range(3, 9)))
    writer.send_positions(6, oldest=6)
    writer.wait_asked(2)
    writer.send_positions(6, 7, 8, oldest=6)
    writer.wait_acknowledged(8)
    store.city.wait_log(store.title, "3 frames never came")
    store.stop()
    store.assert_exactly([1, 2, 6, 7, 8])


def test_writer_that_was_replaced_is_fenced_and_told(make_store):
    store = make_store()
    old, new = store.writer(epoch=7), store.writer(epoch=8)
    old.send(event(1))
    old.wait_acknowledged(1)
    new.send(event(2))
    new.wait_acknowledged(1)
    old.send(event(3))
    store.city.wait(lambda: old.hear(100) == 1 and old.acks[-1] == {"stream": old.stream, "position": 1, "epoch": 8}, "the old one is told")
    new.send(event(4))
    new.wait_acknowledged(2)
    store.stop()
    store.assert_exactly([1, 2, 4])
    assert received(store, "fenced") == 1


def test_fence_outlives_the_store(make_store):
    store = make_store()
    new = store.writer(epoch=8)
    new.send(event(1))
    new.wait_acknowledged(1)
    store.stop()
    store.start()
    old = store.writer(epoch=7)
    old.send(event(2))
    store.city.wait(lambda: old.hear(100) == 0 and any(ack["stream"] == old.stream and ack["epoch"] == 8 for ack in old.acks), "it is told")
    store.stop()
    store.assert_exactly([1])


def test_writers_of_the_first_implementation_are_taken_and_counted(make_store):
    store = make_store()
    writer = store.writer()
    writer.send(event(1))
    store.push(event(2), event(3))
    writer.wait_acknowledged(1)
    store.wait_stored(3)
    assert {ack["stream"] for ack in writer.acks} == {writer.stream}
    store.stop()
    assert received(store, "plain") == 2 and received(store, "taken") == 1


@pytest.mark.parametrize("refused,reason", [
    (b'{"type":"zz","data":{}}', "unknown_type"), (b'{"type":"sensor_event"}', "missing_field"), (event(7, interseccion="INT-Z9"), "unknown_intersection")])
def test_record_that_is_refused_does_not_come_again_for_ever(make_store, refused, reason):
    store = make_store()
    writer = store.writer()
    writer.send(refused)
    writer.wait_acknowledged(1)  # a commit of nothing but the cursor
    writer.send(event(1), refused, event(2))
    writer.wait_acknowledged(4)
    store.stop()
    store.assert_exactly([1, 2])
    assert cursor_of(store, writer) == 4
    assert store.city.metric(store.title, "traffic_refused_total", link="store.primary", reason=reason) == 2


def test_writer_that_comes_again_learns_where_the_store_is(make_store):
    store = make_store()
    writer = store.writer()
    writer.send(*(event(n) for n in range(1, 11)))
    writer.wait_acknowledged(10)
    again = store.writer(stream=writer.stream)
    again.last = 10
    again.wait_acknowledged(10)  # said without being asked


def test_cursor_survives_a_restart(make_store):
    store = make_store()
    writer = store.writer()
    writer.send(*(event(n) for n in range(1, 101)))
    writer.wait_acknowledged(100)
    store.stop()
    store.start()
    writer.acks.clear()
    writer.send(*(event(n) for n in range(101, 201)))
    writer.wait_acknowledged(200, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(1, 201))
    assert cursor_of(store, writer) == 200


def test_store_in_trouble_acknowledges_nothing_and_afterwards_everything(make_store):
    store = make_store()
    writer = store.writer()
    writer.send(*(event(n) for n in range(1, 11)))
    writer.wait_acknowledged(10)
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer.send(*(event(n) for n in range(11, 5011)))
    store.assert_in_trouble("locked")
    writer.send_positions(*range(11, 21))
    assert writer.hear(1500) == 10
    other.execute("COMMIT")
    other.close()
    writer.wait_acknowledged(5010)
    store.assert_well_again()
    store.stop()
    store.assert_exactly(range(1, 5011))


# --- dying


@pytest.mark.parametrize("passage", [1, 2, 5])
@pytest.mark.parametrize("point", POINTS)
def test_death_at_a_fault_point_costs_nothing(make_store, point, passage):
    store = make_store(is_started=False, commit_sec=0)
    store.start(TRAFFIC_FAULT=f"{point}:{passage}")
    writer = store.writer()
    for n in range(1, 1001):
        writer.send(event(n))
        if n % 100 == 0:  # a commit for each hundred: by itself a busy store may take all in fewer than it is to pass
            wait_until(lambda last=n: writer.hear(1) >= last or not store.process.is_running(), f"{n} are acknowledged, or it is dead")
    store.wait_death(-signal.SIGKILL)
    acknowledged = writer.hear(100)
    stored = [n for n, in store.rows("SELECT seq FROM sensor_events ORDER BY seq")]
    assert stored == list(range(1, len(stored) + 1)) and len(stored) >= acknowledged
    assert (cursor_of(store, writer) or 0) == len(stored)
    store.start()
    writer.wait_acknowledged(1000, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(1, 1001))
    assert cursor_of(store, writer) == 1000


def test_many_deaths_at_any_moment_cost_nothing(make_store):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    draw = random.Random(seed)
    store = make_store(is_started=False)
    writer = store.writer()
    n = 0
    for _ in range(12):
        store.start(TRAFFIC_FAULT=f"{draw.choice(POINTS)}:{draw.randint(2, 40)}")  # the first commit is that of the start
        while store.process.is_running():
            n += 1
            writer.send(event(n))
            if n % 50 == 0:
                writer.hear(1)
                writer.send_again()
        store.wait_death(-signal.SIGKILL)
        acknowledged = writer.hear(50)
        assert store.rows("SELECT count(*), max(seq) FROM sensor_events")[0] == (cursor_of(store, writer),) * 2
        assert cursor_of(store, writer) >= acknowledged
    store.start()
    writer.wait_acknowledged(n, is_sending_again=True)
    store.stop()
    store.assert_exactly(range(1, n + 1))


# --- what the other store holds


def others(n):
    """One record of each other kind, one of them without identity."""
    who = {"producer_id": "analytics", "epoch": 4, "timestamp": "2026-03-01T10:00:00Z"}
    return [{"type": "congestion_record", "data": {"interseccion": "INT-B2", "traffic_state": "CONGESTION", "decision": "EXTEND_GREEN", **who, "seq": n}},
            {"type": "semaphore_state", "data": {"interseccion": "INT-B2", "state_ns": "GREEN", "state_ew": "RED", **who, "seq": n}},
            {"type": "priority_action", "data": {"action_type": "GREEN_WAVE", "target": "B", "timestamp": "2026-03-01T10:00:00Z"}}]


def refill(giver, taker, limit=1000, stop_after=None):
    """What analytics does. Returns how many records the taker took; `stop_after` pages, and it ends without having come to the end."""
    n_taken = n_pages = 0
    for table in TABLES:
        after_id, is_done = 0, False
        while not is_done:
            copy = giver.ask("COPY_RECORDS", table=table, after_id=after_id, limit=limit)
            assert copy["status"] == "OK", copy
            after_id, is_done = copy["data"]["last_id"], copy["data"]["done"]
            taken = taker.ask("TAKE_RECORDS", records=copy["data"]["records"], is_last=is_done and table == TABLES[-1])
            assert taken["status"] == "OK" and taken["data"]["refused"] == 0, taken
            n_taken += taken["data"]["taken"]
            n_pages += 1
            if n_pages == stop_after:
                return n_taken
    return n_taken


def summary(store):
    status = store.status()
    return status["event_set"], status["db_summary"]


def wait_everything_stored(store, n_events):
    store.city.wait(lambda: store.status()["event_set"]["count"] == n_events, f"{n_events} events are stored")


def test_new_file_wants_a_refill_until_it_had_one(make_store):
    store = make_store()
    assert store.beat()["needs_refill"] is True and store.status()["store"]["needs_refill"] is True
    store.push(event(1))
    store.wait_stored(1)
    store.stop()
    store.start()
    assert store.beat()["needs_refill"] is True
    assert store.ask("TAKE_RECORDS", records=[event(2)])["data"] == {"taken": 1, "repeated": 0, "refused": 0}
    assert store.beat()["needs_refill"] is True
    assert store.ask("TAKE_RECORDS", records=[event(2)], is_last=True)["data"] == {"taken": 0, "repeated": 1, "refused": 0}
    assert store.beat()["needs_refill"] is False
    store.city.wait_log(store.title, "has everything that the other one held")
    assert store.ask("TAKE_RECORDS", records=[event(3)])["cause"] == "REFUSED"
    store.stop()
    store.start()
    assert store.beat()["needs_refill"] is False
    store.wait_stored(2)


def store_without_a_wish(make_store):
    store = make_store()
    assert store.ask("TAKE_RECORDS", records=[], is_last=True)["status"] == "OK"
    assert store.beat()["needs_refill"] is False
    return store


def test_older_copy_of_the_file_wants_what_its_writer_no_longer_has(make_store):
    store = store_without_a_wish(make_store)
    writer = store.writer()
    writer.send(*(event(n) for n in range(1, 101)))
    writer.wait_acknowledged(100)
    store.stop()
    copy = store.file.read_bytes()
    store.start()
    writer.send(*(event(n) for n in range(101, 201)))
    writer.wait_acknowledged(200)
    store.stop()
    store.file.write_bytes(copy)
    store.start(TRAFFIC_FAULT="after-commit:1")
    assert store.beat()["needs_refill"] is False
    writer.acks.clear()
    store.city.wait(lambda: writer.hear() and any(ack["position"] == 100 for ack in writer.acks), "the writer hears it again")
    writer.send(event(201))
    writer.wait_asked(100)
    writer.send_positions(201)
    store.wait_death(-signal.SIGKILL)
    store.renew_questions()
    store.start()
    assert store.beat()["needs_refill"] is True, "the wish is in the transaction that jumps over the gap"
    writer.wait_acknowledged(201)
    assert store.ask("TAKE_RECORDS", records=[event(n) for n in range(101, 201)], is_last=True)["data"]["taken"] == 100
    assert store.beat()["needs_refill"] is False
    store.stop()
    store.assert_exactly(range(1, 202))


def test_what_a_gap_made_it_want_outlives_a_commit_that_failed(make_store):
    store = store_without_a_wish(make_store)
    writer = store.writer()
    writer.send(event(1), event(2))
    writer.wait_acknowledged(2)
    other = sqlite3.connect(store.file, isolation_level=None)
    writer.put(event(3), event(4))
    writer.send_positions(4, oldest=4)
    writer.wait_asked(2)
    other.execute("BEGIN IMMEDIATE")
    writer.send_positions(4, oldest=4)
    store.assert_in_trouble("locked")
    other.execute("COMMIT")
    other.close()
    store.assert_well_again()
    writer.wait_acknowledged(4)
    assert store.beat()["needs_refill"] is True


def test_another_stream_in_the_place_of_the_one_it_knew_makes_it_want_a_refill(make_store):
    store = store_without_a_wish(make_store)
    first = store.writer()
    first.send(event(1))
    first.wait_acknowledged(1)
    assert store.beat()["needs_refill"] is False
    second = store.writer(epoch=2)  # the other store may have had more of the first one
    second.send(event(2))
    second.wait_acknowledged(1)
    assert store.beat()["needs_refill"] is True
    store.city.wait_log(store.title, "wants what the other one holds")
    assert store.ask("TAKE_RECORDS", records=[], is_last=True)["status"] == "OK"
    second.send(event(3))
    second.wait_acknowledged(2)
    assert store.beat()["needs_refill"] is False


def test_refilled_store_holds_what_the_other_one_does(make_store):
    giver = make_store("primary")
    giver.push(*(event(n) for n in range(1, 3001)), *others(1), *others(2))
    giver.push({"type": "sensor_event", "data": {"sensor_id": "OLD", "tipo_sensor": "gps", "interseccion": "INT-A1",
                                                 "timestamp": "2026-03-01T10:00:00Z"}})  # without identity
    wait_everything_stored(giver, 3001)
    taker = make_store("replica")
    writer = taker.writer()
    writer.send(*(event(n) for n in range(2001, 3001)))  # what the outbox still had
    assert refill(giver, taker) >= 2001 + 6
    writer.wait_acknowledged(1000)
    wait_everything_stored(taker, 3001)
    assert summary(taker) == summary(giver)
    assert taker.beat()["records"] == giver.beat()["records"] and taker.beat()["event_set"] == giver.beat()["event_set"]
    taker.stop()
    [(n_events, n_copies)] = taker.rows("SELECT count(*), sum(producer_id LIKE 'copy-of-primary@%') FROM sensor_events")
    assert (n_events, n_copies) == (3001, 1)


def test_refill_that_begins_again_after_deaths_takes_each_record_once(make_store):
    giver, taker = make_store("primary"), make_store("replica", is_started=False)
    giver.push(*(event(n) for n in range(1, 1001)), *others(1))
    wait_everything_stored(giver, 1000)
    for point, passage in (("before-commit", 1), ("after-commit", 3), ("before-commit", 4)):
        taker.start(TRAFFIC_FAULT=f"{point}:{passage}")
        with pytest.raises(AssertionError, match="no reply"):
            refill(giver, taker, limit=100)
        taker.wait_death(-signal.SIGKILL)
        taker.renew_questions()
    taker.start()
    refill(giver, taker, limit=100, stop_after=4)
    giver.stop()
    giver.start()
    refill(giver, taker, limit=100)
    assert summary(taker) == summary(giver)
    assert taker.beat()["needs_refill"] is False
    taker.stop()
    taker.assert_exactly(range(1, 1001))


def test_store_that_cannot_commit_takes_no_refill(make_store):
    store = make_store()
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = store.ask("TAKE_RECORDS", records=[event(1)], is_last=True)
    assert (answer["status"], answer["cause"]) == ("ERROR", "UNAVAILABLE")
    store.assert_in_trouble("locked")
    assert store.ask("TAKE_RECORDS", records=[event(1)], is_last=True)["cause"] == "UNAVAILABLE"
    other.execute("COMMIT")
    other.close()
    store.assert_well_again()
    assert store.beat()["needs_refill"] is True
    assert store.status()["event_set"]["count"] == 0
    assert store.ask("TAKE_RECORDS", records=[event(1)], is_last=True)["data"]["taken"] == 1


@pytest.mark.parametrize("members,cause", [
    ({"command": "TAKE_RECORDS"}, "BAD_REQUEST"), ({"command": "TAKE_RECORDS", "records": {}}, "BAD_REQUEST"),
    ({"command": "TAKE_RECORDS", "records": 5}, "BAD_REQUEST"), ({"command": "COPY_RECORDS"}, "BAD_REQUEST"),
    ({"command": "COPY_RECORDS", "table": "totals"}, "BAD_REQUEST"), ({"command": "COPY_RECORDS", "table": "sensor_event", "after_id": -1}, "BAD_REQUEST")])
def test_malformed_copies_are_refused(make_store, members, cause):
    store = make_store()
    assert store.ask_frames(json.dumps(members).encode())["cause"] == cause
    assert store.beat()["needs_refill"] is True


def test_refill_takes_only_this_citys_records(make_store):
    store = make_store()
    answer = store.ask("TAKE_RECORDS", records=[event(1), event(2, interseccion="INT-Z9"), {"type": "zz"}, event(3)])
    assert answer["data"] == {"taken": 2, "repeated": 0, "refused": 2}
    store.city.wait_log(store.title, "2 of the other store's records were refused: .*INT-Z9")
