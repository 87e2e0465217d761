"""Forged packets: who could send them to which VTEP, what is wrong with each, and what must come of it. Pure.

VXLAN has no authentication (RFC 7348, section 7): whoever reaches a VTEP by IP can put frames into a tenant's network,
if they say a VNI that is there. So what a fabric does with packets of strangers is declared, and held against it.
Geneve has none either (RFC 8926, section 6), but Linux's device takes packets of its far end alone (``geneve_lookup``,
drivers/net/geneve.c): all that is forged for it must be refused, but what its own peer could say itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, TypeAlias, TypeVar, get_args

from topology.expected import expected_journey
from topology.isolation.domains import flooded, flooded_from
from topology.isolation.outside import outside
from topology.model import ROLES, Address, Fabric, FrameTunnel, Geneve, Gre, Node, Role, Treatment, Vxlan
from topology.packet import Probe
from topology.refs import PortRef

ForgeryKind: TypeAlias = Literal[
    "undeclared-vni",
    "other-vni",
    "foreign-source",
    "clear-i-flag",
    "reserved-bit",
    "unknown-protocol",
    "critical-option",
]
FORGERY_KINDS: tuple[ForgeryKind, ...] = get_args(ForgeryKind)

I_FLAG, RESERVED_FLAG = 0x08, 0x80
"""Of the first byte of a VXLAN header (RFC 7348, section 5); the reserved one is the G bit of the Group Policy draft,
which a device made with ``gbp`` takes."""
ETHERNET, UNKNOWN_PROTOCOL = 0x6558, 0x88B5
"""What a Geneve header says of its frame (RFC 8926, section 3.4): Trans Ether Bridging, and IEEE 802's local
experimental EtherType 1, for which nobody has a use."""
VNI_MAX = 2**24 - 1
VTEPS_MAX, CANDIDATES_MAX, DOORS_MAX = 8, 20, 8
"""How many VTEPs of a lab are aimed at, how many nodes of a role are asked whether they reach one, and by how many
tunnels."""
T = TypeVar("T")


@dataclass(frozen=True)
class Inroad:
    """A node whose packets reach a VTEP: by routes, or ``through`` a GRE tunnel in the name of its far end."""

    node: str
    role: Role
    vtep: FrameTunnel
    through: Gre | None = None


@dataclass(frozen=True)
class Target:
    """A VTEP, and the nodes from which it is aimed at; nobody but its own may reach it."""

    vtep: FrameTunnel
    inroads: tuple[Inroad, ...]

    def __str__(self) -> str:
        return str(self.vtep.ref)


@dataclass(frozen=True)
class Forgery:
    """One packet: what its outer source, port, VNI and header say, and where its frame must then be bare.

    ``expected`` is empty for a packet that must be refused. ``kind`` None is a packet like the peer's own, which shows
    that the forger's packets get as far as the VTEP. ``flags`` are VXLAN's, ``protocol`` and ``critical`` (an option
    that nobody knows, and that must not be ignored) Geneve's.
    """

    kind: ForgeryKind | None
    inroad: Inroad
    source: Address
    port: int
    vni: int
    expected: frozenset[PortRef]
    flags: int = I_FLAG
    protocol: int = ETHERNET
    critical: bool = False

    def __str__(self) -> str:
        if isinstance(self.inroad.vtep, Geneve):
            odd = f" and protocol type {self.protocol:#06x}" if self.protocol != ETHERNET else ""
            odd += " and a critical option that nobody knows" if self.critical else ""
            return f"Geneve from {self.source} with VNI {self.vni}{odd}"
        said = "no I flag" if not self.flags & I_FLAG else f"VNI {self.vni}"
        return f"VXLAN from {self.source} with {said}{' and a reserved bit' if self.flags & RESERVED_FLAG else ''}"


def targets(fabric: Fabric) -> Iterator[Target]:
    """The VTEPs, each with the first node of each role that reaches it, its own node left out."""
    vteps: list[FrameTunnel] = [*spread_over(fabric.all(Vxlan), VTEPS_MAX)]
    vteps += spread_over(fabric.all(Geneve), VTEPS_MAX)
    for vtep in vteps:
        doors = tuple(islice(_doors(fabric, vtep), DOORS_MAX))
        firsts = (next(_inroads(fabric, role, vtep, doors), None) for role in ROLES)
        yield Target(vtep, tuple(first for first in firsts if first is not None))


def bridged(fabric: Fabric, kind: type[Vxlan] | type[Geneve]) -> Iterator[Target]:
    """The targets of one kind that are in a bridge and can be reached from another node."""
    for found in targets(fabric):
        if found.inroads and isinstance(found.vtep, kind) and fabric[found.vtep.node].bridge_of(found.vtep.name):
            yield found


def beside_another_tenant(fabric: Fabric, target: Target) -> bool:
    """Return whether a packet with another tenant's VNI can be forged for a target."""
    return any(forged.kind == "other-vni" for inroad in target.inroads[:1] for forged in forgeries(fabric, inroad))


def _doors(fabric: Fabric, vtep: FrameTunnel) -> Iterator[Gre]:
    """The GRE tunnels from whose ends a VTEP is reached."""
    for gre in fabric.all(Gre):
        if gre.node == vtep.node or _reaches(fabric, fabric[gre.node], vtep.node, vtep.local):
            yield gre


