"""Analytics commands the lights, everybody else played by the test: who chooses each phase and on what, and green waves along a way."""
import json
import time

import pytest

from analytics_world import NOW, make_world, world  # noqa: F401 (fixtures)
from city import City, wait_until

FRESH_SEC = 3  # a view is one for so long
LEASE_SEC = 5


def crossing(column, last):
    """East on row A and south on its column, one way each, a lane each. INT-A1's cars come to INT-A2, and so on."""
    before = {"from": f"INT-A{column - 1}"} if column > 1 else {}
    after = {"to": f"INT-A{column + 1}", "to_lanes": [f"W_{column + 1}"]} if column < last else {}
    return {
        "id": f"INT-A{column}", "row": "A", "column": column, "x": 200 * column, "y": 0,
        "approaches": [{"id": "W", "direction": "EW", **before, "lanes": [
                           {"id": f"W_{column}", "length_m": 200, "speed_kmh": 36, "movements": ["east"]}]},
                       {"id": "N", "direction": "NS", "lanes": [
                           {"id": f"N_{column}", "length_m": 200, "speed_kmh": 36, "movements": ["south"]}]}],
        "movements": [{"id": "east", "approach": "W", **after}, {"id": "south", "approach": "N"}],
        "conflicts": [["east", "south"]],
        "phases": [{"id": "row", "movements": ["east"]}, {"id": "column", "movements": ["south"]}],
        "times": {"min_green_sec": 5, "all_red_sec": 3},
    }


def write_city(directory, n=3, watched=(1,), **members):
    """Row A of `n` crossings; those in `watched` have a camera on each lane."""
    cameras = [{"sensor_id": f"CAM-{lane}", "interseccion": f"INT-A{column}", "lane": lane}
               for column in watched for lane in (f"W_{column}", f"N_{column}")]
    path = directory / "row.json"
    path.write_text(json.dumps({
        "name": "Row", "grid": {"rows": ["A"], "columns": list(range(1, n + 1))},
        "intersections": [crossing(column, n) | members.get(f"INT_A{column}", {}) for column in range(1, n + 1)],
        "sensors": {"cameras": cameras + [{"sensor_id": "CAM-OLD", "interseccion": "INT-A1", "direction": "EW"}]},
    }))
    return {"city.file": path}


@pytest.fixture
def row(tmp_path, world):
    """make(...) is a running analytics in a city of write_city(...)."""
    made = []

    def make(settings=None, **how):
        city = City(tmp_path, write_city(tmp_path, **how) | (settings or {}), services=[("analytics", "")])
        made.append(city.__enter__())
        world.wait_subscribers()
        return city
    yield make
    for city in made:
        city.__exit__()


def see(world, lane, n_vehicles, intersection="INT-A1"):
    """A camera sees so many vehicles that stand one behind the other."""
    placed = [[7.5 * i, 0] for i in range(n_vehicles)]
    event = {"sensor_id": f"CAM-{lane}", "tipo_sensor": "camara_vista", "interseccion": intersection, "vehiculos_en_vista": n_vehicles,
             "vehiculos": placed, "timestamp": NOW}
    world.broker.send(f"vista {json.dumps(event)}".encode())


def show(world, groups, intersection="INT-A1", mode="COMMANDED", **more):
    ew, ns = ("GREEN" if letter == "G" else "RED" for letter in groups)
    world.show(ns, ew, intersection=intersection, groups=groups, phase=0 if ew == "GREEN" else 1, mode=mode, **more)


def control_of(world, intersection="INT-A1"):
    return world.ask("QUERY_INTERSECTION", interseccion=intersection)["data"]["control"]


def next_command(world, action, within_sec=10):
    """The next request of this kind, whatever else is asked before it."""
    def come():
        command = world.command(within_sec * 1000)
        return command if command["action"] == action else None
    return wait_until(come, f"{action} is asked", within_sec)


