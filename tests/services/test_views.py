"""What lanes' cameras and loops tell, views and passages, on its way: sensor, broker, analytics. Peers of the first implementation do not
hear it."""
import json

import pytest

from analytics_world import NOW, city, events_of, make_world, world  # noqa: F401 (fixtures)
from brokers import Analytics, Publisher, broker, modes
from brokers import Subscriber as Listener
from city import SOURCE, City
from relay import Client
from sensors import V0, Subscriber, V0Subscriber, assert_no_gap, camera, recording, replaying, sensor

LANES = {"city.file": SOURCE / "config/city.json"}  # the others are of the first implementation's city
FIRST_TOPICS = ("camara", "espira", "gps")


def view(number, vehicles=2, placed=((4.5, 0), (31.2, 38.5)), **more):
    return {"id": number, "sensor_id": "CAM-A1-NS", "tipo_sensor": "camara_vista", "interseccion": "INT-A1",
            "vehiculos_en_vista": vehicles, "vehiculos": placed, **more}


def passage(number, **more):
    return {"id": number, "sensor_id": "ESP-A1-NS", "tipo_sensor": "espira_paso", "interseccion": "INT-A1", "velocidad": 48.5, **more}


def frame(topic, event):
    return f"{topic} " + json.dumps({"timestamp": NOW, **event})


# --- sensors ---

def test_a_camera_of_lanes_sends_views_between_its_readings(tmp_path, context):
    with sensor(tmp_path, {**LANES, "sensor.camera_interval_sec": 1, "sensor.count": 4}) as city:
        reader = Subscriber(context, "camera")
        city.start("sensor", "camera")
        events = reader.wait(24)
        assert_no_gap(events)
        assert {e["topic"] for e in events} == {"camara", "vista"}
        views = [e for e in events if e["topic"] == "vista"]
        assert len(views) >= 8 and len({e["sensor_id"] for e in views}) == 4
        assert all(len(e["vehiculos"]) == e["vehiculos_en_vista"] and sorted(e["vehiculos"]) == e["vehiculos"] for e in views)
        assert all(e["tipo_sensor"] == "camara_vista" and e["captured_us"] for e in views)


def test_a_loop_of_a_lane_sends_passages(tmp_path, context):
    with sensor(tmp_path, {**LANES, "sensor.inductive_interval_sec": 300}) as city:
        reader = Subscriber(context, "inductive")
        city.start("sensor", "inductive")
        events = reader.wait(12)
        assert_no_gap(events)
        passages = [e for e in events if e["topic"] == "paso"]
        assert passages and all(0 < e["velocidad"] <= 50 for e in passages)
        assert [e["captured_us"] for e in passages] == sorted(e["captured_us"] for e in passages)


def test_a_broker_of_the_first_implementation_hears_what_it_knows(tmp_path, context):
    with sensor(tmp_path, {**LANES, **V0, "sensor.camera_interval_sec": 0.5}) as city:
        broker = V0Subscriber(context, "camera", b"camara")
        city.start("sensor", "camera")
        assert {e["topic"] for e in broker.wait(100)} == {"camara"}


def test_sensors_without_lanes_send_what_they_always_did(tmp_path, context):
    with sensor(tmp_path, {"sensor.camera_interval_sec": 0.5}) as city:
        reader = Subscriber(context, "camera")
        city.start("sensor", "camera")
        assert {e["topic"] for e in reader.wait(200)} == {"camara"}


def test_a_recording_is_replayed_with_its_views_and_passages(tmp_path, context):
    lines = [camera(1), {"t": 1.25, "topic": "vista", "event": {k: v for k, v in view(0).items() if k != "id"}},
             {"t": 1.5, "topic": "paso", "event": {k: v for k, v in passage(0).items() if k != "id"}}, camera(2)]
    path = recording(tmp_path / "few.jsonl.gz", lines, counts={"camara": 2, "vista": 1, "paso": 1})
    with sensor(tmp_path, {**LANES, **replaying(path)}) as city:
        cameras, loops = Subscriber(context, "camera"), Subscriber(context, "inductive")
        city.start("sensor", "camera"), city.start("sensor", "inductive")
        events = cameras.wait(3)
        assert [e["topic"] for e in events] == ["camara", "vista", "camara"]
        assert events[1]["vehiculos"] == [[4.5, 0], [31.2, 38.5]]
        assert events[1]["captured_us"] - events[0]["captured_us"] == 250000
        assert [e["topic"] for e in loops.wait(1)] == ["paso"]


