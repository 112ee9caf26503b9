"""Sensors of the first implementation publish; its subscribers read what our broker forwards."""
import pytest

from peers import CAMERA, GPS, INDUCTIVE, Sensor, Subscriber, camera, gps, loop

KINDS = [("camara", CAMERA, camera), ("espira", INDUCTIVE, loop), ("gps", GPS, gps)]


def connected(city, sensor, subscriber, topic, event):
    """Publishes until the subscriber hears it: a subscription takes its time to arrive."""
    sensor.wait_subscriber()

    def heard():
        sensor.publish(topic, event)
        return subscriber.receive(50)
    city.wait(heard, "the broker forwards an event")
    while subscriber.receive(50):
        pass


@pytest.mark.parametrize("topic,port,make", KINDS)
def test_event_reaches_a_subscriber_in_one_frame_with_all_its_members(city, peer, topic, port, make):
    sensor, subscriber = peer(Sensor, port), peer(Subscriber)
    connected(city, sensor, subscriber, topic, make("INT-A1"))
    sent = make("INT-B2", sensor="V0-1")
    sensor.publish(topic, sent)
    heard_topic, heard = subscriber.receive()
    assert heard_topic == topic
    assert {name: heard[name] for name in sent} == sent


def test_a_sensor_that_returns_is_found_within_the_half_second_v0_waits(city, peer):
    first = peer(Sensor, CAMERA)
    first.wait_subscriber()
    first.close()
    again = peer(Sensor, CAMERA)
    again.wait_subscriber(within_msec=500)


def test_topics_are_prefixes(city, peer):
    camera_sensor, gps_sensor = peer(Sensor, CAMERA), peer(Sensor, GPS)
    everything, only_gps = peer(Subscriber), peer(Subscriber, b"gps")
    connected(city, camera_sensor, everything, "camara", camera("INT-A1"))
    connected(city, gps_sensor, only_gps, "gps", gps("INT-A1"))
    camera_sensor.publish("camara", camera("INT-A1", sensor="CAM-LAST"))
    gps_sensor.publish("gps", gps("INT-A1", sensor="GPS-LAST"))
    assert only_gps.receive()[1]["sensor_id"] == "GPS-LAST"
    assert only_gps.receive(200) is None


def test_integers_and_floats_are_alike(city, peer):
    sensor, subscriber = peer(Sensor, CAMERA), peer(Subscriber)
    connected(city, sensor, subscriber, "camara", camera("INT-A1"))
    sensor.publish("camara", camera("INT-A1", queue=12.0, speed=14))
    _, heard = subscriber.receive()
    assert (heard["volumen"], heard["velocidad_promedio"]) == (12, 14)


def test_members_nobody_knows_do_no_harm(city, peer):
    sensor, subscriber = peer(Sensor, CAMERA), peer(Subscriber)
    connected(city, sensor, subscriber, "camara", camera("INT-A1"))
    sensor.publish("camara", camera("INT-A1", sensor="CAM-MORE", firmware={"version": [1, 2]}))
    assert subscriber.receive()[1]["sensor_id"] == "CAM-MORE"
