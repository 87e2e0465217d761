"""What a wrong MTU or a lost ICMP error does is found, and told with the node where it is; on copies of the fabric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.mtu import MtuProber
from fixtures.instruments.payloads import exchange
from fixtures.instruments.probe import Prober
from reports.judge.mtu import PairMtu
from topology.errors import NotApplicable
from topology.expected import expected_journey, probes_of
from topology.limits import Limit, limits
from topology.model import Fabric, Gre, Vxlan
from topology.promises import Kind, MtuPromise, Pair

pytestmark = pytest.mark.mtu
NARROWER = 100
"""Bytes that a broken device carries less than it must."""


def pair_of(lab: Fabric, *kinds: Kind) -> Pair:
    """The lab's first pair of one of these kinds."""
    for pair in lab.pairs:
        if pair.kind in kinds:
            return pair
    raise NotApplicable(f"{lab.name} has no pair of the kinds {', '.join(kinds)}")


def outgoing(lab: Fabric, pair: Pair) -> Iterator[Limit]:
    """The interfaces by which a pair's packets leave a node on their way, in order."""
    probe, _ = probes_of(lab, pair)
    return (limit for limit in limits(lab, expected_journey(lab, probe)) if limit.direction == "out")


def leaf_port(lab: Fabric, pair: Pair) -> Limit:
    """Where a pair's packets leave a leaf for a spine."""
    ends = {end for link in lab.spine_links for end in link.ends}
    found = (limit for limit in outgoing(lab, pair) if lab[limit.node].role == "leaf")
    return next(limit for limit in found if lab[limit.node][limit.interface].ref in ends)


def narrow(fabric: LiveFabric, limit: Limit, by: int = NARROWER) -> None:
    """Have an interface carry less than it must."""
    mtu = str(limit.mtu - by)
    assert fabric.run(limit.node, "ip", "link", "set", limit.interface, "mtu", mtu).code == 0


def sizes_of(fabric: LiveFabric, pair: Pair) -> PairMtu:
    """What sizes cross between the ends of a pair."""
    return MtuProber(fabric).explore([pair])[pair]


def test_narrower_device_is_found_at_its_node(lab: Fabric, pristine: LiveFabric) -> None:
    """Where a leaf's link or a tunnel carries less than it must, as much less crosses whole, and the node is named."""
    pair = pair_of(lab, "l2-overlay", "l3-overlay")
    tunnels = [limit for limit in outgoing(lab, pair) if isinstance(lab[limit.node][limit.interface], Gre | Vxlan)]
    for guilty in (leaf_port(lab, pair), *tunnels):
        narrow(pristine, guilty)
        found = sizes_of(pristine, pair)
        assert found.out.largest_whole == found.out.largest_whole_with_df == guilty.largest - NARROWER
        claim = found.out.whole_as_computed
        assert not claim
        assert repr(claim).startswith(f"{guilty.node} - {pair.source} -> {pair.target}")
        assert claim.cause
        assert (claim.cause.node, claim.cause.interface, claim.cause.kind) == (guilty.node, guilty.interface, "mtu")
        assert not found.promise_kept
        narrow(pristine, guilty, by=0)


def test_ping_works_and_tcp_does_not_where_icmp_is_lost(lab: Fabric, pristine: LiveFabric) -> None:
    """Where a leaf carries less than it must and its ICMP errors are lost, small packets cross and a stream stalls.

    What is told then names the size, the hop and the cause.
    """
    pair = pair_of(lab, "l3-overlay", "routed")
    guilty = leaf_port(lab, pair)
    narrow(pristine, guilty)
    # Packets of the leaf's own, as its ICMP errors are, find no way to the customer; those that it forwards do.
    mute = f"ip rule add iif lo to {lab[pair.source].address} blackhole"
    assert pristine.run(guilty.node, "sh", "-c", mute).code == 0
    assert Prober(pristine).trip(pair.source, pair.target).arrived
    fits = guilty.largest - NARROWER
    found = sizes_of(pristine, replace(pair, mtu=MtuPromise(customers=fits, above=("icmp",))))
    lost = found.out.zones[1]
    assert (lost.first, lost.what.fate, lost.what.node) == (fits + 1, "silence", guilty.node)
    assert found.out.promise_kept
    assert not found.out.above_as_allowed
    assert repr(found.out.above_as_allowed).startswith(f"{guilty.node} - {pair.source} -> {pair.target}")
    stalled = exchange(pristine, pair, "tcp", guilty.largest).unchanged(found)
    assert not stalled
    assert f"packets of 84 bytes arrive, one of {fits + 1} with DF vanishes behind {guilty.node}:" in repr(stalled)
    assert stalled.cause
    assert (stalled.cause.node, stalled.cause.interface) == (guilty.node, guilty.interface)
