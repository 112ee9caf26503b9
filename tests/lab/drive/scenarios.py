"""The traffic that can be driven: named networks with their demand, or any others by their files."""
import gzip
import os
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
NETWORKS = HERE / "networks"
RECORDED = TOP / "config/sumo"
END_SEC = HOUR_SEC = 3600

os.environ.setdefault("SUMO_HOME", "/usr/share/sumo")


@dataclass(frozen=True)
class Scenario:
    name: str
    net: Path
    routes: Path
    begin: int = 0  # SUMO's second
    end: int = END_SEC  # how many seconds from then on


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("city_rand", RECORDED / "city4x4.net.xml", NETWORKS / "city_rand.rou.xml.gz"),
    Scenario("city_peak", RECORDED / "city4x4.net.xml", RECORDED / "city4x4-peak.rou.xml.gz"),
    Scenario("city2_rand", NETWORKS / "city2.net.xml.gz", NETWORKS / "city2_rand.rou.xml.gz"),
    Scenario("city2_peak", NETWORKS / "city2.net.xml.gz", NETWORKS / "city2_peak.rou.xml.gz"),
    Scenario("grid_left", NETWORKS / "grid_left.net.xml.gz", NETWORKS / "grid_left.rou.xml.gz"),
    Scenario("random", NETWORKS / "random.net.xml.gz", NETWORKS / "random.rou.xml.gz"),
    Scenario("spider", NETWORKS / "spider.net.xml.gz", NETWORKS / "spider.rou.xml.gz"),
)}


def of_files(net, routes):
    """A scenario of somebody's own network; named by its demand, which is what tells two of one network apart."""
    name = Path(routes).name
    for suffix in (".gz", ".xml", ".rou", ".trips", ".flows"):
        name = name.removesuffix(suffix)
    return Scenario(name, Path(net).resolve(), Path(routes).resolve(), begin_of(routes))


def begin_of(routes):
    """0, unless nobody sets out within the first hour: demand of a day's rush hour begins at its hour."""
    with (gzip.open if str(routes).endswith(".gz") else open)(routes, "rb") as file:
        for _, element in xml.iterparse(file, ("start",)):
            when = element.get("depart", element.get("begin"))
            if when is not None:
                break
        else:
            return 0
    try:
        return int(float(when)) // HOUR_SEC * HOUR_SEC
    except ValueError:
        return 0  # "triggered" and the like
