"""Compares the two ends of a tunnel where a packet of one finds no device at the other: which end differs, and in what.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address

from topology.dataplane.bridges import no_vni
from topology.dataplane.paths import Ending, Hops, ending
from topology.links import Unwrapped
from topology.links.gre import GreTunnel
from topology.model import Address, Device, Fabric, Node, Tunnel, Vxlan
from topology.packet import Layers, ends_of, outer_ip
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
    claims = (other for other in fabric.tunnels if other.local == taker.remote and taker.local in other.remotes)
    if word == "remote" and next(claims, None) is None:
        return ending(taker, f"remote {taken}", taker.kind, f"remote {sent}, as {sender.ref} has it")
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
    """Return the sender as the cause if a peer sends to it from another address than the one that it sends to, and to
    no other device of its node."""
    kin = (other for other in fabric.tunnels if type(other) is type(sender) and other.ref != sender.ref)
    for peer in kin:
        own = fabric[sender.node].ends_of(sender)
        there = (
            far.ref for remote in peer.remotes for far in fabric.receivers(peer, remote) if far.node == sender.node
        )
        lost = set(peer.remotes) & set(own) and peer.local not in sender.remotes and not {*there} - {sender.ref}
        if lost and _alike(peer, sender):
            said = ", ".join(map(str, sender.remotes))
            return ending(sender, f"remote {said}", sender.kind, f"remote {peer.local}, as {peer.ref} has it")
    return None


def _alike(one: Tunnel, other: Tunnel) -> bool:
    return one.identity == other.identity


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


def _circle(fabric: Fabric, node: Node, packet: Layers, hops: Hops) -> Ending | None:
    """Return the routes by which a packet comes to a node again: that of the router which sent it back to where it had
    been first, as the others may be right; None where it came to no node twice."""
    same = (hop for hop in hops if (ip := outer_ip(hop.layers)) and ends_of(ip) == ends_of(packet[0][1]))
    senders = [hop.node for hop in same if hop.direction == "out"]
    if node.name not in senders:
        return None
    last = len(senders) - senders[::-1].index(node.name)
    routers = sorted({node.name, *senders[last:]}, key=senders.index, reverse=True)
    dst = ip_address(str(packet[0][1]["dst"]))
    fitting = [(fabric[name], [r for r in fabric[name].routes if dst in r.prefix]) for name in routers]
    taken = [(one, max(routes, key=lambda r: r.prefix.prefixlen)) for one, routes in fitting if routes]
    names = ", ".join(one.name for one, _ in taken)
    circle = [
        ending(one, f"{route}: a circle of {names}: the TTL expires", "route", f"another route to {dst}")
        for one, route in taken
    ]
    return replace(circle[0], others=tuple(circle[1:])) if circle else None


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
