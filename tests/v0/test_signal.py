"""An analytics of the first implementation commands our lights."""
import re
import time

from peers import SIGNAL, Pusher, timestamp


def command(intersection, new_state, **more):
    return {"interseccion": intersection, "new_state": new_state, "reason": "congestion detected (Q=12, Vp=14.0, D=9)",
            "duration_override_sec": None, "created_at": time.time(), "timestamp": timestamp(), **more}


def test_green_and_red_are_requests_for_ns_and_ew(city, peer):
    pusher = peer(Pusher, SIGNAL)
    pusher.push(command("INT-B3", "GREEN"))
    city.wait_log("signal", r"^\[INT-B3\] .*NS: RED->GREEN.*\(reason: congestion detected \(Q=12, Vp=14\.0, D=9\)")
    pusher.push(command("INT-B3", "RED"))
    city.wait_log("signal", r"^\[INT-B3\] .*EW: RED->GREEN.*\(reason: congestion detected")


def test_latency_is_written_as_scripts_scrape_it(city, peer):
    peer(Pusher, SIGNAL).push(command("INT-B4", "GREEN"))
    line = city.wait_log("signal", r"^\[LATENCY\] INT-B4: (\d+\.\d\d) ms$")
    assert 0 <= float(line[1]) < 1000


def test_no_latency_without_the_time_of_creation(city, peer):
    pusher = peer(Pusher, SIGNAL)
    bare = command("INT-C3", "GREEN")
    for name in ("created_at", "reason", "duration_override_sec", "timestamp"):
        del bare[name]
    pusher.push(bare)
    pusher.push(command("INT-C4", "GREEN"))
    city.wait_log("signal", r"^\[LATENCY\] INT-C4: ")
    assert not re.search(r"\[LATENCY\] INT-C3", city.log("signal"))


def test_never_both_green(city, peer):
    pusher = peer(Pusher, SIGNAL)
    for _ in range(50):
        pusher.push(command("INT-D1", "GREEN"))
        pusher.push(command("INT-D1", "RED"))
    city.wait_log("signal", r"^\[INT-D1\] .*->GREEN")
    shown = {"NS": "RED", "EW": "RED"}
    for line in re.findall(r"^\[INT-D1\] (.*)$", city.log("signal"), re.MULTILINE):
        for direction, colour in re.findall(r"(NS|EW): \w+->(\w+)", line):
            shown[direction] = colour
        assert shown != {"NS": "GREEN", "EW": "GREEN"}, line
