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
from typing import TypeAlias, TypeVar

from topology.expected import expected_journey
from topology.isolation.domains import flooded, flooded_from
from topology.isolation.outside import outside
from topology.links import FRAME_TUNNELS, Tunnel
from topology.model import Address, Fabric, Node
from topology.packet import Probe
from topology.refs import PortRef
from topology.roles import ROLES

ForgeryKind: TypeAlias = str
"""``undeclared-vni``, ``other-vni`` and ``foreign-source``, where a GRE key counts as a VNI, or a kind's odd header."""

VTEPS_MAX, CANDIDATES_MAX, DOORS_MAX = 8, 20, 8
"""Bounds: VTEPs of a lab that are targets, nodes of a role that are tried as senders, tunnels to send through."""
T = TypeVar("T")


@dataclass(frozen=True)
class AttackPath:
    """A node whose packets reach a VTEP: by routes, or ``through`` a tunnel of packets as if from its far end."""

    node: str
    role: str
    vtep: Tunnel
    through: Tunnel | None = None


@dataclass(frozen=True)
class Target:
    """A VTEP, and the other nodes that reach it; there may be none."""

    vtep: Tunnel
    attack_paths: tuple[AttackPath, ...]

    def __str__(self) -> str:
        return str(self.vtep.ref)


@dataclass(frozen=True)
class Forgery:
    """One packet: its outer source, the device whose packets it is like, and where its frame must then be bare.

    ``expected`` is empty for a packet that must be refused. ``kind`` None is a packet like the peer's own, which shows
    that the forger's packets get as far as the VTEP. ``odd`` names the fault of its header, one of ``odd_headers``.
    """

    kind: ForgeryKind | None
    attack_path: AttackPath
    source: Address
    sent: Tunnel
    expected: frozenset[PortRef]
    odd: str = ""

    def __str__(self) -> str:
        name, number = self.sent.identity[0]
        odd = f" and {self.sent.odd_headers[self.odd].words}" if self.odd else ""
        said = f"no {name}" if number is None else f"{name.upper()} {number}"
        return f"{self.sent.noun} from {self.source} with {said}{odd}"


def targets(fabric: Fabric) -> Iterator[Target]:
    """The VTEPs, each with the first node of each role that reaches it, its own node left out."""
    roles = dict.fromkeys((*ROLES, *(node.role for node in fabric.nodes)))
    for vtep in (vtep for kind in FRAME_TUNNELS for vtep in spread_over(fabric.all(kind), VTEPS_MAX)):
        doors = tuple(islice(_doors(fabric, vtep), DOORS_MAX))
        firsts = (next(_attack_paths(fabric, role, vtep, doors), None) for role in roles)
        yield Target(vtep, tuple(first for first in firsts if first is not None))


def bridged(fabric: Fabric, kind: type[Tunnel]) -> Iterator[Target]:
    """The targets of one kind that are in a bridge and can be reached from another node."""
    for found in targets(fabric):
        if found.attack_paths and isinstance(found.vtep, kind) and fabric[found.vtep.node].bridge_of(found.vtep.name):
            yield found


def beside_another_tenant(fabric: Fabric, target: Target) -> bool:
    """Return whether a packet with another tenant's VNI can be forged for a target."""
    return any(forged.kind == "other-vni" for path in target.attack_paths[:1] for forged in forgeries(fabric, path))


def _doors(fabric: Fabric, vtep: Tunnel) -> Iterator[Tunnel]:
    """The tunnels of packets from whose ends a VTEP is reached."""
    for gre in (tunnel for tunnel in fabric.tunnels if not tunnel.ethernet):
        if gre.node == vtep.node or _reaches(fabric, fabric[gre.node], vtep.node, vtep.local):
            yield gre


def _attack_paths(fabric: Fabric, role: str, vtep: Tunnel, doors: Sequence[Tunnel]) -> Iterator[AttackPath]:
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
    return Forgery(None, attack_path, vtep.remote, vtep, flooded_from(fabric, vtep))


def forgeries(fabric: Fabric, attack_path: AttackPath) -> tuple[Forgery, ...]:
    """Every forgery that the lab allows: another tenant's VNI needs another tenant."""
    genuine, vtep = control(fabric, attack_path), attack_path.vtep
    strange = replace(genuine, source=_foreign_source(fabric, attack_path))
    made = [
        replace(genuine, kind="undeclared-vni", sent=_undeclared(fabric, vtep), expected=frozenset()),
        _treated(fabric, replace(strange, kind="foreign-source"), genuine.expected if vtep.any_sender else frozenset()),
    ]
    for odd in vtep.odd_headers:
        places = genuine.expected if odd in vtep.declared_by else frozenset[PortRef]()
        made.append(_treated(fabric, replace(genuine, kind=odd, odd=odd), places))
    if (other := _other_tenants(fabric, vtep)) is not None:
        forged = replace(strange if vtep.any_sender else genuine, kind="other-vni", sent=other)
        key = vtep.lookup_of(vtep.local, forged.source, **dict(other.identity))
        taker = fabric[vtep.node].tunnel_by_ends.get(key)
        made.append(_treated(fabric, forged, flooded_from(fabric, taker) if taker is not None else frozenset()))
    return tuple(made)


def always_refused(vtep: Tunnel) -> frozenset[ForgeryKind]:
    """The forgeries that a VTEP must always refuse."""
    return frozenset(("undeclared-vni", *vtep.odd_headers)) - vtep.declared_by.keys()


def _treated(fabric: Fabric, forgery: Forgery, places: frozenset[PortRef]) -> Forgery:
    """Return a forgery that is expected at these places, unless the lab declares that it is refused."""
    promise = forgery.attack_path.vtep.declared_by.get(forgery.kind or "")
    refused = promise is not None and getattr(fabric.isolation, promise) == "refused"
    return replace(forgery, expected=frozenset() if refused else places)


def _foreign_source(fabric: Fabric, attack_path: AttackPath) -> Address:
    """An address of the forger from which no device of the node takes packets under this VNI, or one outside."""
    vtep = attack_path.vtep
    alike = (v for v in fabric[vtep.node].all(type(vtep)) if v.identity == vtep.identity)
    peers = {remote for v in alike for remote in v.remotes}
    version = vtep.local.version
    own = (address for address in fabric[attack_path.node].addresses if address.version == version)
    return next((address for address in own if address not in peers), None) or outside(fabric, version)


def _undeclared(fabric: Fabric, vtep: Tunnel) -> Tunnel:
    """The device under the next VNI or key that no device of the fabric has."""
    declared, most = {device.identity[0][1] for device in fabric.all(type(vtep))}, vtep.identity_max
    own = vtep.identity[0][1] or 0
    return next(vtep.under(n) for step in range(1, most) if (n := (own + step - 1) % most + 1) not in declared)


def _other_tenants(fabric: Fabric, vtep: Tunnel) -> Tunnel | None:
    """A device of the same kind in another domain, under another VNI or port, of the same node where there is one."""
    own = flooded(fabric, vtep) | flooded_from(fabric, vtep)
    version = vtep.local.version
    alike = [v for v in fabric.all(type(vtep)) if v.ref not in own and v.local.version == version]
    others = [v for v in alike if v.identity != vtep.identity]
    return min(others, key=lambda other: other.node != vtep.node, default=None)
