"""Any SUMO network becomes a city, or is refused with the reason."""
import gzip
import json
import os
import subprocess

import pytest

from conftest import TOP
from drive.netfile import NetFile
from drive.network import CAMERA_VIEW_METRES, Network
from drive.scenarios import RECORDED, SCENARIOS
from drive.signals import CannotMap

CITY_NET = RECORDED / "city4x4.net.xml"
SUMO = {**os.environ, "SUMO_HOME": os.environ.get("SUMO_HOME", "/usr/share/sumo")}


def changed(tmp_path, *changes):
    """The 4x4 city's network with some text replaced."""
    text = CITY_NET.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "changed.net.xml"
    path.write_text(text)
    return path


def made(tmp_path, program, *options):
    path = tmp_path / "made.net.xml"
    subprocess.run([program, *options, "--no-warnings", "true", "-o", str(path)], check=True, env=SUMO, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    return path


def grid(tmp_path, *options):
    return made(tmp_path, "netgenerate", "--grid", "--grid.number", "2", "--grid.length", "200", "--grid.attach-length", "200",
                "--default-junction-type", "traffic_light", *options)


def check(network):
    """What must hold of every city that is made of a network."""
    city = network.city("test")
    ids = {one["id"] for one in city["intersections"]}
    assert len(ids) == len(city["intersections"])
    for one, described in zip(network.intersections, city["intersections"]):
        lanes = {lane["id"]: (approach["id"], lane) for approach in described["approaches"] for lane in approach["lanes"]}
        movements = {movement["id"]: movement for movement in described["movements"]}
        assert len(lanes) == len(one.lanes) and len(movements) == len(one.signals.groups)
        assert all(approach["lanes"] for approach in described["approaches"])
        for approach, lane in lanes.values():
            assert lane["movements"] and all(movements[movement]["approach"] == approach for movement in lane["movements"])
        conflicts = {frozenset(pair) for pair in described["conflicts"]}
        assert all(len(pair) == 2 for pair in conflicts)
        green = [set(phase["movements"]) | set(phase["permitted"]) for phase in described["phases"]]
        assert all(phase["movements"] for phase in described["phases"])
        assert set().union(*green) == movements.keys()
        assert not any(pair <= phase for pair in conflicts for phase in green)
        staged = {stage["phase"] for stage in described["plan"]["stages"]}
        assert staged == {phase["id"] for phase in described["phases"]}
        for movement in movements.values():
            assert movement.get("to", described["id"]) in ids
    assert len({sensor["sensor_id"] for kind in city["sensors"].values() for sensor in kind}) == sum(map(len, city["sensors"].values()))
    return city


def test_4x4_city_is_the_one_that_the_package_brings():
    city = check(Network(CITY_NET))
    known = json.loads((TOP / "config/city.json").read_text())
    assert city["grid"] == known["grid"]
    assert [(one["id"], one["row"], one["column"]) for one in city["intersections"]] \
        == [(one["id"], one["row"], one["column"]) for one in known["intersections"]]
    assert all(one["id"] == "INT-" + one["name"] for one in city["intersections"])


def test_movements_of_the_4x4_city_are_its_two_streets():
    city = Network(CITY_NET).city("test")
    first = city["intersections"][0]
    assert {approach["id"]: approach["direction"] for approach in first["approaches"]} == {"N": "NS", "W": "EW"}
    assert len(first["movements"]) == 2 and len(first["phases"]) == 2
    assert first["conflicts"] == [["N-TL", "W-TR"]]
    inner = next(one for one in city["intersections"] if one["id"] == "INT-B2")
    assert {approach["id"]: approach["from"] for approach in inner["approaches"]} == {"E": "INT-B3", "S": "INT-C2"}
    assert {movement["approach"]: movement["to"] for movement in inner["movements"]} == {"E": "INT-B1", "S": "INT-A2"}


def test_plan_is_the_networks_own():
    plan = Network(CITY_NET).city("test")["intersections"][0]["plan"]
    assert plan == {"stages": [{"phase": "1", "green_sec": 15}, {"phase": "2", "green_sec": 15}], "offset_sec": 0}


def test_signal_that_is_never_red_is_left_to_the_network(tmp_path):
    [first, *_] = Network(changed(tmp_path, ('state="GGrr"', 'state="GGGr"'))).intersections
    assert first.signals.free == {2: "GG"}
    assert sorted(signal for group in first.signals.groups for signal in group.signals) == [0, 1, 3]


def test_arrow_for_turning_right_on_red_is_left_to_the_network(tmp_path):
    [first, *_] = Network(changed(tmp_path, ('state="GGrr"', 'state="GGsr"'))).intersections
    assert first.signals.free == {2: "sG"}


def test_state_in_which_only_what_is_always_green_is_green_is_clearance(tmp_path):
    path = changed(tmp_path, ('state="GGrr"', 'state="GGGr"'), ('state="yyrr"', 'state="rrGr"'))
    [first, *_] = Network(path).intersections
    assert [phase.state for phase in first.signals.phases] == ["GGGr", "rrGG"]


def test_of_several_programmes_the_last_one_counts_and_off_is_none(tmp_path):
    text = CITY_NET.read_text()
    first = text.index("<tlLogic")
    end = text.index("</tlLogic>", first) + len("</tlLogic>")
    other = text[first:end].replace('programID="0"', 'programID="night"').replace('duration="15"', 'duration="25"')
    off = '<tlLogic id="A1" type="static" programID="off" offset="0"><phase duration="9" state="oooo"/></tlLogic>'
    path = tmp_path / "two.net.xml"
    path.write_text(text[:end] + other + off + text[end:])
    [first, *_] = Network(path).intersections
    assert [seconds for _, seconds in first.signals.stages] == [25, 25]


def test_light_that_has_nothing_to_decide_keeps_its_programme(tmp_path):
    network = Network(changed(tmp_path, ('state="GGrr"', 'state="gggg"'), ('state="rrGG"', 'state="gggg"')))
    assert network.left_alone == ["A1"]
    assert len(network.intersections) == 15


def test_movement_that_is_never_green_is_refused(tmp_path):
    with pytest.raises(CannotMap, match=r"traffic light A1: movement from \S+_0 to \S+_0: its signal 0 is green in no phase"):
        Network(changed(tmp_path, ('state="GGrr"', 'state="rGrr"')))


def test_state_without_a_letter_for_a_movement_is_refused(tmp_path):
    with pytest.raises(CannotMap, match=r"traffic light A1: movement from \S+ to \S+: its signal 3 has no letter"):
        Network(changed(tmp_path, *((f'state="{state}"', f'state="{state[:3]}"') for state in ("GGrr", "yyrr", "rrGG", "rryy"))))


def test_states_of_different_lengths_are_refused(tmp_path):
    with pytest.raises(CannotMap, match="A1: programme 0 has states of different lengths"):
        Network(changed(tmp_path, ('state="yyrr"', 'state="yyr"')))


def test_phase_in_which_two_crossing_movements_have_priority_is_refused(tmp_path):
    with pytest.raises(CannotMap, match=r"A1: movement from \S+ to \S+: has priority in state GGGG together with the one from \S+ to \S+, whose way"):
        Network(changed(tmp_path, ('state="rrGG"', 'state="GGGG"')))


def test_network_without_lights_is_refused(tmp_path):
    text = CITY_NET.read_text()
    while "<tlLogic" in text:
        start = text.index("<tlLogic")
        text = text[:start] + text[text.index("</tlLogic>", start) + len("</tlLogic>"):]
    path = tmp_path / "dark.net.xml"
    path.write_text(text)
    with pytest.raises(CannotMap, match="no traffic light with anything to decide"):
        Network(path)


def test_command_says_what_cannot_be_mapped(tmp_path):
    routes = tmp_path / "none.rou.xml"
    routes.write_text("<routes/>")
    done = subprocess.run([TOP / "lab", "drive", "--no-build", "--net", changed(tmp_path, ('state="GGrr"', 'state="rGrr"')),
                           "--routes", routes], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "traffic light A1: movement from" in done.stderr


def test_grid_with_left_turns_has_permitted_and_protected_phases(tmp_path):
    network = Network(grid(tmp_path, "--default.lanenumber", "2", "--turn-lanes", "1", "--tls.left-green.time", "6"))
    check(network)
    phases = network.intersections[0].signals.phases
    assert any(phase.permitted for phase in phases)
    assert len(phases) >= 4
    assert len(network.intersections) == 4


def test_lane_shorter_than_the_view_goes_on_upstream_as_a_shared_one(tmp_path):
    network = Network(grid(tmp_path, "--default.lanenumber", "1", "--turn-lanes", "1", "--turn-lanes.length", "20"))
    check(network)
    lanes = network.intersections[0].approaches[0].lanes
    shared = [lane for lane in lanes if lane.near > 0]
    assert shared and shared[0].groups == set().union(*(lane.groups for lane in lanes))
    assert shared[0].view == CAMERA_VIEW_METRES
    assert all(lane.length < 30 for lane in lanes if lane.near == 0)


def test_crossings_are_movements_without_lanes(tmp_path):
    network = Network(grid(tmp_path, "--sidewalks.guess", "true", "--crossings.guess", "true"))
    check(network)
    crossings = [group for group in network.intersections[0].signals.groups if group.is_crossing]
    assert crossings
    assert all(group.id.split("-")[1].startswith("X") for group in crossings)


def test_joined_junctions_are_one_intersection(tmp_path):
    nodes, edges = tmp_path / "a.nod.xml", tmp_path / "a.edg.xml"
    nodes.write_text("""<nodes><node id="w" x="-200" y="0"/><node id="a" x="0" y="0" type="traffic_light" tl="both"/>
        <node id="b" x="25" y="0" type="traffic_light" tl="both"/><node id="e" x="225" y="0"/><node id="n" x="0" y="200"/>
        <node id="s" x="25" y="-200"/></nodes>""")
    pairs = ("wa", "aw", "ab", "ba", "be", "eb", "na", "sb")
    edges.write_text("<edges>" + "".join(f'<edge id="{pair}" from="{pair[0]}" to="{pair[1]}"/>' for pair in pairs) + "</edges>")
    network = Network(made(tmp_path, "netconvert", "-n", str(nodes), "-e", str(edges)))
    check(network)
    [one] = network.intersections
    assert one.signals.light == "both"
    assert "ab_0" not in {piece for lane in one.lanes for piece, _ in lane.pieces}, "whose signals are never red"
    described = network.describe(one)
    assert ["S-LR", "W-T"] in [sorted(pair) for pair in described["conflicts"]], "they meet at the other junction"


@pytest.mark.parametrize("options", [
    ["--rand", "--rand.iterations", "40", "--default.lanenumber", "2"],
    ["--spider", "--spider.arm-number", "5", "--spider.circle-number", "2"],
    ["--grid", "--grid.number", "3", "--tls.layout", "incoming", "--default.lanenumber", "3"],
    ["--grid", "--grid.number", "3", "--tls.group-signals", "true", "--turn-lanes", "1"],
    ["--grid", "--grid.number", "3", "--no-internal-links", "true"],
], ids=["random", "spider", "incoming", "grouped", "without-inner-lanes"])
def test_generated_networks_become_cities(tmp_path, options):
    check(Network(made(tmp_path, "netgenerate", *options, "--default-junction-type", "traffic_light", "--seed", "3")))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_networks_that_are_here_become_cities(scenario):
    check(Network(scenario.net))


def test_zipped_network_is_the_same(tmp_path):
    path = tmp_path / "city.net.xml.gz"
    path.write_bytes(gzip.compress(CITY_NET.read_bytes()))
    assert NetFile(path).lanes.keys() == NetFile(CITY_NET).lanes.keys()
