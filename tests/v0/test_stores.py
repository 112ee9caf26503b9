"""An analytics of the first implementation feeds our stores and asks whether they live."""
import json
import sqlite3

import pytest

from city import City
from peers import HEALTH, PRIMARY, REPLICA, Monitor, Pusher

STORES = [("primary", PRIMARY, 5575), ("replica", REPLICA, 5576)]
WHEN = "2026-03-01T10:00:00Z"

# Only what is required, so that the defaults show.
BARE = {
    "sensor_event": {"sensor_id": "CAM-V0", "tipo_sensor": "camara", "interseccion": "INT-A1", "timestamp": WHEN},
    "congestion_record": {"interseccion": "INT-A1", "traffic_state": "CONGESTION", "decision": "EXTEND_GREEN", "timestamp": WHEN},
    "semaphore_state": {"interseccion": "INT-A1", "state_ns": "GREEN", "state_ew": "RED", "timestamp": WHEN},
    "priority_action": {"action_type": "GREEN_WAVE", "target": "row_B", "timestamp": WHEN},
}
DEFAULTS = {
    "sensor_events": {"event_data": "{}"},
    "congestion_history": {"details": "", "sensor_data": None},
    "semaphore_states": {"reason": "", "cycle_duration_sec": 15},
    "priority_actions": {"reason": "", "requested_by": "system", "affected_intersections": "[]"},
}
FULL = {
    "sensor_event": {"event_data": {"volumen": 12}},
    "congestion_record": {"details": "Q=12", "sensor_data": {"Q": 12, "Vp": 14.0, "D": 9}},
    "semaphore_state": {"reason": "plan", "cycle_duration_sec": 25},
    "priority_action": {"reason": "ambulance", "requested_by": "user", "affected_intersections": ["INT-B1", "INT-B2"]},
}
TABLES = dict(zip(BARE, DEFAULTS))


def rows(database, table):
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")]


@pytest.mark.parametrize("role,port,query_port", STORES)
def test_every_record_type_lands_in_its_table(tmp_path, peer, role, port, query_port):
    """The file is looked at when its store has gone: while it runs nobody else opens it."""
    with City(tmp_path, services=[("store", role)]) as city:
        pusher, asker = peer(Pusher, port), peer(Monitor, query_port)
        for kind, bare in BARE.items():
            pusher.push({"type": kind, "data": bare})
            pusher.push({"type": kind, "data": {**bare, **FULL[kind]}})
        totals = {"total_sensor_events": 2, "total_congestion_detections": 2, "total_green_waves": 2, "total_semaphore_changes": 2}
        city.wait(lambda: totals.items() <= asker.ask("SYSTEM_STATUS")["data"]["db_summary"].items(), "all records are stored")
        state_dir = city.processes[f"store@{role}"].state_dir
        assert city.stop(f"store@{role}") == 0
    [database] = state_dir.rglob("*.db")
    for kind, table in TABLES.items():
        bare, full = rows(database, table)
        assert {**BARE[kind], **DEFAULTS[table]}.items() <= bare.items()
        assert BARE[kind].items() <= full.items()
        for name, value in FULL[kind].items():
            stored = json.loads(full[name]) if isinstance(value, (dict, list)) else full[name]
            assert stored == value
        assert bare["id"] < full["id"] and bare["created_at"]


def test_ping_is_answered_with_pong(city, peer):
    asker = peer(Monitor, HEALTH)
    for _ in range(3):
        assert asker.ask_raw(b"PING") == b"PONG"


@pytest.mark.parametrize("request_bytes", [b"", b"ping", b"PING\0", b"PING ", b'{"command":"PING"}', b"\xff\xfe"])
def test_anything_else_is_answered_with_error_never_with_silence(city, peer, request_bytes):
    asker = peer(Monitor, HEALTH)
    assert asker.ask_raw(request_bytes) == b"ERROR"
    assert asker.ask_raw(b"PING") == b"PONG"