def _inroads(fabric: Fabric, role: Role, vtep: FrameTunnel, doors: Sequence[Gre]) -> Iterator[Inroad]:
    for node in fabric.role(role)[:CANDIDATES_MAX]:
        if node.name == vtep.node:
            continue
        if _reaches(fabric, node, vtep.node, vtep.local):
            yield Inroad(node.name, role, vtep)
        else:
            through = (g for g in doors if g.node != node.name and _reaches(fabric, node, g.node, g.local))
            yield from (Inroad(node.name, role, vtep, gre) for gre in through)


def spread_over(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the items, evenly chosen, the first among them."""
    step = max(1, -(-len(items) // most))
    return items[::step]


def _reaches(fabric: Fabric, node: Node, target: str, address: Address) -> bool:
    own = next((found for found in node.addresses if found.version == address.version), None)
    if own is None or own == address:
        return False
    return not expected_journey(fabric, Probe(node.name, target, own, address, "udp")).dropped


def control(fabric: Fabric, inroad: Inroad) -> Forgery:
    """A packet like the peer's own, which the VTEP takes."""
    vtep = inroad.vtep
    return Forgery(None, inroad, vtep.remote, vtep.port, vtep.vni, flooded_from(fabric, vtep))


def forgeries(fabric: Fabric, inroad: Inroad) -> tuple[Forgery, ...]:
    """Every forgery that the lab has a sense for: another tenant's VNI needs another tenant."""
    genuine, vtep = control(fabric, inroad), inroad.vtep
    undeclared = replace(genuine, kind="undeclared-vni", vni=_undeclared(fabric, vtep), expected=frozenset())
    stranger = replace(genuine, kind="foreign-source", source=_stranger(fabric, inroad))
    other = _other_tenants(fabric, vtep)
    if isinstance(vtep, Geneve):
        return (undeclared, replace(stranger, expected=frozenset()), *_of_geneve(fabric, genuine, other))
    policy = fabric.isolation
    accepted = replace(stranger, expected=_if_accepted(policy.foreign_sources, genuine.expected))
    return (undeclared, accepted, *_of_vxlan(fabric, genuine, stranger, other))


def _of_vxlan(fabric: Fabric, genuine: Forgery, stranger: Forgery, other: FrameTunnel | None) -> Iterator[Forgery]:
    """What is wrong in VXLAN's own header, and a stranger's packet for another tenant of the same node."""
    policy = fabric.isolation
    yield replace(genuine, kind="clear-i-flag", flags=0, expected=frozenset())
    reserved = _if_accepted(policy.reserved_bits, genuine.expected)
    yield replace(genuine, kind="reserved-bit", flags=I_FLAG | RESERVED_FLAG, expected=reserved)
    if other is not None:
        there = flooded_from(fabric, other) if other.node == genuine.inroad.vtep.node else frozenset[PortRef]()
        places = _if_accepted(policy.foreign_sources, there)
        yield replace(stranger, kind="other-vni", port=other.port, vni=other.vni, expected=places)


def _of_geneve(fabric: Fabric, genuine: Forgery, other: FrameTunnel | None) -> Iterator[Forgery]:
    """What is wrong in Geneve's own header, and a peer's packet for another tenant.

    That is delivered only where the peer is the other tenant's, too. A protocol that nobody knows is RFC 8926's section
    3.4, an option that must not be ignored 3.5.
    """
    yield replace(genuine, kind="unknown-protocol", protocol=UNKNOWN_PROTOCOL, expected=frozenset())
    yield replace(genuine, kind="critical-option", critical=True, expected=frozenset())
    if other is not None:
        node, said = fabric[genuine.inroad.vtep.node], (other.port, other.vni, genuine.source)
        found = (flooded_from(fabric, one) for one in node.all(Geneve) if (one.port, one.vni, one.remote) == said)
        places = next(found, frozenset())
        yield replace(genuine, kind="other-vni", port=other.port, vni=other.vni, expected=places)


def _if_accepted(treatment: Treatment, places: frozenset[PortRef]) -> frozenset[PortRef]:
    return places if treatment == "accepted" else frozenset()


def _stranger(fabric: Fabric, inroad: Inroad) -> Address:
    """An address of the forger's that no device of the node takes packets of under this VNI, or one that nobody has."""
    vtep = inroad.vtep
    alike = (v for v in fabric[vtep.node].all(type(vtep)) if (v.port, v.vni) == (vtep.port, vtep.vni))
    peers = {remote for v in alike for remote in v.remotes}
    version = vtep.local.version
    own = (address for address in fabric[inroad.node].addresses if address.version == version)
    return next((address for address in own if address not in peers), None) or outside(fabric, version)


def _undeclared(fabric: Fabric, vtep: FrameTunnel) -> int:
    """The next VNI that no device of the fabric has."""
    declared = {device.vni for device in fabric.all(type(vtep))}
    return next(vni for step in range(1, VNI_MAX) if (vni := (vtep.vni + step - 1) % VNI_MAX + 1) not in declared)


def _other_tenants(fabric: Fabric, vtep: FrameTunnel) -> FrameTunnel | None:
    """A device of the same kind in another domain, under another VNI or port, of the same node where there is one."""
    own = flooded(fabric, vtep) | flooded_from(fabric, vtep)
    version = vtep.local.version
    alike = [v for v in fabric.all(type(vtep)) if v.ref not in own and v.local.version == version]
    others = [v for v in alike if (v.port, v.vni) != (vtep.port, vtep.vni)]
    return min(others, key=lambda other: other.node != vtep.node, default=None)
