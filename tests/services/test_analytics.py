"""Analytics over its real links, everybody else played by the test: what it stores, what it asks of the lights, whom it asks."""
import json
import time

import zmq

from analytics_world import COMMANDS, NOW, city, events_of, make_world, world  # noqa: F401 (fixtures)
from city import City, wait_until


def test_an_event_goes_to_both_stores_as_it_came_with_its_identity(city, world):
    event = world.numbered(1)
    for store in world.stores.values():
        [record] = city.wait(lambda: store.of_type("sensor_event"), "the event is stored")
        assert record["event_data"] == event
        assert (record["producer_id"], record["epoch"], record["seq"]) == ("sensor-camera@test", 7, 1)
        assert (record["sensor_id"], record["tipo_sensor"], record["timestamp"]) == ("CAM-X", "camara", NOW)


def test_an_event_without_identity_gets_the_same_one_in_both_stores(city, world):
    world.camera(1)
    world.camera(1)
    city.wait(lambda: len(world.primary.of_type("sensor_event")) == 2 and len(world.replica.of_type("sensor_event")) == 2, "both")
    identities = [[(r["producer_id"], r["epoch"], r["seq"]) for r in store.of_type("sensor_event")] for store in world.stores.values()]
    assert identities[0] == identities[1] and len(set(identities[0])) == 2
    assert identities[0][0][0].startswith("analytics@")


def test_a_repeated_event_is_stored_once_and_a_gap_is_told(city, world):
    for number in (1, 2, 2, 1, 6, 6, 4, 7):
        world.numbered(number)
    city.wait(lambda: events_of(world.primary) == [1, 2, 6, 4, 7], "each new event once, the late one too")
    assert "3 events of sensor-camera@test (epoch 7) are missing before number 6" in city.log("analytics")
    city.wait_fresh_metrics("analytics")
    assert city.metric("analytics", "traffic_events_total", outcome="repeated") == 3
    assert city.metric("analytics", "traffic_events_total", outcome="late") == 1
    assert city.metric("analytics", "traffic_events_missing_total") == 3


def test_a_late_event_decides_nothing(city, world):
    world.numbered(1, queue=1)
    world.numbered(3, queue=1)
    world.numbered(2, queue=50)
    city.wait(lambda: events_of(world.primary) == [1, 3, 2], "all are stored")
    assert world.ask("SYSTEM_STATUS")["data"]["currently_congested"] == []


def test_an_event_of_another_city_is_refused_and_counted(city, world):
    world.camera(50, intersection="INT-Z9")
    world.numbered(1)
    city.wait(lambda: events_of(world.primary) == [1], "the next event is stored")
    assert "INT-Z9" in city.log("analytics")
    city.wait_fresh_metrics("analytics")
    assert city.metric("analytics", "traffic_refused_total", reason="unknown_intersection") == 1


def test_congestion_is_recorded_on_its_edges_and_helped_once_a_green(city, world):
    for queue in (12, 13, 14, 15):
        world.camera(queue)
    first = world.command()
    assert (first["interseccion"], first["action"]) == ("INT-B3", "EXTEND")
    assert "Q=12, Vp=50.0" in first["reason"]
    world.show("GREEN", "RED")
    second = world.command()
    assert (second["direction"], second["new_state"]) == ("NS", "GREEN")
    world.show("GREEN", "RED")
    world.camera(0)
    city.wait(lambda: len(world.primary.of_type("congestion_record")) == 3, "three records")
    states = [(r["traffic_state"], r["decision"]) for r in world.primary.of_type("congestion_record")]
    assert states == [("CONGESTION", "EXTEND_GREEN"), ("CONGESTION", "EXTEND_GREEN"), ("NORMAL", "NO_ACTION")]
    assert world.primary.of_type("congestion_record")[0]["sensor_data"] == {"Q": 12, "Vp": 50, "D": None}
    assert not world.commands.poll(200)
    assert len(world.primary.of_type("semaphore_state")) == 2


def test_only_changes_of_the_lights_are_recorded(city, world):
    world.show("RED", "GREEN", kind="STATE")
    world.show("RED", "RED", kind="CHANGE", producer_id="signal@test", epoch=3, seq=9)
    [record] = city.wait(lambda: world.primary.of_type("semaphore_state"), "the change is stored")
    assert (record["state_ns"], record["state_ew"], record["producer_id"], record["seq"]) == ("RED", "RED", "signal@test", 9)


