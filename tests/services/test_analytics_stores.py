"""Analytics and its stores: what they hear, stores of the first implementation, filling one from the other."""
import contextlib
import json
import re
import signal
import sqlite3
import time

import pytest
import zmq

from analytics_world import PORTS, city, events_of, has_all, make_world, send_events, world, writer  # noqa: F401 (fixtures)
from city import City


# --- what the stores hear ---


def test_a_store_hears_how_much_it_lacks(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.replica.acknowledges = False
        send_events(writer, range(1, 51))
        city.wait(lambda: world.replica.last_heard("backlog") == 50, "the replica hears of its backlog")
        city.wait(lambda: world.primary.last_heard("backlog") == 0, "the primary has none")


def test_a_store_may_delete_only_what_the_other_one_has_acknowledged(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 11))
        city.wait(lambda: world.primary.last_heard("safe_until") == world.replica.last_heard("safe_until") == 1010, "both have ten")
        assert world.ask("SYSTEM_STATUS")["data"]["stores_agree"] is True
        world.replica.acknowledges = False
        send_events(writer, range(11, 21))
        city.wait(lambda: len(world.primary.records) == 20 and world.replica.last_heard("safe_until") == 1020, "the primary acknowledged all")
        n_beats = len(world.primary.heard)
        city.wait(lambda: len(world.primary.heard) > n_beats + 5, "some beats")
        assert world.primary.last_heard("safe_until") == 1010
        world.replica.acknowledges = True
        send_events(writer, [21])
        city.wait(lambda: world.primary.last_heard("safe_until") == 1021, "the replica has acknowledged it, too")


