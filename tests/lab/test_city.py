"""What a user sees after `lab up`."""
import json
import re

from conftest import ADDRESS, EXIT_DEGRADED, ask, wait_until

QUERY_PRIMARY, QUERY_REPLICA = 5575, 5576
ROW_B = ["INT-B1", "INT-B2", "INT-B3", "INT-B4"]
WAVE_TURNS_GREEN_SEC = 7  # minimum green and all-red
WAVE_HOLDS_SEC = 30


def lights(lab, intersection):
    data = lab.trafficctl("pc3", "intersection", intersection)[1]["data"]
    return data["semaphore_state"]["state_ns"], data["semaphore_state"]["state_ew"]


def test_status_shows_sixteen_intersections_and_arriving_events(city):
    status = city.status()
    assert status["total_intersections"] == 16
    assert status["pc3_alive"] is True
    city.wait_city_moves()


def test_status_can_be_asked_on_every_machine(city):
    for machine in ADDRESS:
        code, reply = city.trafficctl(machine, "status")
        assert code == 0 and reply["status"] == "OK"


def test_both_stores_hold_the_same_events_within_a_second(city):
    city.wait_city_moves()

    def same_set():
        request = {"command": "SYSTEM_STATUS"}
        primary = ask("pc3", QUERY_PRIMARY, request)["data"]["event_set"]
        replica = ask("pc2", QUERY_REPLICA, request)["data"]["event_set"]
        return primary["count"] > 0 and primary == replica

    wait_until(same_set, "primary and replica hold the same set of events", 1)


def test_signal_logs_changes_with_their_latency(city):
    mark = city.journal_mark("pc2", "traffic-signal")

    def latency_lines():
        return [line for line in city.journal("pc2", "traffic-signal", mark) if line.startswith("[LATENCY] ")]

    lines = wait_until(latency_lines, "a request to the lights was timed", 40)
    assert all(re.fullmatch(r"\[LATENCY\] INT-[A-D][1-4]: \d+\.\d+ ms", line) for line in lines)
    change = r"\[INT-[A-D][1-4]\] NS: (RED|GREEN)->(RED|GREEN), EW: (RED|GREEN)->(RED|GREEN) \(reason: .*\)"
    wait_until(lambda: any(re.fullmatch(change, line) for line in city.journal("pc2", "traffic-signal", mark)),
               "a change of lights was logged", 40)


def test_latency_is_a_field_of_the_journal(city):
    def newest():
        return city.execute("pc2", "journalctl", "--unit=traffic-signal", "--grep=LATENCY", "--lines=1", "--output=json",
                            check=False).stdout.strip()

    entry = json.loads(wait_until(newest, "a latency entry", 40))
    assert int(entry["LATENCY_US"]) >= 0
    assert entry["MESSAGE_ID"]


def test_counters_can_be_read_by_a_collector_that_is_another_user(city):
    def counters():
        return city.execute("pc2", "setpriv", "--reuid=nobody", "--clear-groups", "cat",
                            "/run/traffic/metrics/traffic-analytics.prom", check=False).stdout

    assert "traffic_events_total" in wait_until(counters, "counters are written", 10)


def test_wave_turns_its_row_green_and_gives_it_back(city):
    code, _ = city.trafficctl("pc3", "wave", "row", "B", "--reason", "ambulance")
    assert code == 0
    wait_until(lambda: all(lights(city, i) == ("RED", "GREEN") for i in ROW_B), "row B is EW green", WAVE_TURNS_GREEN_SEC)
    assert set(ROW_B) <= set(city.status()["currently_green_wave"])
    wait_until(lambda: not city.status()["currently_green_wave"], "the wave ends", WAVE_HOLDS_SEC + 2)
    # The plan's green follows, so the cross street is green at last.
    wait_until(lambda: any(lights(city, i) == ("GREEN", "RED") for i in ROW_B), "the cross street gets its green back", 30)


def test_cut_between_pc2_and_pc3_is_a_failover_and_healing_a_recovery(city):
    mark = city.journal_mark("pc2", "traffic-analytics")
    city.run("cut", "pc2", "pc3")

    def told(word):
        return any(word in line for line in city.journal("pc2", "traffic-analytics", mark))

    wait_until(lambda: told("[FAILOVER] PC3 is down. Using replica DB on PC2."), "failover is logged", 5)
    assert city.trafficctl("pc2", "status")[0] == EXIT_DEGRADED
    assert json.loads(city.run("status", "--json").stdout)["cuts"] == [["pc2", "pc3"], ["pc3", "pc2"]]
    city.run("heal")
    wait_until(lambda: told("[RECOVERY]"), "recovery is logged", 15)
    wait_until(lambda: city.trafficctl("pc2", "status")[0] == 0, "the primary answers", 5)
