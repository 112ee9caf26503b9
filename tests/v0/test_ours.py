"""What our processes send is what peers of the first implementation can take: its subscriber hears our sensors, its signal process is
commanded by our analytics."""
import json

import pytest
import zmq

from city import SENSORS, City
from peers import SIGNAL, Monitor, Peer, Subscriber, strict_object

MEMBERS = {
    "camara": {"sensor_id", "tipo_sensor", "interseccion", "volumen", "velocidad_promedio", "timestamp"},
    "espira": {"sensor_id", "tipo_sensor", "interseccion", "vehiculos_contados", "intervalo_segundos", "timestamp_inicio",
               "timestamp_fin"},
    "gps": {"sensor_id", "tipo_sensor", "interseccion", "nivel_congestion", "velocidad_promedio", "timestamp"},
}
TYPES = {"camara": "camara", "espira": "espira_inductiva", "gps": "gps"}
RANGES = {"camara": [("volumen", 0, 20), ("velocidad_promedio", 5, 50)], "espira": [("vehiculos_contados", 0, 30)],
          "gps": [("velocidad_promedio", 5, 55)]}


class Signal(Peer):
    """Binds 5562 as v0's signal process does."""

    def __init__(self, context):
        super().__init__(context, zmq.PULL)
        self.socket.bind(f"tcp://*:{SIGNAL}")

    def receive(self, within_msec=5000):
        if not self.socket.poll(within_msec):
            return None
        frames = self.socket.recv_multipart()
        assert len(frames) == 1, "a v0 signal executes each frame"
        return strict_object(frames[0])


def check_reading(topic, event):
    assert MEMBERS[topic] <= set(event)
    assert event["tipo_sensor"] == TYPES[topic]
    for member, low, high in RANGES[topic]:
        assert low <= event[member] <= high
    if topic == "gps":
        speed = event["velocidad_promedio"]
        assert event["nivel_congestion"] == ("ALTA" if speed < 10 else "NORMAL" if speed <= 40 else "BAJA")


@pytest.mark.parametrize("mode", ["standard", "threaded"])
def test_readings_have_all_members_within_their_ranges(tmp_path, peer, mode):
    settings = {"sensor.speed": 60, "broker.mode": mode, "protocol.analytics": "v0"}
    with City(tmp_path, settings, [("broker", ""), *SENSORS]):
        subscribers = {topic: peer(Subscriber, topic.encode()) for topic in MEMBERS}  # nothing leaves before each topic has one
        for topic, subscriber in subscribers.items():
            for _ in range(50):
                heard_topic, event = subscriber.receive()
                assert heard_topic == topic
                check_reading(topic, event)


def test_a_v0_signal_process_understands_our_command(tmp_path, peer):
    with City(tmp_path, services=[("analytics", ""), ("store", "primary"), ("store", "replica")]) as city:
        lights, monitor = peer(Signal), peer(Monitor)
        # A light that cannot be reached yet is an error, not silence.
        city.wait(lambda: monitor.ask("FORCE_SEMAPHORE", interseccion="INT-A1", new_state="GREEN", reason="v0")["status"] == "OK",
                  "analytics reaches the lights")
        command = lights.receive()
        assert (command["interseccion"], command["new_state"]) == ("INT-A1", "GREEN")
        assert isinstance(command.get("reason", ""), str)
        assert isinstance(command["created_at"], float | int)
        json.dumps(command)
