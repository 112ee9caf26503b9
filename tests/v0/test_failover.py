"""A monitor of the first implementation while PC3 is away."""
import socket

import pytest

from city import City
from peers import HEALTH, HOST, Monitor


@pytest.fixture
def city(tmp_path):
    with City(tmp_path, {"failover.dwell_sec": 0.5}) as running:
        yield running


def status(monitor):
    return monitor.ask("SYSTEM_STATUS")


def test_replica_answers_while_the_primary_is_away_and_says_so(city, peer):
    monitor = peer(Monitor)
    city.wait(lambda: status(monitor)["status"] == "OK", "the primary answers")

    assert city.stop("store@primary") == 0
    city.wait(lambda: status(monitor)["data"]["pc3_alive"] is False, "PC3 is missed")
    reply = status(monitor)
    assert reply["status"] == "FAILOVER"
    assert "replica" in reply["message"].lower()
    assert {"total_sensor_events", "total_green_waves"} <= set(reply["data"]["db_summary"])
    assert "[FAILOVER] PC3 is down. Using replica DB on PC2." in city.log("analytics")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, HEALTH), timeout=5)

    # FAILOVER is a word of SYSTEM_STATUS alone.
    assert monitor.ask("QUERY_HISTORY")["status"] == "OK"
    assert monitor.ask("QUERY_INTERSECTION", interseccion="INT-A1")["status"] == "OK"
    assert monitor.ask("HEALTH_CHECK")["status"] == "OK"

    city.start("store", "primary")
    city.wait(lambda: status(monitor)["status"] == "OK", "the primary answers again")
    assert status(monitor)["data"]["pc3_alive"] is True
    assert peer(Monitor, HEALTH).ask_raw(b"PING") == b"PONG"


def test_a_monitor_gets_a_reply_when_no_store_is_there(city, peer):
    monitor = peer(Monitor)
    city.stop("store@primary")
    city.stop("store@replica")
    for command, members in [("SYSTEM_STATUS", {}), ("QUERY_HISTORY", {}), ("QUERY_INTERSECTION", {"interseccion": "INT-A1"})]:
        assert monitor.ask(command, **members)["status"] in ("OK", "ERROR", "FAILOVER")
    assert monitor.ask("HEALTH_CHECK")["message"] == "PONG"
