"""Follows one packet through forwarding state, hop by hop: a small model of Linux forwarding. Pure.

Longest-prefix routing, neighbour resolution on a Layer 2 segment, learned bridging, VXLAN, Geneve and GRE in and out,
TTLs and MAC addresses. The state is that of a declaration, or read from live nodes (``topology.dataplane.live``).
A walk that ends early says ``place: what is missing there``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from topology.dataplane.bridges import BROADCAST, bridge_refusal, is_broadcast, leaving, no_broadcast, wrong_answer
from topology.dataplane.ends import expired, no_device, untaken
from topology.dataplane.frames import FrameWalk
from topology.dataplane.paths import NOT_FOLLOWED, Ending, ExpectedPath, Hops, Paths, ending, seen
from topology.dataplane.reasons import (
    holders,
    missing,
    no_local,
    no_route,
    nobody,
    refused_echo,
    refused_source,
    unbridged,
)
from topology.dataplane.rules import Asked, look_up
from topology.links import unwrap
from topology.model import Address, Bridge, Device, Fabric, Node, Tunnel
from topology.packet import ETHERTYPES, Layer, Layers, ends_of, lower_ttl, tags_of
from topology.refs import PortRef
from topology.wire.headers import MAX_LAYERS

REASONS_MAX = 3
"""Branches of a request that a message names."""
SOLICITATION, ADVERTISEMENT = 135, 136
"""ICMPv6 types of neighbour discovery (RFC 4861, section 4)."""
Resolved = dict[tuple[PortRef, Address], Ending | None]
"""By the device that asks and the address it asks for, why there is no answer."""


class PacketWalk(FrameWalk):
    """Follows one packet; each method continues from a point and yields the paths it can take."""

    def __init__(self, fabric: Fabric, target: str, resolved: Resolved | None = None) -> None:
        super().__init__(fabric)
        self.target = target
        self.resolved: Resolved = {} if resolved is None else resolved

    def send(self, node: Node, packet: Layers, hops: Hops, out: str | None = None, came_by: str = "") -> Paths:
        """Route an IP packet out of a node; ``out`` binds it to a device."""
        asked = Asked.of(packet, came_by, out)
        if len(packet) > MAX_LAYERS:
            what = f"encapsulates the packet again and again on its way to {asked.dst}"
            yield ExpectedPath(hops, ending(node, what, "route", "a path without a loop"))
            return
        egresses, end = look_up(node, asked)
        if end is None and (encap := node.encap_towards(asked.dst)):
            end = ending(node, encap, "route", "the route without encap")
        if end is not None or not egresses:
            yield ExpectedPath(hops, end or missing(node, no_route(self.fabric, node, asked.dst)))
            return
        for egress in egresses:
            yield from self.send_by(node, node[egress.dev], egress.via or asked.dst, packet, hops)

    def send_by(self, node: Node, device: Device, next_hop: Address, packet: Layers, hops: Hops) -> Paths:
        """Let an IP packet out of a device, to a next hop."""
        known = node.neighbours.get((device.name, next_hop))
        if not device.up:
            yield ExpectedPath(hops, ending(device, "down", "link", "up"))
        elif isinstance(device, Tunnel) and not device.ethernet:
            hops = seen(device, "out", packet, hops)
            if packet[0][0] in device.carries:
                yield from self.wrapped(node, device, device.remote, packet, hops)
            else:
                yield ExpectedPath(hops, ending(device, f"{device.noun} carries no {packet[0][0]}"))
        elif known is not None:
            yield from self.to_neighbour(device, next_hop, known, packet, hops)
        elif not device.arp:
            yield ExpectedPath(hops, ending(device, "resolves no addresses (arp off)", "arp", "arp on"))
        else:
            owner = self.owner(device, next_hop)
            end = self.resolve(node, device, next_hop, packet) if owner is None or node.is_live else None
            if end is not None or owner is None:
                yield ExpectedPath(hops, end)
            else:
                yield from self.framed(device, owner.mac, packet, hops)

    def framed(self, device: Device, mac: str | None, packet: Layers, hops: Hops) -> Paths:
        """Let a packet out of a device, in a frame to a MAC."""
        ether: Layer = ("ether", {"src": device.mac, "dst": mac, "type": ETHERTYPES[packet[0][0]]})
        yield from self.emit(device, (ether, *packet), hops)

    def to_neighbour(self, device: Device, next_hop: Address, mac: str, packet: Layers, hops: Hops) -> Paths:
        """Let a packet out to the MAC of a permanent neighbour entry, which is to blame where the next hop has another
        one and the packet gets lost."""
        paths, owner = list(self.framed(device, mac, packet, hops)), self.owner(device, next_hop)
        right = f"lladdr {owner.mac}, as {owner.ref}" if owner else "a neighbour that is there"
        wrong = ending(device, f"{next_hop} lladdr {mac}", "neigh", right)
        lost = any(path.end for path in paths) and (owner is None or owner.mac != mac)
        yield from (ExpectedPath(hops, wrong),) if lost else paths

    def owner(self, device: Device, address: Address) -> Device | None:
        """Return the device that answers for an address on a segment: one that has it there, else for IPv4 a node that
        has it on any other device (``arp_ignore`` 0, Documentation/networking/ip-sysctl)."""
        return next(
            (one for one in holders(self.fabric, device, address, self.target) if one.up and one.arp and one.mac), None
        )

    def resolve(self, node: Node, device: Device, address: Address, packet: Layers) -> Ending | None:
        """Return why a device gets no answer for an address; None where it gets one."""
        if address.is_link_local and self.owner(device, address) is None:
            return ending(device, f"the link-local address {address} {NOT_FOLLOWED}")
        key = (device.ref, address)
        if key not in self.resolved and not address.is_link_local:
            self.resolved[key] = None
            reasons = self.request_ends(device, address)
            if reasons is None:
                return None
            if reasons and all(NOT_FOLLOWED in end.live for end in reasons):
                reasons = unbridged(self.fabric, device, address) or reasons
            asks = f"{device.ref} gets no answer for {address}"
            if not reasons:
                reasons = [nobody(self.fabric, node, device, address, ends_of(packet[0][1])[1])]
                asks = "" if reasons[0].kind == "forwarding" else asks
            first, *others = reasons
            self.resolved[key] = replace(first, others=(*first.others, *others[: REASONS_MAX - 1]), asks=asks)
        return self.resolved.get(key)

    def request_ends(self, device: Device, address: Address) -> list[Ending] | None:
        """Return where the paths of a request or of its answer end, each once; None if the answer comes back.

        Of the branches of a request the one that leads to the address says more than all others.
        """
        ask = partial(self._request, device, address)
        there = ask(device, BROADCAST)
        holder = next(iter(holders(self.fabric, device, address, self.target)), None)
        if any(path.end is None for path in there):
            back = ask(holder, device.mac) if holder is not None else []
            return None if not back or any(path.end is None for path in back) else _ends(back)
        direct = ask(device, holder.mac) if holder is not None and holder.mac else []
        # A bridge floods no frame to the ports of other VLANs: that ends a branch without being a fault, mostly.
        flooded = sorted(_ends(there), key=lambda end: end.kind == "vlan")
        return _ends(direct) or flooded or self._ends_of_others(device, address)

    def _request(self, device: Device, address: Address, sender: Device, to: str | None) -> list[ExpectedPath]:
        """Return the paths of a frame of the exchange in which a device asks for an address."""
        frame: Layers = (("ether", {"src": sender.mac, "dst": to, "type": ETHERTYPES["arp"]}), ("arp", {}))
        return list(AddressRequest(self.fabric, device, address, self.resolved).emit(sender, frame, ()))

    def _ends_of_others(self, device: Device, address: Address) -> list[Ending]:
        """Return where a request from the device that has the address would end."""
        having = [other for other in self.fabric.devices if address in {i.ip for i in other.addresses} and other.mac]
        for other in sorted(having, key=lambda other: other.node != self.target) if device.addresses else ():
            if ends := _ends(self._request(other, device.addresses[0].ip, other, BROADCAST)):
                return ends
        return []

    def up(self, node: Node, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame up to IP at a device."""
        if frame[0][1]["dst"] == device.mac:
            yield from self.receive(node, frame[1:], hops)
        else:
            yield ExpectedPath(hops, ending(device, f"a frame for {frame[0][1]['dst']}, which is not its MAC"))

    def receive(self, node: Node, packet: Layers, hops: Hops) -> Paths:
        """Let an IP packet into a node: out of its tunnel, to its target, or on to the next hop."""
        found, ends = unwrap(packet), ends_of(packet[0][1])
        refused = refused_source(node, hops[-1].interface, *ends)
        if refused is not None:
            yield ExpectedPath(hops, refused)
        elif ends[1] not in node.addresses:
            yield from self.forward(node, packet, hops)
        elif found is None:
            wrong = ending(node, f"receives the packet in place of {self.target}")
            yield ExpectedPath(hops, refused_echo(node, packet) if node.name == self.target else wrong)
        elif (tunnel := node.tunnel_by_ends.get(found.key)) is None or not tunnel.up:
            end = no_device(self.fabric, node, found, ends, hops) if node.is_live and not node.unfollowed else None
            yield ExpectedPath(hops, missing(node, end or ending(node, f"no {found.device}")))
        elif (end := untaken(self.fabric, tunnel, found, packet, hops)) is not None:
            yield ExpectedPath(hops, end)
        elif tunnel.ethernet:
            yield from self.arrive(tunnel, found.inside, hops)
        else:
            yield from self.receive(node, found.inside, seen(tunnel, "in", found.inside, hops))

    def forward(self, node: Node, packet: Layers, hops: Hops) -> Paths:
        """Route a packet on, its TTL one lower."""
        version, came_by = (4 if packet[0][0] == "ipv4" else 6), hops[-1].interface
        lost = [one for one in node.all(Tunnel) if str(one.local) == str(packet[0][1]["dst"])]
        if lost and node.is_live:
            yield ExpectedPath(hops, no_local(self.fabric, lost[0]))
        elif refusal := node.refuses_to_forward(version, came_by):
            yield ExpectedPath(hops, ending(node, refusal, "sysctl", "forwarding=1"))
        elif (lowered := lower_ttl(packet)) is None or (node.is_live and _came_before(packet, hops)):
            yield ExpectedPath(hops, expired(self.fabric, node, packet, hops))
        else:
            yield from self.send(node, lowered, hops, came_by=came_by)


