"""SUMO: its command line, a step at a time with everybody's place and speed, and its own controllers without us."""
import os
import subprocess
import sys
from collections import defaultdict

from drive import measures
from drive.scenarios import Scenario  # sets SUMO_HOME  # noqa: F401

sys.path.append(os.path.join(os.environ["SUMO_HOME"], "tools"))  # behind the packaged ones: its libsumo is only half of one

CLEARANCE_SEC, MIN_GREEN_SEC, MAX_GREEN_SEC = 3, 5, 50
OWN_CONTROLLERS = {"sumo-static": "static", "sumo-actuated": "actuated", "sumo-delay_based": "delay_based"}


def command(scenario, seed, trips, extra=(), program="sumo"):
    return [program, "-n", str(scenario.net), "-r", str(scenario.routes), "--seed", str(seed), "-b", str(scenario.begin),
            "-e", str(scenario.begin + scenario.end), "--time-to-teleport", "-1", "--tripinfo-output", str(trips), *measures.NEEDS, "--no-step-log", "true", "--no-warnings",
            "true", *extra]


def start_here(words):
    """SUMO inside this process: the same interface as through a socket, without the socket."""
    import libsumo
    libsumo.start(words)
    return libsumo, libsumo.constants


def start_gui(words, log):
    import traci
    import traci.constants
    with open(log, "ab") as output:
        traci.start(words, stdout=output)
    return traci, traci.constants


class Simulation:
    """One run under control. `now`: seconds since it began; `by_lane`: SUMO lane -> [(metres from its beginning, m/s, vehicle)]."""

    def __init__(self, scenario, seed, trips, log, is_shown=False, extra=()):
        self.now, self.by_lane = 0, {}
        if is_shown:
            self.sumo, names = start_gui(command(scenario, seed, trips, [*extra, "--start", "--quit-on-end"], "sumo-gui"), log)
        else:
            self.sumo, names = start_here(command(scenario, seed, trips, [*extra, "--log", str(log)]))
        self.wanted = (names.VAR_LANE_ID, names.VAR_LANEPOSITION, names.VAR_SPEED)
        self.departed = names.VAR_DEPARTED_VEHICLES_IDS
        self.sumo.simulation.subscribe([self.departed])

    def set_lights(self, light, state):
        self.sumo.trafficlight.setRedYellowGreenState(light, state)

    def step(self):
        self.sumo.simulationStep()
        self.now += 1
        for vehicle in self.sumo.simulation.getSubscriptionResults()[self.departed]:
            self.sumo.vehicle.subscribe(vehicle, self.wanted)
        by_lane = defaultdict(list)
        lane, place, speed = self.wanted
        for vehicle, seen in self.sumo.vehicle.getAllSubscriptionResults().items():
            by_lane[seen[lane]].append((seen[place], seen[speed], vehicle))
        self.by_lane = by_lane

    def close(self):
        """Ends SUMO, which then writes the trips."""
        self.sumo.close()


# --- SUMO's own controllers ---

def own_programmes(net, kind):
    """Every light's programme as an additional file: one kind of controller, and the same clearance as everybody's."""
    lines = ["<additional>"]
    for programme in net.programmes.values():
        if programme.kind.startswith("rail"):
            continue
        offset = programme.offset if kind == "static" else 0
        lines.append(f'<tlLogic id="{programme.light}" type="{kind}" programID="drive" offset="{offset:g}">')
        lines += [f"<phase {words}/>" for words in own_phases(programme, kind)]
        lines.append("</tlLogic>")
    return "\n".join([*lines, "</additional>"]) + "\n"


def own_phases(programme, kind):
    """Clearance is yellow for as long as everybody's; where the programme adds all red to it, that is left out."""
    n_green = sum(1 for _, state in programme.phases if not set("yYu") & set(state) and set("Gg") & set(state))
    for seconds, state in programme.phases:
        if set("yYu") & set(state):
            yield f'duration="{CLEARANCE_SEC}" state="{state}"'
        elif not set("Gg") & set(state) and n_green:
            continue
        elif kind == "static" or n_green < 2:
            yield f'duration="{seconds:g}" state="{state}"'
        else:
            yield f'duration="{seconds:g}" minDur="{MIN_GREEN_SEC}" maxDur="{MAX_GREEN_SEC}" state="{state}"'


def run_alone(scenario, net, kind, seed, directory):
    """One run of a controller of SUMO's; its figures."""
    programmes, trips = directory / "programmes.add.xml", directory / "trips.xml"
    programmes.write_text(own_programmes(net, kind))
    done = subprocess.run(command(scenario, seed, trips, ["-a", str(programmes)]), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(f"sumo: {done.stderr.strip()}")
    return measures.measure(trips, scenario.end)
