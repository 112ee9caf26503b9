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
