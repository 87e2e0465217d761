"""Follows one packet through forwarding state, hop by hop: a small model of Linux forwarding. Pure.

Longest-prefix routing, neighbour resolution on a Layer 2 segment, learned bridging, VXLAN, Geneve and GRE in and out,
TTLs and MAC addresses. The state is that of a declaration, or read from live nodes (``topology.dataplane.live``).
A walk that ends early says ``place: what is missing there``.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from topology.dataplane.bridges import BROADCAST, bridge_refusal, is_broadcast, no_broadcast
from topology.dataplane.paths import ExpectedPath, Hops, Paths, seen
from topology.links import unwrap
from topology.model import Address, Bridge, Device, Fabric, Node, Port, Subinterface, Tunnel
from topology.packet import ETHERTYPES, Layer, Layers, lower_ttl, tagged, tags_of, untagged
from topology.refs import PortRef
from topology.wire.headers import MAX_LAYERS

NOT_FOLLOWED = "is not followed"
"""The words of a walk that ends where its knowledge ends: nothing is known of the packet from there on."""
REASONS_MAX = 3
"""Branches of a request that a message names."""
HOPS_MAX = 128
"""More hops than this is a forwarding loop."""


class PacketWalk:
    """Follows one packet; each method continues from a point and yields the paths it can take."""

    def __init__(self, fabric: Fabric, target: str, asked: frozenset[tuple[PortRef, Address]] = frozenset()) -> None:
        self.fabric, self.target = fabric, target
        self.asked = asked
        """The addresses that are being asked for, each with the device that asks."""
        self.copies: list[ExpectedPath] = []
        self._copied: set[tuple[PortRef, object]] = set()

    def send(self, node: Node, packet: Layers, hops: Hops, out: str | None = None) -> Paths:
        """Route an IP packet out of a node; ``out`` binds it to a device."""
        target = packet[0][1]["dst"]
        if len(packet) > MAX_LAYERS:
            yield ExpectedPath(hops, f"{node.name}: encapsulates the packet again and again on its way to {target}")
            return
        address = ip_address(str(target))
        egresses = node.fib.lookup(address, out)
        if not egresses:
            yield missing(node, f"{node.refusal(address) or 'no route'} to {target}", hops)
        for egress in egresses:
            yield from self.send_by(node, node[egress.dev], egress.via or address, packet, hops)

    def send_by(self, node: Node, device: Device, next_hop: Address, packet: Layers, hops: Hops) -> Paths:
        """Let an IP packet out of a device, to a next hop."""
        if not device.up:
            yield ExpectedPath(hops, f"{device.ref}: down")
        elif isinstance(device, Tunnel) and not device.ethernet:
            hops = seen(device, "out", packet, hops)
            if packet[0][0] in device.carries:
                yield from self.wrapped(node, device, device.remote, packet, hops)
            else:
                yield ExpectedPath(hops, f"{device.ref}: {device.noun} carries no {packet[0][0]}")
        elif not device.arp:
            yield ExpectedPath(hops, f"{device.ref}: resolves no addresses (arp off)")
        else:
            owner = self.owner(device, next_hop)
            mac = node.neighbours.get((device.name, next_hop)) or (owner.mac if owner else None)
            if mac is None or device.mac is None:
                yield ExpectedPath(hops, self.unanswered(device, next_hop))
                return
            ether: Layer = ("ether", {"src": device.mac, "dst": mac, "type": ETHERTYPES[packet[0][0]]})
            yield from self.emit(device, (ether, *packet), hops)

    def owner(self, device: Device, address: Address) -> Device | None:
        """Return the device that answers for an address on a segment: one that has it there, else for IPv4 a node that
        has it on any other device (``arp_ignore`` 0, Documentation/networking/ip-sysctl)."""
        others = [other for other in self.fabric.segment(device) if other.up and other.arp]
        found = next((d for d in others if address in {i.ip for i in d.addresses}), None)
        if found is None and address.version == 4:
            at_ip = (d for d in others if d.mac is not None and self.fabric[d.node].bridge_of(d.name) is None)
            found = next((d for d in at_ip if address in self.fabric[d.node].addresses), None)
        return found

    def unanswered(self, device: Device, address: Address) -> str:
        """Return why a device gets no answer for an address: where the request for it ends on its way, else where one
        from the device that has the address would end."""
        if address.is_link_local:
            return f"{device.ref}: the link-local address {address} {NOT_FOLLOWED}"
        reasons = self.request_ends(device, address)
        for other in self.fabric.devices if not reasons else ():
            if address in {interface.ip for interface in other.addresses} and device.addresses:
                reasons = self.request_ends(other, device.addresses[0].ip)
        if not reasons:
            return f"{device.ref}: no device on its segment has the address {address}"
        return f"{'; '.join(reasons[:REASONS_MAX])}: {device.ref} gets no answer for {address}"

    def request_ends(self, device: Device, address: Address) -> list[str]:
        """Return where the branches of a request end, each once."""
        if device.mac is None or (device.ref, address) in self.asked:
            return []
        request = AddressRequest(self.fabric, address, self.asked | {(device.ref, address)})
        frame: Layers = (("ether", {"src": device.mac, "dst": BROADCAST, "type": ETHERTYPES["arp"]}), ("arp", {}))
        return list(dict.fromkeys(path.dropped for path in request.emit(device, frame, ()) if path.dropped))

    def emit(self, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame out of a device."""
        if not device.up:
            yield ExpectedPath(hops, f"{device.ref}: down")
            return
        hops = seen(device, "out", frame, hops)
        node = self.fabric[device.node]
        if len(hops) > HOPS_MAX:
            yield ExpectedPath(hops, f"{device.ref}: the packet loops")
        elif isinstance(device, Port):
            yield from self.arrive(self.fabric[device.peer.node][device.peer.interface], frame, hops)
        elif isinstance(device, Bridge):
            yield from self.across(node, device, None, frame, hops)
        elif isinstance(device, Subinterface):
            yield from self.emit(node[device.link], tagged(frame, device.vid), hops)
        elif isinstance(device, Tunnel):
            yield from self.into_tunnel(node, device, frame, hops)
        else:
            yield ExpectedPath(hops, f"{device.ref}: what it is joined to {NOT_FOLLOWED}")

    def into_tunnel(self, node: Node, tunnel: Tunnel, frame: Layers, hops: Hops) -> Paths:
        """Wrap a frame for the one end behind which its destination is, and copies for those it is flooded to."""
        wanted = frame[0][1]["dst"]
        towards = tunnel.towards(wanted)
        behind = [(remote, far) for remote in towards for far in self.fabric.receivers(tunnel, remote)]
        if len(behind) > 1 or len(towards) > 1:
            behind = [end for end in behind if any(d.mac == wanted for d in self.fabric.beyond(end[1], set()))]
        remote, far = behind[0] if behind else (towards[0], None)
        learned = self.fabric.learned_end(tunnel, far) if far is not None and tunnel.learns else None
        flooded = [other for other in towards if other != remote or not behind]
        if not behind and len(towards) > 1:
            yield ExpectedPath(hops, f"{tunnel.ref}: no remote leads to {wanted}")
        else:
            sent_to = remote if learned is None or len(towards) < len(tunnel.remotes) else learned
            yield from self.wrapped(node, tunnel, sent_to, frame, hops)
        if flooded and (not behind or tunnel.floods(wanted, may=True)):
            self.copy(tunnel, wanted, [self.wrapped(node, tunnel, other, frame, ()) for other in flooded])

    def wrapped(self, node: Node, tunnel: Tunnel, remote: Address, inside: Layers, hops: Hops) -> Paths:
        """Send a packet or frame to one end of its tunnel."""
        if remote.is_multicast or (remote.is_unspecified and not tunnel.learns):
            yield ExpectedPath(hops, f"{tunnel.ref}: what sends frames to {remote} {NOT_FOLLOWED}")
        elif remote.is_unspecified:
            yield ExpectedPath(hops, f"{tunnel.ref}: no remote for frames to {inside[0][1]['dst']}")
        else:
            for packet in tunnel.wrap(inside, node.outer_source(tunnel, remote), remote):
                yield from self.send(node, packet, hops, tunnel.out_by)

    def copy(self, device: Device, wanted: object, ways: Sequence[Paths]) -> None:
        """Follow copies of a frame out of a device, once for each destination."""
        if (device.ref, wanted) not in self._copied:
            self._copied.add((device.ref, wanted))
            for way in ways:
                self.copies += way

    def arrive(self, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame into a device: to its VLAN (vlan_do_receive, net/8021q), to its bridge, or up to IP."""
        if not device.up:
            yield ExpectedPath(hops, f"{device.ref}: down")
            return
        hops = seen(device, "in", frame, hops)
        node = self.fabric[device.node]
        tag = tags_of(frame)[:1]
        if tag and (vlan := node.subinterface(device.name, tag[0])) is not None:
            yield from self.arrive(vlan, untagged(frame), hops)
        elif (bridge := node.bridge_of(device.name)) is not None:
            yield from self.across(node, bridge, device, frame, hops)
        elif tag:
            yield ExpectedPath(hops, f"{device.ref}: no sub-interface for VLAN {tag[0]}")
        else:
            yield from self.up(node, device, frame, hops)

    def up(self, node: Node, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame up to IP at a device."""
        if frame[0][1]["dst"] == device.mac:
            yield from self.receive(node, frame[1:], hops)
        else:
            yield ExpectedPath(hops, f"{device.ref}: a frame for {frame[0][1]['dst']}, which is not its MAC")

    def across(self, node: Node, bridge: Bridge, came_by: Device | None, frame: Layers, hops: Hops) -> Paths:
        """Let a frame cross a bridge that has learned where its destination is, or floods it."""
        wanted, tags = frame[0][1]["dst"], tags_of(frame)
        if refusal := bridge_refusal(bridge, came_by):
            yield ExpectedPath(hops, refusal)
            return
        if wanted == bridge.mac:
            hops = seen(bridge, "in", frame, hops)
            if tags:
                yield ExpectedPath(hops, f"{bridge.ref}: no sub-interface for VLAN {tags[0]}")
            else:
                yield from self.up(node, bridge, frame, hops)
            return
        others = [node[name] for name in bridge.members if came_by is None or name != came_by.name]
        behind = (m for m in others if any(d.mac == wanted for d in self.fabric.behind(m, {bridge.ref}, tags)))
        found = next(behind, None)
        if found is None:
            yield ExpectedPath(hops, f"{bridge.ref}: no port leads to {wanted}")
        elif refusal := bridge_refusal(bridge, came_by, found):
            yield ExpectedPath(hops, refusal)
        else:
            yield from self.emit(found, frame, hops)
        if bridge.floods(wanted, may=True):
            self.copy(bridge, wanted, [self.emit(member, frame, ()) for member in others if member != found])

    def receive(self, node: Node, packet: Layers, hops: Hops) -> Paths:
        """Let an IP packet into a node: out of its tunnel, to its target, or on to the next hop."""
        found = unwrap(packet)
        if ip_address(str(packet[0][1]["dst"])) not in node.addresses:
            yield from self.forward(node, packet, hops)
        elif found is None:
            there = node.name == self.target
            yield ExpectedPath(hops, "" if there else f"{node.name}: receives the packet in place of {self.target}")
        elif (tunnel := node.tunnel_by_ends.get(found.key)) is None:
            yield missing(node, f"no {found.device}", hops)
        elif tunnel.ethernet:
            yield from self.arrive(tunnel, found.inside, hops)
        else:
            yield from self.receive(node, found.inside, seen(tunnel, "in", found.inside, hops))

    def forward(self, node: Node, packet: Layers, hops: Hops) -> Paths:
        """Route a packet on, its TTL one lower."""
        version = 4 if packet[0][0] == "ipv4" else 6
        if refusal := node.refuses_to_forward(version, hops[-1].interface):
            yield ExpectedPath(hops, f"{node.name}: {refusal}")
        elif (lowered := lower_ttl(packet)) is None:
            yield ExpectedPath(hops, f"{node.name}: the TTL expires")
        else:
            yield from self.send(node, lowered, hops)


class AddressRequest(PacketWalk):
    """Follows the broadcast that asks for an address, by every branch of its way over a segment.

    A branch yields a path only where the request is answered, or ends before it reaches a device that could answer.
    """

    def __init__(self, fabric: Fabric, address: Address, asked: frozenset[tuple[PortRef, Address]]) -> None:
        super().__init__(fabric, "", asked)
        self.address = address
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
        if refusal := bridge_refusal(bridge, came_by):
            yield ExpectedPath(hops, refusal)
            return
        yield from self.up(node, bridge, frame, hops) if came_by else ()
        for name in bridge.members:
            member = node[name]
            if came_by is None or name != came_by.name:
                refusal = bridge_refusal(bridge, came_by, member) or no_broadcast(bridge, member)
                yield from (ExpectedPath(hops, refusal),) if refusal else self.emit(member, frame, hops)

    def into_tunnel(self, node: Node, tunnel: Tunnel, frame: Layers, hops: Hops) -> Paths:
        """Send the request to every remote."""
        if is_broadcast(frame):
            for remote in tunnel.remotes:
                yield from self.wrapped(node, tunnel, remote, frame, hops)
        else:
            yield from super().into_tunnel(node, tunnel, frame, hops)

    def up(self, node: Node, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Answer or ignore a request; report only ``arp off`` or a device in no subnet/bridge."""
        if not is_broadcast(frame):
            yield from super().up(node, device, frame, hops)
        elif self.address in node.addresses:
            yield ExpectedPath(hops, "" if device.arp else f"{device.ref}: answers for no address (arp off)")
        elif not device.addresses and not isinstance(device, Bridge):
            yield ExpectedPath(hops, f"{device.ref}: has no address and is in no bridge")


def missing(node: Node, what: str, hops: Hops) -> ExpectedPath:
    """End a path at a node that lacks something, unless something that is not followed may make up for it."""
    unfollowed = f" ({node.unfollowed} {NOT_FOLLOWED})" if node.unfollowed else ""
    return ExpectedPath(hops, f"{node.name}: {what}{unfollowed}")
