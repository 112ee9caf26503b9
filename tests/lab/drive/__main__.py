"""`lab drive`: SUMO drives the real services in lock-step; what comes of it beside SUMO's own controllers.

Each run is all services as plain processes in a network of their own, one simulated second after the other.
"""
import argparse
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from drive import simulator, table
from drive.jobs import Condition, Job, Jobs
from drive.netfile import NetFile
from drive.network import Network
from drive.scenarios import END_SEC, SCENARIOS, TOP, of_files
from drive.signals import CannotMap

POLICIES = ("fixed", "rules", "actuated", "max-pressure", "planner")
FIRST_SEED, DEFAULT_SEEDS = 42, 5
KILLABLE = ("analytics",)


def main():
    parser = make_parser()
    options = parser.parse_args()
    scenarios = chosen_scenarios(parser, options)
    policies = list(dict.fromkeys(policy for name in options.policy or ["planner"] for policy in (POLICIES if name == "all" else [name])))
    conditions = chosen_conditions(options)
    nets = {}
    try:
        for scenario in scenarios:
            nets[scenario.net] = NetFile(scenario.net)
            note_left_alone(scenario, Network(scenario.net))
    except (CannotMap, OSError, SyntaxError) as error:
        sys.exit(f"lab drive: {scenario.net}: {error}")
    runs = options.output / "runs" / str(os.getpid())
    jobs = make_jobs(scenarios, policies, conditions, options, runs)
    driver = Jobs(jobs, nets, options.jobs, lambda jobs: table.keep(table.rows(jobs), options.output))
    try:
        driver.run()
    except KeyboardInterrupt:
        sys.exit(f"lab drive: ended by you; what had been measured by then is in {options.output}/table.json")
    made = table.rows(jobs)
    table.write(made, options.output)
    print(table.as_json(made) if options.json else table.text(made))
    print(f"\nWritten to {options.output}: table.json, table.csv, delay.png", file=sys.stderr)
    invalid = sum(1 for one in made if not one["valid"])
    if invalid:
        sys.exit(f"lab drive: {invalid} of {len(made)} rows are invalid")


def make_parser():
    parser = argparse.ArgumentParser(prog="lab drive", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", action="append", metavar="NAME", help=f"of {', '.join(SCENARIOS)}, or all; may be repeated")
    parser.add_argument("--net", type=Path, help="any SUMO network with traffic lights, instead of a scenario")
    parser.add_argument("--routes", type=Path, help="the demand for --net")
    parser.add_argument("--policy", action="append", choices=[*POLICIES, "all"], help="may be repeated (default: planner)")
    parser.add_argument("--seeds", type=positive, default=DEFAULT_SEEDS, help=f"SUMO's, from {FIRST_SEED} on (default: {DEFAULT_SEEDS})")
    parser.add_argument("--end", type=positive, default=END_SEC, help=f"simulated seconds (default: {END_SEC})")
    parser.add_argument("--begin", type=int, help="SUMO's second to begin at (default: 0, or the hour of the first departure)")
    parser.add_argument("--loss", type=two_parts, metavar="PASSAGES,FRAMES",
                        help="also with parts of the loops' passages and the cameras' frames missing, e.g. 0.2,0.05")
    parser.add_argument("--kill", type=kill, metavar="SERVICE@SECOND+SECONDS", help="also with a service killed, e.g. analytics@1200+60")
    parser.add_argument("--ambulance", nargs=2, metavar=("row|column", "NAME"), help="also with ambulances along a street, without and with "
                        "a green wave")
    parser.add_argument("--no-baselines", action="store_true", help="leave out SUMO's own controllers")
    parser.add_argument("--output", type=directory, default=TOP / ".lab/drive", help="directory for the table and plot (default: .lab/drive)")
    parser.add_argument("--json", action="store_true", help="the table as JSON on standard output")
    parser.add_argument("--no-build", action="store_true", help="use the services of .lab/build as they are")
    parser.add_argument("--jobs", type=positive, default=min(2, os.cpu_count() or 1), help="runs at once")
    return parser


def directory(text):
    """A run's process works in a directory of its own, where a relative name would mean another place."""
    return Path(text).resolve()


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text}")
    return value


def two_parts(text):
    parts = tuple(float(part) for part in text.split(","))
    if len(parts) != 2 or not all(0 <= part <= 1 for part in parts):
        raise argparse.ArgumentTypeError(f"expected two parts from 0 to 1, e.g. 0.2,0.05, got {text}")
    return parts


def kill(text):
    found = re.fullmatch(r"([a-z]+)@(\d+)\+(\d+)", text)
    if not found or found[1] not in KILLABLE:
        raise argparse.ArgumentTypeError(f"expected {'|'.join(KILLABLE)}@SECOND+SECONDS, got {text}")
    return {"service": found[1], "at": int(found[2]), "seconds": int(found[3])}


def chosen_scenarios(parser, options):
    if (options.net is None) != (options.routes is None):
        parser.error("--net and --routes belong together")
    names = [name for name in options.scenario or [] for name in (SCENARIOS if name == "all" else [name])]
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        parser.error(f"--scenario {unknown[0]}: expected one of {', '.join(SCENARIOS)} or all")
    chosen = [SCENARIOS[name] for name in dict.fromkeys(names)]
    if options.net:
        for path in (options.net, options.routes):
            if not path.is_file():
                parser.error(f"{path}: there is no such file")
        chosen.append(of_files(options.net, options.routes))
    if not chosen:
        parser.error("which traffic? --scenario NAME, or --net X.net.xml --routes Y.rou.xml")
    begin = {} if options.begin is None else {"begin": options.begin}
    return [replace(scenario, end=options.end, **begin) for scenario in chosen]


def chosen_conditions(options):
    conditions = [Condition()]
    if options.loss:
        conditions.append(Condition("{:.0%} / {:.0%} missing".format(*options.loss), loss=options.loss))
    if options.kill:
        conditions.append(Condition("{service} killed {at}+{seconds}".format(**options.kill), kill=options.kill))
    if options.ambulance:
        kind, which = options.ambulance
        street = (kind, int(which) if kind == "column" else which)
        conditions += [Condition(f"ambulances {kind} {which}", ambulance=street),
                       Condition(f"ambulances {kind} {which}, wave", ambulance=street, has_wave=True)]
    return conditions


def note_left_alone(scenario, network):
    if network.left_alone:
        lights = ", ".join(network.left_alone[:5]) + (" ..." if len(network.left_alone) > 5 else "")
        print(f"{scenario.name}: {len(network.left_alone)} lights have nothing to decide and keep their programme: {lights}", file=sys.stderr)


def make_jobs(scenarios, policies, conditions, options, runs):
    wanted = [(scenario, policy, Condition()) for scenario in scenarios for policy in simulator.OWN_CONTROLLERS
              if not options.no_baselines]
    wanted += [(scenario, policy, condition) for scenario in scenarios for policy in policies for condition in conditions]
    order = {scenario.name: place for place, scenario in enumerate(scenarios)}
    wanted.sort(key=lambda one: order[one[0].name])
    return [Job(scenario, policy, condition, FIRST_SEED + seed, runs / f"{place}-{seed}")
            for place, (scenario, policy, condition) in enumerate(wanted) for seed in range(options.seeds)]


if __name__ == "__main__":
    main()