class AddressRequest(PacketWalk):
    """Follows the frames by which a device asks for an address and is answered.

    The broadcast takes every branch of its way over a segment; a branch yields a path only where the request is
    answered, or ends before it reaches a device that could answer. A port in other VLANs ends it only on the
    way to the owner.
    """

    def __init__(self, fabric: Fabric, device: Device, address: Address, resolved: Resolved) -> None:
        super().__init__(fabric, "", resolved)
        self.device, self.address = device, address
        self._crossed: set[tuple[PortRef, PortRef | None]] = set()

    def across(self, node: Node, bridge: Bridge, came_by: Device | None, frame: Layers, hops: Hops) -> Paths:
        """Let the request out of all other ports, once for each port by which it comes in."""
        if not is_broadcast(frame):
            yield from super().across(node, bridge, came_by, frame, hops)
            return
        crossing = (bridge.ref, came_by.ref if came_by else None)
        if crossing in self._crossed:
            return
        self._crossed.add(crossing)
        if refusal := bridge_refusal(bridge, frame, came_by) or (
            wrong_answer(self.fabric, bridge, came_by, frame, self.address)
        ):
            yield ExpectedPath(hops, refusal)
            return
        up = leaving(bridge, frame, came_by, bridge)
        taken = not tags_of(up) or node.subinterface(bridge.name, tags_of(up)[0])
        if came_by and taken and not bridge_refusal(bridge, frame, came_by, bridge):
            yield from self.arrive(bridge, up, hops)
        others = [node[name] for name in bridge.members if came_by is None or name != came_by.name]
        refused = {m: bridge_refusal(bridge, frame, came_by, m) or no_broadcast(m, frame) for m in others}
        reached = any(self._leads_to_owner(bridge, frame, came_by, m) for m in others if refused[m] is None)
        for member, refusal in refused.items():
            if refusal is None:
                yield from self.emit(member, leaving(bridge, frame, came_by, member), hops)
            elif refusal.kind != "vlan" or (not reached and self._leads_to_owner(bridge, frame, came_by, member)):
                yield ExpectedPath(hops, refusal)

    def _leads_to_owner(self, bridge: Bridge, frame: Layers, came_by: Device | None, member: Device) -> bool:
        behind = self.beyond_port(bridge, frame, came_by, member)
        return any(self.address in {interface.ip for interface in one.addresses} for one in behind)

    def into_tunnel(self, node: Node, tunnel: Tunnel, frame: Layers, hops: Hops) -> Paths:
        """Send the request to every remote."""
        if is_broadcast(frame):
            for remote in tunnel.remotes:
                yield from self.wrapped(node, tunnel, remote, frame, hops)
        else:
            yield from super().into_tunnel(node, tunnel, frame, hops)

    def up(self, node: Node, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Answer or ignore a request; report only what keeps a device from an answer, or one without use.

        The ends of an unnumbered link have no address, which is no fault.
        """
        if not _resolves(frame):
            yield from super().up(node, device, frame, hops)
        elif not is_broadcast(frame):
            taken = frame[0][1]["dst"] == device.mac
            yield from (ExpectedPath(hops),) if taken else super().up(node, device, frame, hops)
        elif self.address in node.addresses:
            yield ExpectedPath(hops, self.unanswering(node, device))
        elif not device.addresses and self.device.addresses and not isinstance(self.fabric.sent_by(device)[0], Bridge):
            lost = node.is_live and not any(self.address in other.addresses for other in self.fabric.nodes)
            kind, wanted = ("address", "an address") if lost else ("bridge", "a bridge")
            yield ExpectedPath(hops, ending(device, "has no address and is in no bridge", kind, wanted))

    def unanswering(self, node: Node, device: Device) -> Ending | None:
        """Return why a device of the node that has the address does not answer; None if it does."""
        if not device.arp:
            return ending(device, "answers for no address (arp off)", "arp", "arp on")
        here = self.address in {interface.ip for interface in device.addresses}
        ignores = node.setting(4, device.name, "arp_ignore") if self.address.version == 4 else 0
        if ignores == 8 or (ignores and not here):
            return ending(device, f"arp_ignore={ignores}", "sysctl", "arp_ignore=0")
        own = [interface.ip for interface in self.device.addresses if interface.version == 4]
        return refused_source(node, device.name, own[0], self.address) if own and self.address.version == 4 else None


def _came_before(packet: Layers, hops: Hops) -> bool:
    """Return whether a packet came to a node by the same interface before: it does so until its TTL expires."""
    *before, last = hops
    same = (hop for hop in before if (hop.ref, hop.direction) == (last.ref, last.direction))
    return any(_without_ttl(packet) == _without_ttl(hop.layers[-len(packet) :]) for hop in same)


def _without_ttl(packet: Layers) -> Layers:
    name, fields = packet[0]
    return ((name, {key: value for key, value in fields.items() if key not in ("ttl", "hlim")}), *packet[1:])


def _resolves(frame: Layers) -> bool:
    """Return whether a frame is ARP, or neighbour discovery."""
    (name, _), *inside = frame[1 + len(tags_of(frame)) :]
    kind = inside[0][1].get("type") if name == "ipv6" and inside else None
    return name == "arp" or kind in (SOLICITATION, ADVERTISEMENT)


def _ends(paths: Sequence[ExpectedPath]) -> list[Ending]:
    return list(dict.fromkeys(replace(path.end, hops=path.hops) for path in paths if path.end is not None))
