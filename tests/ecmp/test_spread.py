"""Many flows between two nodes: which of the equal-cost paths they take, and what a spine's loss costs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from fixtures.instruments.flows import FlowProber, without_links_of
from fixtures.instruments.live import LiveFabric
from reports.checks.spread import FlowSeen, all_arrive, each_stays, share_one_way, spread_evenly
from topology.promises import Spread

pytestmark = [pytest.mark.overlay, pytest.mark.ecmp]


@pytest.fixture(scope="module")
def flows(fabric: LiveFabric) -> Callable[[Spread], list[FlowSeen]]:
    """The flows of a declared spread, sent once."""
    known: dict[Spread, list[FlowSeen]] = {}
    prober = FlowProber(fabric)
    prober.settle()

    def look(spread: Spread) -> list[FlowSeen]:
        if spread not in known:
            known[spread] = prober.flows(spread.source, spread.target)
        return known[spread]

    return look


def test_every_flow_arrives_by_a_legal_way(spread: Spread, flows: Callable[[Spread], list[FlowSeen]]) -> None:
    """Each packet of each flow shows the declared headers at every hop of one of the legal paths."""
    assert all_arrive(flows(spread))


def test_a_flow_keeps_to_one_way(spread: Spread, flows: Callable[[Spread], list[FlowSeen]]) -> None:
    """All packets of one flow take the same path, so that they stay in order."""
    assert each_stays(flows(spread))


def test_flows_are_spread_as_declared(
    spread: Spread, flows: Callable[[Spread], list[FlowSeen]], fabric: LiveFabric
) -> None:
    """Many flows use all equal-cost paths in fair shares, or all the same one, as the lab declares."""
    if spread.even:
        assert spread_evenly(flows(spread), FlowProber(fabric).forks(spread.source, spread.target).ways)
    else:
        assert share_one_way(flows(spread))


def test_loss_of_a_spine_costs_no_flow(surviving_spread: tuple[Spread, Sequence[str]], pristine: LiveFabric) -> None:
    """While the links of any one spine are down, every flow arrives over the others; afterwards all is as before.

    In a lab without spines it is any one node that not all paths pass.
    """
    spread, losses = surviving_spread
    before = pristine.live_states()
    for lost in losses:
        with without_links_of(pristine, lost):
            found = FlowProber(pristine).flows(spread.source, spread.target)
            assert all_arrive(found)
            assert all(lost not in str(way).split("+") for flow in found for way in flow.ways)
        assert pristine.changed_since(before) == ()


def test_loss_of_a_spine_is_noticed_where_leaves_follow_dead_links(
    surviving_spread: tuple[Spread, Sequence[str]], pristine: LiveFabric
) -> None:
    """Without ignore_routes_with_linkdown flows are lost with a spine's links, and the check says how many."""
    spread, losses = surviving_spread
    for node in pristine.declared.nodes:
        if any(route.others for route in node.routes):
            names = ("all", "default", *(device.name for device in node.devices))
            settings = [f"net/ipv{v}/conf/{name}/ignore_routes_with_linkdown=0" for v in (4, 6) for name in names]
            assert pristine.run(node.name, "sysctl", "-qw", *settings).code == 0
    with without_links_of(pristine, losses[0]):
        found = all_arrive(FlowProber(pristine).flows(spread.source, spread.target))
    assert not found
    assert "lost" in str(found)