def test_what_the_lights_showed_unheard_is_asked_for_and_recorded(city, world):
    signal = {"producer_id": "signal@test", "epoch": 3}

    def missed():
        assert world.commands.poll(5000), "a question"
        return json.loads(world.commands.recv())
    world.show("RED", "GREEN", kind="STATE", seq=5, **signal)
    assert missed() == {"report": "MISSED", "epoch": 3, "after_seq": 0}
    world.show("GREEN", "RED", kind="PAST", seq=2, phase=0, groups="Gr", mode="FIXED", **signal)
    [record] = city.wait(lambda: world.primary.of_type("semaphore_state"), "what was shown then is stored")
    assert (record["seq"], record["phase"], record["groups"]) == (2, 0, "Gr")
    world.show("RED", "RED", seq=6, **signal)
    world.show("GREEN", "RED", seq=9, **signal)
    assert missed() == {"report": "MISSED", "epoch": 3, "after_seq": 6}
    world.show("GREEN", "RED", kind="STATE", seq=2, **{**signal, "epoch": 4})
    assert missed() == {"report": "MISSED", "epoch": 4, "after_seq": 0}
    world.show("RED", "RED", seq=3, **{**signal, "epoch": 4})
    assert not world.commands.poll(300)


def test_two_healthy_stores_are_not_called_dead_at_the_start(city, world):
    assert world.ask("QUERY_HISTORY")["answered_by"] == "primary"
    beats = 1.5 / 0.1
    city.wait(lambda: world.ask("SYSTEM_STATUS")["data"]["uptime"] > beats * 0.1, "a second and a half passes")
    assert "[FAILOVER]" not in city.log("analytics")


def test_a_dead_primary_is_told_its_queries_go_to_the_replica_and_its_records_wait(city, world):
    world.numbered(1)
    city.wait(lambda: events_of(world.primary) == [1], "the first event is stored")
    world.primary.beats = False
    city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. Using replica DB on PC2\.")
    status = world.ask("SYSTEM_STATUS")
    assert (status["status"], status["answered_by"], status["data"]["pc3_alive"]) == ("FAILOVER", "replica", False)
    assert world.ask("QUERY_HISTORY")["data"] == {"records": ["replica"]}
    for number in range(2, 500):
        world.numbered(number)
    city.wait(lambda: len(events_of(world.replica)) == 499, "the replica gets all")
    assert events_of(world.primary) == [1]
    world.primary.beats = True
    city.wait_log("analytics", r"^\[RECOVERY\] PC3 is back")
    city.wait(lambda: len(events_of(world.primary)) >= 499, "what waited is delivered")
    assert events_of(world.primary) == list(range(1, 500))
    assert world.ask("SYSTEM_STATUS")["status"] == "OK"


def test_a_store_that_beats_but_cannot_commit_is_dead(city, world):
    world.primary.commits = False
    city.wait_log("analytics", r"^\[FAILOVER\] PC3 is down\. .*it beats but cannot commit")
    assert world.ask("QUERY_HISTORY")["answered_by"] == "replica"


def test_a_silent_store_is_given_up_and_the_other_one_asked(city, world):
    world.primary.answers = False
    assert world.ask("QUERY_HISTORY")["answered_by"] == "replica"
    assert world.primary.asked == ["QUERY_HISTORY"]


def test_a_store_whose_database_is_closed_is_given_up_at_once_and_the_other_one_asked(city, world):
    world.primary.is_closed = True
    reply = world.ask("QUERY_HISTORY")
    assert (reply["status"], reply["answered_by"]) == ("OK", "replica")
    world.replica.is_closed = True
    reply = world.ask("QUERY_HISTORY")
    assert (reply["status"], reply["cause"], reply["message"]) == ("ERROR", "UNAVAILABLE", "not now")
    world.primary.is_closed, world.replica.beats = False, False
    city.wait_log("analytics", "The replica store on PC2 is down")
    world.primary.is_closed = True
    reply = world.ask("QUERY_HISTORY")
    assert (reply["cause"], reply["answered_by"]) == ("UNAVAILABLE", "primary")


def test_a_question_under_way_when_its_store_dies_is_asked_of_the_other_at_once(tmp_path, world):
    with City(tmp_path, {"query.timeout_sec": 9}, services=[("analytics", "")]):
        world.wait_subscribers()
        wait_until(lambda: world.ask("QUERY_HISTORY")["answered_by"] == "primary", "the primary answers")
        world.primary.answers = world.primary.beats = False
        begin = time.monotonic()
        assert world.ask("QUERY_HISTORY")["answered_by"] == "replica"
        assert time.monotonic() - begin < 4  # half of the nine seconds would pass otherwise


