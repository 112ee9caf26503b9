"""Analytics under custody: what was acknowledged to the broker reaches both stores once, whatever ends or refuses."""
import os
import signal
from pathlib import Path

import pytest

from analytics_world import events_of, has_all, has_all_but, make_world, send_events, world, writer  # noqa: F401 (fixtures)
from city import City, wait_until

EVENTS_OF_A_LIFE = 300


def test_events_are_acknowledged_once_they_are_on_disk_whether_a_store_is_there_or_not(tmp_path, world, writer):
    world.primary.stop()
    world.replica.stop()
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 101))
        writer.wait_acknowledged(100)
        world.primary.begin()
        world.replica.begin()
        city.wait(lambda: has_all(world, 100), "both stores get all")


def test_what_is_refused_or_repeated_is_acknowledged_all_the_same(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, [1])
        send_events(writer, [2], intersection="INT-Z9")
        writer.send('camara {"volumen":"many"}')
        writer.send('niebla {"sensor_id":"CAM-X"}')
        send_events(writer, [1, 3])
        writer.wait_acknowledged(6)
        city.wait(lambda: events_of(world.primary) == events_of(world.replica) == [1, 3], "only what is an event is stored, once")


def test_a_frame_that_never_came_is_asked_for_and_nothing_is_taken_before_it(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, [1])
        writer.wait_acknowledged(1)
        send = writer.send_position
        writer.send_position = lambda position: None
        send_events(writer, [2])
        writer.send_position = send
        send_events(writer, [3])
        city.wait(lambda: writer.hear() is not None and any(ack.get("asks") and ack["position"] == 1 for ack in writer.acks), "it asks")
        assert events_of(world.primary) == [1]
        writer.send_again()
        writer.wait_acknowledged(3)
        city.wait(lambda: events_of(world.primary) == events_of(world.replica) == [1, 2, 3], "both stores have them in order")


@pytest.mark.parametrize("passage", [1, 2, 7])
@pytest.mark.parametrize("point", ["before-commit", "after-commit", "after-ack"])
def test_killed_at_any_point_it_loses_nothing_and_stores_nothing_twice(tmp_path, world, writer, point, passage):
    with City(tmp_path, services=[]) as city:
        process = city.start("analytics", environment={"TRAFFIC_FAULT": f"{point}:{passage}"})
        writer.wait_for_reader()
        for number in range(1, EVENTS_OF_A_LIFE + 1):
            send_events(writer, [number])
            if number % 20 == 0 and process.is_running():
                wait_until(lambda: writer.hear() >= number or not process.is_running(), "it commits, or dies of it")
        assert wait_until(lambda: not process.is_running(), "it dies at its fault point") and city.stop("analytics") == -signal.SIGKILL
        city.start("analytics")
        writer.wait_acknowledged(EVENTS_OF_A_LIFE)
        city.wait(lambda: has_all(world, EVENTS_OF_A_LIFE), "both stores have everything once")
        assert world.primary.identities == world.replica.identities


def test_a_store_that_was_away_under_load_gets_what_it_lacks_while_load_goes_on(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 101))
        city.wait(lambda: has_all(world, 100), "both stores have the first")
        world.primary.stop()
        city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. Using replica DB on PC2\. \(no heartbeat; detected after 0\.\d+ s; it lacks \d+ records\)")
        send_events(writer, range(101, 2001))
        city.wait(lambda: has_all(world, 2000, ["replica"]), "the replica gets all")
        status = world.ask("SYSTEM_STATUS")["data"]
        backlogs = {store["role"]: store["backlog"] for store in status["stores"]}
        assert backlogs["primary"] >= 1900 and backlogs["replica"] == 0
        assert status["outbox"]["bytes"] > 0 and status["outbox"]["trouble"] is None
        world.primary.restart()
        send_events(writer, range(2001, 2501))
        city.wait_log("analytics", r"^\[RECOVERY\] PC3 is back after [0-9.]+ s\. Using primary DB on PC3\. It lacked (19|2\d)\d\d records\.")
        city.wait_log("analytics", r"^\[RECOVERY\] The primary store has caught up: (19|2\d)\d\d records in [0-9.]+ s\.")
        writer.wait_acknowledged(2500)
        city.wait(lambda: has_all(world, 2500), "what it lacked is delivered, and what is new")
        city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["outbox"]["bytes"] == 0, "the outbox is empty again")


