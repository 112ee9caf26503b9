"""The signal service over its real links: what it reports, what it refuses, and that nothing on its links stops the lights."""
import json
import re
import time

import pytest
import zmq

from city import City, wait_until

COMMANDS, REPORTS = "tcp://127.0.0.1:5562", "tcp://127.0.0.1:5570"
INTERSECTIONS = {f"INT-{row}{column}" for row in "ABCD" for column in (1, 2, 3, 4)}
# As short as the floors allow: 5 s green, 1 s all-red.
QUICK = {"signal.green_sec": 5, "signal.min_green_sec": 5, "signal.all_red_sec": 1}


class Listener:
    """Keeps every report it was sent, in order."""

    def __init__(self, context, **options):
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.socket.subscribe(b"")
        self.socket.connect(REPORTS)
        self.reports = []

    def read(self):
        try:
            while True:
                frames = self.socket.recv_multipart(zmq.DONTWAIT)
                assert len(frames) == 1
                self.reports.append(json.loads(frames[0]))
        except zmq.Again:
            return self.reports

    def wait(self, accept, what, deadline_sec=20):
        """The first report, from now or before, that is accepted."""
        return wait_until(lambda: next((r for r in self.read() if accept(r)), None), what, deadline_sec)

    def outcome(self, command_id):
        return self.wait(lambda r: r.get("command_id") == command_id, f"the outcome of {command_id}")


class Commander:
    def __init__(self, context):
        self.socket = context.socket(zmq.PUSH)
        self.socket.linger = 0
        self.socket.connect(COMMANDS)

    def ask(self, intersection, new_state="GREEN", **more):
        self.socket.send(json.dumps({"interseccion": intersection, "new_state": new_state, **more}).encode())


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def city(tmp_path):
    with City(tmp_path, QUICK, services=[("signal", "")]) as city:
        yield city


def assert_history_is_safe(reports):
    """From the reports alone: never both green, minimum green, all-red between, nothing missing in the sequence."""
    assert [r["seq"] for r in reports] == list(range(reports[0]["seq"], reports[0]["seq"] + len(reports)))
    last = {}
    for report in reports:
        name, shown, at = report["interseccion"], (report["state_ns"], report["state_ew"]), report["captured_us"]
        assert shown != ("GREEN", "GREEN"), report
        if report["report"] != "CHANGE":
            continue
        if name in last:
            before, since = last[name]
            assert shown != before, report
            least_usec = 1_000_000 if before == ("RED", "RED") else 5_000_000
            assert at - since >= least_usec - 1000, report  # wall clock beside the loop's own: a millisecond
            assert "GREEN" not in shown or before == ("RED", "RED"), report
        last[name] = (shown, at)


def test_every_subscriber_is_sent_the_whole_state(city, context):
    for _ in range(2):
        listener = Listener(context)
        wait_until(lambda: {r["interseccion"] for r in listener.read() if r["report"] == "STATE"} == INTERSECTIONS,
                   "the state of every intersection")
        listener.socket.close()


def test_a_change_is_reported_with_its_all_red_and_written_once(city, context):
    listener, commander = Listener(context), Commander(context)
    listener.wait(lambda r: r["report"] == "CHANGE" and r["state_ew"] == "GREEN", "the first green")
    commander.ask("INT-B3", reason="congestion detected (Q=12, Vp=14.0, D=9)", duration_override_sec=7,
                  created_at=time.time(), command_id="one")
    accepted = listener.outcome("one")
    assert accepted["report"] == "ACCEPTED" and 0 <= accepted["wait_us"] <= 6_000_000
    green = listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-B3" and r["state_ns"] == "GREEN",
                          "NS is green at INT-B3")
    assert green["state_ew"] == "RED" and green["cycle_duration_sec"] == 7 and green["next_change_us"] == 7_000_000
    of_b3 = [r for r in listener.reports if r["interseccion"] == "INT-B3" and r["report"] == "CHANGE"]
    assert [(r["state_ns"], r["state_ew"]) for r in of_b3] == [("RED", "GREEN"), ("RED", "RED"), ("GREEN", "RED")]
    city.wait_log("signal", r"^\[LATENCY\] INT-B3: \d+\.\d\d ms$")
    city.wait_log("signal", r"^\[INT-B3\] NS: RED->GREEN, EW: GREEN->RED "
                            r"\(reason: congestion detected \(Q=12, Vp=14\.0, D=9\), cycle: 7s\)$")
    assert len(re.findall(r"^\[INT-B3\] ", city.log("signal"), re.MULTILINE)) == 2  # the first green, and this one
    listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-B3" and r["reason"] == "plan"
                  and r["state_ew"] == "GREEN", "the plan goes on with the cross street")
    assert_history_is_safe(listener.reports)


