"""What the driver makes of a simulation: what sensors see, what lights show, what trips say."""
import io
import json
import subprocess

import pytest

from conftest import TOP
from drive import measures, simulator, table
from drive.jobs import Condition, Job
from drive.lights import Collision, Display
from drive.netfile import NetFile
from drive.network import Network
from drive.scenarios import RECORDED, SCENARIOS, of_files
from drive.sensors import Sensors
from drive.watch import draw, letter, show

CITY_NET = RECORDED / "city4x4.net.xml"
NORTH, WEST = "N1_A1_0", "WA_A1_0"  # INT-A1's lanes


@pytest.fixture(scope="module")
def network():
    return Network(CITY_NET)


def length(network, lane):
    return network.net.lanes[lane].length


def packets(sensors, by_lane, second=1):
    read = sensors.read(by_lane, second, 1_000_000 + second)
    return {kind: [json.loads(packet) for packet in those] for kind, those in read.items()}


def of(those, sensor):
    return [packet for packet in those if packet["sensor_id"] == sensor]


# --- sensors ---

def test_camera_tells_each_second_who_is_in_view_nearest_first(network):
    end = length(network, NORTH)
    seen = packets(Sensors(network), {NORTH: [(end - 80, 10.0, "b"), (end - 2, 0.0, "a"), (end - 101, 5.0, "c")]})
    [view] = of(seen["camera"], "VISTA-A1-N_0")
    assert view["tipo_sensor"] == "camara_vista" and view["interseccion"] == "INT-A1"
    assert view["vehiculos_en_vista"] == 2
    assert view["vehiculos"] == [[2.0, 0.0], [80.0, 36.0]]
    assert view["timestamp"] == "1970-01-12T13:46:41Z"
    assert of(seen["camera"], "VISTA-A1-W_0")[0]["vehiculos_en_vista"] == 0


def test_loop_tells_who_drives_over_it_once_and_when(network):
    end, sensors = length(network, NORTH), Sensors(network)
    assert "inductive" not in packets(sensors, {NORTH: [(end - 155, 10.0, "a")]}, 1)
    [passage] = packets(sensors, {NORTH: [(end - 145, 10.0, "a")]}, 2)["inductive"]
    assert passage["tipo_sensor"] == "espira_paso" and passage["sensor_id"] == "PASO-A1-N_0"
    assert passage["captured_us"] == (1_000_002 * 1_000_000) - 500_000
    assert "inductive" not in packets(sensors, {NORTH: [(end - 135, 10.0, "a")]}, 3)


def test_loop_does_not_see_who_changes_lanes_behind_it(network):
    sensors = Sensors(network)
    assert "inductive" not in packets(sensors, {NORTH: [(length(network, NORTH) - 60, 10.0, "a")]})


def test_sensors_of_the_first_implementation_tell_halted_speed_and_counts(network):
    end, sensors = length(network, NORTH), Sensors(network)
    cameras, loops = {}, {}
    for second in range(1, 61):
        who = [(end - 1, 0.0, "a"), (end - 9, 0.05, "b")] if second < 40 else [(end - 1, 5.0, "b")]
        seen = packets(sensors, {NORTH: who}, second)
        for packet in of(seen["camera"], "CAM-A1-N"):
            cameras[second] = packet
        for packet in of(seen.get("inductive", []), "ESP-A1-N"):
            loops[second] = packet
    assert sorted(cameras) == [10, 20, 30, 40, 50, 60]
    assert cameras[30]["volumen"] == 2 and cameras[60]["volumen"] == 0
    assert cameras[60]["velocidad_promedio"] == 18.0
    assert sorted(loops) == [30, 60]
    assert [loops[second]["vehiculos_contados"] for second in (30, 60)] == [0, 1]


def test_a_part_of_frames_and_passages_is_lost_the_same_for_the_same_seed(network):
    def count(loss, seed):
        sensors = Sensors(network, loss, seed)
        end = length(network, NORTH)
        n = {"camera": 0, "inductive": 0}
        for second in range(200):
            for kind, those in packets(sensors, {NORTH: [(end - 149, 10.0, second)]}, second).items():
                n[kind] = n.get(kind, 0) + sum(packet["tipo_sensor"] in ("camara_vista", "espira_paso") for packet in those)
        return n["camera"], n["inductive"]
    whole, some = count((0, 0), 1), count((0.5, 0.25), 1)
    assert whole == (200 * 32, 200)
    assert some == count((0.5, 0.25), 1) != count((0.5, 0.25), 2)
    assert 0.7 * whole[0] < some[0] < 0.8 * whole[0] and 0.35 * whole[1] < some[1] < 0.65 * whole[1]


# --- lights ---

def display(network, number=0):
    return Display(network.net, network.intersections[number])