def test_without_a_store_everything_is_answered_all_the_same(city, world):
    world.primary.beats = world.replica.beats = False
    city.wait_log("analytics", r"^\[FAILOVER\] .*and so is the")
    status = world.ask("SYSTEM_STATUS")
    assert (status["status"], status["cause"]) == ("ERROR", "UNAVAILABLE")
    assert status["data"]["total_intersections"] == 16 and status["data"]["db_summary"] is not None
    assert world.ask("QUERY_INTERSECTION", interseccion="INT-B3")["data"]["current_readings"] is not None
    assert world.ask("QUERY_HISTORY")["status"] == "ERROR"
    assert world.ask("HEALTH_CHECK")["message"] == "PONG"


def test_a_reply_carries_its_query_id(city, world):
    assert world.ask("QUERY_HISTORY", query_id="mine")["query_id"] == "mine"
    assert world.ask("HEALTH_CHECK", query_id=17)["query_id"] in ("17", 17)


def test_an_order_while_the_signal_service_is_away_is_refused_and_not_kept(city, world):
    world.commands.close()
    city.wait(lambda: world.ask("FORCE_SEMAPHORE", interseccion="INT-A1")["status"] == "ERROR", "the order is refused")
    reply = world.ask("FORCE_GREEN_WAVE", row="B")
    assert (reply["status"], reply["cause"]) == ("ERROR", "UNAVAILABLE")
    assert "traffic-signal" in reply["message"]
    n_recorded = len(world.primary.of_type("priority_action"))
    world.commands = world.bind(zmq.PULL, COMMANDS)
    city.wait(lambda: world.ask("FORCE_SEMAPHORE", interseccion="INT-A2")["status"] == "OK", "the signal service is back")
    assert world.command()["interseccion"] == "INT-A2"
    city.wait(lambda: len(world.primary.of_type("priority_action")) == n_recorded + 1, "only what was asked is recorded")


def test_a_wave_asks_each_intersection_once_and_the_row_goes_first(city, world):
    reply = world.ask("FORCE_GREEN_WAVE", row="B", column=3, reason="ambulance", requested_by="ana")
    asked = {c["interseccion"]: c for c in (world.command() for _ in range(7))}
    assert set(asked) == set(reply["data"]["affected"]) and len(asked) == 7
    assert reply["message"] == "Green wave on row_B and col_3: 7 intersections for 30 s."
    assert asked["INT-B3"]["direction"] == "EW" and asked["INT-A3"]["direction"] == "NS"
    assert {c["action"] for c in asked.values()} == {"WAVE"} and {c["duration_override_sec"] for c in asked.values()} == {30}
    [action] = city.wait(lambda: world.primary.of_type("priority_action"), "the order is recorded")
    assert (action["target"], action["requested_by"], action["reason"]) == ("row_B", "ana", "ambulance")
    assert sorted(action["affected_intersections"]) == sorted(asked)
    assert {r["decision"] for r in world.primary.of_type("congestion_record")} == {"GREEN_WAVE"}


def test_a_signal_service_started_again_during_a_wave_is_asked_for_the_rest_of_it(city, world):
    world.show("GREEN", "RED", epoch=1)
    city.wait(lambda: world.ask("QUERY_INTERSECTION", interseccion="INT-B3")["data"]["lights"], "the lights are known")
    world.ask("FORCE_GREEN_WAVE", row="B", reason="ambulance")
    first = {c["interseccion"]: c for c in (world.command() for _ in range(4))}
    world.show("GREEN", "RED", kind="STATE", epoch=1)
    world.show("RED", "RED", kind="STATE", epoch=2)
    again = {c["interseccion"]: c for c in (world.command() for _ in range(4))}
    assert set(again) == set(first)
    for name, command in again.items():
        assert (command["action"], command["direction"], command["reason"]) == ("WAVE", "EW", first[name]["reason"])
        assert 20 < command["duration_override_sec"] < 30
    world.show("RED", "GREEN", epoch=2)
    world.ask("FORCE_SEMAPHORE", interseccion="INT-A1")
    assert world.command()["action"] == "FORCE", "the wave is asked for once"


def test_a_wave_that_an_earlier_life_ordered_is_known_from_what_holds_the_lights(tmp_path, world):
    with City(tmp_path, services=[("analytics", "")]) as city:
        world.wait_subscribers()
        world.show("RED", "GREEN", kind="STATE", intersection="INT-B1", wave_us=20_000_000)
        world.show("RED", "GREEN", kind="STATE", intersection="INT-B2", wave_us=900_000)
        world.show("RED", "GREEN", kind="CHANGE", intersection="INT-B3", wave_us=20_000_000)
        world.show("RED", "GREEN", kind="STATE", intersection="INT-B4")
        city.wait(lambda: world.ask("QUERY_INTERSECTION", interseccion="INT-B4")["data"]["lights"], "the reports came")
        assert world.ask("SYSTEM_STATUS")["data"]["currently_green_wave"] == ["INT-B1"]
        assert world.primary.of_type("congestion_record") == [], "it was recorded when it was ordered"
