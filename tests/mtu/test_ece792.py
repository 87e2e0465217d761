"""The reference lab alone: the table of docs/mtu.md, spelled out. Not collected for any other lab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.mtu import MtuProber
from fixtures.instruments.payloads import exchange
from fixtures.instruments.probe import Prober
from fixtures.sizes import SizeBook
from fixtures.underlay import Underlay
from reports.checks.mtu import PairMtu
from topology.errors import NotProven
from topology.model import Fabric
from topology.promises import Pair

pytestmark = [pytest.mark.mtu, pytest.mark.usefixtures("ece792")]


def pair_of(lab: Fabric, source: str, target: str) -> Pair:
    """The declared pair of two nodes, or one of them where the pairs come from elsewhere (``--expect``)."""
    declared = (pair for pair in lab.pairs if (pair.source, pair.target) == (source, target))
    return next(declared, Pair(source, target, "l2-overlay"))


@pytest.fixture
def between(
    lab: Fabric, underlay: Underlay, size_book: SizeBook, request: pytest.FixtureRequest
) -> Callable[[str, str], PairMtu]:
    """Gives the sizes between two nodes of the reference lab, while its underlay is sound."""

    def find(source: str, target: str) -> PairMtu:
        pair = pair_of(lab, source, target)
        if reason := underlay.broken_for(pair, request.node):
            raise NotProven(f"the underlay is broken: {reason}")
        return size_book.of(pair, request.node)

    return find


def test_vxlan_in_gre_carries_1426_bytes_whole_and_1450_in_fragments(between: Callable[[str, str], PairMtu]) -> None:
    """From cs1 to cs5 packets of 1426 bytes cross whole; up to 1450 the leaf splits VXLAN's packet, DF or not."""
    way = between("cs1", "cs5").out
    whole, fragments, *_ = way.zones
    assert (way.largest_whole, way.largest_whole_with_df, way.largest_with_df) == (1426, 1426, 1450)
    assert whole.what.fate == "whole"
    assert (fragments.first, fragments.last, fragments.what.fate) == (1427, 1450, "fragments")
    assert fragments.what.where == "lc1:gretun-cont out"


def test_vxlan_answers_in_the_far_customers_name(between: Callable[[str, str], PairMtu], fabric: LiveFabric) -> None:
    """From 1451 to 1454 bytes con_ns1's VXLAN device reports an MTU of 1450 to cs1, with cs5's address as the
    source.
    """
    icmp = between("cs1", "cs5").out.zones[2]
    assert (icmp.first, icmp.last, icmp.what.fate, icmp.what.mtu) == (1451, 1454, "icmp", 1450)
    assert (icmp.what.node, icmp.what.where) == ("con_ns1", "con_ns1:vxlan-cont in")
    assert icmp.what.forged
    assert icmp.what.speaker == str(fabric["cs5"].address)


def test_bridge_drops_larger_packets_in_silence(between: Callable[[str, str], PairMtu]) -> None:
    """From 1455 bytes to cs1's own MTU packets come in at bridge 1 and vanish without an ICMP error."""
    _, _, _, silence, refused = between("cs1", "cs5").out.zones
    assert (silence.first, silence.last, silence.what.fate) == (1455, 1500, "silence")
    assert silence.what.where == "con_ns1:bridge1_cs1 in"
    assert (refused.first, refused.what.fate, refused.what.node) == (1501, "refused", "cs1")


def test_leaf_answers_what_gre_does_not_carry(between: Callable[[str, str], PairMtu], fabric: LiveFabric) -> None:
    """From cs1 to cs4 packets of 1476 bytes cross whole; for larger ones lc1 reports the MTU to cs1 from its own
    address.
    """
    way = between("cs1", "cs4").out
    icmp = way.zones[1]
    assert (way.largest_whole, way.largest_with_df) == (1476, 1476)
    assert (icmp.first, icmp.last, icmp.what.fate, icmp.what.mtu) == (1477, 1500, "icmp", 1476)
    assert (icmp.what.node, icmp.what.forged) == ("lc1", False)
    assert icmp.what.speaker in {str(address) for address in fabric["lc1"].addresses}


def test_hairpin_meets_the_limits_of_both_overlays(between: Callable[[str, str], PairMtu]) -> None:
    """From cs3 to cs5 the leaf answers packets above 1476 bytes; up to that the Layer 2 overlay after it decides as
    usual.
    """
    zones = between("cs5", "cs3").back.zones
    assert [(zone.last, zone.what.fate, zone.what.node) for zone in zones[1:5]] == [
        (1450, "fragments", "lc1"),
        (1454, "icmp", "con_ns1"),
        (1476, "silence", "con_ns1"),
        (1500, "icmp", "lc2"),
    ]


def test_leafs_narrow_link_lets_ping_through_and_stalls_tcp(
    between: Callable[[str, str], PairMtu], lab: Fabric, pristine: LiveFabric
) -> None:
    """If lc1's link has a smaller MTU than its tunnel, pings cross the Layer 2 overlay but TCP stalls, since ICMP goes
    to a VTEP.

    The report names lc1 and its link.
    """
    sound = between("cs1", "cs5")
    pair = pair_of(lab, "cs1", "cs5")
    assert pristine.run("lc1", "ip", "link", "set", "dev", "lc1_sc2", "mtu", "1400").code == 0
    assert Prober(pristine).trip("cs1", "cs5").arrived
    found = MtuProber(pristine).explore([pair])[pair]
    assert (sound.out.largest_whole, found.out.largest_whole) == (1426, 1326)
    stalled = exchange(pristine, pair, "tcp", 1426).unchanged(found)
    assert not stalled
    assert repr(stalled).startswith("lc1 - ")
    assert stalled.cause
    assert (stalled.cause.node, stalled.cause.interface, stalled.cause.live) == ("lc1", "lc1_sc2", "1400")