def test_how_long_readings_take_to_both_disks_is_measured(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        assert world.ask("SYSTEM_STATUS")["data"]["durable_seconds"] == {"samples": 0, "p50": None, "p99": None}
        for number in range(1, 65):
            send_events(writer, [number], captured_us=time.time_ns() // 1000)
        durable = city.wait(lambda: (d := world.ask("SYSTEM_STATUS")["data"]["durable_seconds"])["samples"] == 4 and d, "one of 16 is measured")
        assert 0 < durable["p50"] <= durable["p99"] < 20
        city.wait_fresh_metrics("analytics")
        assert city.metric("analytics", "traffic_durable_seconds", quantile="0.99") > 0


# --- stores of the first implementation ---


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_a_store_of_the_first_implementation_gets_records_as_they_always_were_and_is_not_asked(tmp_path, make_world, role):
    world = make_world(v0_stores=[role])
    other = "replica" if role == "primary" else "primary"
    with City(tmp_path, {f"protocol.{role}": "v0"}, services=[("analytics", "")]) as city:
        world.wait_subscribers()
        for number in range(1, 101):
            world.numbered(number)
        city.wait(lambda: has_all(world, 100), "both stores have all")
        assert world.ask("QUERY_HISTORY")["answered_by"] == other
        status = world.ask("SYSTEM_STATUS")
        assert status["status"] == "OK"
        assert {s["role"]: (s["protocol"], s["alive"]) for s in status["data"]["stores"]}[role] == ("v0", True)
        city.wait_fresh_metrics("analytics")
        assert city.metric("analytics", "traffic_records_best_effort_total", store=role) == 100
        assert city.metric("analytics", "traffic_records_best_effort_total", store=other) == 0
        assert "[FAILOVER]" not in city.log("analytics")


def test_a_primary_of_the_first_implementation_lives_as_long_as_it_answers_pong(tmp_path, make_world):
    world = make_world(v0_stores=["primary"])
    with City(tmp_path, {"protocol.primary": "v0"}, services=[("analytics", "")]) as city:
        world.wait_subscribers()
        city.wait(lambda: len(world.primary.heard) > 5, "it is asked")
        assert set(world.primary.heard) == {b"PING"}
        world.primary.beats = False
        city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. .*no answer to PING")
        assert world.ask("SYSTEM_STATUS")["data"]["pc3_alive"] is False
        for number in range(1, 51):
            world.numbered(number)
        city.wait(lambda: has_all(world, 50, ["replica"]), "the replica gets all")
        assert events_of(world.primary) == []
        world.primary.beats = True
        city.wait_log("analytics", r"^\[RECOVERY\] PC3 is back")
        city.wait(lambda: has_all(world, 50), "what was kept is sent")
        world.primary.commits = False
        city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. .*it does not answer PONG")


def test_a_replica_of_the_first_implementation_lives_as_long_as_its_link_takes_records(tmp_path, make_world):
    world = make_world(v0_stores=["replica"])
    with City(tmp_path, {"protocol.replica": "v0"}, services=[("analytics", "")]) as city:
        world.wait_subscribers()
        world.replica.stop()
        for number in range(1, 51):
            world.numbered(number)
        city.wait_log("analytics", r"^\[FAILOVER\] The replica store on PC2 is down\. .*its link takes nothing")
        world.replica.begin()
        city.wait_log("analytics", r"^\[RECOVERY\] The replica store on PC2 is back")
        city.wait(lambda: has_all(world, 50), "what was kept is sent")


# --- filling a store from its peer ---

TABLES = ["sensor_event", "congestion_record", "semaphore_state", "priority_action"]


def old_records(kind, n):
    """Records of an earlier time; numbers and blanks as only a copy byte by byte keeps them."""
    return [{"type": kind, "data": {"producer_id": f"old-{kind}", "epoch": 1, "seq": seq, "interseccion": "INT-A1", "value": 1.10,
                                    "text": "a/b é"}} for seq in range(1, n + 1)]


def fill_primary(world, n):
    world.primary.copies = {table: old_records(table, n) for table in TABLES}
    return {(table, f"old-{table}", 1, seq) for table in TABLES for seq in range(1, n + 1)}


def test_a_store_that_began_with_an_empty_file_gets_what_the_other_one_holds(tmp_path, world):
    old = fill_primary(world, 5)
    world.replica.needs_refill = True
    with City(tmp_path, services=[("analytics", "")]) as city:
        city.wait_log("analytics", r"The replica store has what the primary store held: 20 records in ")
        assert world.replica.identities == old and world.replica.n_repeats == 0
        assert not world.replica.needs_refill
        kept = {json.dumps(record) for record in world.replica.records}
        assert kept == {json.dumps(record) for records in world.primary.copies.values() for record in records}
        n_pages = len(world.replica.taken)
        city.wait(lambda: len(world.replica.heard) > 40, "it is left alone for four seconds")
        assert len(world.replica.taken) == n_pages


def test_two_new_and_empty_stores_are_filled_at_once(city, world):
    world.primary.needs_refill = world.replica.needs_refill = True
    city.wait_log("analytics", r"The primary store has what the replica store held: 0 records in 0\.\d s")
    city.wait_log("analytics", r"The replica store has what the primary store held: 0 records in ")
    assert world.primary.taken == world.replica.taken == [[]]


def test_a_store_that_is_being_filled_is_not_asked_while_there_is_the_other_one(city, world):
    world.primary.answers = False  # to TAKE_RECORDS: it stays as it is
    world.primary.needs_refill = True
    city.wait(lambda: "TAKE_RECORDS" in world.primary.asked, "the filling is under way")
    assert world.ask("QUERY_HISTORY")["answered_by"] == "replica"
    assert "QUERY_HISTORY" not in world.primary.asked
    status = world.ask("SYSTEM_STATUS")
    assert (status["status"], status["data"]["pc3_alive"]) == ("FAILOVER", True)
    assert "is being filled" in status["message"]
    world.primary.answers = True
    city.wait(lambda: not world.primary.needs_refill, "the page is sent again")
    city.wait(lambda: world.ask("QUERY_HISTORY")["answered_by"] == "primary", "and then it answers")


def test_filling_begins_again_after_a_restart_and_goes_on_after_a_silence(tmp_path, world):
    old = fill_primary(world, 9)
    world.replica.needs_refill = True
    world.replica.silent_from_page = 3
    world.primary.answers = False
    with City(tmp_path, services=[("analytics", "")]) as city:
        city.wait(lambda: "COPY_RECORDS" in world.primary.asked, "the first page is asked for")
        world.primary.beats = False
        city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down")
        world.primary.beats = world.primary.answers = True
        city.wait(lambda: len(world.replica.taken) == 3, "it goes on")
        world.replica.answers = True
        world.replica.restart()
        city.wait(lambda: not world.replica.needs_refill, "it ends")
        assert world.replica.identities == old
        assert world.primary.copied.count(("sensor_event", 0)) >= 2, "after the restart it began anew"


def test_filling_ends_when_the_answer_to_its_last_page_is_lost(tmp_path, world):
    old = fill_primary(world, 5)
    world.replica.needs_refill = True
    world.replica.silent_from_page = 12  # of three for each table
    with City(tmp_path, services=[("analytics", "")]) as city:
        city.wait(lambda: not world.replica.needs_refill, "the last page was taken")
        world.replica.answers = True  # from now on it refuses pages: it needs none
        city.wait_log("analytics", r"The replica store has what the primary store held")
        assert world.replica.identities == old and world.replica.n_repeats == 0
        world.primary.needs_refill = True
        city.wait(lambda: not world.primary.needs_refill, "the other one can be filled after it")


def test_filling_waits_until_the_peer_has_what_left_the_outbox(tmp_path, world, writer):
    fill_primary(world, 3)
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.acknowledges = False
        send_events(writer, range(1, 21))
        city.wait(lambda: has_all(world, 20, ["replica"]), "the replica has them, the primary acknowledges nothing")
        world.replica.stop()
        world.replica.forget()
        world.replica.epoch += 1
        world.replica.begin()
        send_events(writer, [21])
        city.wait(lambda: has_all(world, 21, ["replica"]), "the outbox gives the new file what it still holds")
        n_beats = len(world.replica.heard)
        city.wait(lambda: len(world.replica.heard) > n_beats + 5, "some beats")
        assert "COPY_RECORDS" not in world.primary.asked
        world.primary.acknowledges = True
        send_events(writer, [22])
        city.wait(lambda: not world.replica.needs_refill, "it is filled now")
        city.wait(lambda: has_all(world, 22, ["replica"]), "and has the newest")


# --- with stores as they are ---


def count_of(role, world):
    """(how many events, their set) of a real store."""
    socket = world.context.socket(zmq.REQ)
    socket.linger = 0
    socket.connect(f"tcp://127.0.0.1:{PORTS[role][2]}")
    try:
        socket.send(json.dumps({"command": "SYSTEM_STATUS"}).encode())
        return json.loads(socket.recv())["data"]["event_set"] if socket.poll(2000) else {"count": None}
    finally:
        socket.close()


def test_a_real_store_that_lost_its_file_has_everything_again_under_load(tmp_path, make_world):
    world = make_world(has_stores=False)
    writer = world.use_custody()
    with City(tmp_path, services=[("analytics", ""), ("store", "primary"), ("store", "replica")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 3001))
        writer.wait_acknowledged(3000)
        city.wait(lambda: count_of("replica", world)["count"] == count_of("primary", world)["count"] == 3000, "both have all")
        for role, peer in [("primary", "replica"), ("replica", "primary")]:  # new files, too
            city.wait_log("analytics", f"The {role} store has what the {peer} store held")
        state_dir = city.processes["store@replica"].state_dir
        city.stop("store@replica", signal.SIGKILL)
        for file in state_dir.glob("traffic.db*"):
            file.unlink()
        send_events(writer, range(3001, 3501))
        city.start("store", "replica")
        for number in range(3501, 4001):
            send_events(writer, [number])
        writer.wait_acknowledged(4000)
        city.wait(lambda: len(re.findall("The replica store has what", city.log("analytics"))) == 2, "it is filled")
        city.wait(lambda: count_of("replica", world)["count"] == 4000, "it has all")
        assert count_of("replica", world) == count_of("primary", world)
        city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["stores_agree"], "they are seen to be equal")


def test_a_bit_that_flips_in_a_payload_is_repaired_from_the_other_store(tmp_path, make_world):
    world = make_world(has_stores=False)
    writer = world.use_custody()

    def are_equal(n):
        return count_of("replica", world)["count"] == n and count_of("replica", world) == count_of("primary", world)
    with City(tmp_path, services=[("analytics", ""), ("store", "primary"), ("store", "replica")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 501))
        writer.wait_acknowledged(500)
        city.wait(lambda: are_equal(500), "both have all")
        for role, peer in [("primary", "replica"), ("replica", "primary")]:  # new files
            city.wait_log("analytics", f"The {role} store has what the {peer} store held")
        file = city.processes["store@replica"].state_dir / "traffic.db"
        city.stop("store@replica")
        with contextlib.closing(sqlite3.connect(file)) as database:
            [(payload,)] = database.execute("SELECT CAST(event_data AS BLOB) FROM sensor_events LIMIT 1 OFFSET 250").fetchall()
        content = bytearray(file.read_bytes())
        content[content.index(payload) + len(payload) - 2] ^= 1
        file.write_bytes(content)
        city.start("store", "replica")
        city.wait_log("store@replica", "is damaged .*row [0-9]+ of sensor_events is not what was written")
        city.wait(lambda: len(re.findall("The replica store has what", city.log("analytics"))) == 2, "it is filled")
        city.wait(lambda: are_equal(500), "both have all again")
        [aside] = file.parent.glob("traffic.db.corrupt-*Z")
        assert aside.read_bytes() == bytes(content)


def test_real_stores_are_equal_again_after_an_older_copy_and_after_a_lost_outbox(tmp_path, make_world):
    world = make_world(has_stores=False)
    writer = world.use_custody()

    def are_equal(n):
        return count_of("replica", world)["count"] == n and count_of("replica", world) == count_of("primary", world)
    with City(tmp_path, services=[("analytics", ""), ("store", "primary"), ("store", "replica")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 501))
        writer.wait_acknowledged(500)
        city.wait(lambda: are_equal(500), "both have all")
        for role, peer in [("primary", "replica"), ("replica", "primary")]:  # new files
            city.wait_log("analytics", f"The {role} store has what the {peer} store held")
        file = city.processes["store@primary"].state_dir / "traffic.db"
        city.stop("store@primary")
        copy = file.read_bytes()
        city.start("store", "primary")
        send_events(writer, range(501, 1001))
        writer.wait_acknowledged(1000)
        city.wait(lambda: are_equal(1000), "both have all")
        city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["outbox"]["bytes"] == 0, "nothing is left in the outbox")
        city.stop("store@primary")
        file.write_bytes(copy)
        city.start("store", "primary")
        city.wait(lambda: count_of("primary", world)["count"] == 500, "the older copy is in its place")
        send_events(writer, range(1001, 1101))
        writer.wait_acknowledged(1100)
        city.wait(lambda: are_equal(1100), "what came after the copy was made is in it again")

        city.stop("store@replica")
        send_events(writer, range(1101, 1201))
        writer.wait_acknowledged(1200)
        city.wait(lambda: count_of("primary", world)["count"] == 1200, "the primary has all, the replica's wait in the outbox")
        state_dir = city.processes["analytics"].state_dir
        city.stop("analytics", signal.SIGKILL)
        for lost in state_dir.glob("outbox.db*"):
            lost.unlink()
        city.start("store", "replica")
        city.start("analytics")
        writer.wait_for_reader_again()
        send_events(writer, range(1201, 1301))
        writer.wait_acknowledged(1300)
        city.wait(lambda: are_equal(1300), "the replica has what the lost outbox held for it")
        city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["stores_agree"], "they are seen to be equal")
