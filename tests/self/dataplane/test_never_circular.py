"""Live forwarding state explains a verdict and never makes one: packets that follow it wrongly still fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.instruments.diagnosis import diagnosed
from fixtures.instruments.live import LiveFabric
from reports.judge.journey import judge_journey
from reports.judge.trip import Leg
from tests.self.builders import journey, reference, seen_path
from tests.self.dataplane.test_endings import ENDINGS, ROUTED, Change, both, sysctl, without_route
from tests.self.reports.states import route
from topology.dataplane.live import live_fabric
from topology.expected import ExpectedJourney, expected_journey, probe_between
from topology.model import Fabric
from topology.packet import Probe
from topology.state import Answer, Lookup, NodeState, RouteState, declared_state


def to(new: RouteState) -> Change:
    """Give a node another route to a prefix."""
    return lambda state: replace(state, routes=without_route(str(new.prefix))(state).routes | {new})


FAULTS: dict[str, tuple[tuple[str, str], Mapping[str, Change]]] = {
    **{name: (ends, {node: change}) for name, (ends, node, change, _) in ENDINGS.items()},
    "routed past the tunnel": (
        ROUTED,
        {
            "lc1": to(route("30.0.0.0/24", "26.0.0.1", "lc1_sc2")),
            "sc2": to(route("30.0.0.0/24", "28.0.0.2", "sc2_lc2")),
        },
    ),
    "by the other spine": (
        ROUTED,
        {
            "lc1": both(to(route("28.0.0.0/24", "25.0.0.1", "lc1_sc1"))),
            "sc1": to(route("28.0.0.0/24", "27.0.0.2", "sc1_lc2")),
        },
    ),
}


class Live(LiveFabric):
    """The reference lab with the state of some nodes changed, read from no kernel."""

    def __init__(self, changes: Mapping[str, Change]) -> None:
        self.declared = reference()
        states = {node.name: declared_state(node, False, self.declared.routing) for node in self.declared.nodes}
        self.states = states | {name: change(states[name]) for name, change in changes.items()}
        self._netlink = cast(Any, SimpleNamespace(entrances={}))
        self.built = None

    def now(self) -> Mapping[str, NodeState]:
        return self.states

    def look_up(self, asked: Lookup) -> Answer:
        return Answer()

    def live_states(self, nodes: Sequence[str] | None = None) -> dict[str, NodeState]:
        return {name: self.states[name] for name in (self.names if nodes is None else nodes)}

    def forwarding(self, states: Mapping[str, NodeState] | None = None) -> Fabric:
        return live_fabric(self.declared.name, states or self.live_states(), self.declared.links)


def followed(name: str) -> tuple[Live, Probe, ExpectedJourney, Leg]:
    """The faulty fabric, a probe, its path by the live state, and the leg judged where it took that path."""
    ends, changes = FAULTS[name]
    live = Live(changes)
    probe = probe_between(live.declared, *ends)
    walked = expected_journey(live.forwarding(), probe)
    expected = expected_journey(live.declared, probe)
    seen = journey(expected, seen_path(live.declared, walked.paths[0]))
    return live, probe, walked, Leg.judged(seen, expected)


@pytest.mark.parametrize("name", FAULTS)
def test_packet_that_follows_wrong_state_fails(name: str) -> None:
    """A packet that was seen just where the wrong state sends it fails, and the cause changes nothing but the cause."""
    live, probe, _, leg = followed(name)
    assert not leg.verdict.passed
    explained = diagnosed(live, leg, probe).verdict
    assert explained.cause is not None
    assert replace(explained, causes=(), asked=()) == leg.verdict


@pytest.mark.parametrize("name", ["routed past the tunnel", "by the other spine"])
def test_live_state_as_the_promise_would_pass_it(name: str) -> None:
    """Judged by the live state the same packet would pass: that is why it never is."""
    live, _, walked, leg = followed(name)
    assert not leg.verdict.passed
    assert walked.dropped == ""
    assert judge_journey(journey(walked, seen_path(live.declared, walked.paths[0])), walked).passed


def test_second_fault_that_only_its_ending_shows_is_named() -> None:
    """Where the packet would end elsewhere, too, were the difference undone, both places are named; else only that."""
    lost, silent = without_route("28.0.0.0/24"), sysctl(4, "cs3-br", "arp_ignore", "8")
    for changes in ({"lc1": lost}, {"lc1": lost, "cs3": silent}):
        live = Live(changes)
        probe = probe_between(live.declared, *ROUTED)
        expected, walked = expected_journey(live.declared, probe), expected_journey(live.forwarding(), probe)
        leg = Leg.judged(journey(expected, seen_path(live.declared, walked.paths[0])), expected)
        assert {cause.node for cause in diagnosed(live, leg, probe).verdict.causes} == set(changes)


def test_there_are_enough_faults() -> None:
    """At least 20 faults that change live state are tried."""
    assert len(FAULTS) >= 20
