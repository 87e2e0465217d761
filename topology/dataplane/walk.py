"""Follows one packet through forwarding state, hop by hop: a small model of Linux forwarding. Pure.

Longest-prefix routing, neighbour resolution on a Layer 2 segment, learned bridging, VXLAN, Geneve and GRE in and out,
TTLs and MAC addresses. The state is that of a declaration, or read from live nodes (``topology.dataplane.live``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from topology.dataplane.bridges import BROADCAST, bridge_refusal, is_broadcast, no_broadcast
from topology.dataplane.paths import Direction, ExpectedHop, ExpectedPath
from topology.model import Address, Bridge, Device, Fabric, Geneve, Gre, Node, Port, Subinterface, Vxlan
from topology.packet import Layer, Layers, inherited_ttls, ip_layer, lower_ttl, tagged, tags_of
from topology.refs import PortRef
from topology.wire.headers import MAX_LAYERS

ETHERNET_FRAME = 0x6558
"""Trans Ether Bridging: the protocol type of Geneve's payload (RFC 8926, section 3.4)."""
NOT_FOLLOWED = "is not followed"
"""The words of a walk that ends where its knowledge ends: nothing is known of the packet from there on."""
ETHERTYPE_ARP = 0x0806
REASONS_MAX = 3
"""Branches of a request that a message names."""
HOPS_MAX = 128
"""More hops than this is a forwarding loop."""
DEFAULT_TTL = 64
"""net.ipv4.ip_default_ttl, also that of a VXLAN packet's outer header."""