def test_a_row_turns_green_as_a_wave_and_is_given_back(city, context):
    listener, commander = Listener(context), Commander(context)
    row = [f"INT-B{column}" for column in (1, 2, 3, 4)]
    listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-B1" and r["state_ns"] == "GREEN", "NS is green")
    for name in row:
        commander.ask(name, "RED", action="WAVE", direction="EW", duration_override_sec=8, reason="ambulance", command_id=name)
    for name in row:
        assert listener.outcome(name)["report"] == "ACCEPTED"
    commander.ask("INT-B2", action="FORCE", direction="NS", command_id="outranked")
    refused = listener.outcome("outranked")
    assert refused["report"] == "REFUSED" and "wave" in refused["reason"]
    for name in row:
        green = listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == name and r["reason"] == "ambulance"
                              and r["state_ew"] == "GREEN", f"the wave at {name}")
        assert green["cycle_duration_sec"] == 8
    newcomer = Listener(context)
    for name in INTERSECTIONS:
        state = newcomer.wait(lambda r: r["report"] == "STATE" and r["interseccion"] == name, f"the state of {name}")
        assert (0 < state["wave_us"] <= 8_000_000) if name in row else "wave_us" not in state
    newcomer.socket.close()
    for name in row:
        listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == name and r["reason"] == "plan"
                      and r["state_ns"] == "GREEN" and r["seq"] > green["seq"], f"{name} is given back")
    assert_history_is_safe(listener.reports)


def test_what_cannot_be_taken_is_refused_and_said(city, context):
    listener, commander = Listener(context), Commander(context)
    listener.wait(lambda r: r["report"] == "STATE", "the subscription")
    commander.ask("INT-B9", command_id="nowhere")
    refused = listener.outcome("nowhere")
    assert refused["report"] == "REFUSED" and 'did you mean "INT-B' in refused["reason"]
    commander.ask("INT-B3", created_at=time.time() - 60, command_id="stale")
    assert "created_at" in listener.outcome("stale")["reason"]
    commander.ask("INT-B3", created_at=time.time() + 3600, command_id="ahead")
    assert "ahead" in listener.outcome("ahead")["reason"]
    for garbage in (b"", b"\xff", b"{}", b'{"interseccion":"INT-B3","new_state":"BLUE"}', b"[" * 5000, b"x" * 60000):
        commander.socket.send(garbage)
    commander.socket.send_multipart([b"two", b"frames"])
    commander.ask("INT-B3", command_id="after")
    assert listener.outcome("after")["report"] == "ACCEPTED"
    city.wait_fresh_metrics("signal")
    assert city.metric("signal", "traffic_refused_total") == 10
    assert city.metric("signal", "traffic_refused_total", reason="stale") == 2
    assert city.metric("signal", "traffic_light_requests_total", action="FORCE", outcome="granted") == 1


