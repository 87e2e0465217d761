"""Forged packets: the nodes that can send them to a VTEP, the fault of each, and where its frame must be. Pure.

VXLAN has no authentication (RFC 7348, section 7): any node that reaches a VTEP by IP can put frames into a tenant's
network under a VNI that is there, so a lab declares the treatment of foreign sources. Geneve has none
either (RFC 8926, section 6), but Linux's device takes packets of its far end alone (``geneve_lookup``,
drivers/net/geneve.c): every forgery must be refused, except what its own peer could send.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, TypeAlias, TypeVar, get_args

from topology.expected import expected_journey
from topology.isolation.domains import flooded, flooded_from
from topology.isolation.outside import outside
from topology.model import ROLES, Address, Fabric, Geneve, Gre, Node, Role, Treatment, UdpTunnel, Vxlan
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
"""Bits of a VXLAN header's first byte (RFC 7348, section 5); the reserved one is the G bit of the Group Policy draft,
which a device made with ``gbp`` takes."""
ETHERNET, UNKNOWN_PROTOCOL = 0x6558, 0x88B5
"""Protocol types of a Geneve header (RFC 8926, section 3.4): Trans Ether Bridging, and IEEE 802's local experimental
EtherType 1, which no node uses."""
VNI_MAX = 2**24 - 1
VTEPS_MAX, CANDIDATES_MAX, DOORS_MAX = 8, 20, 8
"""Bounds: VTEPs of a lab that are targets, nodes of a role that are tried as senders, GRE tunnels to send through."""
T = TypeVar("T")


@dataclass(frozen=True)
class AttackPath:
    """A node whose packets reach a VTEP: by routes, or ``through`` a GRE tunnel as if from its far end."""

    node: str
    role: Role
    vtep: UdpTunnel
    through: Gre | None = None


@dataclass(frozen=True)
class Target:
    """A VTEP, and the other nodes that reach it; there may be none."""

    vtep: UdpTunnel
    attack_paths: tuple[AttackPath, ...]

    def __str__(self) -> str:
        return str(self.vtep.ref)


@dataclass(frozen=True)
class Forgery:
    """One packet: its outer source, port, VNI and header, and the interfaces where its frame must then be bare.

    ``expected`` is empty for a packet that must be refused. ``kind`` None is a packet like the peer's own, which shows
    that the forger's packets get as far as the VTEP. ``flags`` are VXLAN's, ``protocol`` and ``critical`` (an unknown
    option that must not be ignored) Geneve's.
    """

    kind: ForgeryKind | None
    attack_path: AttackPath
    source: Address
    port: int
    vni: int
    expected: frozenset[PortRef]
    flags: int = I_FLAG
    protocol: int = ETHERNET
    critical: bool = False

    def __str__(self) -> str:
        if isinstance(self.attack_path.vtep, Geneve):
            odd = f" and protocol type {self.protocol:#06x}" if self.protocol != ETHERNET else ""
            odd += " and an unknown critical option" if self.critical else ""
            return f"Geneve from {self.source} with VNI {self.vni}{odd}"
        said = "no I flag" if not self.flags & I_FLAG else f"VNI {self.vni}"
        return f"VXLAN from {self.source} with {said}{' and a reserved bit' if self.flags & RESERVED_FLAG else ''}"


def targets(fabric: Fabric) -> Iterator[Target]:
    """The VTEPs, each with the first node of each role that reaches it, its own node left out."""
    vteps: list[UdpTunnel] = [*spread_over(fabric.all(Vxlan), VTEPS_MAX)]
    vteps += spread_over(fabric.all(Geneve), VTEPS_MAX)
    for vtep in vteps:
        doors = tuple(islice(_doors(fabric, vtep), DOORS_MAX))
        firsts = (next(_attack_paths(fabric, role, vtep, doors), None) for role in ROLES)
        yield Target(vtep, tuple(first for first in firsts if first is not None))


def bridged(fabric: Fabric, kind: type[Vxlan] | type[Geneve]) -> Iterator[Target]:
    """The targets of one kind that are in a bridge and can be reached from another node."""
    for found in targets(fabric):
        if found.attack_paths and isinstance(found.vtep, kind) and fabric[found.vtep.node].bridge_of(found.vtep.name):
            yield found


def beside_another_tenant(fabric: Fabric, target: Target) -> bool:
    """Return whether a packet with another tenant's VNI can be forged for a target."""
    return any(forged.kind == "other-vni" for path in target.attack_paths[:1] for forged in forgeries(fabric, path))


def _doors(fabric: Fabric, vtep: UdpTunnel) -> Iterator[Gre]:
    """The GRE tunnels from whose ends a VTEP is reached."""
    for gre in fabric.all(Gre):
        if gre.node == vtep.node or _reaches(fabric, fabric[gre.node], vtep.node, vtep.local):
            yield gre


def _attack_paths(fabric: Fabric, role: Role, vtep: UdpTunnel, doors: Sequence[Gre]) -> Iterator[AttackPath]:
    for node in fabric.role(role)[:CANDIDATES_MAX]:
        if node.name == vtep.node:
            continue
        if _reaches(fabric, node, vtep.node, vtep.local):
            yield AttackPath(node.name, role, vtep)
        else:
            through = (g for g in doors if g.node != node.name and _reaches(fabric, node, g.node, g.local))
            yield from (AttackPath(node.name, role, vtep, gre) for gre in through)