class Walk:
    """Follows one packet; each method continues from a point and yields the ways it can end."""

    def __init__(self, fabric: Fabric, target: str, asked: frozenset[tuple[PortRef, Address]] = frozenset()) -> None:
        self.fabric, self.target = fabric, target
        self.asked = asked
        """The addresses that are being asked for, each with the device that asks."""
        self.copies: list[ExpectedPath] = []
        self._copied: set[tuple[PortRef, object]] = set()

    def send(
        self, node: Node, packet: Layers, hops: tuple[ExpectedHop, ...], out: str | None = None
    ) -> Iterator[ExpectedPath]:
        """Route an IP packet out of a node; ``out`` binds it to a device."""
        target = packet[0][1]["dst"]
        if len(packet) > MAX_LAYERS:
            yield ExpectedPath(hops, f"{node.name}: encapsulates the packet again and again on its way to {target}")
            return
        address = ip_address(str(target))
        ways = node.fib.lookup(address, out)
        if not ways:
            yield self.no(node, f"{node.refusal(address) or 'no route'} to {target}", hops)
        for way in ways:
            yield from self.send_by(node, node[way.dev], way.via or address, packet, hops)

    def send_by(
        self, node: Node, device: Device, next_hop: Address, packet: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
        """Let an IP packet out of a device, to a next hop."""
        if not device.up:
            yield ExpectedPath(hops, f"{device.ref}: down")
            return
        if isinstance(device, Gre):
            yield from self.into_gre(node, device, packet, self.seen(device, "out", packet, hops))
            return
        if not device.arp:
            yield ExpectedPath(hops, f"{device.ref}: resolves no addresses (arp off)")
            return
        owner = self.owner(device, next_hop)
        mac = node.neighbours.get((device.name, next_hop)) or (owner.mac if owner else None)
        if mac is None or device.mac is None:
            yield ExpectedPath(hops, self.unanswered(device, next_hop))
            return
        ethertype = {"ipv4": 0x0800, "ipv6": 0x86DD}[packet[0][0]]
        frame: Layers = (("ether", {"src": device.mac, "dst": mac, "type": ethertype}), *packet)
        yield from self.emit(device, frame, hops)

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
        request = Request(self.fabric, address, self.asked | {(device.ref, address)})
        frame: Layers = (("ether", {"src": device.mac, "dst": BROADCAST, "type": ETHERTYPE_ARP}), ("arp", {}))
        return list(dict.fromkeys(path.dropped for path in request.emit(device, frame, ()) if path.dropped))

    def owner(self, device: Device, address: Address) -> Device | None:
        """The device that answers for an address on a segment: one that has it there, else for IPv4 a node that has it
        on any other device (``arp_ignore`` 0, Documentation/networking/ip-sysctl)."""
        others = list(self.fabric.segment(device))
        others = [other for other in others if other.up and other.arp]
        found = next((d for d in others if address in {i.ip for i in d.addresses}), None)
        if found is None and address.version == 4:
            found = next(
                (d for d in others if is_at_ip(self.fabric, d) and address in self.fabric[d.node].addresses), None
            )
        return found

    def into_gre(self, node: Node, gre: Gre, packet: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Wrap an IP packet (RFC 2784); the outer TTL is the tunnel's or the inner packet's."""
        ethertype = {"ipv4": 0x0800, "ipv6": 0x86DD}[packet[0][0]]
        header: dict[str, object] = {"proto": ethertype}
        if gre.key is not None:
            header["key"] = gre.key
        for ttl in inherited_ttls(gre, packet):
            yield from self.send(node, (ip_layer(gre.local, gre.remote, ttl, 47), ("gre", header), *packet), hops)

    def emit(self, device: Device, frame: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Let a frame out of a device."""
        if not device.up:
            yield ExpectedPath(hops, f"{device.ref}: down")
            return
        hops = self.seen(device, "out", frame, hops)
        node = self.fabric[device.node]
        if len(hops) > HOPS_MAX:
            yield ExpectedPath(hops, f"{device.ref}: the packet loops")
        elif isinstance(device, Port):
            yield from self.arrive(self.fabric[device.peer.node][device.peer.interface], frame, hops)
        elif isinstance(device, Bridge):
            yield from self.across(node, device, None, frame, hops)
        elif isinstance(device, Subinterface):
            yield from self.emit(node[device.link], tagged(frame, device.vid), hops)
        elif isinstance(device, Vxlan):
            yield from self.into_vxlan(node, device, frame, hops)
        elif isinstance(device, Geneve):
            header: Layer = ("geneve", {"version": 0, "optionlen": 0, "vni": device.vni, "proto": ETHERNET_FRAME})
            outer = ip_layer(device.local, device.remote, DEFAULT_TTL, 17)
            yield from self.send(node, (outer, ("udp", {"dport": device.port}), header, *frame), hops)
        else:
            yield ExpectedPath(hops, f"{device.ref}: what it is joined to {NOT_FOLLOWED}")

    def into_vxlan(
        self, node: Node, vxlan: Vxlan, frame: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
        """Wrap a frame (RFC 7348) for the one VTEP behind which its destination is, and copies for those that it is
        flooded to."""
        wanted = frame[0][1]["dst"]
        towards = vxlan.towards(wanted)
        behind = [(remote, far) for remote in towards for far in self.fabric.far_vteps(vxlan, remote)]
        if len(behind) > 1 or len(towards) > 1:
            behind = [
                (remote, far) for remote, far in behind if any(d.mac == wanted for d in self.fabric.beyond(far, set()))
            ]
        remote, far = behind[0] if behind else (towards[0], None)
        learned = self.fabric.learned_end(vxlan, far) if far is not None and vxlan.learning else None
        flooded = [other for other in towards if other != remote or not behind]
        if not behind and len(towards) > 1:
            yield ExpectedPath(hops, f"{vxlan.ref}: no remote leads to {wanted}")
        else:
            sent_to = remote if learned is None or len(towards) < len(vxlan.remotes) else learned
            yield from self.wrapped(node, vxlan, sent_to, frame, hops)
        if flooded and (not behind or vxlan.floods(wanted, may=True)):
            self.copy(vxlan, wanted, [self.wrapped(node, vxlan, other, frame, ()) for other in flooded])

    def wrapped(
        self, node: Node, vxlan: Vxlan, remote: Address, frame: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
        """Send a frame to one VTEP."""
        if remote.is_multicast or (remote.is_unspecified and not vxlan.learning):
            yield ExpectedPath(hops, f"{vxlan.ref}: what sends frames to {remote} {NOT_FOLLOWED}")
            return
        if remote.is_unspecified:
            yield ExpectedPath(hops, f"{vxlan.ref}: no remote for frames to {frame[0][1]['dst']}")
            return
        inside: Layers = (("udp", {"dport": vxlan.port}), ("vxlan", {"vni": vxlan.vni}), *frame)
        outer = ip_layer(node.outer_source(vxlan, remote), remote, DEFAULT_TTL, 17)
        yield from self.send(node, (outer, *inside), hops, vxlan.dev)

    def copy(self, device: Device, wanted: object, ways: Sequence[Iterator[ExpectedPath]]) -> None:
        """Follow copies of a frame out of a device, once for each destination."""
        if (device.ref, wanted) not in self._copied:
            self._copied.add((device.ref, wanted))
            for way in ways:
                self.copies += way

    def arrive(self, device: Device, frame: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Let a frame into a device: to its VLAN, to its bridge, or up to IP."""
        if not device.up:
            yield ExpectedPath(hops, f"{device.ref}: down")
            return
        hops = self.seen(device, "in", frame, hops)
        node = self.fabric[device.node]
        tag = tags_of(frame)[:1]
        if tag and node.subinterface(device.name, tag[0]) is not None:
            yield from self.out_of_vlan(node, device, frame, hops)
        elif (bridge := node.bridge_of(device.name)) is not None:
            yield from self.across(node, bridge, device, frame, hops)
        elif tag:
            yield ExpectedPath(hops, f"{device.ref}: no sub-interface for VLAN {tag[0]}")
        else:
            yield from self.up(node, device, frame, hops)

    def up(self, node: Node, device: Device, frame: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Let a frame up to IP."""
        if frame[0][1]["dst"] == device.mac:
            yield from self.receive(node, frame[1:], hops)
        else:
            yield ExpectedPath(hops, f"{device.ref}: a frame for {frame[0][1]['dst']}, which is not its MAC")

    def out_of_vlan(
        self, node: Node, port: Device, frame: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
        """Take the tag off a frame at the port's sub-interface for its VLAN (vlan_do_receive, net/8021q)."""
        (name, ether), (_, tag), *rest = frame
        device = node.subinterface(port.name, int(str(tag["vlan"])))
        assert device is not None, f"{port.ref} has been asked for its VLAN"
        yield from self.arrive(device, ((name, {**ether, "type": tag["type"]}), *rest), hops)

    def across(
        self, node: Node, bridge: Bridge, came_by: Device | None, frame: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
        """Let a frame cross a bridge that has learned where its destination is, or floods it."""
        wanted, tags = frame[0][1]["dst"], tags_of(frame)
        if refusal := bridge_refusal(bridge, came_by):
            yield ExpectedPath(hops, refusal)
            return
        if wanted == bridge.mac:
            yield from self.to_bridge(node, bridge, frame, hops)
            return
        others = [node[name] for name in bridge.members if came_by is None or name != came_by.name]
        found = next(
            (m for m in others if any(d.mac == wanted for d in self.fabric.behind(m, {bridge.ref}, tags))), None
        )
        if found is None:
            yield ExpectedPath(hops, f"{bridge.ref}: no port leads to {wanted}")
        elif refusal := bridge_refusal(bridge, came_by, found):
            yield ExpectedPath(hops, refusal)
        else:
            yield from self.emit(found, frame, hops)
        if bridge.floods(wanted, may=True):
            self.copy(bridge, wanted, [self.emit(member, frame, ()) for member in others if member != found])

    def to_bridge(
        self, node: Node, bridge: Bridge, frame: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
        """Let a frame up to IP at the bridge that it is for."""
        hops = self.seen(bridge, "in", frame, hops)
        if tags_of(frame):
            yield ExpectedPath(hops, f"{bridge.ref}: no sub-interface for VLAN {tags_of(frame)[0]}")
        else:
            yield from self.receive(node, frame[1:], hops)

    def receive(self, node: Node, packet: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Let an IP packet into a node: out of its tunnel, to its target, or on to the next hop."""
        if ip_address(str(packet[0][1]["dst"])) not in node.addresses:
            yield from self.forward(node, packet, hops)
            return
        names = tuple(name for name, _ in packet[1:3])
        if names[:1] == ("gre",):
            yield from self.out_of_gre(node, packet, hops)
        elif names == ("udp", "vxlan"):
            yield from self.out_of_vxlan(node, packet, hops)
        elif names == ("udp", "geneve"):
            yield from self.out_of_geneve(node, packet, hops)
        else:
            there = node.name == self.target
            yield ExpectedPath(hops, "" if there else f"{node.name}: receives the packet in place of {self.target}")

    def forward(self, node: Node, packet: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Route a packet on, its TTL one lower."""
        version = 4 if packet[0][0] == "ipv4" else 6
        if refusal := node.refuses_to_forward(version, hops[-1].interface):
            yield ExpectedPath(hops, f"{node.name}: {refusal}")
            return
        lowered = lower_ttl(packet)
        if lowered is None:
            yield ExpectedPath(hops, f"{node.name}: the TTL expires")
        else:
            yield from self.send(node, lowered, hops)

    def out_of_gre(self, node: Node, packet: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Unwrap at the tunnel whose ends and key are the packet's."""
        outer, key = packet[0][1], packet[1][1].get("key")
        ends = (ip_address(str(outer["dst"])), ip_address(str(outer["src"])))
        gre = node.gre_by_ends.get((*ends, key if isinstance(key, int) else None))
        if gre is not None:
            yield from self.receive(node, packet[2:], self.seen(gre, "in", packet[2:], hops))
            return
        keyed = "" if key is None else f" with the key {key}"
        yield self.no(node, f"no GRE device for packets from {outer['src']} to {outer['dst']}{keyed}", hops)

    def out_of_vxlan(self, node: Node, packet: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Unwrap at the VTEP of the packet's port and VNI (RFC 7348)."""
        port, vni = packet[1][1]["dport"], packet[2][1]["vni"]
        vxlan = node.vxlan_by_vni.get((int(str(port)), int(str(vni))))
        if vxlan is not None:
            yield from self.arrive(vxlan, packet[3:], hops)
            return
        yield self.no(node, f"no VXLAN device for VNI {vni} on UDP port {port}", hops)

    def out_of_geneve(self, node: Node, packet: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Unwrap at the device of the packet's port, VNI and source (RFC 8926; geneve_lookup, drivers/net/geneve.c)."""
        source, port, vni = packet[0][1]["src"], packet[1][1]["dport"], packet[2][1]["vni"]
        geneve = node.geneve_by_ends.get((int(str(port)), int(str(vni)), ip_address(str(source))))
        if geneve is not None:
            yield from self.arrive(geneve, packet[3:], hops)
            return
        yield self.no(node, f"no Geneve device for VNI {vni} from {source} on UDP port {port}", hops)

    @staticmethod
    def no(node: Node, missing: str, hops: tuple[ExpectedHop, ...]) -> ExpectedPath:
        """End a path at a node that lacks something, unless something that is not followed may make up for it."""
        unfollowed = f" ({node.unfollowed} {NOT_FOLLOWED})" if node.unfollowed else ""
        return ExpectedPath(hops, f"{node.name}: {missing}{unfollowed}")

    @staticmethod
    def seen(
        device: Device, direction: Direction, layers: Layers, hops: tuple[ExpectedHop, ...]
    ) -> tuple[ExpectedHop, ...]:
        """The hops so far and this one."""
        return (*hops, ExpectedHop(device.node, device.name, direction, layers))


class Request(Walk):
    """Follows the broadcast that asks for an address, by every branch of its way over a segment.

    A branch yields a path only where the request is answered, or ends before it reaches a device that could answer.
    """

    def __init__(self, fabric: Fabric, address: Address, asked: frozenset[tuple[PortRef, Address]]) -> None:
        super().__init__(fabric, "", asked)
        self.address = address
        self._crossed: set[tuple[PortRef, PortRef | None]] = set()

    def across(
        self, node: Node, bridge: Bridge, came_by: Device | None, frame: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
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

    def into_vxlan(
        self, node: Node, vxlan: Vxlan, frame: Layers, hops: tuple[ExpectedHop, ...]
    ) -> Iterator[ExpectedPath]:
        """Send the request to every remote."""
        if is_broadcast(frame):
            for remote in vxlan.remotes:
                yield from self.wrapped(node, vxlan, remote, frame, hops)
        else:
            yield from super().into_vxlan(node, vxlan, frame, hops)

    def up(self, node: Node, device: Device, frame: Layers, hops: tuple[ExpectedHop, ...]) -> Iterator[ExpectedPath]:
        """Answer, or not: only a device that could have no part in the segment is worth a word."""
        if not is_broadcast(frame):
            yield from super().up(node, device, frame, hops)
        elif self.address in node.addresses:
            yield ExpectedPath(hops, "" if device.arp else f"{device.ref}: answers for no address (arp off)")
        elif not device.addresses and not isinstance(device, Bridge):
            yield ExpectedPath(hops, f"{device.ref}: has no address and is in no bridge")


def is_at_ip(fabric: Fabric, device: Device) -> bool:
    """Return whether frames that come into a device go to its node's IP, not to a bridge that it is in."""
    return fabric[device.node].bridge_of(device.name) is None and device.mac is not None
