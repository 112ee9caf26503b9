"""What the signal service says its lights show, as a state of SUMO's light.

A group that has just left green is shown yellow for the clearance, although our city has all red there: drivers in the simulator need to
be told. Whether a green has priority ('G') or yields ('g') is as the programme has it in that phase; between phases, and when the
interlock shows a set that is no phase of the programme, whoever yields in some phase to somebody who is green or clearing still yields.
"""
from itertools import combinations

CLEARANCE_SEC = 3


class Collision(Exception):
    """Two conflicting groups were green, or green and clearing, at once."""


class Display:
    """`is_strict`: conflicting greens end the run. Without lock-step their reports may be seen a second late."""

    def __init__(self, net, intersection, is_strict=True):
        self.signals, self.id, self.is_strict = intersection.signals, intersection.id, is_strict
        self.green = set()
        self.left_at = {}  # group -> when it left green
        self.yields_to = {place: self.superiors(net, place) for place in range(len(self.signals.groups))}
        self.is_latched = False
        self.shown = None

    def superiors(self, net, place):
        group = self.signals.groups[place]
        found = set()
        for phase in self.signals.phases:
            if place in phase.permitted:
                found |= {other for other in phase.greens - {place}
                          if any(net.are_foes(one, two) is not False for one in group.connections
                                 for two in self.signals.groups[other].connections)}
        return found

    def report(self, letters, now):
        """`letters`: one for each group in the city file's order, at simulated second `now`."""
        if len(letters) != len(self.signals.groups):
            raise ValueError(f"{self.id}: expected the colours of {len(self.signals.groups)} groups, got \"{letters}\"")
        self.is_latched = "f" in letters
        green = {place for place, letter in enumerate(letters) if letter == "G"}
        for place in self.green - green:
            self.left_at[place] = now
        self.green = green
        self.refuse_collision(now)

    def clearing(self, now):
        return {place for place, since in self.left_at.items() if now - since < CLEARANCE_SEC and place not in self.green}

    def refuse_collision(self, now):
        busy = self.green | self.clearing(now)
        for pair in combinations(sorted(busy), 2):
            if self.is_strict and pair in self.signals.conflicts and set(pair) & self.green:
                names = " and ".join(self.signals.groups[place].id for place in pair)
                raise Collision(f"{self.id}: {names} conflict and are green or clearing at second {now}")

    def state(self, now):
        clearing = self.clearing(now)
        if not clearing:
            for phase in self.signals.phases:
                if phase.greens == self.green:
                    return phase.state
        letters = [letter if letter in "oO" else "r" for letter in self.signals.phases[0].state]
        for index, free in self.signals.free.items():
            letters[index] = min(free, key="sgoOG".find) if set(free) <= set("sgoOG") else free[0]
        for place, group in enumerate(self.signals.groups):
            for index in group.signals:
                letters[index] = self.letter(place, group, clearing)
        return "".join(letters)

    def show(self, simulation, now):
        """Tells SUMO when it is something new."""
        state = self.state(now)
        if state != self.shown:
            simulation.set_lights(self.signals.light, state)
            self.shown = state

    def begin_again(self):
        """Another simulation, whose seconds begin at 0 and whose lights nobody has told anything."""
        self.left_at.clear()
        self.shown = None

    def letter(self, place, group, clearing):
        if place in clearing:
            return "r" if group.is_crossing else "y"
        if place not in self.green:
            return "r"
        return "g" if "G" not in group.column or self.yields_to[place] & (self.green | clearing) else "G"
