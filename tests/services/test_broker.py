"""The broker over its real links, in both modes: what it forwards, what it refuses, and peers of the first implementation."""
from brokers import INPUTS, Analytics, Publisher, Sensor, Subscriber, broker, deliver, event, modes
from city import City, wait_until

MANY = 20000
V0 = {"protocol.analytics": "v0"}


@modes
def test_events_with_an_identity_are_forwarded_byte_for_byte(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publishers = {topic: Publisher(context, topic) for topic in INPUTS}
        city.start("broker")
        analytics = Analytics(context)
        sent = []
        for topic, publisher in publishers.items():
            publisher.wait_for_broker()
            sent.append(event(topic, producer_id="mine", epoch=1, seq=1, extra=[1.50]))
            publisher.send(sent[-1] + " ")  # what follows the object means nothing
        analytics.wait(3)
        assert sorted(frame.decode() for frame in analytics.frames) == sorted(sent)


@modes
def test_events_without_identity_get_one_without_gaps(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publishers = {topic: Publisher(context, topic) for topic in INPUTS}
        city.start("broker")
        analytics = Analytics(context)
        for publisher in publishers.values():
            publisher.wait_for_broker()
        for number in range(1000):
            for topic, publisher in publishers.items():
                publisher.send(event(topic, number))
        events = analytics.wait(3000)
    assert {e["producer_id"][:7] for e in events} == {"broker@"}
    assert len({(e["producer_id"], e["epoch"]) for e in events}) == 1
    assert [e["seq"] for e in events] == list(range(1, 3001))  # in the order in which they left
    assert all(e["captured_us"] > 1600000000000000 for e in events)
    for kind in ("camara", "espira_inductiva", "gps"):  # and each sensor in its own
        assert [e["number"] for e in events if e["tipo_sensor"] == kind] == list(range(1000))
    assert city.metric("broker", "traffic_events_identified_total") == 3000


GARBAGE = [b"", b"nonsense", b"gps", b"gps {}", b"gps {\"sensor_id\":", b"\xff\xfe", b"+" + event("gps").encode(), b"gps " + b" " * 20000,
           event("gps", velocidad_promedio="fast").encode()]


@modes
def test_what_is_no_event_is_refused_counted_and_costs_nothing_else(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        publisher = Publisher(context, "gps")
        city.start("broker")
        analytics = Analytics(context)
        publisher.wait_for_broker()
        for frame in GARBAGE:
            publisher.send(frame)
            publisher.send(event("gps"))
        publisher.socket.send_multipart([event("gps").encode(), b"a second frame"])
        publisher.send(event("gps"))
        assert all(e["velocidad_promedio"] == 31.5 for e in analytics.wait(len(GARBAGE) + 1))
        city.wait_log("broker", "velocidad_promedio|radar|nonsense")
    assert city.metric("broker", "traffic_refused_total", link="sensor.gps") == len(GARBAGE) + 1


@modes
def test_sensors_may_come_after_the_broker_and_come_again(tmp_path, context, mode):
    with broker(tmp_path, mode) as city:
        city.start("broker")
        analytics = Analytics(context)
        for life in (1, 2):
            publisher = Publisher(context, "gps").wait_for_broker()
            publisher.send(event("gps", life))
            wait_until(lambda: analytics.read() is not None and analytics.numbers() == list(range(1, life + 1)), "the sensor is heard")
            publisher.socket.close()


@modes
def test_the_whole_road_side_loses_nothing_at_full_speed(tmp_path, context, mode):
    """Three sensors as fast as the links take it, through the broker: each producer's numbers without a gap."""
    with City(tmp_path, settings={"broker.mode": mode, "sensor.speed": 0}, services=[]) as city:
        for kind in ("camera", "inductive", "gps"):
            city.start("sensor", kind)
        city.start("broker")
        analytics = Analytics(context)
        numbers = {}
        for e in analytics.wait(MANY):
            numbers.setdefault(e["producer_id"], []).append(e["seq"])
        assert len(numbers) == 3
        for producer, seqs in numbers.items():
            assert seqs == list(range(1, len(seqs) + 1)), producer


# --- a reader of the first implementation


@modes
def test_a_v0_reader_gets_events_without_a_hop_as_they_come(tmp_path, context, mode):
    with broker(tmp_path, mode, **V0) as city:
        sensor = Sensor(context, "gps")
        process = city.start("broker")
        sensor.wait_for_reader()
        deliver(sensor, range(100))  # they wait for it
        subscriber = Subscriber(context)
        subscriber.wait(100)
        deliver(sensor, range(100, 200))
        subscriber.wait(200)
        assert [e["number"] for e in subscriber.events()] == list(range(200))
        assert all("hop" not in e for e in subscriber.events())
        city.wait(lambda: "200 forwarded, 0 wait" in process.status, "what was sent counts as acknowledged")


@modes
def test_a_slow_v0_reader_loses_nothing(tmp_path, context, mode):
    with broker(tmp_path, mode, **V0) as city:
        sensor = Sensor(context, "gps")
        city.start("broker")
        subscriber = Subscriber(context, high_water_mark=10)
        sensor.wait_for_reader()
        deliver(sensor, range(MANY), note="x" * 500)  # more than the link holds: the rest stays in the spool
        subscriber.wait(MANY)
        assert [e["number"] for e in subscriber.events()] == list(range(MANY))


@modes
def test_what_a_v0_reader_did_not_get_from_a_stopped_broker_it_gets_from_the_next(tmp_path, context, mode):
    with broker(tmp_path, mode, **V0) as city:
        sensor = Sensor(context, "gps")
        process = city.start("broker")
        subscriber = Subscriber(context, high_water_mark=10)
        sensor.wait_for_reader()
        deliver(sensor, range(MANY), note="x" * 500)
        process.child.terminate()
        while process.is_running() and subscriber.socket.poll(5000):  # without a pause: it waits two seconds for its reader
            subscriber.read()
        assert city.stop("broker") == 0
        assert 0 < len(subscriber.read()) < MANY
        city.start("broker")
        subscriber.wait(MANY)
        assert [e["number"] for e in subscriber.events()] == list(range(MANY))
