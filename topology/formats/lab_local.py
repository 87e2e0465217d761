"""The pairs of segments whose two hosts are behind one node: their packets need no tunnel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from topology.formats.lab_segments import places
from topology.model import Fabric, Node
from topology.promises import WITHOUT_TUNNEL, Pair
from topology.refs import PortRef


def with_local_kinds(fabric: Fabric) -> Fabric:
    """Return the fabric in which derived pairs whose ends need no tunnel to reach each other are of the local kind.

    These are hosts on one Layer 2 segment without any tunnel, and hosts with one router before the first tunnel.
    """
    if not any(pair.segment for pair in fabric.pairs):
        return fabric
    place = places(fabric)
    routers: dict[PortRef, set[str]] = {}
    for device in fabric.devices:
        if device.addresses:
            routers.setdefault(place[device.ref], set()).add(device.node)
    local = partial(_with_local_kind, fabric, place, routers)
    return replace(fabric, pairs=tuple(local(pair) if pair.segment else pair for pair in fabric.pairs))


def _with_local_kind(
    fabric: Fabric, place: Mapping[PortRef, PortRef], routers: Mapping[PortRef, set[str]], pair: Pair
) -> Pair:
    one, other = (place[_first(fabric[name])] for name in (pair.source, pair.target))
    shared = routers[one] & routers[other] - {pair.source, pair.target}
    is_local = one == other if pair.kind == "l2-overlay" else one != other and bool(shared)
    if not is_local or pair.kind not in WITHOUT_TUNNEL:
        return pair
    return replace(pair, kind=WITHOUT_TUNNEL[pair.kind], within=Pair.within)


def _first(node: Node) -> PortRef:
    """Return the device with a node's first address."""
    return node.addresses[node.address].ref
