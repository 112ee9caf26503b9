"""The table of results, and the table of cases itself."""
import re

import pytest
from faults import results
from faults.cases import BY_NAME, CASES, QUICK
from faults.machines import TOP

RUN = {"case": "kill-broker", "seed": 1, "acknowledged": 1000, "lost": 0, "duplicate": 0, "corrupt": 0, "detection_sec": None,
       "recovery_sec": 0.5, "is_good": True, "packages": ""}


def row_of(table, name):
    return next(line for line in table.splitlines() if line.startswith(f"| {name} |")).strip("| ").split(" | ")


def test_table_adds_runs_up_and_shows_median_and_maximum():
    runs = [RUN, {**RUN, "lost": 2, "recovery_sec": 1.5}, {**RUN, "recovery_sec": 0.7}, {**RUN, "case": "crash-pc3", "detection_sec": 0.6}]
    table = results.table(runs)
    assert row_of(table, "kill-broker") == ["kill-broker", "kill -9 traffic-broker", "3", "3000", "2", "0", "0", "", "0.70 / 1.50"]
    assert row_of(table, "crash-pc3")[7] == "0.60 / 0.60"
    assert row_of(table, "**all**")[2:7] == ["4", "4000", "2", "0", "0"]
    assert "kill-analytics" not in table


@pytest.mark.parametrize("last,passed", [({}, {"kill-broker"}), ({"is_good": False}, set()), ({"packages": "others"}, set())])
def test_resuming_leaves_out_what_passed_last_with_these_packages(monkeypatch, last, passed):
    first = {**RUN, "packages": results.packages(), "is_good": not passed}
    runs = [first, {**first, "is_good": True, **last}] if "packages" not in last else [{**RUN, **last}]
    monkeypatch.setattr(results, "read", lambda: runs)
    assert results.passed() == passed


def test_every_name_of_a_case_can_be_typed_and_says_what_is_done():
    for case in CASES:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", case.name) and case.does
    assert 20 <= sum(case.tier == QUICK for case in CASES) <= 40


def test_cases_that_the_readme_names_exist():
    text = (TOP / "tests/lab/README.md").read_text()
    history = text[text.index("## What the first implementation did"):text.index("## The cases")]
    names = set(re.findall(r"`([a-z0-9-]+(?:-[A-Za-z0-9]+)*)`", history))
    assert len(names) > 15 and names <= set(BY_NAME)
