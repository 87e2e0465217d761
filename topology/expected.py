"""The journey of a packet through a declared fabric, hop by hop, with the header stack at each. Pure.

A small model of Linux forwarding walks the declaration: longest-prefix routing, neighbour resolution on a Layer 2
segment, learned bridging, VXLAN, Geneve and GRE in and out, TTLs, lengths and MAC addresses. Verdicts
compare the seen journey with it, and a lab whose pairs cannot reach each other as declared is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_address
from typing import Literal, TypeAlias

from topology.errors import Problem
from topology.model import Address, Bridge, Device, Fabric, FrameTunnel, Geneve, Gre, Node, Port, Subinterface, Vxlan
from topology.node import TunnelEnds
from topology.packet import (
    Layer,
    Layers,
    Probe,
    inherited_ttls,
    ip_layer,
    lower_ttl,
    stack_of,
    tagged,
    tags_of,
    ttl_of,
    untagged,
)
from topology.plan import ROUTERS
from topology.promises import AROUND_FRAMES, Kind, Pair, kind_of
from topology.refs import PortRef
from topology.wire.headers import MAX_LAYERS
from topology.wire.stack import Stack

Direction: TypeAlias = Literal["in", "out"]
ETHERTYPES = {"ipv4": 0x0800, "ipv6": 0x86DD}
ETHERNET_FRAME = 0x6558
"""Trans Ether Bridging: what Geneve says that it carries (RFC 8926, section 3.4)."""
HOPS_MAX = 128
"""More hops than this is a forwarding loop."""
DEFAULT_TTL = 64
"""net.ipv4.ip_default_ttl, also that of a VXLAN packet's outer header."""


@dataclass(frozen=True)
class ExpectedHop:
    """One interface that a packet must pass, in one direction, and all its headers there."""

    node: str
    interface: str
    direction: Direction
    layers: Layers

    @cached_property
    def stack(self) -> Stack:
        """The headers as a pattern, made when first asked for: most journeys are only looked at for where they go."""
        return stack_of(self.layers)

    @property
    def ref(self) -> PortRef:
        """The interface as ``node:interface``."""
        return PortRef(self.node, self.interface)

    @property
    def place(self) -> str:
        """The hop as ``node:interface direction``."""
        return f"{self.ref} {self.direction}"


@dataclass(frozen=True)
class ExpectedPath:
    """One legal path of a packet; ``dropped`` says where and why it ends early, and is empty when it arrives."""

    hops: tuple[ExpectedHop, ...]
    dropped: str = ""

    def __str__(self) -> str:
        return " ".join(str(hop.ref) for hop in self.hops)


Hops: TypeAlias = tuple[ExpectedHop, ...]
Paths: TypeAlias = Iterator[ExpectedPath]


@dataclass(frozen=True)
class ExpectedJourney:
    """The set of legal paths of one packet from a node to a node; each starts and ends at an interface of theirs.

    ``copies`` are the paths of copies that may be seen besides: a device that learns nothing, or soon forgets, sends
    the packet's frame to others too.
    """

    source: str
    target: str
    paths: tuple[ExpectedPath, ...]
    copies: tuple[ExpectedPath, ...] = ()

    @property
    def dropped(self) -> str:
        """The reason why the packet cannot arrive on some path; empty when it arrives on all."""
        return next((path.dropped for path in self.paths if path.dropped), "")

    @property
    def kind(self) -> Kind | None:
        """The kind in which the packet is carried, when all paths agree; None where no kind fits."""
        kinds = {_kind(path) for path in self.paths}
        return kinds.pop() if len(kinds) == 1 else None


def expected_journey(fabric: Fabric, probe: Probe) -> ExpectedJourney:
    """Return every legal path of a probe through a fabric."""
    walk = _Walk(fabric, probe.target)
    paths = tuple(walk.send(fabric[probe.source], probe.layers, ()))
    return ExpectedJourney(probe.source, probe.target, paths, tuple(walk.copies))


