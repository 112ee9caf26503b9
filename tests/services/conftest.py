import sys
from pathlib import Path

import pytest
import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)
