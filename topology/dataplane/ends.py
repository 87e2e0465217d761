"""Compares the two ends of a tunnel where a packet of one finds no device at the other: which end differs, and in what.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import dropwhile

from topology.dataplane.bridges import no_vni
from topology.dataplane.paths import Ending, Hops, ending
from topology.links import Unwrapped
from topology.links.gre import GreTunnel
from topology.model import Address, Device, Fabric, Node, Tunnel, Vxlan
from topology.packet import IP_VERSIONS, Layers, ends_of, outer_ip
from topology.refs import Network

NONE = "none"


@dataclass(frozen=True)
class Ends:
    """A sending device and the one that should take its packets."""

    fabric: Fabric
    sender: Tunnel
    taker: Tunnel

    def differ(self, word: str, sent: object, taken: object) -> Ending:
        """Return the end that is to blame for two settings that must agree: the one that agrees with no further end of
        the same segment while the other does, else either, a setting that only one has first."""
        sent, taken = (NONE if value is None else value for value in (sent, taken))
        sides = [
            _side(self.taker, word, taken, f"{sent}, as {self.sender.ref}"),
            _side(self.sender, word, sent, f"{taken}, as {self.taker.ref}"),
        ]
        for side, own, other in ((sides[0], self.sender, self.taker), (sides[1], self.taker, self.sender)):
            if self._has_partners(own, other) and not self._has_partners(other, own):
                return side
        if taken == NONE:
            sides.reverse()
        return replace(sides[0], others=(sides[1],))

    def _has_partners(self, end: Tunnel, other: Tunnel) -> bool:
        """Return whether a device reaches one of a third node, and hosts of one subnet are behind both."""
        far = [far for remote in end.remotes for far in self.fabric.receivers(end, remote) if far.node != other.node]
        return any(self._networks(end) & self._networks(one) for one in far)

    def _networks(self, end: Tunnel) -> set[Network]:
        return {i.network for device in self.fabric.beyond(end, set()) for i in device.addresses}


def _side(end: Tunnel, word: str, value: object, wanted: str) -> Ending:
    vid = end.vid if isinstance(end, Vxlan) and word == "vni" else None
    name, kind = (f"vid {vid} tunnel_info id", "vlan") if vid else (word, end.kind)
    return ending(end, f"{name} {value}", kind, f"{name} {wanted}")


def sender_of(fabric: Fabric, hops: Hops, inside: Layers | None = None) -> Tunnel | None:
    """Return the tunnel device that a packet left last, or the one that wrapped what is ``inside``."""
    for hop in reversed(hops):
        device = fabric[hop.node][hop.interface]
        if hop.direction == "out" and isinstance(device, Tunnel) and inside in (None, hop.layers):
            return device
    return None


def no_device(fabric: Fabric, node: Node, found: Unwrapped, ends: tuple[Address, Address], hops: Hops) -> Ending | None:
    """Return why a node has no device for a tunnel's packet, by its ``ends`` (source and destination); None where it is
    not one of ours, or the node may take it by what is not followed."""
    sender = sender_of(fabric, hops, found.inside)
    if sender is None:
        return None
    sender = next((part for part in sender.each if part.lookup == found.key), sender)
    takers = [tunnel for tunnel in node.tunnels if isinstance(tunnel, type(sender))]
    if not takers:
        return _without(fabric, node, sender, found)
    taker = min(takers, key=lambda one: (len(list(_mismatches(sender, one, ends))), not one.up, _is_taken(fabric, one)))
    if not taker.up:
        return ending(taker, "down", "link", "up")
    word, sent, taken = next(_mismatches(sender, taker, ends), ("", "", ""))
    if word == "remote" and not _is_taken(fabric, taker):
        wrong = ending(taker, f"remote {taken}", taker.kind, f"remote {sent}, as {sender.ref} has it")
        return moved_remote(fabric, taker) or wrong
    if word == "local":
        return ending(taker, f"local {taken}", taker.kind, f"local {sent}, to which {sender.ref} sends")
    if word == "remote" or (word and _is_taken(fabric, taker)):
        return _without(fabric, node, sender, found)
    return Ends(fabric, sender, taker).differ(word, sent, taken) if word else None


def _is_taken(fabric: Fabric, tunnel: Tunnel) -> bool:
    """Return whether a device has its other end."""
    return any(fabric.receivers(tunnel, remote) for remote in tunnel.remotes)


def _mismatches(sender: Tunnel, taker: Tunnel, ends: tuple[Address, Address]) -> Iterator[tuple[str, object, object]]:
    """Yield the settings by which a device does not take a packet, each with what is sent and what it takes."""
    source, target = ends
    if not taker.without_local and not taker.source_by_route and taker.local != target:
        yield "local", target, taker.local
    if not taker.any_sender and taker.remote != source:
        yield "remote", source, taker.remote
    for (word, sent), (_, taken) in zip(sender.identity, taker.identity, strict=True):
        if sent != taken:
            yield word, sent, taken


def _without(fabric: Fabric, node: Node, sender: Tunnel, found: Unwrapped) -> Ending:
    """Return the sender whose remote is wrong, where another end sends to it, else the node that has no device."""
    if (wrong := wrong_remote(fabric, sender)) is not None:
        return wrong
    wanted = f"a {sender.noun} device, as {sender.ref} sends to it"
    if isinstance(sender, Vxlan):
        for device in (one for one in node.all(Vxlan) if one.by_packet and one.port == sender.port):
            unknown = ending(device, f"no tunnel_info id {sender.vni}", "vlan", f"it, as {sender.ref} sends to it")
            return unknown if device.is_mapped else no_vni(device, ())
    return ending(node, f"no {found.device}", "link", wanted)


def wrong_remote(fabric: Fabric, sender: Tunnel) -> Ending | None:
    """Return the sender as the cause if its peer sends to it from another address than those that its node sends to: of
    a mesh each peer has a device of its own there."""
    kin = [other for other in fabric.tunnels if type(other) is type(sender) and other.identity == sender.identity]
    sent_to = {remote for one in kin if one.node == sender.node for remote in one.remotes}
    own = _taking(fabric, sender)
    for peer in (one for one in kin if one.node != sender.node and sent_to.isdisjoint(_taking(fabric, one))):
        if here := next((remote for remote in peer.remotes if remote in own), None):
            said, source = ", ".join(map(str, sender.remotes)), fabric[peer.node].outer_source(peer, here)
            return ending(sender, f"remote {said}", sender.kind, f"remote {source}, as {peer.ref} has it")
    return None


def leads_to(fabric: Fabric, far: Device, mac: str) -> bool:
    """Return whether a MAC is behind a tunnel's far end."""
    return any(device.mac == mac for device in fabric.beyond(far, set()))


