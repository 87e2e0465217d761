"""What is said of a fabric of which only pairs are declared."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]


def test_a_missing_route_is_named_without_a_declaration(pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """All pairs arrive in a whole fabric; without a leaf's route those that need it do not, and the leaf is named."""
    spotter = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0)
    pairs = {pair.kind: pair for pair in undeclared.declared.pairs}
    assert all(spotter.pair(pair).arrived for pair in pairs.values())
    pristine.run("lc2", "ip", "route", "del", "21.0.0.0/24")
    lost = spotter.pair(pairs["l2-overlay"])
    assert not lost.arrived
    assert [(cause.node, cause.kind) for cause in lost.causes] == [("lc2", "route")]


POLICIES = {
    "refused": ("from 20.0.0.0/24 to 30.0.0.0/24 unreachable", "rule", "from 20.0.0.0/24 to 30.0.0.0/24 unreachable"),
    "diverted": ("to 30.0.0.0/24 lookup 9", "route", "30.0.0.0/24 via 25.0.0.1 dev lc1_sc1 table 9"),
}
"""Policy rules of lc1, the kind of cause, and what is there."""


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_rule_is_named_without_a_declaration(name: str, pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """A rule that refuses a packet, and the route of another table that leads it astray, are the cause."""
    rule, kind, live = POLICIES[name]
    fault = f"ip route add 30.0.0.0/24 via 25.0.0.1 table 9; ip rule add {rule}"
    done = pristine.run("lc1", "sh", "-ec", fault)
    assert done.code == 0, done.stderr
    pair = next(pair for pair in undeclared.declared.pairs if pair.kind == "l3-overlay")
    lost = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0).pair(pair)
    assert not lost.arrived
    first, *_ = lost.causes
    assert (first.node, first.kind, first.source) == ("lc1", kind, "kernel")
    assert live in first.live
    assert pristine.kernel.agent.run(["sh", "-c", first.show]).stdout


def test_a_sender_that_drops_its_answers_is_named_without_a_declaration(
    pristine: LiveFabric, undeclared: LiveFabric
) -> None:
    """Its answers are seen at its interface; only a request to it shows that they go no further."""
    pair = next(pair for pair in undeclared.declared.pairs if pair.kind == "l2-overlay")
    rules = (
        "add table ip t; add chain ip t in { type filter hook input priority 0; }; add rule ip t in icmp type {} drop"
    )
    done = pristine.run(pair.source, "nft", rules.replace("{}", "{ echo-request, echo-reply }"))
    assert done.code == 0, done.stderr
    lost = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0).pair(pair)
    assert not lost.arrived
    assert [(cause.node, cause.kind) for cause in lost.causes] == [(pair.source, "nft")]


def test_a_target_that_cannot_begin_is_found_without_a_declaration(
    pristine: LiveFabric, undeclared: LiveFabric
) -> None:
    """Its VTEP floods to nobody: it answers, since a request teaches it the way back, and reaches nobody by itself."""
    pair = next(pair for pair in undeclared.declared.pairs if pair.kind == "l2-overlay")
    cables = (ends for link in pristine.declared.links for ends in (link.ends, link.ends[::-1]))
    vtep = next(far.node for near, far in cables if near.node == pair.target)
    done = pristine.run(vtep, "bridge", "link", "set", "dev", "vxlan-cont", "bcast_flood", "off")
    assert done.code == 0, done.stderr
    lost = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0).pair(pair)
    assert not lost.arrived
    assert lost.out.source == pair.target
    assert [(cause.node, cause.kind) for cause in lost.causes] == [(vtep, "bridge port")]


def test_what_sends_a_request_twice_is_named_without_a_declaration(
    pristine: LiveFabric, undeclared: LiveFabric
) -> None:
    """The target answers twice, in two packets: it is the request that shows where they became two."""
    pair = next(pair for pair in undeclared.declared.pairs if pair.kind == "l2-overlay")
    done = pristine.run("lc2", "tc", "qdisc", "add", "dev", "lc2_sc2", "root", "netem", "duplicate", "100%")
    assert done.code == 0, done.stderr
    twice = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0).pair(pair)
    assert twice.arrived
    assert not twice.carried_as(pair.kind)
    assert [(cause.node, cause.interface, cause.kind) for cause in twice.causes] == [("lc2", "lc2_sc2", "qdisc")]
