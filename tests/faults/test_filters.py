"""Filters that drop or change a packet are named by the rule, with a declaration and without one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from fixtures.instruments.spot import Spotter
from reports.evidence import Cause
from topology.model import Fabric

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

NFT = "nft 'add table {0} f; add chain {0} f c {{ type filter hook {1} priority 0; }}; add rule {0} f c {2}'"
FAULTS: Mapping[str, tuple[str, str, str, str]] = {
    "ip protocol gre drop": (
        "sc2",
        NFT.format("ip", "forward", "ip protocol gre drop"),
        "nft delete table ip f",
        "nft",
    ),
    "ip protocol icmp drop": (
        "con_ns1",
        NFT.format("bridge", "forward", "ip protocol icmp drop"),
        "nft delete table bridge f",
        "nft",
    ),
    "chain FORWARD: policy drop": (
        "lc1",
        "iptables -P FORWARD DROP; iptables -A FORWARD -i docker0 -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "nft flush ruleset",
        "nft",
    ),
    "loss 100%": (
        "lc2",
        "tc qdisc add dev lc2-br2 root netem loss 100%",
        "tc qdisc del dev lc2-br2 root",
        "qdisc",
    ),
    "match 2f0000/ff0000 at 8 action drop": (
        "lc1",
        "tc qdisc add dev lc1_sc2 clsact; "
        "tc filter add dev lc1_sc2 egress protocol ip u32 match ip protocol 47 0xff action drop",
        "tc qdisc del dev lc1_sc2 clsact",
        "filter",
    ),
    "dir fwd action block": (
        "lc1",
        "ip xfrm policy add src 20.0.0.0/24 dst 30.0.0.0/24 dir fwd action block",
        "ip xfrm policy flush",
        "xfrm",
    ),
}
"""By the words that name it: the node of a filter, what makes it and what undoes it, the kind of cause."""


def said(causes: tuple[Cause, ...]) -> list[tuple[str, str, str]]:
    """Node, kind, and all words of each cause."""
    return [(cause.node, cause.kind, f"{cause.live} {cause.evidence}") for cause in causes]


def test_filter_is_named_by_its_rule(lab: Fabric, pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """The first cause of a lost packet is the filter at its node, in words that show the rule; without a declaration
    there is no other cause, and no fix."""
    pair = next(pair for pair in lab.pairs if pair.kind == "l3-overlay")
    prober, spotter = Prober(pristine, 0.5, 1.0), Spotter(undeclared, 0.5, 1.0)
    assert prober.trip(pair.source, pair.target).arrived
    for words, (node, make, undo, kind) in FAULTS.items():
        assert pristine.run(node, "sh", "-ec", make, timeout_s=120).code == 0, words
        trip, lost = prober.trip(pair.source, pair.target), spotter.pair(pair)
        for causes in (trip.causes, lost.causes):
            first, kind_of_first, shown = said(causes)[0]
            assert (first, kind_of_first) == (node, kind), (words, causes)
            assert words in shown, (words, causes)
        assert [cause.fix for cause in lost.causes] == [""], words
        assert pristine.run(node, "sh", "-ec", undo, timeout_s=120).code == 0, words
    assert prober.trip(pair.source, pair.target).arrived
