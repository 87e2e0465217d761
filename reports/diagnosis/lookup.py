"""Compares what the kernel would do with a packet, at the node where it was last correct, with what it should do.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.diagnosis.show import route_get
from reports.evidence import Cause
from topology.expected import ExpectedHop
from topology.model import Fabric, Vxlan
from topology.packet import ends_of, outer_ip, size_of
from topology.state import Answer, Lookup


@dataclass(frozen=True)
class Asked:
    """A question to a node's kernel, the devices by which the packet should leave the node, and its bytes."""

    lookup: Lookup
    out: tuple[str, ...]
    size: int = 0


def question(fabric: Fabric, hops: Sequence[ExpectedHop], at: int, other_ways: Sequence[str] = ()) -> Asked | None:
    """The question about the hop at which a packet was not seen any more; None where its node decides nothing there.

    A node decides where a packet leaves it: by its routes, or by a bridge's table. ``hops`` are those of the way that
    the packet should have gone, ``other_ways`` the devices of equal cost by which it may leave, too.
    """
    hop = hops[at]
    if hop.direction != "out":
        return None
    node, before = fabric[hop.node], hops[at - 1] if at else None
    came_by = before.interface if before is not None and (before.node, before.direction) == (hop.node, "in") else None
    ip = outer_ip(hop.layers) or {}
    src, dst = ends_of(ip)
    out = tuple(dict.fromkeys((hop.interface, *other_ways)))
    bridge = node.bridge_of(hop.interface)
    if bridge is not None:
        crosses = came_by is not None and node.bridge_of(came_by) == bridge
        mac = str(hop.layers[0][1].get("dst", "")) if crosses else ""
        return Asked(Lookup(hop.node, src, dst, came_by, mac=mac), out) if mac else None
    own = src in node.addresses
    if not own and came_by is None:
        return None
    tos, size = int(str(ip.get("tos") or 0)), size_of(hop.layers[hop.layers[0][0] == "ether" :])
    wraps = before is not None and (before.node, before.direction) == (hop.node, "out")
    over = before.interface if before and wraps and isinstance(node[before.interface], Vxlan) else ""
    mac = str(before.layers[0][1]["dst"]) if before and over else ""
    return Asked(Lookup(hop.node, src, dst, None if own else came_by, tos, mac, over), out, size)


def told(asked: Asked, answer: Answer) -> Iterator[Cause]:
    """Yield the causes that the answer proves: a refusal, another device, a next hop that does not answer, a MAC on
    another port.
    """
    lookup, should = asked.lookup, f"out by {' or '.join(asked.out)}"
    node, ip = lookup.node, f"ip -n {lookup.node}{' -6' if lookup.dst.version == 6 else ''}"
    if lookup.mac and not lookup.over:
        wrong = [port for port in answer.ports if port not in asked.out]
        if wrong and len(wrong) == len(answer.ports):
            right, show = f"{lookup.mac} behind {asked.out[0]}", f"bridge -n {node} fdb show dev {wrong[0]}"
            yield Cause("fdb", node, wrong[0], right, "behind this port", "", show, "kernel")
        return
    show = route_get(node, lookup.dst, lookup.src, lookup.came_by)
    packet = f"{lookup.src} > {lookup.dst}{f' by {lookup.came_by}' if lookup.came_by else ''}"
    if answer.remotes and lookup.dst not in answer.remotes:
        live = f"{lookup.mac} dst {', '.join(map(str, answer.remotes))}"
        fdb = f"bridge -n {node} fdb show dev {lookup.over}"
        yield Cause("fdb", node, lookup.over, f"{lookup.mac} dst {lookup.dst}", live, "", fdb, "kernel")
    if 0 < answer.mtu < asked.size:
        live = f"{packet}: mtu {answer.mtu} by the route, or as learned"
        yield Cause("mtu", node, answer.device, f"room for {asked.size} bytes", live, "", show, "kernel")
    if answer.refusal:
        yield Cause("lookup", node, None, should, f"{packet}: {answer.refusal}", "", show, "kernel")
    elif answer.device and answer.device not in asked.out:
        yield Cause("lookup", node, None, should, f"{packet}: out by {answer.device}", "", show, "kernel")
    elif answer.unanswered:
        show = f"{ip} neigh show to {answer.next_hop} dev {answer.device}"
        live = f"no answer for {answer.next_hop} ({answer.unanswered})"
        yield Cause("address resolution", node, answer.device, "the next hop's MAC", live, "", show, "kernel")