def wrong_entry(fabric: Fabric, tunnel: Tunnel, mac: str) -> Ending | None:
    """Return the static entry that sends a MAC's frames to another remote than the one that has it."""
    entries = [remote for known, remote in tunnel.entries if known == mac] if isinstance(tunnel, Vxlan) else []
    right = {
        remote: any(leads_to(fabric, far, mac) for far in fabric.receivers(tunnel, remote))
        for remote in (*entries, *tunnel.remotes)
    }
    wanted = next((remote for remote, leads in right.items() if leads), None)
    if not entries or wanted in (None, *entries):
        return None
    return ending(tunnel, f"{mac} dst {entries[0]} permanent", "fdb", f"dst {wanted}")


def untaken(fabric: Fabric, tunnel: Tunnel, found: Unwrapped, packet: Layers, hops: Hops) -> Ending | None:
    """Return why a device does not take a packet for it: its header has a checksum, say, where none is expected."""
    sender = sender_of(fabric, hops, found.inside)
    if not isinstance(tunnel, GreTunnel) or not isinstance(sender, GreTunnel):
        return None
    word = tunnel.mismatch(packet[1])
    values = [dict(end.extras).get(word) for end in (sender, tunnel)]
    return Ends(fabric, sender, tunnel).differ(word, *values) if word else None


def expired(fabric: Fabric, node: Node, packet: Layers, hops: Hops) -> Ending:
    """Return the routes that lead a packet in a circle, or the tunnel that gave it too low a TTL, else a node."""
    if (circle := _circle(fabric, node, packet, hops)) is not None:
        return circle
    for size in range(2, len(packet)):
        sender = sender_of(fabric, hops, packet[size:])
        if sender is not None and (ttl := getattr(sender, "ttl", None)):
            return ending(sender, f"ttl {ttl}: it expires at {node.name}", sender.kind, "a greater ttl")
    return ending(node, "the TTL expires")