def test_a_commanded_phase_is_answered_with_what_was_applied_and_ends_without_its_commander(city, context):
    listener, commander = Listener(context), Commander(context)
    listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-C2" and r["state_ew"] == "GREEN", "the first green")
    deadline, n = time.monotonic() + 8, 0
    while time.monotonic() < deadline:  # longer than a green of the plan
        n += 1
        commander.ask("INT-C2", action="PHASE", phase=1, created_at=time.time(), command_id=f"phase-{n}", reason="planner",
                      producer_id="test", epoch=1, seq=n)
        time.sleep(0.5)
    first, last = listener.outcome("phase-1"), listener.outcome(f"phase-{n}")
    assert (first["report"], first["outcome"], first["phase"], first["mode"]) == ("ACCEPTED", "granted", 1, "COMMANDED")
    assert (last["report"], last["outcome"], last["mode"], last["wait_us"]) == ("ACCEPTED", "already", "COMMANDED", 0)
    of_c2 = [r for r in listener.reports if r["interseccion"] == "INT-C2" and r["report"] == "CHANGE"]
    assert [r["groups"] for r in of_c2] == ["rG"]  # group and phase 1 are EW, and it stays green
    assert of_c2[0]["phase"] == 1
    silent = time.monotonic()
    given_back = listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-C2" and r["state_ns"] == "GREEN",
                               "the plan goes on")
    assert given_back["mode"] == "FIXED" and given_back["reason"] == "plan" and time.monotonic() - silent < 5 + 1 + 3
    city.wait_log("signal", r"No phase was commanded for 5 s")
    assert len(re.findall("No phase was commanded", city.log("signal"))) == 1
    city.wait_fresh_metrics("signal")
    assert city.metric("signal", "traffic_commander_lost_total") == 1
    commander.ask("INT-C2", action="PHASE", phase=0, producer_id="test", epoch=1, seq=n + 1)
    city.wait_log("signal", r"The lights are commanded again")
    assert_history_is_safe(listener.reports)


def test_what_comes_again_or_late_or_for_no_phase_is_refused(city, context):
    listener, commander = Listener(context), Commander(context)
    listener.wait(lambda r: r["report"] == "STATE", "the subscription")
    mine = {"producer_id": "test", "epoch": 3}
    commander.ask("INT-B3", action="PHASE", phase=1, command_id="one", seq=5, **mine)
    assert listener.outcome("one")["report"] == "ACCEPTED"
    for command_id, more in (("again", {"seq": 5}), ("late", {"seq": 4}), ("older life", {"seq": 9, "epoch": 2})):
        commander.ask("INT-B3", action="PHASE", phase=0, command_id=command_id, **{**mine, **more})
        refused = listener.outcome(command_id)
        assert refused["report"] == "REFUSED" and "newer than 5 of epoch 3" in refused["reason"]
    commander.ask("INT-B3", action="PHASE", phase=9, command_id="no phase", seq=6, **mine)
    refused = listener.outcome("no phase")
    assert refused["outcome"] == "no_such_phase" and "phase" not in refused
    commander.ask("INT-B3", action="RELEASE", command_id="release")
    refused = listener.outcome("release")
    assert (refused["report"], refused["outcome"], refused["mode"]) == ("REFUSED", "not_latched", "COMMANDED")
    city.wait_fresh_metrics("signal")
    assert city.metric("signal", "traffic_refused_total", reason="replayed") == 3


def test_waves_that_cross_are_told_which_goes_first(city, context):
    listener, commander = Listener(context), Commander(context)
    listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-B3" and r["state_ew"] == "GREEN", "EW is green")
    commander.ask("INT-B3", action="WAVE", direction="EW", duration_override_sec=8, command_id="row", priority=5)
    assert listener.outcome("row")["outcome"] == "granted"
    commander.ask("INT-B3", action="WAVE", direction="NS", duration_override_sec=6, command_id="column", priority=5)
    queued = listener.outcome("column")
    assert (queued["report"], queued["outcome"]) == ("ACCEPTED", "queued") and "waits for a green wave of priority 5" in queued["reason"]
    assert 6_000_000 < queued["wait_us"] <= 9_000_000
    commander.ask("INT-B3", action="WAVE", direction="NS", duration_override_sec=6, command_id="urgent", priority=6)
    urgent = listener.outcome("urgent")
    assert "goes before a green wave of priority 5" in urgent["reason"]
    green = listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-B3" and r["state_ns"] == "GREEN", "the column")
    assert green["mode"] == "WAVE" and green["cycle_duration_sec"] == 6
    listener.wait(lambda r: r["report"] == "CHANGE" and r["interseccion"] == "INT-B3" and r["reason"] == "plan" and r["seq"] > green["seq"],
                  "the plan again", 30)
    assert_history_is_safe(listener.reports)


