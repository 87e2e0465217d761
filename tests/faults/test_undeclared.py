"""What is said of a fabric of which only pairs are declared."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]


def test_a_missing_route_is_named_without_a_declaration(pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """All pairs arrive in a whole fabric; without a leaf's route those that need it do not, and the leaf is named."""
    spotter = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0)
    pairs = {pair.kind: pair for pair in undeclared.pairs}
    assert all(spotter.pair(pair).arrived for pair in pairs.values())
    pristine.run("lc2", "ip", "route", "del", "21.0.0.0/24")
    lost = spotter.pair(pairs["l2-overlay"])
    assert not lost.arrived
    assert [(cause.node, cause.kind) for cause in lost.causes] == [("lc2", "route")]


ANSWERED = {
    "by a rule": ("lc1", "ip rule add from 20.0.0.0/24 to 30.0.0.0/24 unreachable", "Network is unreachable"),
    "by its table": (
        "lc1",
        "ip route add 30.0.0.0/24 via 25.0.0.1 table 9; ip rule add to 30.0.0.0/24 lookup 9",
        "out by lc1_sc1",
    ),
}
"""Faults that the walk over what is read does not follow: the node, the fault, and the kernel's answer."""


@pytest.mark.parametrize("name", ANSWERED)
def test_a_kernels_answer_is_named_without_a_declaration(
    name: str, pristine: LiveFabric, undeclared: LiveFabric
) -> None:
    """Where a packet ends, the kernel's own answer for it is the cause, and the command that is named asks again."""
    node, fault, words = ANSWERED[name]
    done = pristine.run(node, "sh", "-ec", fault)
    assert done.code == 0, done.stderr
    pair = next(pair for pair in undeclared.pairs if pair.kind == "l3-overlay")
    lost = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0).pair(pair)
    assert not lost.arrived
    first, *_ = lost.causes
    assert (first.node, first.kind, first.source) == (node, "lookup", "kernel")
    assert words in first.live
    again = pristine.kernel.agent.run(["sh", "-c", first.show])
    assert words.removeprefix("out by ") in again.stdout + again.stderr