def commands(world, sec):
    """All that is asked from now on for so long."""
    asked, end = [], time.monotonic() + sec
    while (left := end - time.monotonic()) > 0:
        if world.commands.poll(left * 1000):
            asked.append(json.loads(world.commands.recv()))
    return asked


def test_the_planner_decides_where_a_lane_is_watched_and_the_rules_elsewhere(row, world):
    row()
    assert (control_of(world)["policy"], control_of(world)["chosen_by"]) == ("planner", "sensors")
    assert control_of(world, "INT-A2")["policy"] == "rules"
    assert world.ask("SYSTEM_STATUS")["data"]["policies"] == {"fixed": 0, "rules": 2, "actuated": 0, "max-pressure": 0, "planner": 1}


def test_the_city_file_goes_before_the_settings_and_an_operator_before_both(row, world):
    row({"control.policy": "actuated"}, INT_A2={"policy": "max-pressure"})
    assert [(control_of(world, f"INT-A{i}")["policy"], control_of(world, f"INT-A{i}")["chosen_by"]) for i in (1, 2)] == [
        ("actuated", "settings"), ("max-pressure", "city file")]
    reply = world.ask("SET_POLICY", interseccion="INT-A2", policy="fixed", reason="roadworks", requested_by="ana")
    assert (reply["status"], reply["data"]["affected"]) == ("OK", ["INT-A2"])
    assert (control_of(world, "INT-A2")["policy"], control_of(world, "INT-A2")["chosen_by"]) == ("fixed", "operator")
    [record] = wait_until(lambda: world.primary.of_type("priority_action"), "the order is recorded")
    assert (record["action_type"], record["target"], record["requested_by"]) == ("SET_POLICY", "INT-A2", "ana")
    reply = world.ask("SET_POLICY", policy="maxpressure")
    assert (reply["status"], reply["cause"]) == ("ERROR", "BAD_REQUEST") and 'did you mean "max-pressure"' in reply["message"]
    assert world.ask("SET_POLICY", interseccion="INT-Z9", policy="fixed")["cause"] == "NOT_FOUND"


def test_where_cars_wait_a_phase_is_asked_for_and_the_command_is_renewed_within_its_lease(row, world):
    row()
    show(world, "rG")
    wait_until(lambda: control_of(world)["groups"] == "rG", "the lights are known")
    asked, end = [], time.monotonic() + 2 * LEASE_SEC
    while time.monotonic() < end:
        see(world, "W_1", 8)
        see(world, "N_1", 0)
        asked += commands(world, 0.5)
    phases = [command for command in asked if command["action"] == "PHASE" and command["phase"] == 0]
    assert phases and {command["interseccion"] for command in phases} == {"INT-A1"}
    assert phases[0]["new_state"] == "RED" and phases[0]["reason"] == "planner"  # EW green, in the words of the first implementation
    times = [command["created_at"] for command in phases]
    assert max(b - a for a, b in zip(times, times[1:])) < LEASE_SEC
    assert control_of(world)["wants"] == "row" and control_of(world)["rung"] == "view"


def test_without_a_fresh_reading_the_lights_are_left_to_their_plan_and_the_journal_says_so(row, world):
    city = row()
    show(world, "rG")

    def is_asked():
        see(world, "W_1", 8)
        see(world, "N_1", 0)
        return [command for command in commands(world, 0.5) if command["action"] == "PHASE"]
    wait_until(is_asked, "a phase is asked for")
    city.wait_log("analytics", r"\[INT-A1\] planner: view->blind", 20)
    commands(world, 0.2)
    assert commands(world, 2) == []
    assert control_of(world)["rung"] == "blind" and control_of(world)["wants"] is None
    wait_until(lambda: is_asked() and "blind->view" in city.log("analytics"), "it sees again")
    city.wait_fresh_metrics("analytics")
    assert city.metric("analytics", "traffic_policy_rung", policy="planner") == 1


