import sys
from pathlib import Path

import pytest
import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

from city import City  # noqa: E402
import peers  # noqa: E402


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Broker, analytics, signal and both stores, without sensors of ours: here the sensors are v0's. Sensor intervals as long as the tests
    are, so that no reading grows stale in the middle of one."""
    settings = {"sensor.camera_interval_sec": 600, "sensor.gps_interval_sec": 600, "sensor.inductive_interval_sec": 600}
    with City(tmp_path_factory.mktemp("city"), settings) as running:
        yield running


@pytest.fixture
def peer():
    """Makes peers and closes them with the test: peer(Monitor), peer(Sensor, CAMERA)."""
    context = zmq.Context()
    made = []  # a peer nobody refers to any more would close at once

    def make(kind, *arguments, **options):
        made.append(kind(context, *arguments, **options))
        return made[-1]

    yield make
    context.destroy()


@pytest.fixture
def monitor(peer):
    return peer(peers.Monitor)
