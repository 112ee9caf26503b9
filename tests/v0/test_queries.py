"""A monitor of the first implementation asks its six questions."""
import json

import pytest

from peers import CAMERA, INDUCTIVE, PRIMARY, Monitor, Pusher, Sensor, camera, loop, timestamp

ROW_B = {"INT-B1", "INT-B2", "INT-B3", "INT-B4"}
COLUMN_3 = {"INT-A3", "INT-B3", "INT-C3", "INT-D3"}


def publish_until(city, monitor, sensor, topic, event, condition, what):
    """Publishes an event until the city's answer about its intersection satisfies `condition`; returns the answer's data."""
    sensor.wait_subscriber()

    def known():
        sensor.publish(topic, event)
        data = monitor.ask("QUERY_INTERSECTION", interseccion=event["interseccion"])["data"]
        return data if data and condition(data) else None
    return city.wait(known, what)


def test_intersection_tells_readings_lights_and_recent_events(city, peer, monitor):
    sensor = peer(Sensor, CAMERA)
    data = publish_until(city, monitor, sensor, "camara", camera("INT-C1", queue=12, speed=14.5),
                         lambda d: d["current_readings"]["Q"] == 12 and d["recent_events_count"] > 0 and d["semaphore_state"],
                         "the camera's reading, its event and a light are known")
    assert data["intersection"] == "INT-C1"
    readings = data["current_readings"]
    assert {"Q", "Vp", "D", "traffic_state", "last_updated"} <= set(readings)
    assert readings["Vp"] == 14.5
    assert readings["traffic_state"] == "CONGESTION"
    assert {"interseccion", "state_ns", "state_ew", "timestamp"} <= set(data["semaphore_state"])
    assert 1 <= data["recent_events_count"] <= 10
    assert 1 <= len(data["recent_events"]) <= 5
    event = data["recent_events"][0]
    assert {"id", "sensor_id", "tipo_sensor", "interseccion", "timestamp", "event_data", "created_at"} <= set(event)
    assert json.loads(event["event_data"])["volumen"] == 12


def test_intersection_nobody_measured_yet_has_readings_all_the_same(city, monitor):
    data = monitor.ask("QUERY_INTERSECTION", interseccion="INT-D4")["data"]
    assert isinstance(data["current_readings"], dict), "null here crashes a v0 monitor"
    assert data["recent_events"] == [] and data["recent_events_count"] == 0


def test_density_is_vehicles_per_thirty_seconds(city, peer, monitor):
    sensor = peer(Sensor, INDUCTIVE)
    event = loop("INT-C2", vehicles=20)
    event["intervalo_segundos"] = 60
    data = publish_until(city, monitor, sensor, "espira", event, lambda d: d["current_readings"]["D"] is not None, "D is known")
    assert data["current_readings"]["D"] == 10


def test_history_is_newest_first_within_both_times_inclusive(city, peer, monitor):
    pusher = peer(Pusher, PRIMARY)
    for second in ("00", "10", "20"):
        when = f"2001-02-03T04:05:{second}Z"
        pusher.push({"type": "congestion_record",
                     "data": {"interseccion": "INT-A2", "traffic_state": "CONGESTION", "decision": "EXTEND_GREEN",
                              "details": "", "sensor_data": {"Q": 12, "Vp": 14.0, "D": None}, "timestamp": when}})

    def ask():
        reply = monitor.ask("QUERY_HISTORY", timestamp_inicio="2001-02-03T04:05:00Z", timestamp_fin="2001-02-03T04:05:20Z",
                            interseccion="INT-A2")
        return reply if len(reply["data"]["records"]) == 3 else None
    records = city.wait(ask, "three records are in the history")["data"]["records"]
    assert [r["timestamp"][-3:-1] for r in records] == ["20", "10", "00"]
    assert {"id", "interseccion", "traffic_state", "decision", "details", "sensor_data", "timestamp", "created_at"} <= set(records[0])
    assert json.loads(records[0]["sensor_data"])["Q"] == 12

    inner = monitor.ask("QUERY_HISTORY", timestamp_inicio="2001-02-03T04:05:01Z", timestamp_fin="2001-02-03T04:05:10Z")
    assert [r["timestamp"][-3:-1] for r in inner["data"]["records"]] == ["10"]
    other = monitor.ask("QUERY_HISTORY", timestamp_inicio="2001-02-03T04:05:00Z", timestamp_fin="2001-02-03T04:05:20Z",
                        interseccion="INT-A3")
    assert other["status"] == "OK" and other["data"]["records"] == []


