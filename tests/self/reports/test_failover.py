"""What an event costs a flow, by its datagrams: each figure, the bounds that decide, and what is not established."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reports.checks.failover import Datagram, Flow, Run, judge, table
from topology.errors import EvidenceIncomplete, Undecided
from topology.promises import Survival

MS = 1_000_000
INTERVAL = 100 * MS
EVENT_AT = 10
"""The number of the first datagram after the event."""
COUNT = 30
LATE = {"arrived_ns": 12 * INTERVAL + 150 * MS}
"""The times of the twelfth datagram where it comes after the thirteenth."""


def flow(changes: Mapping[int, Mapping[str, Any]] | None = None) -> Flow:
    """A flow by spine1 that moves to spine2 with the event, each datagram 1 ms under way, with changes by number."""
    usual = [Datagram(n * INTERVAL, n * INTERVAL + MS, way=f"spine{1 + (n >= EVENT_AT)}") for n in range(COUNT)]
    made = tuple(replace(one, **(changes or {}).get(number, {})) for number, one in enumerate(usual))
    return Flow("h1 > h2 port 1", INTERVAL, made)


def lost(*numbers: int) -> Flow:
    """The flow without these datagrams."""
    return flow({number: {"arrived_ns": None} for number in numbers})


def run(*flows: Flow, event: str = "spine-dead") -> Run:
    """An event between two datagrams."""
    at = EVENT_AT * INTERVAL - 10 * MS
    return Run(event, "spine1", at, at + 5 * MS, flows or (flow(),))


@pytest.mark.parametrize(
    ("bounds", "seen", "words"),
    [
        ({"lost": 1}, lost(10, 11), "datagrams lost - expected at most 1 - seen 2"),
        ({"duplicated": 0}, flow({12: {"copies": 2}}), "datagrams duplicated - expected at most 0 - seen 1"),
        ({"reordered": 0}, flow({12: LATE}), "datagrams reordered - expected at most 0 - seen 1"),
        (
            {"looped": 0},
            flow({12: {"looped": "leaf1:swp1 in"}}),
            "looped - expected at most 0 - seen 1, again at l",
        ),
        (
            {"without_service": 0.3},
            lost(*range(10, 16)),
            "time without service - expected at most 300 ms - seen 500 ms to 700 ms"
            " (6 lost; before by spine1, after by spine2)",
        ),
        (
            {"without_service": 0.001},
            lost(*range(10, COUNT)),
            "expected at most 1 ms - seen 1.90 s and no end (20 lost; before by spine1)",
        ),
    ],
)
def test_each_figure_beyond_its_bound_fails(bounds: dict[str, Any], seen: Flow, words: str) -> None:
    """A figure above what is promised fails, and the words name node, event, flow, bound and what was seen."""
    found = judge(Survival("spine-dead", **bounds), [run(), run(flow(), seen)])
    assert not found
    assert str(found).startswith("spine1 - spine-dead, flow h1 > h2 port 1 - ")
    assert words in str(found)
    assert "(1 of 2 flows)" in str(found)
    assert found.suspects == (("spine1",) if {*bounds} & {"lost", "without_service"} else ())
    for name in bounds:
        bounds[name] = 100
    assert judge(Survival("spine-dead", **bounds), [run(lost(10))])


@pytest.mark.parametrize(
    ("promise_s", "numbers", "verdict"),
    [
        (0.3, (10, 11), True),  # surely at most 300 ms
        (0.3, (10, 11, 12), None),  # 200 to 400 ms
        (0.3, (10, 11, 12, 13, 14), False),  # at least 400 ms
        (0.1, (), True),
        (0.001, (), None),  # less than an interval cannot be seen
        (0.001, (10,), None),
        (0.001, (10, 11), False),
        (0.5, (10, 11, 15, 16), None),  # two times of 100 to 300 ms each
        (60, (COUNT - 1,), None),  # it may last on
    ],
)
def test_bounds_of_the_time_decide(promise_s: float, numbers: tuple[int, ...], verdict: bool | None) -> None:
    """Only a time that is surely longer fails, only one that is surely shorter passes."""
    promise, runs = Survival("spine-dead", promise_s), [run(lost(*numbers))]
    if verdict is not None:
        assert bool(judge(promise, runs)) is verdict
        return
    with pytest.raises(Undecided, match="its datagrams were 100 ms apart"):
        judge(promise, runs)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (run(lost(5)), "nothing happens - expected every datagram - seen 1 lost: what spine-dead costs is not"),
        (run(lost(20), event="nothing"), "what nothing costs is not established"),
        (run(flow({20: {"way": "spine1"}})), "expected nothing to pass it - seen datagrams of h1 > h2 port 1 do"),
    ],
)
def test_what_is_not_established_is_no_verdict(broken: Run, words: str) -> None:
    """Loss before the event, loss while nothing happens, and an event that did not happen leave nothing to judge."""
    for most in (None, 0, 100):
        with pytest.raises(EvidenceIncomplete, match=words):
            judge(Survival(broken.event, lost=most), [run(event=broken.event), broken])


def test_datagram_under_way_when_the_event_begins_is_its_victim() -> None:
    """One that left so shortly before that others took longer is no loss of the time before."""
    slow = {"arrived_ns": 3 * INTERVAL + 80 * MS}
    victim = {"sent_ns": EVENT_AT * INTERVAL - 30 * MS, "arrived_ns": None}
    assert not judge(Survival("spine-dead", lost=0), [run(flow({3: slow, 9: victim}))])


def test_no_run_is_no_pass() -> None:
    """Nothing measured is nothing kept."""
    assert not judge(Survival("spine-dead", lost=0), [])


def test_table_states_figures_and_resolution() -> None:
    """A line for each run; the words say how far apart datagrams were, and both times with their medians."""
    found = table(Survival("spine-dead"), [run(flow(), lost(10, 11)), run(flow(), lost(*range(10, COUNT)))])
    assert [row["flows hit"] for row in found.rows] == ["1 of 2", "1 of 2"]
    assert [row["lost"] for row in found.rows] == ["2", "20"]
    assert [row["by loss"] for row in found.rows] == ["200 ms", "2.00 s"]
    assert [row["by rate"] for row in found.rows] == ["200 ms", "2.00 s"]
    assert [row["path before > after"] for row in found.rows] == ["1 spine1 > spine2", "1 spine1 > nothing"]
    assert "2 flows at 10 datagrams a second each: times to 100 ms" in found.words[0]
    assert "1 times a flow was still without service at the end" in found.words
    assert any("by loss: median 1.10 s (range: 200 ms to 2.00 s, 2 runs)" in words for words in found.words)
