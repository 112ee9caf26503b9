"""The whole city in lock-step with a simulator: every service, over its real links, by the simulator's clock."""
import json
import random
import re
import sqlite3
import time

import pytest
import zmq

from brokers import modes
from city import CORE_SERVICES, SENSORS, City, wait_until
from lockstep import Lockstep, Relay, RunInvalid

T0 = 1_767_254_400  # 2026-01-01T08:00:00Z
SECOND = 1_000_000
TICK = {"clock.source": "tick", "sensor.source": "relay"}
ALL = CORE_SERVICES + SENSORS
INTERSECTIONS = [f"INT-{row}{column}" for row in "ABCD" for column in range(1, 5)]


def moment(k):
    return T0 + k, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 + k))


def camera(k, intersection, queue, speed):
    sec, text = moment(k)
    name = intersection.removeprefix("INT-")
    return {"sensor_id": f"CAM-{name}-NS", "tipo_sensor": "camara", "interseccion": intersection, "volumen": queue,
            "velocidad_promedio": speed, "timestamp": text, "captured_us": sec * SECOND}


def gps(k, intersection, speed):
    sec, text = moment(k)
    return {"sensor_id": f"GPS-{intersection.removeprefix('INT-')}", "tipo_sensor": "gps", "interseccion": intersection,
            "velocidad_promedio": speed, "timestamp": text, "captured_us": sec * SECOND}


def changes(reports):
    return [r for r in reports if r["report"] == "CHANGE"]


def shown(change):
    """What a change says, without who said it in which life."""
    return {name: value for name, value in change.items() if name not in ("producer_id", "epoch", "seq")}


def drive(lockstep, seed, n_steps, begin=0):
    """Traffic of this seed, and what the lights did: (k, change)."""
    dice = random.Random(seed)
    seen = []
    for k in range(begin, begin + n_steps):
        for intersection in INTERSECTIONS:
            lockstep.hand_in("camera", camera(k, intersection, dice.randrange(20), dice.randrange(5, 50)))
            if dice.random() < 0.3:
                lockstep.hand_in("gps", gps(k, intersection, dice.randrange(5, 55)))
        seen += [(k, shown(c)) for c in changes(lockstep.step((T0 + k) * SECOND))]
    return seen


def n_handed_in(lockstep):
    """Readings, without the ticks."""
    return sum(relay.n_sent - 2 * lockstep.k for relay in lockstep.relays.values())


def n_stored(city, role):
    with sqlite3.connect(f"file:{city.directory}/state/store@{role}/traffic.db?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM sensor_events").fetchone()[0]


@modes
def test_the_same_run_gives_the_same_lights_and_every_reading_arrives(tmp_path, context, mode):
    runs = []
    for run in ("one", "other"):
        with City(tmp_path / run, {**TICK, "broker.mode": mode}, services=ALL) as city, Lockstep(city.runtime_dir, context) as lockstep:
            runs.append(drive(lockstep, 7, 150))
            n = n_handed_in(lockstep)
            city.wait(lambda: all(n_stored(city, role) == n for role in ("primary", "replica")), f"both stores have all {n} readings")
            assert not [title for title in city.processes if "run is invalid" in city.log(title)]
    assert len(runs[0]) > 150
    assert "congestion" in json.dumps(runs[0]), "analytics has a say in it"
    assert runs[0] == runs[1]
    for k, change in runs[0]:
        assert change["captured_us"] == (T0 + k) * SECOND, "what is reported is of city time"


def test_city_time_stands_still_without_ticks(tmp_path, context):
    with City(tmp_path, TICK, services=ALL) as city, Lockstep(city.runtime_dir, context) as lockstep:
        before = drive(lockstep, 1, 4)
        time.sleep(1.5)  # the machine's time goes on: that nothing happens has no event to wait for
        assert not changes(lockstep.step((T0 + 3) * SECOND)), "no time has passed"
        assert before, "after all-red the first greens come"
        hour_later = changes(lockstep.step((T0 + 3603) * SECOND))
        assert {c["interseccion"] for c in hour_later} == set(INTERSECTIONS)


def test_analytics_may_be_away_when_that_is_said_and_comes_back_by_itself(tmp_path, context):
    with City(tmp_path, TICK, services=ALL) as city, Lockstep(city.runtime_dir, context) as lockstep:
        drive(lockstep, 3, 30)
        city.stop("analytics", how=9)
        alone = []
        for k in range(30, 90):
            for intersection in INTERSECTIONS:
                lockstep.hand_in("camera", camera(k, intersection, 15, 8))
            alone += lockstep.step((T0 + k) * SECOND, absent="analytics")
        assert {c["interseccion"] for c in changes(alone) if c["timestamp"] >= moment(45)[1]} == set(INTERSECTIONS), "the lights go on"
        assert not [r for r in alone if r["report"] != "CHANGE"], "nobody asks for anything"
        city.start("analytics")
        again = []
        for k in range(90, 150):
            for intersection in INTERSECTIONS:
                lockstep.hand_in("camera", camera(k, intersection, 15, 8))
            again += lockstep.step((T0 + k) * SECOND)
        assert {r["interseccion"] for r in again if r["report"] == "ACCEPTED"} == set(INTERSECTIONS), "analytics asks again"
        assert not [r for r in again if r["report"] == "REFUSED"], "and for nothing that is over"
        n = n_handed_in(lockstep)
        city.wait(lambda: n_stored(city, "primary") == n, "what it missed is in the stores")
        assert not [title for title in city.processes if "run is invalid" in city.log(title)]