def check_pairs(fabric: Fabric) -> Iterator[Problem]:
    """Yield the pairs whose traffic cannot arrive, or is not carried as the pair declares."""
    for pair in fabric.pairs:
        for probe in probes_of(fabric, pair):
            source, target = probe.source, probe.target
            if probe.src.version != probe.dst.version:
                what = f"{source} -> {target} cannot start: {probe.src} and {probe.dst} are of two IP versions"
                yield Problem(pair.where, what, "nodes whose first addresses are of one version")
                continue
            journey = expected_journey(fabric, probe)
            if journey.dropped:
                right = f"a fabric in which {source} reaches {target}"
                yield Problem(pair.where, f"{source} -> {target} cannot arrive: {journey.dropped}", right)
            elif journey.kind != pair.kind:
                yield _wrong_kind(pair, source, target, journey)


def probes_of(fabric: Fabric, pair: Pair) -> tuple[Probe, Probe]:
    """Return a plain ICMP echo request between the ends of a pair, and one the other way."""
    src, dst = pair.src or fabric[pair.source].address, pair.dst or fabric[pair.target].address
    return Probe(pair.source, pair.target, src, dst), Probe(pair.target, pair.source, dst, src)


def probe_between(fabric: Fabric, source: str, target: str) -> Probe:
    """Return a plain ICMP echo request between two nodes' first addresses."""
    return Probe(source, target, fabric[source].address, fabric[target].address)


def _wrong_kind(pair: Pair, source: str, target: str, journey: ExpectedJourney) -> Problem:
    what = f"{source} -> {target} is declared {pair.kind} but this fabric carries it as {journey.kind or 'no kind'}"
    right = f"kind: {journey.kind}" if journey.kind else "addresses and routes that carry it as declared"
    return Problem(pair.where, what, right)


def _kind(path: ExpectedPath) -> Kind | None:
    return kind_of(([name for name, _ in hop.layers], ttl_of(hop.layers)) for hop in path.hops) if path.hops else None


