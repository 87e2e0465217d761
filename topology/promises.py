"""The promises of a fabric about the traffic between its nodes: pairs, tenants and spreads. Frozen and pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, TypeAlias, get_args

from topology.errors import Position
from topology.refs import PortRef

Kind: TypeAlias = Literal["bridge", "routed", "l2-overlay", "l3-overlay", "hairpin"]
TenantType: TypeAlias = Literal["Bridge", "VXLAN", "L3", "GRE"]
Above: TypeAlias = Literal["fragments", "icmp", "silence"]

KINDS: tuple[Kind, ...] = get_args(Kind)
TENANT_TYPES: tuple[TenantType, ...] = get_args(TenantType)
ABOVE: tuple[Above, ...] = get_args(Above)
NOWHERE = Position()


@dataclass(frozen=True)
class MtuPromise:
    """The sizes that a pair's packets may have, in bytes of the customer's IP packet.

    Packets up to ``customers`` cross whole (None: as much as the declaration computes). ``above`` are the fates that
    larger ones with DF may have: fragments of an outer packet, an answer by ICMP, or silence.
    """

    customers: int | None = None
    above: tuple[Above, ...] = ABOVE
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Pair:
    """A promise: traffic from ``source`` reaches ``target`` and comes back, carried as ``kind`` says.

    It goes between the nodes' first addresses, unless ``src`` and ``dst`` name others, as a tenant's do: ``row`` is
    the tenant's number.
    """

    source: str
    target: str
    kind: Kind
    src: IPv4Address | IPv6Address | None = None
    dst: IPv4Address | IPv6Address | None = None
    row: int | None = None
    mtu: MtuPromise = MtuPromise()
    where: Position = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        further = "" if self.dst is None else f"-{self.dst}".replace(":", ".")
        return f"{self.source}-{self.target}-{self.kind}" + (f"-row{self.row}" if self.row else further)


@dataclass(frozen=True)
class Tenant:
    """One row of a tenants file, as the fabric carries it.

    ``leaves`` are those that source and target hang behind, ``crossing`` the spine's ports in the order in which the
    source's packets pass them, ``tunnel`` the tunnel devices at the source's and at the target's side.
    """

    number: int
    type: TenantType
    pair: Pair
    leaves: tuple[str, str]
    crossing: tuple[PortRef, ...] = ()
    tunnel: tuple[PortRef, ...] = ()

    @property
    def port(self) -> str:
        """The name of the row's interface at customers and leaves."""
        return f"row{self.number}"

    @property
    def reversed(self) -> Tenant:
        """The same row as the target sees it, for answers."""
        pair = replace(
            self.pair, source=self.pair.target, target=self.pair.source, src=self.pair.dst, dst=self.pair.src
        )
        leaves = (self.leaves[1], self.leaves[0])
        return replace(self, pair=pair, leaves=leaves, crossing=self.crossing[::-1], tunnel=self.tunnel[::-1])

    def __str__(self) -> str:
        return f"row{self.number}-{self.pair.source}-{self.pair.target}-{self.type}"


@dataclass(frozen=True)
class Share:
    """A promise about throughput: a path's is at least so large a part of the bare path's, in the same run.

    ``size`` is the UDP payload in bytes, None for every one that is measured.
    """

    path: str
    protocol: Literal["udp", "tcp"]
    at_least: float
    size: int | None = None
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Spread:
    """A promise about many flows between two nodes: they take all equal-cost ways (``even``), or all the same one.

    With ``survives`` every flow arrives also while the links of any one spine are down (in a fabric without spines: of
    any one node that not all ways pass).
    """

    source: str
    target: str
    even: bool
    survives: bool = False
    where: Position = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return f"{self.source}-{self.target}-{'even' if self.even else 'one-way'}"