def spread_over(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the items, evenly chosen, the first among them."""
    step = max(1, -(-len(items) // most))
    return items[::step]


def _reaches(fabric: Fabric, node: Node, target: str, address: Address) -> bool:
    own = next((found for found in node.addresses if found.version == address.version), None)
    if own is None or own == address:
        return False
    return not expected_journey(fabric, Probe(node.name, target, own, address, "udp")).dropped


def control(fabric: Fabric, attack_path: AttackPath) -> Forgery:
    """A packet like the peer's own, which the VTEP takes."""
    vtep = attack_path.vtep
    return Forgery(None, attack_path, vtep.remote, vtep.port, vtep.vni, flooded_from(fabric, vtep))


def forgeries(fabric: Fabric, attack_path: AttackPath) -> tuple[Forgery, ...]:
    """Every forgery that the lab allows: another tenant's VNI needs another tenant."""
    genuine, vtep = control(fabric, attack_path), attack_path.vtep
    undeclared = replace(genuine, kind="undeclared-vni", vni=_undeclared(fabric, vtep), expected=frozenset())
    foreign = replace(genuine, kind="foreign-source", source=_foreign_source(fabric, attack_path))
    other = _other_tenants(fabric, vtep)
    if isinstance(vtep, Geneve):
        return (undeclared, replace(foreign, expected=frozenset()), *_of_geneve(fabric, genuine, other))
    accepted = replace(foreign, expected=_if_accepted(fabric.isolation.foreign_sources, genuine.expected))
    return (undeclared, accepted, *_of_vxlan(fabric, genuine, foreign, other))


def _of_vxlan(fabric: Fabric, genuine: Forgery, foreign: Forgery, other: UdpTunnel | None) -> Iterator[Forgery]:
    """Forgeries of VXLAN's own header, and a foreign packet for another tenant of the same node."""
    policy = fabric.isolation
    yield replace(genuine, kind="clear-i-flag", flags=0, expected=frozenset())
    reserved = _if_accepted(policy.reserved_bits, genuine.expected)
    yield replace(genuine, kind="reserved-bit", flags=I_FLAG | RESERVED_FLAG, expected=reserved)
    if other is not None:
        there = flooded_from(fabric, other) if other.node == genuine.attack_path.vtep.node else frozenset[PortRef]()
        places = _if_accepted(policy.foreign_sources, there)
        yield replace(foreign, kind="other-vni", port=other.port, vni=other.vni, expected=places)


def _of_geneve(fabric: Fabric, genuine: Forgery, other: UdpTunnel | None) -> Iterator[Forgery]:
    """Forgeries of Geneve's own header (RFC 8926, sections 3.4 and 3.5), and a peer's packet for another tenant, which
    is delivered only where the peer is the other tenant's, too."""
    yield replace(genuine, kind="unknown-protocol", protocol=UNKNOWN_PROTOCOL, expected=frozenset())
    yield replace(genuine, kind="critical-option", critical=True, expected=frozenset())
    if other is not None:
        node, said = fabric[genuine.attack_path.vtep.node], (other.port, other.vni, genuine.source)
        found = (flooded_from(fabric, one) for one in node.all(Geneve) if (one.port, one.vni, one.remote) == said)
        places = next(found, frozenset())
        yield replace(genuine, kind="other-vni", port=other.port, vni=other.vni, expected=places)


def _if_accepted(treatment: Treatment, places: frozenset[PortRef]) -> frozenset[PortRef]:
    return places if treatment == "accepted" else frozenset()


def _foreign_source(fabric: Fabric, attack_path: AttackPath) -> Address:
    """An address of the forger from which no device of the node takes packets under this VNI, or one outside."""
    vtep = attack_path.vtep
    alike = (v for v in fabric[vtep.node].all(type(vtep)) if (v.port, v.vni) == (vtep.port, vtep.vni))
    peers = {remote for v in alike for remote in v.remotes}
    version = vtep.local.version
    own = (address for address in fabric[attack_path.node].addresses if address.version == version)
    return next((address for address in own if address not in peers), None) or outside(fabric, version)


def _undeclared(fabric: Fabric, vtep: UdpTunnel) -> int:
    """The next VNI that no device of the fabric has."""
    declared = {device.vni for device in fabric.all(type(vtep))}
    return next(vni for step in range(1, VNI_MAX) if (vni := (vtep.vni + step - 1) % VNI_MAX + 1) not in declared)


def _other_tenants(fabric: Fabric, vtep: UdpTunnel) -> UdpTunnel | None:
    """A device of the same kind in another domain, under another VNI or port, of the same node where there is one."""
    own = flooded(fabric, vtep) | flooded_from(fabric, vtep)
    version = vtep.local.version
    alike = [v for v in fabric.all(type(vtep)) if v.ref not in own and v.local.version == version]
    others = [v for v in alike if (v.port, v.vni) != (vtep.port, vtep.vni)]
    return min(others, key=lambda other: other.node != vtep.node, default=None)