def test_where_the_rules_do_not_choose_congestion_is_recorded_and_nothing_is_extended(row, world):
    row()
    show(world, "Gr")
    for intersection in ("INT-A1", "INT-A2"):
        world.camera(20, intersection=intersection, sensor="CAM-OLD")
    records = wait_until(lambda: len(found := world.primary.of_type("congestion_record")) == 2 and found, "both are congested")
    assert {r["interseccion"]: r["decision"] for r in records} == {"INT-A1": "NO_ACTION", "INT-A2": "EXTEND_GREEN"}
    extended = [command["interseccion"] for command in commands(world, 1) if command["action"] == "EXTEND"]
    assert extended == ["INT-A2"]


def test_a_progressive_wave_is_told_ahead_in_the_order_of_travel(row, world):
    row(n=4)
    reply = world.ask("FORCE_GREEN_WAVE", row="A", mode="progressive", speed_kmh=36, eta_sec=30, priority=7, reason="ambulance")
    assert reply["status"] == "OK" and reply["data"]["affected"] == ["INT-A1", "INT-A2", "INT-A3", "INT-A4"]
    stops = reply["data"]["stops"]
    assert [stop["phase"] for stop in stops] == ["row"] * 4
    passes = [stop["passes_in"] for stop in stops]
    assert passes == pytest.approx([30, 50, 70, 90], abs=1.5)
    asked = {c["interseccion"]: c for c in (world.command() for _ in range(4))}
    delays = [asked[f"INT-A{i}"].get("delay_sec", 0) for i in (1, 2, 3, 4)]
    assert delays == sorted(delays) and delays[3] > delays[0] + 30
    assert {(c["action"], c["phase"], c["priority"]) for c in asked.values()} == {("WAVE", 0, 7)}
    for i, command in enumerate(asked[f"INT-A{i}"] for i in (1, 2, 3, 4)):
        assert command.get("delay_sec", 0) + command["duration_override_sec"] > passes[i]
    [record] = wait_until(lambda: world.primary.of_type("priority_action"), "the order is recorded")
    assert (record["action_type"], record["target"]) == ("GREEN_WAVE", "row_A")


def test_a_wave_follows_who_tells_where_it_is_and_gives_back_what_is_passed(row, world):
    row(n=4)
    wave = world.ask("FORCE_GREEN_WAVE", row="A", mode="progressive", speed_kmh=36, eta_sec=1)["data"]["wave"]
    first = [world.command() for _ in range(4)]
    assert {c["action"] for c in first} == {"WAVE"}
    reply = world.ask("MOVE_GREEN_WAVE", wave=wave, interseccion="INT-A3", distance_m=100)
    assert reply["status"] == "OK"
    assert [stop["state"] for stop in reply["data"]["stops"]][:2] == ["OVER", "OVER"]
    assert reply["data"]["stops"][2]["passes_in"] == pytest.approx(10, abs=1) or reply["data"]["stops"][2]["passes_in"] > 10
    asked = commands(world, 0.5)
    assert {c["interseccion"] for c in asked if c["action"] == "RELEASE"} >= {"INT-A1", "INT-A2"}
    assert "INT-A3" in {c["interseccion"] for c in asked if c["action"] == "WAVE"}
    assert world.ask("MOVE_GREEN_WAVE", wave=wave, interseccion="INT-Z9")["cause"] == "BAD_REQUEST"
    assert world.ask("MOVE_GREEN_WAVE", wave="col_9", interseccion="INT-A3")["cause"] == "NOT_FOUND"


def test_a_cancelled_wave_gives_everything_back(row, world):
    row()
    world.ask("FORCE_GREEN_WAVE", row="A", reason="ambulance")
    assert len([world.command() for _ in range(3)]) == 3
    assert len(world.ask("SYSTEM_STATUS")["data"]["currently_green_wave"]) == 3
    reply = world.ask("CANCEL_GREEN_WAVE", wave="row_A")
    assert reply["status"] == "OK" and reply["data"]["affected"] == ["INT-A1", "INT-A2", "INT-A3"]
    assert {(c["action"], c["interseccion"]) for c in (world.command() for _ in range(3))} == {
        ("RELEASE", "INT-A1"), ("RELEASE", "INT-A2"), ("RELEASE", "INT-A3")}
    assert world.ask("SYSTEM_STATUS")["data"]["currently_green_wave"] == []
    assert world.ask("CANCEL_GREEN_WAVE", wave="row_A")["cause"] == "NOT_FOUND"


