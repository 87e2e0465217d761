"""Lists the hooks that a packet passes at a node between two sightings, in the kernel's order. Pure.

A tap sees what comes in before tc and netfilter do (``__netif_receive_skb_core``), and what goes out behind them and
behind the qdisc (``dev_hard_start_xmit``, net/core/dev.c).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from reports.diagnosis.filters.packet import Packet
from topology.dataplane.paths import ExpectedHop
from topology.model import Bridge, Node, Subinterface

NF_BRIDGES = {"ipv4": "iptables", "ipv6": "ip6tables", "arp": "arptables"}
Layer: TypeAlias = Literal["ip", "bridge", "device", "xfrm"]


@dataclass(frozen=True)
class Hook:
    """One place where a packet is filtered: nftables' hook of IP, of a bridge or of a device, or xfrm's direction."""

    layer: Layer
    name: str
    packet: Packet

    @property
    def device(self) -> str:
        """The interface that the packet comes or goes by there."""
        return self.packet.oif if self.name in ("egress", "postrouting", "output", "out") else self.packet.iif


def hooks(
    node: Node, came: ExpectedHop | None, goes: ExpectedHop | None, sysctls: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Hook]:
    """Yield the hooks between a sighting and the next place where the packet, or the next one, ought to be seen.

    Without ``came`` the node makes the packet, without ``goes`` it consumes it. By the node's ``sysctls`` bridged
    packets pass the hooks of IP too (br_netfilter).
    """
    if came is None or came.direction == "out":
        yield from _sent(node, came, goes)
        return
    incoming = Packet(came.layers, iif=came.interface)
    yield Hook("device", "ingress", incoming)
    bridge = node.bridge_of(came.interface)
    if bridge is not None:
        nf_bridges = sysctls.get(f"net.bridge.bridge-nf-call-{NF_BRIDGES[incoming.network]}") == "1"
        yield from _bridged(bridge, incoming, came, goes, nf_bridges)
    elif goes is None or not _is_on(node, goes, came):
        yield from _received(incoming, came, goes)


def _is_on(node: Node, upper: ExpectedHop, lower: ExpectedHop) -> bool:
    """Return whether one place is a VLAN on the other one's device."""
    device = next((d for d in node.devices if d.name == upper.interface), None)
    return isinstance(device, Subinterface) and device.link == lower.interface


def _is_bridge(node: Node, hop: ExpectedHop) -> bool:
    return any(isinstance(device, Bridge) and device.name == hop.interface for device in node.devices)


def _sent(node: Node, came: ExpectedHop | None, goes: ExpectedHop | None) -> Iterator[Hook]:
    """Yield the hooks of what a node makes: a packet of its own, or one around what went into its tunnel."""
    if goes is None:
        return
    outgoing = Packet(goes.layers, oif=goes.interface)
    if came is not None and _is_bridge(node, came):
        outgoing = replace(outgoing, bridge=came.interface)
        yield from (Hook("bridge", name, outgoing) for name in ("output", "postrouting"))
    elif came is None or not _is_on(node, came, goes):
        yield Hook("xfrm", "out", outgoing)
        yield from (Hook("ip", name, outgoing) for name in ("output", "postrouting"))
    yield from _out(outgoing)


def _out(outgoing: Packet) -> Iterator[Hook]:
    yield Hook("device", "egress", replace(outgoing, framed=outgoing.layers[0][0] == "ether"))


def _bridged(
    bridge: Bridge, incoming: Packet, came: ExpectedHop, goes: ExpectedHop | None, nf_bridges: bool
) -> Iterator[Hook]:
    """Yield the hooks of a bridge (br_input.c, br_forward.c), and those of IP that br_netfilter adds to them."""
    name = bridge.name
    incoming = replace(incoming, bridge=name)
    yield Hook("bridge", "prerouting", incoming)
    if nf_bridges:
        yield Hook("ip", "prerouting", replace(incoming, iif=name))
    if goes is None or goes.direction == "in" or goes.interface == name:
        yield Hook("bridge", "input", incoming)
        if goes is not None and goes.direction == "out":
            yield from _received(replace(incoming, iif=name), came, goes)
        return
    outgoing = Packet(goes.layers, came.interface, goes.interface, name)
    as_ip = replace(outgoing, iif=name, oif=name)
    for place in ("forward", "postrouting"):
        yield Hook("bridge", place, outgoing)
        if nf_bridges:
            yield Hook("ip", place, as_ip)
    yield from _out(outgoing)


def _received(incoming: Packet, came: ExpectedHop, goes: ExpectedHop | None) -> Iterator[Hook]:
    """Yield the hooks of what a node's IP receives: to consume, to unwrap, to answer (ARP), or to route on."""
    yield Hook("ip", "prerouting", incoming)
    if goes is None or goes.direction == "in" or incoming.network == "arp":
        yield Hook("xfrm", "in", incoming)
        yield Hook("ip", "input", incoming)
        if goes is not None and goes.direction == "out":
            outgoing = Packet(goes.layers, oif=goes.interface)
            yield Hook("ip", "output", outgoing)
            yield from _out(outgoing)
        return
    outgoing = Packet(goes.layers, came.interface, goes.interface)
    yield from (Hook("xfrm", name, outgoing) for name in ("fwd", "out"))
    yield from (Hook("ip", name, outgoing) for name in ("forward", "postrouting"))
    yield from _out(outgoing)
