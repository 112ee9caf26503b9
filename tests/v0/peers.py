"""Peers as the first implementation has them: pyzmq sockets, json.dumps, one frame a message. Written from the description of the wire
alone; nothing in here knows how the services are made."""
import json
import time

import zmq

from city import wait_until

HOST = "127.0.0.1"
CAMERA, INDUCTIVE, GPS, BROKER, QUERIES, SIGNAL, PRIMARY, REPLICA, HEALTH = (
    5555, 5556, 5557, 5560, 5561, 5562, 5563, 5564, 5565)

# A v0 monitor gives up after 10 s, and for good.
REPLY_WITHIN_MSEC = 10_000
QUERY_MEMBERS = ("interseccion", "timestamp_inicio", "timestamp_fin", "row", "column", "new_state", "reason", "timestamp")


def timestamp(seconds_ago=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def camera(intersection, queue=12, speed=14.0, sensor="CAM-V0", **more):
    return {"sensor_id": sensor, "tipo_sensor": "camara", "interseccion": intersection, "volumen": queue,
            "velocidad_promedio": speed, "timestamp": timestamp(), **more}


def loop(intersection, vehicles=9, sensor="ESP-V0", **more):
    return {"sensor_id": sensor, "tipo_sensor": "espira_inductiva", "interseccion": intersection, "vehiculos_contados": vehicles,
            "intervalo_segundos": 30, "timestamp_inicio": timestamp(30), "timestamp_fin": timestamp(), **more}


def gps(intersection, speed=25.0, sensor="GPS-V0", **more):
    level = "ALTA" if speed < 10 else "NORMAL" if speed <= 40 else "BAJA"
    return {"sensor_id": sensor, "tipo_sensor": "gps", "interseccion": intersection, "nivel_congestion": level,
            "velocidad_promedio": speed, "timestamp": timestamp(), **more}


def event_frame(topic, event):
    return f"{topic} {json.dumps(event)}".encode()


class Peer:
    """A socket of one of the patterns; closed with the test."""

    def __init__(self, context, pattern, linger=0):
        self.socket = context.socket(pattern)
        self.socket.setsockopt(zmq.LINGER, linger)

    def close(self):
        self.socket.close()


class Sensor(Peer):
    """Binds its port and publishes. XPUB instead of PUB lets the test see the broker's subscription; to the broker it is the same."""

    def __init__(self, context, port):
        super().__init__(context, zmq.XPUB)
        wait_until(lambda: self.bind(port), f"port {port} is free")

    def bind(self, port):
        """False while a sensor that was closed just now still holds the port: ZeroMQ closes in the background."""
        try:
            self.socket.bind(f"tcp://*:{port}")
            return True
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            return False

    def wait_subscriber(self, within_msec=5000):
        assert self.socket.poll(within_msec), f"nobody subscribed within {within_msec} ms"
        message = self.socket.recv()
        assert message[:1] == b"\x01"
        return message[1:]

    def publish(self, topic, event):
        self.socket.send(event_frame(topic, event))

    def publish_bytes(self, *frames):
        self.socket.send_multipart(frames)


class Subscriber(Peer):
    def __init__(self, context, topic=b"", port=BROKER):
        super().__init__(context, zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self.socket.connect(f"tcp://{HOST}:{port}")

    def receive(self, within_msec=5000):
        """One event as (topic, object), or None. Fails when it is not what a v0 broker or analytics can take."""
        if not self.socket.poll(within_msec):
            return None
        frames = self.socket.recv_multipart()
        assert len(frames) == 1, f"a message of {len(frames)} frames"
        return strict_event(frames[0])


class Monitor(Peer):
    """REQ, one question at a time, every member sent, null where unused."""

    def __init__(self, context, port=QUERIES):
        super().__init__(context, zmq.REQ)
        self.socket.connect(f"tcp://{HOST}:{port}")

    def ask(self, command, **members):
        assert set(members) <= set(QUERY_MEMBERS)
        request = {"command": command, **dict.fromkeys(QUERY_MEMBERS), **members}
        return self.ask_bytes(json.dumps(request).encode())

    def ask_bytes(self, request):
        return strict_reply(self.ask_raw(request))

    def ask_raw(self, request):
        self.socket.send(request)
        assert self.socket.poll(REPLY_WITHIN_MSEC), "no reply within 10 s: a v0 monitor would be locked now"
        frames = self.socket.recv_multipart()
        assert len(frames) == 1, f"a reply of {len(frames)} frames locks a v0 monitor"
        return frames[0]


class Pusher(Peer):
    def __init__(self, context, port):
        super().__init__(context, zmq.PUSH, linger=2000)
        self.socket.connect(f"tcp://{HOST}:{port}")

    def push(self, message):
        self.socket.send(json.dumps(message).encode())

    def push_bytes(self, *frames):
        self.socket.send_multipart(frames)


def refuse_constant(word):
    raise AssertionError(f"{word} is no JSON")


def no_repetition(pairs):
    assert len(dict(pairs)) == len(pairs), f"a member twice: {pairs}"
    return dict(pairs)


def strict_object(data):
    """One JSON object: strict UTF-8, no NUL, no NaN, no lone surrogate, nothing behind it."""
    assert b"\0" not in data
    found = json.loads(data.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=no_repetition)
    assert isinstance(found, dict), found
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def strict_event(frame):
    topic, space, body = frame.partition(b" ")
    assert space, frame
    event = strict_object(body)
    assert None not in event.values(), "what is unknown is left out, never null"
    return topic.decode(), event


def strict_reply(data):
    reply = strict_object(data)
    missing = {"status", "command", "message", "data", "timestamp"} - set(reply)
    assert not missing, f"reply without {missing}: {reply}"
    assert reply["status"] in ("OK", "ERROR", "FAILOVER")
    assert isinstance(reply["message"], str)
    assert reply["data"] is None or isinstance(reply["data"], dict)
    time.strptime(reply["timestamp"], "%Y-%m-%dT%H:%M:%SZ")
    return reply
