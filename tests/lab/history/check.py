"""Reads a history and both stores of a lab, and says what became of every reading.

    PYTHONPATH=tests/lab python3 -m history.check --lab city --log FILE [--json FILE]

Exit status 0 only when nothing is lost, duplicated or changed, the equation of every producer holds and both stores hold the same
records. It judges what is there now: wait until the city has delivered what it has.
"""
import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from history import databases, judge
from history.log import History

STORES = {"primary": ("pc3", "var/lib/traffic/primary/traffic.db"), "replica": ("pc2", "var/lib/traffic/replica/traffic.db")}
SPOOLS = {"broker": ("pc1", "var/lib/traffic/broker/spool.db"), "analytics": ("pc2", "var/lib/traffic/analytics/outbox.db")}
# What arrived in one store this shortly before the copies were made may still be on its way to the other one.
UNDER_WAY_USEC = 1_000_000


def copies_of(root_of, directory):
    """({store: path}, {service: path}) of copies; `root_of(machine)` is where a machine's files are. A spool need not exist."""
    stores, spools = {}, {}
    for name, (machine, path) in SPOOLS.items():
        try:
            spools[name] = databases.copy_database(root_of(machine) / path, Path(directory) / name)
        except FileNotFoundError:
            pass
    for name, (machine, path) in STORES.items():
        stores[name] = databases.copy_database(root_of(machine) / path, Path(directory) / name)
    return stores, spools


def check(history, stores, spools, copied_usec, drops=None):
    """The whole verdict as what the JSON says."""
    spooled = set()
    for path in spools.values():
        spooled |= databases.spooled_identities(databases.opened(path))
    report = {"seed": history.header["seed"], "epoch": history.header["epoch"], "rate": history.header["rate"],
              "sent": sum(kind.sent for kind in history.kinds.values()),
              "acknowledged": sum(kind.n_acknowledged for kind in history.kinds.values()),
              "refused": sum(kind.n_refused for kind in history.kinds.values()), "stores": {}, "equation": {}}
    # Nobody who took nothing, or refused some, has proved anything.
    is_good = report["acknowledged"] > 0 and report["refused"] == 0
    for name, path in stores.items():
        database = databases.opened(path)
        is_sound = databases.is_sound(database)
        verdict = judge.judge_store(history, databases.stored_events(database), spooled)
        database.close()
        said = {field.name: getattr(verdict, field.name) for field in dataclasses.fields(verdict) if field.name != "counts"}
        report["stores"][name] = {**said, "is_sound": is_sound}
        report["equation"][name] = judge.equation(history, verdict, spooled, drops or {})
        is_good &= verdict.is_faultless and is_sound
        is_good &= all(terms["difference"] == 0 for terms in report["equation"][name].values())
    before = copied_usec - UNDER_WAY_USEC
    names = list(stores) if all(store["is_sound"] for store in report["stores"].values()) else []
    report["only_in"] = {name: databases.only_in(stores[name], stores[other], before) for name, other in zip(names, names[::-1])}
    is_good &= not any(count for counts in report["only_in"].values() for count in counts.values())
    report["is_good"] = is_good
    return report


def check_lab(log, root_of):
    """The verdict about a lab whose machines' files are at `root_of(machine)`."""
    with tempfile.TemporaryDirectory(prefix="history-") as directory:
        copied_usec = time.time_ns() // 1000
        stores, spools = copies_of(root_of, directory)
        return check(History(log), stores, spools, copied_usec)


COLUMNS = ("stored", "lost", "waiting", "duplicate", "corrupt", "strange")


def table(report):
    """What people read."""
    lines = [f"seed {report['seed']}: {report['sent']} readings handed in, {report['acknowledged']} acknowledged,"
             f" {report['refused']} refused", "", "store     " + "".join(f"{column:>11}" for column in COLUMNS)]
    for name, store in report["stores"].items():
        lines.append(f"{name:10}" + "".join(f"{store[column]:11}" for column in COLUMNS) + ("" if store["is_sound"] else "  file damaged"))
    lines += ["", f"{'producer, store':32} sent =   stored +  drops +  spooled"]
    for store, producers in report["equation"].items():
        for producer, terms in producers.items():
            holds = "" if terms["difference"] == 0 else f"  {terms['difference']} unaccounted for"
            lines.append(f"{producer + ', ' + store:30}{terms['sent']:8}   {terms['stored']:8}  {terms['drops']:7}  {terms['spooled']:8}"
                         + holds)
    for name, counts in report["only_in"].items():
        for kind, count in counts.items():
            if count:
                lines.append(f"{count} records of {kind} are in the {name} store only")
    for name, store in report["stores"].items():
        lines += [f"{name}: {example}" for example in store["examples"]]
    lines += ["", "Nothing lost, duplicated or changed." if report["is_good"] else "NOT GOOD: see above."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="history.check", description="Says what became of every reading of a history.")
    parser.add_argument("--lab", default=os.environ.get("LAB", "city"))
    parser.add_argument("--log", required=True)
    parser.add_argument("--json", help="write the verdict there too")
    arguments = parser.parse_args()
    from faults.machines import Machine
    report = check_lab(arguments.log, lambda name: Machine(arguments.lab, name).root())
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    return 0 if report["is_good"] else 1


if __name__ == "__main__":
    sys.exit(main())