def test_who_was_away_sees_a_gap_and_is_told_what_was_shown_meanwhile(city, context):
    first, commander = Listener(context), Commander(context)
    first.wait(lambda r: r["report"] == "CHANGE", "the first green")
    heard = first.read()[-1]
    first.socket.close()
    written = len(city.log("signal"))
    city.wait(lambda: len(re.findall(r"^\[INT-C2\] ", city.log("signal")[written:], re.MULTILINE)) >= 2, "two greens that nobody hears of", 30)
    second = Listener(context)
    state = second.wait(lambda r: r["report"] == "STATE" and r["seq"] > heard["seq"], "the state")
    def ask(epoch, after):  # as analytics writes it
        commander.socket.send(b'{"report":"MISSED","epoch":%d,"after_seq":%d}' % (epoch, after))
    ask(state["epoch"], heard["seq"])
    second.wait(lambda r: r["report"] == "PAST" and r["interseccion"] == "INT-C2" and r["state_ns"] == "GREEN", "a green of NS that was missed")
    time.sleep(0.5)
    past = [r for r in second.read() if r["report"] == "PAST"]
    assert [r["seq"] for r in past] == sorted(r["seq"] for r in past) and past[0]["seq"] > heard["seq"]
    of_c2 = [r["groups"] for r in sorted((r for r in second.reports if r["report"] in ("PAST", "CHANGE") and r["interseccion"] == "INT-C2"),
                                         key=lambda r: r["seq"])]
    assert all(a != b and "rr" in (a, b) for a, b in zip(of_c2, of_c2[1:])), of_c2  # every all-red between its greens
    ask(state["epoch"] - 1, 10 ** 9)
    second.wait(lambda r: r["report"] == "PAST" and r["seq"] < heard["seq"], "all that is kept, for who knows another life of the service")


def test_a_reader_that_stops_never_stops_the_lights(city, context):
    # It subscribes and reads nothing more; a flood of outcomes fills every buffer on the way.
    reader, commander = Listener(context, RCVHWM=1, RCVBUF=4096), Commander(context)
    reader.wait(lambda r: r["report"] == "STATE", "the subscription")
    reason = "x" * 250
    for i in range(40_000):
        commander.ask("INT-A1", "RED", action="EXTEND", command_id=f"flood-{i}", reason=reason)
    city.wait(lambda: city.metric("signal", "traffic_reports_lost_total") > 0, "outcomes are given up", 60)
    for _ in range(2):  # and the lights of every intersection go on
        written = len(city.log("signal"))
        city.wait(lambda: {f"INT-{name}" for name in re.findall(r"^\[INT-(\w+)\] NS", city.log("signal")[written:], re.MULTILINE)}
                  >= INTERSECTIONS, "every intersection changes")
    city.wait(lambda: city.metric("signal", "traffic_reports_coalesced_total") > 0, "old states are given up")
    # When it reads again it learns the newest state of each.
    before = len(reader.reports)
    wait_until(lambda: {r["interseccion"] for r in reader.read()[before:] if r["report"] == "CHANGE"} == INTERSECTIONS,
               "the newest state of every intersection", 60)


def test_times_that_the_interlock_forbids_end_the_service_as_wrong_configuration(tmp_path):
    city = City(tmp_path, {**QUICK, "signal.max_red_sec": 10}, services=[])
    with city:
        process = city.spawn("signal")
        wait_until(lambda: not process.is_running(), "it ends")
        assert "max_red_sec" in process.log()
        assert city.stop("signal") == 78