def test_phase_is_shown_as_the_programme_has_it(network):
    lights = display(network)
    lights.report("Gr", 0)
    assert lights.state(0) == "GGrr"
    assert display(network).state(0) == "rrrr", "before anything is known"


def test_who_leaves_green_is_yellow_for_the_clearance(network):
    lights = display(network)
    lights.report("Gr", 0)
    lights.report("rr", 20)
    assert [lights.state(second) for second in (20, 22, 23)] == ["yyrr", "yyrr", "rrrr"]
    lights.report("rG", 23)
    assert lights.state(23) == "rrGG"


def test_conflicting_greens_end_the_run(network):
    lights = display(network)
    with pytest.raises(Collision, match="INT-A1: N-TL and W-TR conflict and are green or clearing at second 7"):
        lights.report("GG", 7)


def test_green_within_the_clearance_of_a_conflicting_one_ends_the_run(network):
    lights = display(network)
    lights.report("Gr", 0)
    lights.report("rr", 10)
    with pytest.raises(Collision):
        lights.report("rG", 12)


def test_colours_of_another_number_of_groups_are_refused(network):
    with pytest.raises(ValueError, match='INT-A1: expected the colours of 2 groups, got "GrG"'):
        display(network).report("GrG", 0)


# --- measures ---

TRIPS = """<tripinfos>
<tripinfo id="a" depart="10.00" departDelay="2.00" arrival="110.00" duration="100.00" timeLoss="40.00" waitingCount="2"/>
<tripinfo id="b" depart="20.00" departDelay="0.00" arrival="-1.00" duration="80.00" timeLoss="10.00" waitingCount="1"/>
<tripinfo id="c" depart="-1.00" departDelay="70.00" arrival="-1.00" duration="0.00" timeLoss="0.00" waitingCount="0"/>
</tripinfos>"""


def test_delay_counts_who_is_under_way_and_who_never_came_in(tmp_path):
    (tmp_path / "trips.xml").write_text(TRIPS)
    figures = measures.measure(tmp_path / "trips.xml", 1800)
    assert figures["delay"] == pytest.approx((42 + 10 + 70) / 3)
    assert figures["travel_time"] == pytest.approx((102 + 80 + 70) / 3)
    assert figures["throughput"] == 2
    assert figures["stops"] == 1 and figures["worst_trip"] == 70
    assert measures.measure(tmp_path / "trips.xml", 1800, {"c"})["trips"] == 2


def job(policy, seed, result, condition=""):
    made = Job(SCENARIOS["city_peak"], policy, Condition(condition), seed, TOP)
    made.result = result
    return made


FIGURES = {"travel_time": 80, "throughput": 900, "stops": 1, "worst_trip": 200, "trips": 5, "valid": True}


def test_row_is_the_median_of_the_seeds_and_their_range():
    [row] = table.rows([job("planner", seed, FIGURES | {"delay": delay}) for seed, delay in enumerate((22, 20, 30))])
    assert (row["scenario"], row["policy"], row["delay"], row["delay_min"], row["delay_max"]) == ("city_peak", "planner", 22, 20, 30)
    assert row["valid"] and "22.00" in table.text([row])


def test_row_with_an_invalid_run_says_so():
    [row] = table.rows([job("planner", 1, FIGURES | {"delay": 20}), job("planner", 2, {"valid": False, "problem": "step 7: late"})])
    assert not row["valid"] and "INVALID: step 7: late" in table.text([row])
    [row] = table.rows([job("planner", 2, {"valid": False, "problem": "step 7: late"})])
    assert row["delay"] is None and "INVALID" in table.text([row])


def test_ambulances_of_all_seeds_count_alike():
    one, two = ({"delay": 20, "ambulances": ratios} for ratios in ([1.0, 1.1, 1.2, 1.3], [1.0, 1.04, 1.06, 1.5]))
    [row] = table.rows([job("planner", seed, FIGURES | result) for seed, result in enumerate((one, two))])
    assert (row["ambulances"], row["ambulance"], row["ambulance_worst"]) == (8, 1.08, 1.5)
    assert "8 ambulances: 1.08 x free flow, the slowest 1.50" in table.text([row])


def test_table_is_written_as_json_csv_and_plot(tmp_path):
    rows = table.rows([job(policy, 1, FIGURES | {"delay": 20}) for policy in ("sumo-static", "planner")])
    table.write(rows, tmp_path)
    assert json.loads((tmp_path / "table.json").read_text()) == rows
    assert (tmp_path / "table.csv").read_text().splitlines()[1].startswith("city_peak,sumo-static,,20")
    assert (tmp_path / "delay.png").read_bytes().startswith(b"\x89PNG")


# --- SUMO's own controllers ---