def test_a_restart_while_a_store_is_dead_loses_nothing(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.stop()
        send_events(writer, range(1, 501))
        writer.wait_acknowledged(500)
        assert city.stop("analytics") == 0
        city.start("analytics")
        send_events(writer, range(501, 601))
        writer.wait_acknowledged(600)
        city.wait(lambda: has_all(world, 600, ["replica"]), "the replica gets all")
        world.primary.begin()
        city.wait(lambda: has_all(world, 600), "the primary gets what was kept for it")


def test_what_was_acknowledged_before_a_restart_is_not_sent_again_to_a_store_that_has_it(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 101))
        city.wait(lambda: has_all(world, 100), "both stores have all")
        city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["outbox"]["bytes"] == 0, "the outbox is empty")
        city.stop("analytics")
        city.start("analytics")
        send_events(writer, range(101, 111))
        writer.wait_acknowledged(110)
        city.wait(lambda: has_all(world, 110), "the new ones come")
        assert world.primary.n_repeats == world.replica.n_repeats == 0


def test_a_full_outbox_stops_the_broker_and_goes_on_when_there_is_room(tmp_path, world, writer):
    padding = "x" * 8000
    with City(tmp_path, {"analytics.outbox_mib": 1}, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.acknowledges = False
        send_events(writer, range(1, 301), padding=padding)
        wait_until(lambda: "takes no events: the outbox is full" in city.processes["analytics"].status, "analytics says that it is full")
        assert "fills up" in city.log("analytics") or "% of 1 MiB are used" in city.log("analytics")
        assert writer.hear() < 300
        assert world.ask("HEALTH_CHECK")["message"] == "PONG"
        assert world.ask("FORCE_SEMAPHORE", interseccion="INT-A1")["status"] == "OK", "an order of an operator still has room"
        assert "[FAILOVER]" not in city.log("analytics")
        world.primary.acknowledges = True
        writer.wait_acknowledged(300)
        city.wait(lambda: has_all(world, 300), "both stores get all")
        city.wait(lambda: world.primary.of_type("priority_action") and world.replica.of_type("priority_action"), "the order, too")


@pytest.mark.parametrize("word", ["enospc", "erofs", "eio", "eio-sync"])
def test_while_the_disk_refuses_nothing_is_acknowledged_and_operators_are_answered(tmp_path, world, writer, word):
    fault = tmp_path / "disk-fault"
    library = Path(os.environ["TRAFFIC_BUILD"]) / "tests" / "services" / "libdisk-fault.so"
    with City(tmp_path, services=[]) as city:
        options = os.environ.get("ASAN_OPTIONS", "")  # a sanitizer wants to be loaded first
        process = city.start("analytics", environment={"LD_PRELOAD": str(library), "TRAFFIC_DISK_FAULT": str(fault),
                                                       "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"})
        writer.wait_for_reader()
        send_events(writer, range(1, 101))
        writer.wait_acknowledged(100)
        fault.write_text(word)
        send_events(writer, range(101, 1001))
        city.wait_log("analytics", "outbox: cannot commit")
        city.wait(lambda: "takes no events: " in process.status, "STATUS says so")
        assert writer.hear() == 100 and has_all(world, 100)
        assert world.ask("SYSTEM_STATUS")["data"]["outbox"]["trouble"]
        assert world.ask("QUERY_HISTORY")["answered_by"] == "primary"
        assert world.ask("FORCE_SEMAPHORE", interseccion="INT-A1")["status"] == "OK"
        assert "[FAILOVER]" not in city.log("analytics")
        fault.unlink()
        city.wait_log("analytics", "outbox: commits again")
        writer.wait_acknowledged(1000)
        city.wait(lambda: has_all(world, 1000), "both stores get all")
        city.wait(lambda: world.primary.of_type("priority_action") and world.replica.of_type("priority_action"), "the order, too")


def test_a_slow_store_holds_up_neither_the_events_nor_the_other_store(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.replica.reads = False
        send_events(writer, range(1, 1001), padding="x" * 2000)
        writer.wait_acknowledged(1000)
        city.wait(lambda: has_all(world, 1000, ["primary"]), "the primary has all")
        assert "[FAILOVER]" not in city.log("analytics")
        world.replica.reads = True
        city.wait(lambda: has_all(world, 1000), "the slow one gets all in the end")


def test_an_outbox_with_a_damaged_page_loses_at_most_that_page(tmp_path, world, writer):
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        world.primary.stop()
        world.replica.stop()
        send_events(writer, range(1, 1001))
        writer.wait_acknowledged(1000)
        state_dir = city.processes["analytics"].state_dir
        city.stop("analytics")
        with open(state_dir / "outbox.db", "r+b") as file:
            file.seek(40 * 4096)
            file.write(b"\xff" * 4096)
        world.primary.begin()
        world.replica.begin()
        process = city.spawn("analytics")
        wait_until(lambda: has_all_but(world, 1000, 30) or not process.is_running(), "it ends when it meets the damage, or has met it at once")
        if not process.is_running():
            city.stop("analytics")
            city.start("analytics")
        city.wait_log("analytics", r"outbox\.db is damaged")
        send_events(writer, range(1001, 1051))
        writer.wait_acknowledged(1050)
        wait_until(lambda: has_all_but(world, 1050, 30) and world.primary.identities == world.replica.identities,
                   "what could be read and what is new arrives, the same in both stores")


def test_an_outbox_of_nothing_but_garbage_stops_nobody(tmp_path, world, writer):
    state_dir = tmp_path / "state" / "analytics"
    state_dir.mkdir(parents=True)
    (state_dir / "outbox.db").write_bytes(b"no database at all" * 1000)
    with City(tmp_path, services=[("analytics", "")]) as city:
        writer.wait_for_reader()
        send_events(writer, range(1, 11))
        writer.wait_acknowledged(10)
        city.wait(lambda: has_all(world, 10), "events arrive")
        assert len(list(state_dir.glob("outbox.db*"))) > 1, "the garbage is kept beside it"


def who_ends(writer, cities):
    """Sends events until one of the cities' analytics has ended by itself."""
    def ended():
        if writer.hear() < writer.last - 10:  # one of them misses something
            writer.send_again()
        send_events(writer, [writer.last + 1])
        return next((city for city in cities if not city.processes["analytics"].is_running()), None)
    return wait_until(ended, "one of them ends")


def test_an_older_analytics_ends_when_a_newer_one_has_written(tmp_path, world, writer):
    with City(tmp_path / "old", {"network.bind": "127.0.0.1"}, services=[("analytics", "")]) as old:
        writer.wait_for_reader()
        send_events(writer, [1])
        writer.wait_acknowledged(1)
        old.wait(lambda: has_all(world, 1), "the first one is the writer")
        with City(tmp_path / "new", {"network.bind": "127.0.0.2"}, services=[]) as new:
            new.start("analytics")
            assert who_ends(writer, [old, new]) is old, "the one that began earlier"
            assert "has heard a writer of epoch" in old.log("analytics")
            assert old.stop("analytics") != 0
            new.wait(lambda: has_all(world, writer.last), "the newer one goes on")
            # As systemd would: its next life is above the other's.
            old.start("analytics")
            assert who_ends(writer, [old, new]) is new, "now the other one is the older"
            new.stop("analytics")
            writer.wait_acknowledged(writer.last)
            old.stop("analytics")
            # What only one of them acknowledged stands in its outbox until its next life.
            for one in (new, old):
                one.start("analytics", settings={"network.bind": "127.0.0.1"})
                one.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["outbox"]["bytes"] == 0, "its outbox is empty")
                one.stop("analytics")
            assert has_all(world, writer.last), "nothing was lost between the two"