def looping(fabric: Fabric, device: Device, hops: Hops) -> Ending:
    """Return the routes that lead a packet in a circle where its TTL falls on it, else the device of a loop."""
    packet = tuple(dropwhile(lambda layer: layer[0] not in IP_VERSIONS, hops[-1].layers))
    here = (outer_ip(hop.layers) or {} for hop in hops if (hop.ref, hop.direction) == (device.ref, "out"))
    is_routed = len({fields.get("ttl", fields.get("hlim")) for fields in here}) > 1
    circle = _circle(fabric, fabric[device.node], packet, hops[:-1]) if packet and is_routed else None
    return circle or ending(device, "the packet loops")


def _circle(fabric: Fabric, node: Node, packet: Layers, hops: Hops) -> Ending | None:
    """Return the routes by which a packet comes to a node again: that of the router which sent it back to where it had
    been first, as the others may be right, one by several equal ways last; None where it came to no node twice."""
    same = (hop for hop in hops if (ip := outer_ip(hop.layers)) and ends_of(ip) == ends_of(packet[0][1]))
    senders = [hop.node for hop in same if hop.direction == "out"]
    if node.name not in senders:
        return None
    last = len(senders) - senders[::-1].index(node.name)
    routers = sorted({node.name, *senders[last:]}, key=senders.index, reverse=True)
    dst = ip_address(str(packet[0][1]["dst"]))
    fitting = [(fabric[name], [r for r in fabric[name].routes if dst in r.prefix]) for name in routers]
    taken = [(one, max(routes, key=lambda r: r.prefix.prefixlen)) for one, routes in fitting if routes]
    taken.sort(key=lambda one: len(one[1].next_hops) > 1 and one[1].prefix.prefixlen > 0)
    names = ", ".join(one.name for one, _ in taken)
    circle = [
        ending(one, f"{route}: a circle of {names}: the TTL expires", "route", f"another route to {dst}")
        for one, route in taken
    ]
    return replace(circle[0], others=tuple(circle[1:])) if circle else None


def _taking(fabric: Fabric, tunnel: Tunnel) -> Collection[Address]:
    """Return the addresses at which a device takes packets: all of its node where it sends from any."""
    node = fabric[tunnel.node]
    return node.addresses if tunnel.source_by_route else node.ends_of(tunnel)


def parted(fabric: Fabric, one: Device, other: Device) -> Ending | None:
    """Return the ends that send to each other and should join the segments of two devices, but differ; None where there
    are none."""
    near, far = ([end for end in fabric.tunnels if device in fabric.beyond(end, set())] for device in (one, other))
    for sender in near:
        for taker in far:
            towards = taker.local in sender.remotes and sender.local in taker.remotes
            if towards and type(sender) is type(taker) and sender.identity != taker.identity:
                values = zip(sender.identity, taker.identity, strict=True)
                word, sent, taken = next((w, s, t) for (w, s), (_, t) in values if s != t)
                return Ends(fabric, sender, taker).differ(word, sent, taken)
    return None


def moved_remote(fabric: Fabric, tunnel: Tunnel) -> Ending | None:
    """Return the router that has lost the address of a tunnel's other end, which no node has; None without one."""
    if any(tunnel.remote in node.addresses for node in fabric.nodes):
        return None
    near = (device for device in fabric.devices if any(tunnel.remote in one.network for one in device.addresses))
    found = (misplaced_router(fabric, device, tunnel.remote, f"to which {tunnel.ref} sends") for device in near)
    return next(filter(None, found), None)


def misplaced_router(fabric: Fabric, device: Device, address: Address, use: str) -> Ending | None:
    """Return the only router on a segment where it has no address in the subnet of an address that no node has, and
    that is of ``use``."""
    subnet = next((i.network for i in device.addresses if address in i.network), None)
    routers = [
        other
        for other in fabric.segment(device)
        if other.addresses and not fabric[other.node].refuses_to_forward(address.version, other.name)
    ]
    if subnet is None or len(routers) != 1 or any(i.ip in subnet for i in routers[0].addresses):
        return None
    said = ", ".join(map(str, routers[0].addresses))
    return ending(routers[0], said, "address", f"{address}/{subnet.prefixlen}, {use}")