def test_own_controllers_get_the_same_clearance_and_no_all_red(tmp_path):
    net = NetFile(CITY_NET)
    net.programmes["A1"].phases = [(15, "GGrr"), (5, "yyrr"), (2, "rrrr"), (15, "rrGG"), (4, "rryy"), (1, "rrrr")]
    assert list(simulator.own_phases(net.programmes["A1"], "static")) == [
        'duration="15" state="GGrr"', 'duration="3" state="yyrr"', 'duration="15" state="rrGG"', 'duration="3" state="rryy"']
    assert list(simulator.own_phases(net.programmes["A1"], "actuated"))[0] == 'duration="15" minDur="5" maxDur="50" state="GGrr"'


# --- watching ---

def shown(*columns):
    approaches = [{"name": "N", "queue": 12, "colour": "G"}, {"name": "W", "queue": 1, "colour": "r"}]
    return {"title": "some city", "second": 7, "end": 60, "intersections": [
        {"id": f"INT-A{column}", "row": "A", "column": column, "approaches": approaches} for column in columns]}


def test_picture_shows_queue_and_light_of_every_approach():
    lines = draw(shown(1, 2), 80, 24, in_colour=True)
    assert lines[0] == "some city, second 7 of 60: 26 vehicles halted"
    assert lines[2].split() == ["INT-A1", "INT-A2"]
    assert lines[3].count("\x1b[32m N   G #######+  12\x1b[0m") == 2 and lines[4].count("\x1b[31m W   r #") == 2


def test_light_that_nothing_was_heard_of_is_not_red():
    assert [letter(state) for state in ("GREEN", "RED", None)] == ["G", "r", "?"]
    picture = shown(1)
    picture["intersections"][0]["approaches"] = [{"name": "N", "queue": 0, "colour": letter(None)}]
    assert draw(picture, 80, 24)[3].split() == ["N", "?", "0"]
    assert draw(picture, 80, 24, in_colour=True)[3].split()[:2] == ["N", "?"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("output,no_color,is_coloured", [(Terminal, "", True), (Terminal, "1", False), (io.StringIO, "", False)])
def test_colours_are_for_terminals_whose_user_wants_them(monkeypatch, output, no_color, is_coloured):
    written = output()
    monkeypatch.setattr("sys.stdout", written)
    monkeypatch.setattr("drive.watch.REDRAW_SEC", 0)
    monkeypatch.setenv("NO_COLOR", no_color)
    pictures = iter([shown(1), None])
    show(lambda: next(pictures))
    assert ("\x1b[3" in written.getvalue()) == is_coloured
    assert " N   G #######+  12" in written.getvalue(), "the light can be read without its colour"
    assert written.isatty() or "\x1b" not in written.getvalue()


def test_picture_says_what_does_not_fit():
    assert draw(shown(1, 2, 3), 40, 24)[-1] == "(1 more columns need a wider terminal)"


# --- scenarios ---

@pytest.mark.parametrize("first,begin", [('<vehicle id="a" depart="12.5"/>', 0), ('<trip id="a" depart="25200.00"/>', 25200),
                                         ('<flow id="a" begin="28000" end="30000"/>', 25200), ("", 0),
                                         ('<trip id="a" depart="triggered"/>', 0)])
def test_demand_of_a_rush_hour_begins_at_its_hour(tmp_path, first, begin):
    path = tmp_path / "some.rou.xml"
    path.write_text(f'<routes><vType id="car"/>{first}</routes>')
    scenario = of_files(CITY_NET, path)
    assert (scenario.name, scenario.begin) == ("some", begin)


# --- the command ---

def drive(*options, check=True, here=None):
    return subprocess.run([TOP / "lab", "drive", *map(str, options)], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=check,
                          timeout=300, cwd=here)


def test_smoke_planner_drives_the_city_for_two_minutes(tmp_path):
    done = drive("--scenario", "city_peak", "--policy", "planner", "--seeds", 1, "--end", 120, "--json", "--output", "o", check=False,
                 here=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o" / "table.json").exists()
    rows = {row["policy"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"planner", *simulator.OWN_CONTROLLERS}
    assert rows["planner"]["valid"] and 0 < rows["planner"]["delay"] < rows["sumo-static"]["delay"]
    assert "left" in done.stderr


@pytest.mark.parametrize("options,expected", [
    ([], "which traffic?"),
    (["--scenario", "nowhere"], "expected one of city_rand"),
    (["--net", "x.net.xml"], "belong together"),
    (["--scenario", "city_peak", "--policy", "luck"], "invalid choice"),
    (["--scenario", "city_peak", "--kill", "signal@5"], "expected analytics@SECOND+SECONDS"),
    (["--scenario", "city_peak", "--loss", "2,0"], "expected two parts from 0 to 1"),
    (["--scenario", "city_peak", "--seeds", "0"], "expected a whole number from 1 on"),
])
def test_misuse_says_what_was_expected(options, expected):
    done = drive(*options, check=False)
    assert done.returncode == 2
    assert expected in done.stderr