def test_the_relay_takes_each_event_of_its_kind_and_refuses_the_others(tmp_path, context):
    with sensor(tmp_path, {**LANES, "sensor.source": "relay"}) as city:
        city.start("sensor", "camera")
        reader = Subscriber(context, "camera")
        client = Client(city.runtime_dir / "sensor-camera.sock", reader)
        asked = [view(1), view(2, vehicles=1), view(3, placed=[[1, 2, 3]]), view(4, placed=[[9, 0], [8, 0]]), passage(5),
                 view(6, vehicles=7, placed=[]), view(7, vehicles=1001)]
        for one in asked:
            client.send(one)
        answers = client.answers(7)
        assert sorted(a["ack"] for a in answers if "ack" in a) == [1, 6]
        why = {a["refused"]: a["why"] for a in answers if "refused" in a}
        assert "vehiculos_en_vista" in why[2] and "nearest first" in why[3] and "nearest first" in why[4]
        assert "tipo_sensor" in why[5] and "0 to 1000" in why[7]
        events = reader.wait(2)
        assert [(e["topic"], e["vehiculos_en_vista"], e["vehiculos"]) for e in events] == [
            ("vista", 2, [[4.5, 0], [31.2, 38.5]]), ("vista", 7, [])]


def test_a_passage_has_the_moment_that_it_was_handed_in_with(tmp_path, context):
    with sensor(tmp_path, {**LANES, "sensor.source": "relay"}) as city:
        city.start("sensor", "inductive")
        reader = Subscriber(context, "inductive")
        client = Client(city.runtime_dir / "sensor-inductive.sock", reader)
        client.send(passage(1, timestamp="2026-02-09T15:10:00Z", captured_us=1770649800250000))
        assert client.answer() == {"ack": 1}
        [event] = reader.wait(1)
        assert (event["topic"], event["captured_us"], event["timestamp"]) == ("paso", 1770649800250000, "2026-02-09T15:10:00Z")


# --- broker ---

@modes
def test_the_broker_hands_them_on_and_numbers_them_with_the_others(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        cameras, loops = Publisher(context, "camara"), Publisher(context, "espira")
        city.start("broker")
        analytics = Analytics(context)
        for publisher in (cameras, loops):
            publisher.wait_for_broker()
        cameras.send(frame("vista", view(1)))
        cameras.send(frame("vista", view(2, vehicles=-1)))
        loops.send(frame("paso", passage(3)))
        events = analytics.wait(2)
        assert sorted(e["tipo_sensor"] for e in events) == ["camara_vista", "espira_paso"]
        assert sorted(e["seq"] for e in events) == [1, 2]


@modes
def test_an_analytics_of_the_first_implementation_hears_what_it_knows(tmp_path, context, mode):
    with broker(tmp_path, mode, **{"protocol.analytics": "v0"}) as city:
        cameras = Publisher(context, "camara")
        city.start("broker")
        analytics = Listener(context, b"camara")
        for topic in FIRST_TOPICS[1:]:
            analytics.socket.subscribe(topic.encode())
        cameras.wait_for_broker()
        for number in range(10):
            cameras.send(frame("vista", view(number)))
            cameras.send(frame("camara", {"sensor_id": "CAM-A1-NS", "tipo_sensor": "camara", "interseccion": "INT-A1", "number": number}))
        analytics.wait(10)
        assert [e["number"] for e in analytics.events()] == list(range(10))


# --- analytics ---

def test_views_and_passages_are_stored_once_as_they_came(city, world):  # noqa: F811
    seen = view(0, sensor_id="CAM-X", interseccion="INT-B3", timestamp=NOW, producer_id="sensor-camera@test", epoch=7, seq=1)
    passed = passage(0, sensor_id="ESP-X", interseccion="INT-B3", timestamp=NOW, producer_id="sensor-camera@test", epoch=7, seq=2,
                     captured_us=1770649800250000)
    for topic, event in (("vista", seen), ("paso", passed), ("vista", seen), ("paso", passed)):
        world.broker.send(frame(topic, event).encode())
    world.numbered(3)
    for store in world.stores.values():
        city.wait(lambda: events_of(store) == [1, 2, 3], "each of them once")
        records = store.of_type("sensor_event")
        assert [r["tipo_sensor"] for r in records] == ["camara_vista", "espira_paso", "camara"]
        assert json.loads(json.dumps(records[0]["event_data"]["vehiculos"])) == [[4.5, 0], [31.2, 38.5]]
        assert records[1]["captured_us"] == 1770649800250000


@pytest.mark.parametrize("placed", [[[1]], [[9, 0], [8, 0]], [[1, 0], [2, 0], [3, 0]]])
def test_a_view_that_contradicts_itself_is_refused_and_counted(city, world, placed):  # noqa: F811
    world.broker.send(frame("vista", view(0, interseccion="INT-B3", placed=placed, producer_id="sensor-camera@test", epoch=7, seq=1)).encode())
    world.numbered(2)
    city.wait(lambda: events_of(world.primary) == [2], "the next event is stored")
    assert "vehiculos" in city.log("analytics")
    city.wait_fresh_metrics("analytics")
    assert city.metric("analytics", "traffic_refused_total", reason="wrong_type") == 1


def test_every_service_takes_the_city_with_lanes(tmp_path):
    with City(tmp_path, settings=LANES, services=[("broker", "")]) as city:
        assert city.processes["broker"].is_running()
