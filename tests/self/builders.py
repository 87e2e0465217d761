"""Evidence as a tap on a live fabric gives it, made without one: expected hops as bytes, decoded again.

Nothing here is taken from the code under test but its words: headers are packed with `struct`, and what a judge gets is
what `topology.wire` reads from the bytes.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from reports.evidence import Direction, Journey, Sighting
from reports.judge.journey import judge_journey
from reports.judge.trip import Leg
from topology.expected import ExpectedHop, ExpectedJourney, ExpectedPath, expected_journey, probe_between
from topology.formats.lab import LABS, load_lab, load_lab_text
from topology.model import Fabric
from topology.packet import Layer, Layers, Probe, Protocol
from topology.promises import Pair
from topology.wire.headers import Vlan, decode

Fields = Mapping[str, object]
Change = Callable[[Layers], Layers]

START_NS, STEP_NS = 1_700_000_000_000_000_000, 5_000
NONCE = bytes(range(0xA0, 0xB0))
ETHERNET, GRE_DEVICE = 1, 778
"""ARPHRD types (linux/if_arp.h)."""
VXLAN_LAB = Path(__file__).parent / "data" / "vxlan.yaml"


def reference_text() -> str:
    """The reference lab's file."""
    return (LABS / "ece792.yaml").read_text()


@cache
def reference() -> Fabric:
    """The reference lab."""
    return load_lab_text(reference_text(), "ece792.yaml")


@cache
def known_lab(name: str) -> Fabric:
    """A lab that comes along, read once."""
    return load_lab(name)


@cache
def vxlan_lab() -> Fabric:
    """The small lab without GRE."""
    return load_lab_text(VXLAN_LAB.read_text(), "vxlan.yaml")


def unlike_pairs(fabric: Fabric) -> tuple[Pair, ...]:
    """The pairs of a lab; of those that follow from a segment, one of each kind."""
    return tuple({(pair.kind, pair.segment or str(pair)): pair for pair in fabric.pairs}.values())


def probe(fabric: Fabric, source: str, target: str, protocol: Protocol = "icmp") -> Probe:
    """A probe with a nonce of its own."""
    return replace(probe_between(fabric, source, target), protocol=protocol, nonce=NONCE)


def expect(fabric: Fabric, source: str, target: str, protocol: Protocol = "icmp") -> ExpectedJourney:
    """The legal journeys of such a probe."""
    return expected_journey(fabric, probe(fabric, source, target, protocol))


def render(layers: Layers) -> bytes:
    """The bytes of a packet: lengths computed, checksums left at zero as offload may leave them."""
    body = b""
    for name, fields in reversed(layers):
        body = _RENDER[name](fields, body)
    return body


def _number(fields: Fields, name: str, otherwise: int = 0) -> int:
    return int(str(fields.get(name, otherwise)))


def _mac(fields: Fields, name: str) -> bytes:
    return bytes.fromhex(str(fields[name]).replace(":", ""))


def _ether(fields: Fields, body: bytes) -> bytes:
    return _mac(fields, "dst") + _mac(fields, "src") + struct.pack("!H", _number(fields, "type", 0x0800)) + body


def _ipv4(fields: Fields, body: bytes) -> bytes:
    size = _number(fields, "len", 20 + len(body))
    head = struct.pack("!BBHHHBBH", 0x45, 0, size, 1, 0, _number(fields, "ttl"), _number(fields, "proto"), 0)
    return head + b"".join(socket.inet_aton(str(fields[end])) for end in ("src", "dst")) + body


def _ipv6(fields: Fields, body: bytes) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(body), _number(fields, "nh"), _number(fields, "hlim"))
    return head + b"".join(socket.inet_pton(socket.AF_INET6, str(fields[end])) for end in ("src", "dst")) + body


def _icmp(fields: Fields, body: bytes) -> bytes:
    numbers = (_number(fields, name) for name in ("type", "code", "chksum", "id", "seq"))
    return struct.pack("!BBHHH", *numbers) + body


def _udp(fields: Fields, body: bytes) -> bytes:
    sport, dport = _number(fields, "sport", 50_000), _number(fields, "dport")
    return struct.pack("!HHHH", sport, dport, 8 + len(body), 0) + body


def _gre(fields: Fields, body: bytes) -> bytes:
    proto = _number(fields, "proto")
    if "key" in fields:
        return struct.pack("!HHI", 0x2000, proto, _number(fields, "key")) + body
    return struct.pack("!HH", 0, proto) + body


