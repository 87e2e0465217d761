"""Forged VXLAN packets: who could send them to which VTEP, what is wrong with each, and what must come of it. Pure.

VXLAN has no authentication (RFC 7348, section 7): whoever reaches a VTEP by IP can put frames into a tenant's network,
if they say a VNI that is there. So what a fabric does with packets of strangers is declared, and held against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias, TypeVar, get_args

from topology.expected import expected_journey
from topology.isolation.domains import flooded, flooded_from
from topology.isolation.outside import outside
from topology.model import ROLES, Address, Fabric, Gre, Node, Role, Treatment, Vxlan
from topology.packet import Probe
from topology.refs import PortRef

ForgeryKind: TypeAlias = Literal["undeclared-vni", "other-vni", "foreign-source", "clear-i-flag", "reserved-bit"]
FORGERY_KINDS: tuple[ForgeryKind, ...] = get_args(ForgeryKind)

I_FLAG, RESERVED_FLAG = 0x08, 0x80
"""Of the first byte of a VXLAN header (RFC 7348, section 5); the reserved one is the G bit of the Group Policy draft,
which a device made with ``gbp`` takes."""
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
    vxlan: Vxlan
    through: Gre | None = None


@dataclass(frozen=True)
class Target:
    """A VTEP, and the nodes from which it is aimed at; nobody but its own may reach it."""

    vxlan: Vxlan
    inroads: tuple[Inroad, ...]

    def __str__(self) -> str:
        return str(self.vxlan.ref)


@dataclass(frozen=True)
class Forgery:
    """One packet: what its outer source, port, VNI and first byte say, and where its frame must then be bare.

    ``expected`` is empty for a packet that must be refused. ``kind`` None is a packet like the peer's own, which shows
    that the forger's packets get as far as the VTEP.
    """

    kind: ForgeryKind | None
    inroad: Inroad
    source: Address
    port: int
    vni: int
    flags: int
    expected: frozenset[PortRef]

    def __str__(self) -> str:
        said = "no I flag" if not self.flags & I_FLAG else f"VNI {self.vni}"
        return f"VXLAN from {self.source} with {said}{' and a reserved bit' if self.flags & RESERVED_FLAG else ''}"


def targets(fabric: Fabric) -> Iterator[Target]:
    """The VTEPs, each with the first node of each role that reaches it, its own node left out."""
    for vxlan in spread_over(fabric.all(Vxlan), VTEPS_MAX):
        doors = tuple(islice(_doors(fabric, vxlan), DOORS_MAX))
        firsts = (next(_inroads(fabric, role, vxlan, doors), None) for role in ROLES)
        yield Target(vxlan, tuple(first for first in firsts if first is not None))


def _doors(fabric: Fabric, vxlan: Vxlan) -> Iterator[Gre]:
    """The GRE tunnels from whose ends a VTEP is reached."""
    for gre in fabric.all(Gre):
        if gre.node == vxlan.node or _reaches(fabric, fabric[gre.node], vxlan.node, vxlan.local):
            yield gre


def _inroads(fabric: Fabric, role: Role, vxlan: Vxlan, doors: Sequence[Gre]) -> Iterator[Inroad]:
    for node in fabric.role(role)[:CANDIDATES_MAX]:
        if node.name == vxlan.node:
            continue
        if _reaches(fabric, node, vxlan.node, vxlan.local):
            yield Inroad(node.name, role, vxlan)
        else:
            through = (g for g in doors if g.node != node.name and _reaches(fabric, node, g.node, g.local))
            yield from (Inroad(node.name, role, vxlan, gre) for gre in through)


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
    vxlan = inroad.vxlan
    return Forgery(None, inroad, vxlan.remote, vxlan.port, vxlan.vni, I_FLAG, flooded_from(fabric, vxlan))


def forgeries(fabric: Fabric, inroad: Inroad) -> tuple[Forgery, ...]:
    """Every forgery that the lab has a sense for: another tenant's VNI needs another tenant."""
    vxlan, policy = inroad.vxlan, fabric.isolation
    peer, port, vni, stranger = vxlan.remote, vxlan.port, vxlan.vni, _stranger(fabric, inroad)
    frame = flooded_from(fabric, vxlan)
    made = [
        Forgery("undeclared-vni", inroad, peer, port, _undeclared(fabric, vxlan), I_FLAG, frozenset()),
        Forgery("foreign-source", inroad, stranger, port, vni, I_FLAG, _if_accepted(policy.foreign_sources, frame)),
        Forgery("clear-i-flag", inroad, peer, port, vni, 0, frozenset()),
        Forgery(
            "reserved-bit",
            inroad,
            peer,
            port,
            vni,
            I_FLAG | RESERVED_FLAG,
            _if_accepted(policy.reserved_bits, frame),
        ),
    ]
    other = _other_tenants(fabric, vxlan)
    if other is not None:
        there = flooded_from(fabric, other) if other.node == vxlan.node else frozenset()
        expected = _if_accepted(policy.foreign_sources, there)
        made.append(Forgery("other-vni", inroad, stranger, other.port, other.vni, I_FLAG, expected))
    return tuple(made)


def _if_accepted(treatment: Treatment, places: frozenset[PortRef]) -> frozenset[PortRef]:
    return places if treatment == "accepted" else frozenset()


def _stranger(fabric: Fabric, inroad: Inroad) -> Address:
    """The forger's own address, unless it is the peer's: then one that nobody has."""
    version = inroad.vxlan.local.version
    own = (address for address in fabric[inroad.node].addresses if address.version == version)
    return next((address for address in own if address not in inroad.vxlan.remotes), None) or outside(fabric, version)


def _undeclared(fabric: Fabric, vxlan: Vxlan) -> int:
    """The next VNI that no device of the fabric has."""
    declared = {device.vni for device in fabric.all(Vxlan)}
    return next(vni for step in range(1, VNI_MAX) if (vni := (vxlan.vni + step - 1) % VNI_MAX + 1) not in declared)


def _other_tenants(fabric: Fabric, vxlan: Vxlan) -> Vxlan | None:
    """A VXLAN device of another domain, of the same node where there is one."""
    own = flooded(fabric, vxlan) | flooded_from(fabric, vxlan)
    version = vxlan.local.version
    others = [v for v in fabric.all(Vxlan) if v.ref not in own and v.local.version == version]
    return min(others, key=lambda other: other.node != vxlan.node, default=None)
