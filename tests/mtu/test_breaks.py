"""A wrong MTU or a lost ICMP error is found and reported with its node; on copies of the fabric."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.mtu import MtuProber
from fixtures.instruments.payloads import exchange
from fixtures.instruments.probe import Prober
from reports.checks.mtu import PairMtu
from topology.expected import probes_of
from topology.limits import NARROWER, Bottleneck
from topology.promises import MtuPromise, Pair

pytestmark = pytest.mark.mtu


def narrow(fabric: LiveFabric, bottleneck: Bottleneck) -> int:
    """Have a bottleneck's devices carry less than the pair's way; gives the largest packet that now crosses whole."""
    whole = bottleneck.whole - NARROWER
    for name, mtu in bottleneck.mtus(whole).items():
        assert fabric.run(bottleneck.node, "ip", "link", "set", "dev", name, "mtu", str(mtu)).code == 0
    return whole


def sizes_of(fabric: LiveFabric, pair: Pair) -> PairMtu:
    """Return the sizes that cross."""
    return MtuProber(fabric).explore([pair])[pair]


def test_narrower_device_is_found_at_its_node(bottleneck: Bottleneck, pristine: LiveFabric) -> None:
    """If a link or tunnel has too small an MTU, the largest whole packet shrinks by as much, and its node is named."""
    whole, pair = narrow(pristine, bottleneck), replace(bottleneck.pair, mtu=MtuPromise())  # all that the way carries
    found = sizes_of(pristine, pair)
    assert found.out.largest_whole == found.out.largest_whole_with_df == whole
    claim = found.out.whole_as_computed
    assert not claim
    assert repr(claim).startswith(f"{bottleneck.node} - {pair.source} -> {pair.target}")
    assert claim.cause
    assert (claim.cause.node, claim.cause.kind) == (bottleneck.node, "mtu")
    assert claim.cause.interface in bottleneck.interfaces
    assert not found.promise_kept


def test_ping_works_and_tcp_does_not_where_icmp_is_lost(first_router: Bottleneck, pristine: LiveFabric) -> None:
    """If a router's MTU is too small and its ICMP errors are lost, small packets pass and a stream stalls.

    The report names the size, the hop and the cause.
    """
    pair, node = first_router.pair, first_router.node
    fits = narrow(pristine, first_router)
    # Packets of the router's own, as its ICMP errors are, find no way to the customer; those that it forwards do.
    sender = probes_of(pristine.declared, pair)[0].src
    assert pristine.run(node, "ip", "rule", "add", "iif", "lo", "to", str(sender), "blackhole").code == 0
    assert Prober(pristine).trip(pair.source, pair.target, src=pair.src, dst=pair.dst).arrived
    found = sizes_of(pristine, replace(pair, mtu=MtuPromise(customers=fits, above=("icmp",))))
    lost = found.out.zones[1]
    assert (lost.first, lost.what.fate, lost.what.node) == (fits + 1, "silence", node)
    assert found.out.promise_kept
    assert not found.out.above_as_allowed
    assert repr(found.out.above_as_allowed).startswith(f"{node} - {pair.source} -> {pair.target}")
    stalled = exchange(pristine, pair, "tcp", first_router.whole).unchanged(found)
    assert not stalled
    assert f"packets of 84 bytes arrive, one of {fits + 1} with DF vanishes after {node}:" in repr(stalled)
    assert stalled.cause
    assert stalled.cause.node == node
    assert stalled.cause.interface in first_router.interfaces
