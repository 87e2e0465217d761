"""A record with every kind of exhibit in it, as a run writes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from reports.checks.mtu import PairMtu
from reports.evidence import Cause
from reports.record.append import cause_of, journey_of, sizes_of_pair
from reports.record.exhibits import Diagnosis, FaultTried, Figures, State
from reports.record.model import Kernel, Lab, Map, Place, Record, Test, Verdict
from tests.self.builders import expect, good_leg, leg, reference, seen_path
from tests.self.found import way

CAUSE = Cause("route", "lc1", None, "28.0.0.0/24", "missing", "ip -n lc1 route replace …")


def record(name: str = "ece792") -> Record:
    """A run in which one test passed and one failed; ``name`` is whatever a name can be."""
    expected = expect(reference(), "cs1", "cs4")
    lost = leg(expected, seen_path(reference(), expected.paths[0])[:4], note=name)
    lost = replace(lost, verdict=replace(lost.verdict, causes=(CAUSE,)))
    good, bad = f"tests/a.py::t[{name}]", f"tests/b.py::t[{name}]"
    tests = [
        Test(good, f"A promise of {name}.", Verdict.PASSED, 0.5),
        Test(bad, name, Verdict.FAILED, 1.0, name, cause_of(replace(CAUSE, node=name, fix=name)), pair=name),
    ]
    table = Figures.table(name, ("path", name), (("veth", name),), (name,), {"n": 6}, of_the_run=True)
    return Record(
        schema=2,
        complete=True,
        started="2026-01-02 03:04:05 UTC",
        kernel=Kernel("guest", "6.1.0", "tcg", name),
        lab=Lab(name, name, name, 2, 1),
        tests=tests,
        journeys=[journey_of(good_leg(reference(), "cs1", "cs5"), good), journey_of(lost, bad)],
        sizes=list(sizes_of_pair(PairMtu(replace(way(), source=name), way()), bad)),
        measurements=[replace(table, test=good)],
        states=[State(bad, name, [cause_of(CAUSE)])],
        map=Map([Place(name, "leaf"), Place("s1", "spine")], [(name, "s1")]),
        summary={verdict: sum(test.verdict is verdict for test in tests) for verdict in Verdict},
        not_collected={name: 2},
        warnings=[name],
        table="tests.html",
        faults=[
            FaultTried(good, "route-missing", name, "lc1:x", name, "overlay", diagnosis(), diagnosis("wrong", None))
        ],
    )


def diagnosis(
    node: Literal["right", "wrong", "none"] = "right", rank: int | None = 1, caught: bool = True
) -> Diagnosis:
    """What was said of a fault that only packets show."""
    return Diagnosis(caught, False, False, node, rank, 1.5, "lc1 - route")
