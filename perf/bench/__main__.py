"""lab bench: figures of the shipped packages, in a lab of their own (LAB=bench). Each bench says what it does: lab bench BENCH --help."""
import argparse
import os
import sys
from pathlib import Path

from bench import growth, load, peers, report, scenarios
from bench.citylab import TOP

BENCHES = {"scenarios": scenarios, "load": load, "growth": growth, "peers": peers, "report": report}


def main():
    parser = argparse.ArgumentParser(prog="lab bench", description=__doc__)
    benches = parser.add_subparsers(dest="bench", metavar="BENCH", required=True)
    for name, module in BENCHES.items():
        one = benches.add_parser(name, help=module.__doc__.partition(": ")[2].partition("\n\n")[0], description=module.__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
        module.options(one)
        one.add_argument("--results", type=Path, default=TOP / "perf" / "results", help="directory of the files (default: perf/results)")
    arguments = parser.parse_args()
    arguments.build = Path(os.environ["TRAFFIC_BUILD"])
    BENCHES[arguments.bench].run(arguments, " ".join(["lab bench", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
