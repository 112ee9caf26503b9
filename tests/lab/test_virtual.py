"""What makes a virtual machine's relay socket one of this host, without a virtual machine: the stream in between is a pipe."""
import socket

import pytest
from faults.machines import wait_until
from faults.virtual import RelayBridge

KIND = "camera"


class Machine:
    """One whose files are in a directory, and whose commands are this host's."""

    def __init__(self, directory):
        self.directory = directory

    def command_line(self, *command):
        *words, path = command
        return [*words, str(self.directory / path.rpartition("/")[2])]


class Relay:
    """The sensor's end."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.listener.settimeout(20)

    def accept(self):
        client, _ = self.listener.accept()
        client.settimeout(20)
        return client


@pytest.fixture
def relay(tmp_path):
    return Relay(tmp_path / f"sensor-{KIND}.sock")


@pytest.fixture
def bridge(tmp_path):
    """The path of this host's end."""
    path = tmp_path / "here.sock"
    RelayBridge(Machine(tmp_path), KIND, path).start()
    return path


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(20)
    client.connect(str(path))
    return client


def test_packets_stay_packets_both_ways(relay, bridge):
    with connect(bridge) as here, relay.accept() as there:
        packets = [b'{"id":1}', b'{"id":2,"text":"' + b"x" * 4000 + b'"}']
        for packet in packets:
            here.send(packet)
        assert [there.recv(8192) for _ in packets] == packets
        for answer in (b'{"ack":1}', b'{"ack":2}'):
            there.send(answer)
            assert here.recv(8192) == answer


def test_client_learns_that_the_sensor_has_ended_and_the_next_one_is_served(relay, bridge):
    with connect(bridge) as here:
        relay.accept().close()
        assert here.recv(8192) == b""
    with connect(bridge) as here, relay.accept() as there:
        here.send(b'{"id":3}')
        assert there.recv(8192) == b'{"id":3}'


def test_sensor_learns_that_the_client_has_ended(relay, bridge):
    here = connect(bridge)
    with relay.accept() as there:
        here.close()
        assert there.recv(8192) == b""


def test_why_nobody_answers_is_written_down(tmp_path, bridge):
    with connect(bridge) as here:
        assert here.recv(8192) == b""
    wait_until(lambda: "No such file" in (tmp_path / "relay.log").read_text(), "the log says why", 20)