def test_analytics_that_dies_unannounced_makes_the_run_invalid(tmp_path, context):
    with City(tmp_path, {**TICK, "clock.deadline_sec": 1}, services=ALL) as city, Lockstep(city.runtime_dir, context) as lockstep:
        drive(lockstep, 3, 5)
        city.stop("analytics", how=9)
        with pytest.raises(RunInvalid, match="INVALID.*analytics"):
            lockstep.step((T0 + 5) * SECOND)
        city.wait_log("signal", "run is invalid since tick 5")
        city.start("analytics")  # it marks the step in the end, and nobody forgets
        said = []
        while not said or "DONE" not in said[-1]:
            with pytest.raises(RunInvalid, match="step 5: (INVALID|DONE): .*analytics") as told:
                lockstep.wait_done()
            said.append(str(told.value))
        city.wait_fresh_metrics("signal")
        assert city.metric("signal", "traffic_lockstep_faults_total") == 1


def test_a_source_that_does_not_tick_makes_the_run_invalid(tmp_path, context):
    with City(tmp_path, {**TICK, "clock.deadline_sec": 1}, services=ALL) as city, Lockstep(city.runtime_dir, context) as lockstep:
        drive(lockstep, 3, 5)
        missing = lockstep.relays.pop("inductive")
        with pytest.raises(RunInvalid, match="INVALID.*inductive has not sent it"):
            lockstep.step((T0 + 5) * SECOND)
        missing.close()
        city.wait_log("broker", "run is invalid since tick 5")


def test_sources_that_do_not_agree_make_the_run_invalid(tmp_path, context):
    with City(tmp_path, {**TICK, "clock.deadline_sec": 1}, services=ALL) as city, Lockstep(city.runtime_dir, context) as lockstep:
        drive(lockstep, 3, 5)
        for n, relay in enumerate(lockstep.relays.values()):
            relay.put(json.dumps({"k": 5, "t_us": (T0 + 5) * SECOND + n}).encode())
            lockstep.send_all(relay)
        with pytest.raises(RunInvalid, match="INVALID.*as before in this step"):
            lockstep.wait_done()


@pytest.mark.parametrize("k, t_us, why", [(4, T0 + 4, "repeated"), (3, T0 + 3, "late"), (7, T0 + 7, "ahead"), (5, T0, "backwards")])
def test_a_tick_out_of_order_is_refused_where_it_comes_in(tmp_path, context, k, t_us, why):
    with City(tmp_path, TICK, services=ALL) as city, Lockstep(city.runtime_dir, context) as lockstep:
        drive(lockstep, 3, 5)
        lockstep.k = k
        with pytest.raises(RunInvalid, match=f"expected tick 5.*{why}"):
            lockstep.step(t_us * SECOND)
        city.wait_log("sensor@camera", "run is invalid")


def test_a_run_that_is_over_makes_room_for_another(tmp_path, context):
    with City(tmp_path, TICK, services=ALL) as city:
        for run in range(2):
            with Lockstep(city.runtime_dir, context) as lockstep:
                assert drive(lockstep, 3, 20)
                lockstep.step((T0 + 20) * SECOND, last=True)
        assert not [title for title in city.processes if "run is invalid" in city.log(title)]


def test_without_a_simulator_a_tick_is_refused_and_its_words_are_known_by_nobody(tmp_path, context):
    with City(tmp_path, {"sensor.source": "relay"}, services=[("broker", ""), ("signal", ""), ("sensor", "gps")]) as city:
        relay = Relay(city.runtime_dir / "sensor-gps.sock")
        relay.connect()
        relay.put(b'{"k":1,"t_us":1}')
        wait_until(relay.send, "it is sent")

        def answer():
            try:
                return relay.socket.recv(1000)
            except BlockingIOError:
                return None
        # it is read once the broker subscribes
        assert b"expected no tick" in wait_until(answer, "an answer")
        relay.close()
        commands = context.socket(zmq.PUSH)
        commands.linger = 0
        commands.connect("tcp://127.0.0.1:5562")
        commands.send(b'{"report":"MARK","k":1}')
        city.wait_log("signal", r"\[clock\] source is system")


def test_only_who_is_handed_readings_can_tick(tmp_path):
    city = City(tmp_path, {"clock.source": "tick"}, services=[])
    with city:
        process = city.spawn("sensor", "camera")
        wait_until(lambda: not process.is_running(), "it ends")
        assert re.search(r"expected \[sensor\] source = relay", process.log())
        assert city.stop("sensor@camera") == 78