class _Walk:
    """Follows one packet; each method continues from a point and yields the paths it can take."""

    def __init__(self, fabric: Fabric, target: str) -> None:
        self.fabric, self.target = fabric, target
        self.copies: list[ExpectedPath] = []
        self._copied: set[tuple[PortRef, object]] = set()

    def send(self, node: Node, packet: Layers, hops: Hops, out: str | None = None) -> Paths:
        """Route an IP packet out of a node; ``out`` binds it to a device."""
        target = packet[0][1]["dst"]
        if len(packet) > MAX_LAYERS:
            yield ExpectedPath(hops, f"{node.name} wraps it over and over on its way to {target}")
            return
        address = ip_address(str(target))
        egresses = node.fib.lookup(address, out)
        if not egresses:
            yield ExpectedPath(hops, f"{node.name} has no route to {target}")
        for egress in egresses:
            yield from self.send_by(node, node[egress.dev], egress.via or address, packet, hops)

    def send_by(self, node: Node, device: Device, next_hop: Address, packet: Layers, hops: Hops) -> Paths:
        """Let an IP packet out of a device, to a next hop."""
        ethertype = ETHERTYPES[packet[0][0]]
        if isinstance(device, Gre):
            hops = _seen(device, "out", packet, hops)
            header = {"proto": ethertype} if device.key is None else {"proto": ethertype, "key": device.key}
            for ttl in inherited_ttls(device, packet):
                outer = ip_layer(device.local, device.remote, ttl, 47)
                yield from self.send(node, (outer, ("gre", header), *packet), hops)
            return
        owner = self.owner(device, next_hop)
        if owner is None or owner.mac is None or device.mac is None:
            yield ExpectedPath(hops, f"no device on the segment of {device.ref} owns {next_hop}")
            return
        ether: Layer = ("ether", {"src": device.mac, "dst": owner.mac, "type": ethertype})
        yield from self.emit(device, (ether, *packet), hops)

    def owner(self, device: Device, address: Address) -> Device | None:
        """Return the device that answers for an address on a segment: one that has it there, else for IPv4 a node that
        has it on any other device (``arp_ignore`` 0, Documentation/networking/ip-sysctl)."""
        others = list(self.fabric.segment(device))
        found = next((d for d in others if address in {i.ip for i in d.addresses}), None)
        if found is None and address.version == 4:
            at_ip = (d for d in others if d.mac is not None and self.fabric[d.node].bridge_of(d.name) is None)
            found = next((d for d in at_ip if address in self.fabric[d.node].addresses), None)
        return found

    def emit(self, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame out of a device."""
        hops = _seen(device, "out", frame, hops)
        node = self.fabric[device.node]
        if len(hops) > HOPS_MAX:
            yield ExpectedPath(hops, f"it loops through {device.ref}")
        elif isinstance(device, Port):
            yield from self.arrive(self.fabric[device.peer.node][device.peer.interface], frame, hops)
        elif isinstance(device, Bridge):
            yield from self.across(node, device, None, frame, hops)
        elif isinstance(device, Subinterface):
            yield from self.emit(node[device.link], tagged(frame, device.vid), hops)
        elif isinstance(device, Vxlan):
            yield from self.into_vxlan(node, device, frame, hops)
        elif isinstance(device, Geneve):
            yield from self.wrapped(node, device, device.remote, frame, hops)

    def into_vxlan(self, node: Node, vxlan: Vxlan, frame: Layers, hops: Hops) -> Paths:
        """Wrap a frame for the one VTEP behind which its destination is, and copies for those it is flooded to."""
        wanted = frame[0][1]["dst"]
        towards = vxlan.towards(wanted)
        behind = [(remote, far) for remote in towards for far in self.fabric.far_vteps(vxlan, remote)]
        if len(behind) > 1 or len(towards) > 1:
            behind = [end for end in behind if any(d.mac == wanted for d in self.fabric.beyond(end[1], set()))]
        remote, far = behind[0] if behind else (towards[0], None)
        learned = self.fabric.learned_end(vxlan, far) if far is not None and vxlan.learning else None
        flooded = [other for other in towards if other != remote or not behind]
        if not behind and len(towards) > 1:
            yield ExpectedPath(hops, f"{wanted} is behind no remote of {vxlan.ref}")
        else:
            sent_to = remote if learned is None or len(towards) < len(vxlan.remotes) else learned
            yield from self.wrapped(node, vxlan, sent_to, frame, hops)
        if flooded and (not behind or vxlan.floods(wanted, may=True)):
            self.copy(vxlan, wanted, [self.wrapped(node, vxlan, other, frame, ()) for other in flooded])

    def wrapped(self, node: Node, tunnel: FrameTunnel, remote: Address, frame: Layers, hops: Hops) -> Paths:
        """Send a frame to one end of its tunnel (RFC 7348, RFC 8926)."""
        header: Layer = ("vxlan", {"vni": tunnel.vni})
        if isinstance(tunnel, Geneve):
            header = ("geneve", {"version": 0, "optionlen": 0, "vni": tunnel.vni, "proto": ETHERNET_FRAME})
        outer = ip_layer(node.outer_source(tunnel, remote), remote, DEFAULT_TTL, 17)
        dev = tunnel.dev if isinstance(tunnel, Vxlan) else None
        yield from self.send(node, (outer, ("udp", {"dport": tunnel.port}), header, *frame), hops, dev)

    def copy(self, device: Device, wanted: object, ways: Sequence[Paths]) -> None:
        """Follow copies of a frame out of a device, once for each destination."""
        if (device.ref, wanted) not in self._copied:
            self._copied.add((device.ref, wanted))
            for way in ways:
                self.copies += way

    def arrive(self, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame into a device: to its VLAN (vlan_do_receive, net/8021q), to its bridge, or up to IP."""
        hops = _seen(device, "in", frame, hops)
        node = self.fabric[device.node]
        tag = tags_of(frame)[:1]
        if tag and (vlan := node.subinterface(device.name, tag[0])) is not None:
            yield from self.arrive(vlan, untagged(frame), hops)
        elif (bridge := node.bridge_of(device.name)) is not None:
            yield from self.across(node, bridge, device, frame, hops)
        else:
            yield from self.up(node, device, frame, hops)

    def up(self, node: Node, device: Device, frame: Layers, hops: Hops) -> Paths:
        """Let a frame up to IP at a device."""
        if tags := tags_of(frame):
            yield ExpectedPath(hops, f"{device.ref} has no sub-interface for VLAN {tags[0]}")
        elif frame[0][1]["dst"] == device.mac:
            yield from self.receive(node, frame[1:], hops)
        else:
            yield ExpectedPath(hops, f"{device.ref} is not {frame[0][1]['dst']}")

    def across(self, node: Node, bridge: Bridge, came_by: Device | None, frame: Layers, hops: Hops) -> Paths:
        """Let a frame cross a bridge that has learned where its destination is, or floods it."""
        wanted, tags = frame[0][1]["dst"], tags_of(frame)
        if wanted == bridge.mac:
            yield from self.up(node, bridge, frame, _seen(bridge, "in", frame, hops))
            return
        others = [node[name] for name in bridge.members if came_by is None or name != came_by.name]
        behind = (m for m in others if any(d.mac == wanted for d in self.fabric.behind(m, {bridge.ref}, tags)))
        found = next(behind, None)
        if found is None:
            yield ExpectedPath(hops, f"{wanted} is behind no port of {bridge.ref}")
        else:
            yield from self.emit(found, frame, hops)
        if bridge.floods(wanted, may=True):
            self.copy(bridge, wanted, [self.emit(member, frame, ()) for member in others if member != found])

    def receive(self, node: Node, packet: Layers, hops: Hops) -> Paths:
        """Let an IP packet into a node: out of its tunnel, to its target, or on to the next hop."""
        ends, missing = _tunnel_ends(packet)
        if ip_address(str(packet[0][1]["dst"])) not in node.addresses:
            yield from self.forward(node, packet, hops)
        elif ends is None:
            there = node.name == self.target
            yield ExpectedPath(hops, "" if there else f"it ends at {node.name} instead of {self.target}")
        elif (tunnel := node.tunnel_by_ends.get(ends)) is None:
            yield ExpectedPath(hops, f"{node.name} has no {missing}")
        elif isinstance(tunnel, Gre):
            yield from self.receive(node, packet[2:], _seen(tunnel, "in", packet[2:], hops))
        else:
            yield from self.arrive(tunnel, packet[3:], hops)

    def forward(self, node: Node, packet: Layers, hops: Hops) -> Paths:
        """Route a packet on, its TTL one lower."""
        if node.role not in ROUTERS:
            yield ExpectedPath(hops, f"{node.name} is a {node.role} and forwards nothing (roles that do: {ROUTERS})")
        elif (lowered := lower_ttl(packet)) is None:
            yield ExpectedPath(hops, f"its TTL ends at {node.name}")
        else:
            yield from self.send(node, lowered, hops)


def _tunnel_ends(packet: Layers) -> tuple[TunnelEnds | None, str]:
    """Return the key in ``Node.tunnel_by_ends`` of the tunnel that a packet is in, None for one in no tunnel; and the
    tunnel in words."""
    src, dst = (ip_address(str(packet[0][1][end])) for end in ("src", "dst"))
    (name, header), (inner, inside) = packet[1:3]
    if name == "gre":
        key = header.get("key")
        keyed = "" if key is None else f" with the key {key}"
        return ("gre", dst, src, key), f"GRE tunnel from {src} to {dst}{keyed}"
    if name != "udp" or inner not in AROUND_FRAMES:
        return None, ""
    port, vni = header["dport"], inside["vni"]
    if inner == "vxlan":
        return ("vxlan", port, vni), f"VTEP for VNI {vni} on port {port}"
    return ("geneve", port, vni, src), f"Geneve tunnel from {src} for VNI {vni} on port {port}"


def _seen(device: Device, direction: Direction, layers: Layers, hops: Hops) -> Hops:
    return (*hops, ExpectedHop(device.node, device.name, direction, layers))


def reply_to(probe: Probe) -> Probe:
    """Return the answer that a probe must bring."""
    source, target, src, dst = probe.target, probe.source, probe.dst, probe.src
    return replace(probe, source=source, target=target, src=src, dst=dst, is_reply=not probe.is_reply)
