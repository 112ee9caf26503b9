"""What a user might run instead of the city's broker or way: Debian's servers and two bare programs, each in a directory that it is given.

Each is a context that yields the pids of the processes that do the work. Settings are as shipped, but for an address on loopback, queues that
drop nothing (the client's window bounds them) and the directory; so mosquitto keeps messages in memory, JetStream calls fsync every two
minutes, and RabbitMQ before it confirms."""
import contextlib
import os
import shutil
from pathlib import Path

from bench.processes import Child, PlainCity

MOSQUITTO, NATS, RABBITMQ, EPMD = 1883, 4222, 5672, 4369
NATS_ROUTES = 6222
RABBITMQ_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in PATH becomes another user

MOSQUITTO_CONF = f"""listener {MOSQUITTO} 127.0.0.1
allow_anonymous true
user root
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
"""
RABBITMQ_CONF = f"""listeners.tcp.1 = 127.0.0.1:{RABBITMQ}
"""


def program(name):
    """Its path, or None."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")


@contextlib.contextmanager
def children():
    """A list for processes that are ended, the last one first, when the block is left."""
    started = []
    try:
        yield started
    finally:
        for child in reversed(started):
            child.stop()


@contextlib.contextmanager
def broker(directory, settings):
    with PlainCity(directory, settings=settings, services=[("broker", "")]) as city:
        yield list(city.pids().values())


@contextlib.contextmanager
def middle(directory, role, client):
    """One that needs nothing of the way before it is open; the client waits for that."""
    with children() as started:
        started.append(Child([client, role], directory / "middle.log"))
        yield [started[0].pid]


@contextlib.contextmanager
def mosquitto(directory):
    (directory / "mosquitto.conf").write_text(MOSQUITTO_CONF)
    with children() as started:
        started.append(Child([program("mosquitto"), "-c", directory / "mosquitto.conf"], directory / "mosquitto.log"))
        started[0].wait_port(MOSQUITTO)
        yield [started[0].pid]


def nats_conf(i, n, directory):
    conf = f'server_name: traffic-{i}\nlisten: "127.0.0.1:{NATS + i}"\njetstream {{ store_dir: "{directory}/nats-{i}" }}\n'
    if n > 1:
        routes = ", ".join(f'"nats://127.0.0.1:{NATS_ROUTES + other}"' for other in range(n))
        conf += f'cluster {{ name: traffic, listen: "127.0.0.1:{NATS_ROUTES + i}", routes: [{routes}] }}\n'
    return conf


@contextlib.contextmanager
def nats(directory, n):
    """One server, or a cluster of some; the client waits until it has a leader."""
    with children() as started:
        for i in range(n):
            conf = directory / f"nats-{i}.conf"
            conf.write_text(nats_conf(i, n, directory))
            started.append(Child([program("nats-server"), "-c", conf], directory / f"nats-{i}.log"))
        for i, server in enumerate(started):
            server.wait_port(NATS + i)
        yield [server.pid for server in started]


@contextlib.contextmanager
def rabbitmq(directory):
    (directory / "rabbitmq.conf").write_text(RABBITMQ_CONF)
    (directory / "enabled_plugins").write_text("[].\n")
    (directory / "rabbitmq-env.conf").touch()
    environment = {
        "HOME": str(directory), "RABBITMQ_NODENAME": "traffic@localhost", "RABBITMQ_CONF_ENV_FILE": str(directory / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"), "RABBITMQ_LOG_BASE": str(directory / "log"), "RABBITMQ_LOGS": "-",
        "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the server, which ends in good order on SIGTERM
    }
    with children() as started:
        # The server would leave one behind.
        started.append(Child([program("epmd"), "-address", "127.0.0.1"], directory / "epmd.log", **environment))
        started[-1].wait_port(EPMD)
        started.append(Child([RABBITMQ_SERVER], directory / "rabbitmq.log", **environment))
        started[-1].wait_port(RABBITMQ)
        yield [started[-1].pid]


def is_installed(path_or_name):
    return Path(path_or_name).exists() if "/" in path_or_name else program(path_or_name) is not None