def _vxlan(fields: Fields, body: bytes) -> bytes:
    return struct.pack("!II", _number(fields, "flags", 8) << 24, _number(fields, "vni") << 8) + body


def _dot1q(fields: Fields, body: bytes) -> bytes:
    return struct.pack("!HH", _number(fields, "vlan"), _number(fields, "type")) + body


def _geneve(fields: Fields, body: bytes) -> bytes:
    options = fields.get("options", b"")
    assert isinstance(options, bytes)
    head = struct.pack("!BBHI", len(options) // 4, 0, _number(fields, "proto", 0x6558), _number(fields, "vni") << 8)
    return head + options + body


def _arp(fields: Fields, body: bytes) -> bytes:
    ends = (_mac(fields, "hwsrc"), socket.inet_aton(str(fields["psrc"])), _mac(fields, "hwdst"))
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, _number(fields, "op"))
    return head + b"".join(ends) + socket.inet_aton(str(fields["pdst"])) + body


def _payload(fields: Fields, body: bytes) -> bytes:
    load = fields["load"]
    assert isinstance(load, bytes)
    return load + body


_RENDER: Mapping[str, Callable[[Fields, bytes], bytes]] = {
    "arp": _arp,
    "ether": _ether,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "icmp": _icmp,
    "udp": _udp,
    "ipip": lambda _, body: body,
    "gre": _gre,
    "vxlan": _vxlan,
    "geneve": _geneve,
    "dot1q": _dot1q,
    "payload": _payload,
}


def sighting(
    fabric: Fabric,
    node: str,
    interface: str,
    direction: Direction,
    layers: Layers,
    number: int = 0,
    vlan: Vlan | None = None,
) -> Sighting:
    """A tap's sighting of a packet at an interface; ``number`` is its place in time."""
    frame, link = render(layers), layers[0][0] == "ether"
    ethertype = 0x86DD if layers[0][0] == "ipv6" else 0x0800
    headers = decode(
        frame,
        link=link,
        ethertype=ethertype,
        vlan=vlan,
        ports=fabric.udp_ports,
    )
    time_ns, hardware = START_NS + number * STEP_NS, ETHERNET if link else GRE_DEVICE
    return Sighting(node, interface, direction, time_ns, number, len(frame), frame, headers, hardware, vlan)


def seen_hop(fabric: Fabric, hop: ExpectedHop, number: int = 0, change: Change | None = None) -> Sighting:
    """A hop as it must be seen, or changed."""
    layers = change(hop.layers) if change else hop.layers
    return sighting(fabric, hop.node, hop.interface, hop.direction, layers, number)


def seen_path(fabric: Fabric, path: ExpectedPath) -> list[Sighting]:
    """Every hop of a path, each a step later than the one before."""
    return [seen_hop(fabric, hop, number) for number, hop in enumerate(path.hops)]


def journey(expected: ExpectedJourney, sightings: list[Sighting], protocol: str = "icmp", note: str = "") -> Journey:
    """Sightings in the order of time."""
    in_order = sorted(sightings, key=lambda seen: (seen.time_ns, seen.order))
    return Journey(expected.source, expected.target, protocol, tuple(in_order), note)


def leg(expected: ExpectedJourney, sightings: list[Sighting], protocol: str = "icmp", note: str = "") -> Leg:
    """A judged leg."""
    seen = journey(expected, sightings, protocol, note)
    return Leg(seen, expected, judge_journey(seen, expected))


def good_leg(fabric: Fabric, source: str, target: str, protocol: Protocol = "icmp") -> Leg:
    """A leg on which every hop was seen as declared."""
    expected = expect(fabric, source, target, protocol)
    return leg(expected, seen_path(fabric, expected.paths[0]), protocol)


def later(seen: Sighting, steps: int) -> Sighting:
    """The same frame, some steps of time later (or, negative, earlier)."""
    return replace(seen, time_ns=seen.time_ns + steps * STEP_NS)


def with_field(name: str, nth: int = 0, **fields: object) -> Change:
    """A change of fields of the ``nth`` header of a layer, counted from outside (negative: from inside)."""

    def change(layers: Layers) -> Layers:
        places = [index for index, (layer, _) in enumerate(layers) if layer == name]
        at = places[nth]
        changed: Layer = (name, {**layers[at][1], **fields})
        return (*layers[:at], changed, *layers[at + 1 :])

    return change


def without_gre(layers: Layers) -> Layers:
    """A GRE packet stripped to what was in it, still on its link."""
    at = [name for name, _ in layers].index("gre")
    return (layers[0], *layers[at + 1 :])
