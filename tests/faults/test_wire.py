"""What the wire alone shows of a loss: the request that a packet waits for, and the kernel's own reason for a drop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import pytest

from fixtures.instruments.again import dropped
from fixtures.instruments.case import case_of
from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from fixtures.instruments.spot import Spotter
from reports.judge.trip import Leg
from topology.expected import expected_journey, probe_between

Breaking: TypeAlias = Callable[[str, str, str], AbstractContextManager[None]]
pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

CHAIN = "nft add table {0} f; nft add chain {0} f c '{{ type filter hook {1} priority 0; }}'; nft add rule {0} f c {2}"
FILTERS = "ip link set dev {0} type bridge vlan_filtering {1}; bridge vlan {2} vid 1 dev {3} pvid untagged"
REQUESTS: Mapping[str, tuple[str, str, str, str]] = {
    "VLAN-filtered": (
        "con_ns1",
        FILTERS.format("bridge1", 1, "del", "vxlan-cont"),
        FILTERS.format("bridge1", 0, "add", "vxlan-cont"),
        "con_ns1:vxlan-cont out",
    ),
    "filtered by the far bridge": (
        "con_ns3",
        CHAIN.format("bridge", "forward", "ether type arp drop"),
        "nft delete table bridge f",
        "con_ns3:bridge3_cs5 out",
    ),
    "not answered": ("cs5", "ip link set dev cs5_br3 arp off", "ip link set dev cs5_br3 arp on", "cs5:cs5_br3 out"),
    "answer lost": (
        "con_ns1",
        CHAIN.format("bridge", "forward", "arp operation reply drop"),
        "nft delete table bridge f",
        "con_ns1:bridge1_cs1 out",
    ),
    "not answered to a VTEP": (
        "lc1",
        CHAIN.format("arp", "input", "drop"),
        "nft delete table arp f",
        "lc1:lc1_br1 out",
    ),
}
"""Faults of address resolution by name: the node, what breaks it, what undoes that, and the hop to blame."""
DROPS: Mapping[str, tuple[str, str, str, str, str]] = {
    "nftables": ("sc2", CHAIN.format("ip", "forward", "drop"), "nft delete table ip f", "nft", "NETFILTER_DROP"),
    "xfrm": (
        "lc1",
        "ip xfrm policy add src 20.0.0.0/24 dst 30.0.0.0/24 dir fwd action block",
        "ip xfrm policy flush",
        "xfrm",
        "XFRM_POLICY",
    ),
    "a key of no tunnel": (
        "lc2",
        "ip link set dev gretun-cont type gre local 28.0.0.2 remote 26.0.0.2 key 5",
        "ip link set dev gretun-cont type gre local 28.0.0.2 remote 26.0.0.2 nokey",
        "drop",
        "gre_rcv",
    ),
}
"""Filters by name: the node, what breaks it, what undoes that, the kind of cause, and the kernel's word."""


@pytest.fixture
def broken(pristine: LiveFabric) -> Breaking:
    """Breaks a node of the copy within a block; nobody knows a neighbour then."""

    @contextmanager
    def within(node: str, command: str, undo: str) -> Iterator[None]:
        assert pristine.run(node, "sh", "-ec", command).code == 0, command
        pristine.forget_neighbours()
        try:
            yield
        finally:
            assert pristine.run(node, "sh", "-ec", undo).code == 0, undo

    return within


def test_request_for_an_address_is_followed(pristine: LiveFabric, undeclared: LiveFabric, broken: Breaking) -> None:
    """Of a packet that waits for a MAC, the hop at which the request or its answer was lost is blamed, with a
    declaration; without one that hop is the cause where the nodes' state explains nothing."""
    pair = next(pair for pair in pristine.declared.pairs if (pair.source, pair.target) == ("cs1", "cs5"))
    for name, (node, command, undo, place) in REQUESTS.items():
        with broken(node, command, undo):
            lost = Prober(pristine).trip("cs1", "cs5").out.verdict
            assert lost.divergence is not None, name
            assert lost.divergence.place == place, name
            assert "waits at" in lost.note, name
            if name == "VLAN-filtered":
                cause, *_ = Spotter(undeclared).pair(pair).causes
                assert (cause.node, cause.interface) == ("con_ns1", "vxlan-cont"), cause
    assert Prober(pristine).trip("cs1", "cs5").arrived


def test_kernel_says_why_it_drops(pristine: LiveFabric, broken: Breaking) -> None:
    """A packet that is sent again is tied to the kernel's drop at the node where it ended, with its reason."""
    assert Prober(pristine).trip("cs1", "cs4").arrived
    for name, (node, command, undo, kind, word) in DROPS.items():
        with broken(node, command, undo):
            assert not Prober(pristine).trip("cs1", "cs4").arrived
            probe = probe_between(pristine.declared, "cs1", "cs4")
            lost = Prober(pristine).trip("cs1", "cs4").out
            alone = Leg.judged(lost.journey, expected_journey(pristine.declared, probe))
            causes = list(dropped(pristine, case_of(pristine, alone, probe)))
            assert {(cause.kind, cause.node) for cause in causes} == {(kind, node)}, name
            assert word in causes[0].live