def test_history_without_limits_is_at_most_a_hundred_records(city, peer, monitor):
    pusher = peer(Pusher, PRIMARY)
    for i in range(120):
        pusher.push({"type": "congestion_record",
                     "data": {"interseccion": "INT-A4", "traffic_state": "NORMAL", "decision": "NO_ACTION",
                              "timestamp": f"2002-02-03T04:{i // 60:02}:{i % 60:02}Z"}})

    def ask():
        records = monitor.ask("QUERY_HISTORY")["data"]["records"]
        return records if len(records) >= 100 else None
    assert len(city.wait(ask, "a hundred records are in the history")) == 100


@pytest.mark.parametrize("members,affected", [
    ({"row": "B"}, ROW_B),
    ({"column": 3}, COLUMN_3),
    ({"row": "B", "column": 3, "reason": "ambulance"}, ROW_B | COLUMN_3),
])
def test_green_wave_affects_its_row_and_column(city, monitor, members, affected):
    reply = monitor.ask("FORCE_GREEN_WAVE", **members)
    assert reply["status"] == "OK", reply
    assert set(reply["data"]["affected"]) == affected
    assert len(reply["data"]["affected"]) == len(affected)
    assert reply["data"]["duration_sec"] == 30


def test_green_wave_is_in_the_status_while_it_lasts(city, monitor):
    monitor.ask("FORCE_GREEN_WAVE", row="D", reason="fire brigade")
    status = monitor.ask("SYSTEM_STATUS")["data"]
    assert {"INT-D1", "INT-D2", "INT-D3", "INT-D4"} <= set(status["currently_green_wave"])


def test_forced_light_changes(city, monitor):
    """v0's lights start with NS red; both directions are asked for, so that one of them is a change."""
    reply = monitor.ask("FORCE_SEMAPHORE", interseccion="INT-A1", new_state="GREEN", reason="v0 test")
    assert reply["status"] == "OK", reply
    assert reply["data"]["intersection"] == "INT-A1" and reply["data"]["new_state"] == "GREEN"

    def light(direction):
        state = monitor.ask("QUERY_INTERSECTION", interseccion="INT-A1")["data"]["semaphore_state"]
        return state and state[direction] == "GREEN"
    city.wait(lambda: light("state_ns"), "NS is green")
    monitor.ask("FORCE_SEMAPHORE", interseccion="INT-A1", new_state="RED", reason="v0 test")
    city.wait(lambda: light("state_ew"), "EW is green")


def test_status_has_everything_a_monitor_indexes(city, monitor):
    reply = monitor.ask("SYSTEM_STATUS")
    assert reply["status"] == "OK", reply
    data = reply["data"]
    totals = {"total_sensor_events", "total_congestion_detections", "total_green_waves", "total_semaphore_changes"}
    assert totals <= set(data["db_summary"])
    assert all(isinstance(data["db_summary"][name], int) for name in totals)
    assert isinstance(data["currently_congested"], list) and isinstance(data["currently_green_wave"], list)
    assert data["total_intersections"] == 16
    assert data["pc3_alive"] is True


def test_health_check_is_pong_without_data(city, monitor):
    reply = monitor.ask("HEALTH_CHECK")
    assert (reply["status"], reply["command"], reply["message"], reply["data"]) == ("OK", "HEALTH_CHECK", "PONG", None)


@pytest.mark.parametrize("command,members,named", [
    ("QUERY_INTERSECTION", {"interseccion": "INT-Z9"}, "INT-Z9"),
    ("QUERY_INTERSECTION", {}, "interseccion"),
    ("FORCE_SEMAPHORE", {"interseccion": "INT-Z9", "new_state": "GREEN"}, "INT-Z9"),
    ("FORCE_SEMAPHORE", {"interseccion": "INT-A1", "new_state": "PURPLE"}, "PURPLE"),
    ("FORCE_GREEN_WAVE", {"row": "Z"}, "Z"),
    ("FORCE_GREEN_WAVE", {"column": 77}, "77"),
    ("FORCE_GREEN_WAVE", {}, "row"),
    ("DROP_TABLES", {}, "DROP_TABLES"),
])
def test_what_cannot_be_is_an_error_that_names_it(city, monitor, command, members, named):
    reply = monitor.ask(command, **members)
    assert reply["status"] == "ERROR", reply
    assert named in reply["message"]
    assert monitor.ask("HEALTH_CHECK")["message"] == "PONG"


def test_a_monitor_that_vanishes_in_the_middle_leaves_nothing_behind(city, peer, monitor):
    for _ in range(20):
        impatient = peer(Monitor)
        impatient.socket.send(json.dumps({"command": "SYSTEM_STATUS"}).encode())
        impatient.close()
    assert monitor.ask("HEALTH_CHECK")["message"] == "PONG"


def test_history_of_the_last_hour_is_asked_as_v0_asks_it(city, monitor):
    reply = monitor.ask("QUERY_HISTORY", timestamp_inicio=timestamp(3600), timestamp_fin=timestamp())
    assert reply["status"] == "OK" and isinstance(reply["data"]["records"], list)
