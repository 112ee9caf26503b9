"""What a SUMO traffic light programme means in our terms: signal groups, phases, conflicts, the fixed-time plan.

A group is a movement: signals of the same incoming street with the same colours in every green phase. Signals that are never red are left
to the network. A phase is a distinct set of green groups; states with yellow, and those in which nothing is green that is not always
green, are clearance and belong to nobody: the interlock makes its own. Two groups conflict when their ways cross or join, or begin at
different junctions of one light, and the programme never shows them green together; when it does, the one with 'g' yields.

What cannot be mapped is refused with the light, the movement and the reason.
"""
from dataclasses import dataclass, field

GROUPS_MAX, PHASES_MAX, STAGES_MAX = 32, 16, 16  # common/core/signal-model.h
MIN_GREEN_SEC = 5
GREEN, CLEARING = set("Gg"), set("yYu")


class CannotMap(Exception):
    """A network, or one of its lights, that we cannot run; says which, which movement, and why."""

    def __init__(self, light, movement, reason):
        super().__init__(f"traffic light {light}: " + (f"{movement}: " if movement else "") + reason)
        self.light, self.movement, self.reason = light, movement, reason


@dataclass(eq=False)
class Group:
    signals: list  # their indices in the state
    connections: list
    column: str  # its colour in each phase
    is_crossing: bool
    id: str = ""

    @property
    def street(self):
        return self.connections[0].start.edge


@dataclass
class Phase:
    state: str  # SUMO's
    greens: set = field(default_factory=set)  # groups by number, all that are green
    permitted: set = field(default_factory=set)  # those of them that yield


@dataclass
class Signals:
    light: str
    length: int  # of a state
    groups: list
    phases: list
    conflicts: set  # pairs of group numbers, the smaller first
    stages: list  # (phase number, seconds)
    offset: float
    free: dict  # signals that are never red: index -> their letter in each phase


def describe(connection):
    return f"from {connection.start.id} to {connection.end.id}"


def map_light(net, programme, connections):
    """The Signals of a light, or None when it has nothing to decide: fewer than two phases."""
    states = [state for _, state in programme.phases]
    length = len(states[0])
    if any(len(state) != length for state in states):
        raise CannotMap(programme.light, "", f"programme {programme.id} has states of different lengths")
    for index in sorted(connections):
        if not 0 <= index < length:
            raise CannotMap(programme.light, f"movement {describe(connections[index][0])}",
                            f"its signal {index} has no letter in programme {programme.id}, whose states have {length}")
    green_states = distinct(state for state in states if not CLEARING & set(state) and GREEN & set(state))
    for state in green_states:
        refuse_collisions(programme.light, state, connections, net)
    controlled = [index for index in sorted(connections) if is_controlled(index, states, green_states, programme, connections)]
    green_states = [state for state in green_states if any(state[index] in GREEN for index in controlled)]
    green_states = distinct(green_states, lambda state: [state[index] in GREEN for index in controlled])
    if len(green_states) < 2:
        return None
    groups = make_groups(controlled, connections, green_states)
    phases = make_phases(groups, green_states)
    free = {index: "".join(state[index] for state in green_states) for index in connections if index not in controlled}
    stages = make_stages(programme, controlled, green_states)
    cycle_sec = sum(seconds for seconds, _ in programme.phases)
    signals = Signals(programme.light, length, groups, phases, find_conflicts(net, groups, phases), stages, programme.offset % cycle_sec,
                      free)
    for what, number, most in (("signal groups", len(groups), GROUPS_MAX), ("phases", len(phases), PHASES_MAX),
                               ("stages", len(signals.stages), STAGES_MAX)):
        if number > most:
            raise CannotMap(programme.light, "", f"{number} {what}, at most {most} are possible")
    return signals


def distinct(states, key=str):
    seen, kept = [], []
    for state in states:
        if key(state) not in seen:
            seen.append(key(state))
            kept.append(state)
    return kept


def is_controlled(index, states, green_states, programme, connections):
    """Whether a signal is sometimes green and sometimes red. One that is never green is an approach that was forgotten."""
    letters = {state[index] for state in green_states}
    if not GREEN & {state[index] for state in states} and not letters & set("sOo"):
        raise CannotMap(programme.light, f"movement {describe(connections[index][0])}",
                        f"its signal {index} is green in no phase of programme {programme.id}")
    return bool(GREEN & letters) and "r" in letters


def make_groups(controlled, connections, green_states):
    """By street and column; the signal that serves several streets is one group with them all."""
    groups = {}
    for index in controlled:
        column = "".join(state[index] for state in green_states)
        streets = {connection.start.edge.id for connection in connections[index]}
        touched = [key for key in groups if key[1] == column and key[0] & streets]
        group = Group([], [], column, connections[index][0].end.edge.function == "crossing")
        for key in touched:
            other = groups.pop(key)
            group.signals += other.signals
            group.connections += other.connections
            streets |= key[0]
        group.signals.append(index)
        group.connections += connections[index]
        groups[frozenset(streets), column] = group
    return sorted(groups.values(), key=lambda group: min(group.signals))


def make_phases(groups, green_states):
    phases = []
    for number, state in enumerate(green_states):
        phase = Phase(state)
        for place, group in enumerate(groups):
            if group.column[number] in GREEN:
                phase.greens.add(place)
            if group.column[number] == "g":
                phase.permitted.add(place)
        phases.append(phase)
    return phases


def refuse_collisions(light, state, connections, net):
    """Two ways that cross must not both be told that they have priority. (Ways that join sort themselves out.)"""
    privileged = [way for index in sorted(connections) if state[index] == "G" for way in connections[index]]
    for place, one in enumerate(privileged):
        for two in privileged[place + 1:]:
            if one.end.edge is not two.end.edge and net.are_foes(one, two):
                raise CannotMap(light, f"movement {describe(one)}",
                                f"has priority in state {state} together with the one {describe(two)}, whose way it crosses")


def find_conflicts(net, groups, phases):
    conflicts = set()
    for place, group in enumerate(groups):
        for other_place in range(place + 1, len(groups)):
            together = any({place, other_place} <= phase.greens for phase in phases)
            if not together and any(net.are_foes(one, two) is not False for one in group.connections
                                    for two in groups[other_place].connections):
                conflicts.add((place, other_place))
    return conflicts


def make_stages(programme, controlled, green_states):
    """The programme's own plan: each green state for as long as it lasts there, or as long as a green must."""
    sets = [[state[index] in GREEN for index in controlled] for state in green_states]
    stages = []
    for seconds, state in programme.phases:
        greens = [state[index] in GREEN for index in controlled]
        if CLEARING & set(state) or greens not in sets:
            continue
        phase = sets.index(greens)
        if stages and stages[-1][0] == phase:
            stages[-1] = (phase, stages[-1][1] + seconds)
        else:
            stages.append((phase, seconds))
    if len(stages) > 1 and stages[0][0] == stages[-1][0]:
        stages[0] = (stages[0][0], stages[0][1] + stages.pop()[1])
    return [(phase, max(MIN_GREEN_SEC, seconds)) for phase, seconds in stages]
