"""Every fault of faults/cases.py under load, judged by the history's checker.

`lab test faults` runs all of them (-k NAME some, --runs N each so often, --resume those that have not passed yet), `lab test faults-quick`
the most telling ones. Each run is a line in .lab/faults.jsonl.
"""
import os

import pytest
from faults import results
from faults.cases import CASES, QUICK
from faults.city import City
from faults.machines import join_network
from faults.run import run_case


@pytest.fixture(scope="session")
def broken_city():
    city = City(os.environ.get("LAB", "test"))
    city.run_lab("down")
    city.run_lab("up", "--no-build", "--input", "relay")
    join_network(city.lab)
    city.observe()
    yield city
    city.observer.end()


def pytest_generate_tests(metafunc):
    config = metafunc.config
    done = results.passed() if config.getoption("--resume") else set()
    runs = [pytest.param(case, config.getoption("--seed") + run, id=case.name if run == 0 else f"{case.name}-{run + 1}",
                         marks=[pytest.mark.quick] if case.tier == QUICK else [])
            for case in CASES if case.name not in done for run in range(config.getoption("--runs"))]
    metafunc.parametrize("case,seed", runs)


def test_fault(broken_city, case, seed):
    city = broken_city
    city.begin_anew()
    result = run_case(city, case, seed)
    results.append(result)
    if not result["is_good"]:
        city.tell(result["at"] - 5)
    assert result["is_good"], "\n".join([f"{case.name}, --seed {seed}: {case.does}", *result["failures"], *result["examples"],
                                         *(f"{name}: {result[name]}" for name in results.VERDICTS if result[name])])