def test_where_waves_cross_the_earlier_of_equals_goes_first_and_the_answer_says_so(row, world):
    row()
    world.ask("FORCE_GREEN_WAVE", row="A")
    reply = world.ask("FORCE_GREEN_WAVE", column=2)
    assert reply["status"] == "OK" and reply["data"]["affected"] == ["INT-A2"]
    assert "INT-A2 waits 30 s: row_A goes first" in reply["message"]
    asked = [world.command() for _ in range(4)]
    assert {c["phase"] for c in asked[:3]} == {0}
    assert (asked[3]["interseccion"], asked[3]["phase"], asked[3]["duration_override_sec"]) == ("INT-A2", 1, 30)
    assert 25 < asked[3]["delay_sec"] <= 30


def test_a_wave_that_would_have_to_wait_for_minutes_is_refused_there(row, world):
    row()
    world.ask("FORCE_GREEN_WAVE", row="A", duration_override_sec=200)
    reply = world.ask("FORCE_GREEN_WAVE", column=2)
    assert (reply["status"], reply["cause"]) == ("ERROR", "REFUSED")
    assert "INT-A2 is refused: row_A goes first" in reply["message"]
    assert len(commands(world, 0.5)) == 3


def test_where_waves_cross_the_higher_priority_displaces(row, world):
    city = row()
    world.ask("FORCE_GREEN_WAVE", row="A", duration_override_sec=60)
    commands(world, 0.5)
    reply = world.ask("FORCE_GREEN_WAVE", column=2, priority=9)
    assert reply["status"] == "OK" and reply["data"]["affected"] == ["INT-A2"]
    assert [(stop["intersection"], stop["target"]) for stop in reply["data"]["displaced"]] == [("INT-A2", "row_A")]
    asked = commands(world, 1.5)
    assert [(c["action"], c["phase"]) for c in asked if c["interseccion"] == "INT-A2"][:2] == [("RELEASE", 0), ("WAVE", 1)]
    assert any(c["action"] == "WAVE" and c["phase"] == 0 and c["delay_sec"] > 20 for c in asked), "the row goes on afterwards"
    city.wait_log("analytics", r"\[INT-A2\] row_A gives way to col_2")


def test_a_route_goes_only_where_movements_lead(row, world):
    row()
    reply = world.ask("FORCE_GREEN_WAVE", route=["INT-A1", "INT-A2"], mode="progressive")
    assert reply["status"] == "OK" and reply["data"]["affected"] == ["INT-A1", "INT-A2"]
    [record] = wait_until(lambda: world.primary.of_type("priority_action"), "the order is recorded")
    assert record["target"] == "route_INT-A1_INT-A2"
    for route, cause, words in ((["INT-A2", "INT-A1"], "REFUSED", "INT-A2 does not lead to INT-A1"),
                                (["INT-A1", "INT-A9"], "NOT_FOUND", "INT-A9"),
                                (["INT-A1", "INT-A1"], "REFUSED", "twice"),
                                ([], "BAD_REQUEST", "route"), ({"a": 1}, "BAD_REQUEST", "route")):
        reply = world.ask("FORCE_GREEN_WAVE", route=route, mode="progressive")
        assert (reply["status"], reply["cause"]) == ("ERROR", cause) and words in reply["message"], reply
    assert world.ask("FORCE_GREEN_WAVE", route=["INT-A1"], row="A")["cause"] == "BAD_REQUEST"


def test_a_question_with_a_list_does_not_outlive_its_frame(row, world):
    row()
    world.primary.answers = False
    for _ in range(3):
        reply = world.ask("QUERY_HISTORY", route=["INT-A1"] * 50, records=[{"a": "b" * 500}] * 20)
        assert (reply["status"], reply["answered_by"]) == ("OK", "replica")
