"""What a wrong MTU or a lost ICMP error does is found, and told with the node where it is; on copies of the fabric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from topology.model import Fabric, Geneve, Gre, Vxlan
from topology.promises import Kind, MtuPromise, Pair

pytestmark = pytest.mark.mtu
NARROWER = 100
"""Bytes that a broken device carries less than it must."""


def pair_of(lab: Fabric, *kinds: Kind) -> Pair:
    """The lab's first pair of one of these kinds, between IPv4 addresses."""
    for pair in lab.pairs:
        if pair.kind in kinds and probes_of(lab, pair)[0].src.version == 4:
            return pair
    raise NotApplicable(f"{lab.name} has no pair of IPv4 addresses of the kinds {', '.join(kinds)}")


def outgoing(lab: Fabric, pair: Pair) -> Iterator[Limit]:
    """The interfaces by which a pair's packets leave a node on their way, in order."""
    probe, _ = probes_of(lab, pair)
    return (limit for limit in limits(lab, expected_journey(lab, probe)) if limit.direction == "out")


def leaf_ports(lab: Fabric, pair: Pair) -> list[Limit]:
    """Where a pair's packets leave their first leaf for the spines."""
    ends = {end for link in lab.spine_links for end in link.ends}
    found = [limit for limit in outgoing(lab, pair) if lab[limit.node][limit.interface].ref in ends]
    found = [limit for limit in found if lab[limit.node].role == "leaf"]
    return [limit for limit in found if limit.node == found[0].node]


def tunnels(lab: Fabric, pair: Pair) -> list[list[Limit]]:
    """The tunnel devices on a pair's way, those of one node together: packets take one of them."""
    found = [
        limit for limit in outgoing(lab, pair) if isinstance(lab[limit.node][limit.interface], Geneve | Gre | Vxlan)
    ]
    kinds = dict.fromkeys((limit.node, type(lab[limit.node][limit.interface])) for limit in found)
    return [[li for li in found if (li.node, type(lab[li.node][li.interface])) == kind] for kind in kinds]


def narrow(fabric: LiveFabric, limits: Sequence[Limit], by: int = NARROWER) -> None:
    """Have interfaces carry less than they must."""
    for limit in limits:
        mtu = str(limit.mtu - by)
        assert fabric.run(limit.node, "ip", "link", "set", limit.interface, "mtu", mtu).code == 0


def sizes_of(fabric: LiveFabric, pair: Pair) -> PairMtu:
    """What sizes cross between the ends of a pair."""
    return MtuProber(fabric).explore([pair])[pair]


def test_narrower_device_is_found_at_its_node(lab: Fabric, pristine: LiveFabric) -> None:
    """Where a leaf's link or a tunnel carries less than it must, as much less crosses whole, and the node is named."""
    pair = pair_of(lab, "l2-overlay", "l3-overlay")
    if any(address.version == 6 for leaf in lab.role("leaf") for address in leaf.addresses):
        raise NotApplicable(
            f"{lab.name}: path MTUs that IPv6 tunnels have learned are not forgotten between two breaks"
        )
    for devices in (leaf_ports(lab, pair), *tunnels(lab, pair)):
        narrow(pristine, devices)
        guilty, places = devices[0], [(device.node, device.interface) for device in devices]
        found = sizes_of(pristine, pair)
        assert found.out.largest_whole == found.out.largest_whole_with_df == guilty.largest - NARROWER
        claim = found.out.whole_as_computed
        assert not claim
        assert repr(claim).startswith(f"{guilty.node} - {pair.source} -> {pair.target}")
        assert claim.cause
        assert (claim.cause.node, claim.cause.interface) in places
        assert claim.cause.kind == "mtu"
        assert not found.promise_kept
        narrow(pristine, devices, by=0)


def test_ping_works_and_tcp_does_not_where_icmp_is_lost(lab: Fabric, pristine: LiveFabric) -> None:
    """Where a leaf carries less than it must and its ICMP errors are lost, small packets cross and a stream stalls.

    What is told then names the size, the hop and the cause.
    """
    pair = pair_of(lab, "l3-overlay", "routed")
    ports = leaf_ports(lab, pair)
    guilty = ports[0]
    narrow(pristine, ports)
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
    assert (stalled.cause.node, stalled.cause.interface) in [(port.node, port.interface) for port in ports]
