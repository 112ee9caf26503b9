"""trafficctl and whom it asks, when analytics is away: stand-ins for the stores' query links answer it."""
import json
import os
import subprocess
import threading

import pytest
import zmq

BUILD = os.environ["TRAFFIC_BUILD"]
PRIMARY, REPLICA = 5575, 5576
UNAVAILABLE = {"status": "ERROR", "cause": "UNAVAILABLE", "message": "the file is closed", "answered_by": "primary"}
SUMMARY = {"status": "OK", "message": "from the replica", "answered_by": "replica", "data": {"total_intersections": 16}}


@pytest.fixture
def stand_in(context):
    """stand_in(port, reply) answers one question there; returns the questions it was asked. It stays connected: an answer whose connection
    ends at once may be lost with it."""
    threads, sockets = [], []

    def start(port, reply):
        asked = []
        socket = context.socket(zmq.ROUTER)
        sockets.append(socket)
        socket.bind(f"tcp://127.0.0.1:{port}")

        def answer():
            if socket.poll(10_000):
                *envelope, question = socket.recv_multipart()
                asked.append(json.loads(question))
                socket.send_multipart([*envelope, json.dumps({**reply, "query_id": asked[-1]["query_id"]}).encode()])
        thread = threading.Thread(target=answer)
        thread.start()
        threads.append(thread)
        return asked
    yield start
    for thread in threads:
        thread.join()


def status():
    done = subprocess.run([f"{BUILD}/services/trafficctl/trafficctl", "--json", "--timeout", "6", "status"], capture_output=True, text=True,
                          check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def test_a_store_whose_file_is_closed_is_not_the_last_word(stand_in):
    stand_in(PRIMARY, UNAVAILABLE)
    stand_in(REPLICA, SUMMARY)
    code, reply = status()
    assert code == 6
    assert reply["message"] == "from the replica"


def test_when_no_store_can_answer_the_last_one_says_why(stand_in):
    stand_in(PRIMARY, UNAVAILABLE)
    replica = stand_in(REPLICA, {**UNAVAILABLE, "message": "the replica's file is closed", "answered_by": "replica"})
    code, reply = status()
    assert code == 4
    assert reply["message"] == "the replica's file is closed"
    assert [question["command"] for question in replica] == ["SYSTEM_STATUS"]


def test_another_error_of_a_store_is_the_answer(stand_in):
    stand_in(PRIMARY, {**UNAVAILABLE, "cause": "BAD_REQUEST", "message": "no"})
    replica = stand_in(REPLICA, SUMMARY)
    code, _ = status()
    assert code != 0
    subprocess.run([f"{BUILD}/services/trafficctl/trafficctl", "--host", "127.0.0.1", "--timeout", "1", "health"], capture_output=True, check=False)
    assert [question["command"] for question in replica] == ["HEALTH_CHECK"]


QUERIES = 5561
STOPS = [{"intersection": "INT-A1", "phase": "row", "state": "ASKED", "asked_in": 0, "passes_in": 12.5, "until": 17.1}]


def order(*words):
    done = subprocess.run([f"{BUILD}/services/trafficctl/trafficctl", "--timeout", "6", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("words,expected", [
    (["wave", "row", "B", "--reason", "fire"], {"command": "FORCE_GREEN_WAVE", "row": "B", "reason": "fire"}),
    (["wave", "row", "B", "column", "3", "--duration", "60"], {"row": "B", "column": 3, "duration_override_sec": 60}),
    (["wave", "route", "INT-A1", "INT-A2", "--progressive", "--priority", "8", "--speed", "70", "--eta", "20"],
     {"route": ["INT-A1", "INT-A2"], "mode": "progressive", "priority": 8, "speed_kmh": 70, "eta_sec": 20}),
    (["wave", "move", "row_B", "INT-B2", "120.5"],
     {"command": "MOVE_GREEN_WAVE", "wave": "row_B", "interseccion": "INT-B2", "distance_m": 120.5}),
    (["wave", "cancel", "row_B"], {"command": "CANCEL_GREEN_WAVE", "wave": "row_B"}),
    (["policy", "INT-A1", "planner"], {"command": "SET_POLICY", "interseccion": "INT-A1", "policy": "planner"}),
    (["policy", "all", "rules", "--reason", "test"], {"command": "SET_POLICY", "policy": "rules", "reason": "test"}),
    (["release", "INT-A1"], {"command": "RELEASE_SIGNAL", "interseccion": "INT-A1"}),
])
def test_an_order_says_what_was_typed_and_prints_the_answer(stand_in, words, expected):
    asked = stand_in(QUERIES, {"status": "OK", "message": "so be it", "data": {"stops": STOPS}})
    code, output = order(*words)
    assert code == 0 and "so be it" in output, output
    assert expected.items() <= asked[0].items()
    assert ("INT-A1" in output and "12.5" in output) == ("--progressive" in words)
    if words[:2] == ["policy", "all"]:
        assert "interseccion" not in asked[0]


@pytest.mark.parametrize("words", [
    ["wave", "row"], ["wave", "row", "B", "row", "C"], ["wave", "column", "x"], ["wave", "move", "row_B", "INT-B2"],
    ["wave", "move", "row_B", "INT-B2", "far"], ["wave", "cancel", "a", "b"], ["wave", "row", "B", "--priority", "10"],
    ["policy", "all"], ["release"], ["signal", "INT-A1", "NS", "--progressive"],
])
def test_an_order_that_is_not_one_is_refused_before_anybody_is_asked(words):
    code, output = order(*words)
    assert code == 2, output


def test_policy_shows_who_chooses_and_on_what(stand_in):
    stand_in(QUERIES, {"status": "OK", "data": {"intersection": "INT-A1", "control": {
        "policy": "planner", "chosen_by": "sensors", "rung": "loops", "wants": "row", "phase": "column", "groups": "rG", "mode": "COMMANDED"}}})
    code, output = order("policy", "INT-A1")
    assert code == 0
    for word in ("planner", "sensors", "loops", "row", "column", "rG", "COMMANDED"):
        assert word in output
