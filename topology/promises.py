"""The promises of a fabric about the traffic between its nodes: pairs, tenants and spreads. Frozen and pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import combinations
from typing import Literal, TypeAlias, get_args

from topology.errors import Position
from topology.refs import PortRef

Kind: TypeAlias = Literal["bridge", "routed", "l2-overlay", "l3-overlay", "hairpin"]
TenantType: TypeAlias = Literal["Bridge", "VXLAN", "L3", "GRE"]
Above: TypeAlias = Literal["fragments", "icmp", "silence"]

KINDS: tuple[Kind, ...] = get_args(Kind)
TENANT_TYPES: tuple[TenantType, ...] = get_args(TenantType)
ABOVE: tuple[Above, ...] = get_args(Above)
ANSWERED: tuple[Above, ...] = ("fragments", "icmp")
"""The fates of a larger packet of which its sender, or its receiver, hears."""
NOWHERE = Position()
WITHOUT_TUNNEL: Mapping[Kind, Kind] = {"l2-overlay": "bridge", "l3-overlay": "routed"}
"""The kinds of an overlay, each with that of its hosts behind one node, whose packets need no tunnel."""


@dataclass(frozen=True)
class Encapsulation:
    """The tunnel next to a customer's packet: its kind (of VIAS), and its VNI or key. A promise leaves None open,
    and may allow several kinds; without any it leaves the kind open.
    """

    via: tuple[str, ...] = ()
    vni: int | None = None
    key: int | None = None

    def allows(self, seen: Encapsulation) -> bool:
        """Return whether a tunnel that was seen is of the promised kind and number."""
        said = ((self.vni, seen.vni), (self.key, seen.key))
        is_kind = not self.via or {*seen.via} <= {*self.via}
        return is_kind and all(promised in (None, found) for promised, found in said)

    def completed(self, other: Encapsulation) -> Encapsulation:
        """Return this promise, its open values filled from another one."""
        vni = self.vni if self.vni is not None else other.vni
        return Encapsulation(self.via or other.via, vni, self.key if self.key is not None else other.key)

    def __str__(self) -> str:
        parts = (" or ".join(self.via), "" if self.vni is None else f"VNI {self.vni}")
        return " ".join(filter(None, (*parts, "" if self.key is None else f"key {self.key}")))


ANY = Encapsulation()
"""The promise of no tunnel in particular."""


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
    the tenant's number. ``within`` is the promised tunnel, ``segment`` the name of the segment it is derived from.
    """

    source: str
    target: str
    kind: Kind
    src: IPv4Address | IPv6Address | None = None
    dst: IPv4Address | IPv6Address | None = None
    row: int | None = None
    mtu: MtuPromise = MtuPromise()
    within: Encapsulation = ANY
    segment: str = ""
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def hosts(self) -> tuple[str, str]:
        """Both ends, as they are named."""
        return self.source, self.target

    def __str__(self) -> str:
        further = "" if self.dst is None else f"-{self.dst}".replace(":", ".")
        return f"{self.source}-{self.target}-{self.kind}" + (f"-row{self.row}" if self.row else further)


KINDS_OF_TENANTS: Mapping[TenantType, tuple[Kind, Encapsulation]] = {
    "Bridge": ("bridge", ANY),
    "VXLAN": ("l2-overlay", Encapsulation(("vxlan",))),
    "L3": ("routed", ANY),
    "GRE": ("l3-overlay", Encapsulation(("gre", "ip6gre"))),
}
"""How the traffic of each type of tenant is carried, in a fabric that somebody else built."""


@dataclass(frozen=True)
class Segment:
    """Hosts of which each two reach each other in one kind, and the promised tunnel; hosts are nodes or addresses."""

    name: str
    kind: Kind
    hosts: tuple[str, ...]
    within: Encapsulation = ANY
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def ends(self) -> Iterator[tuple[str, str]]:
        """Each two hosts once, in declared order."""
        return combinations(self.hosts, 2)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Separation:
    """A promise: no host of either segment receives what a host of the other sends."""

    one: Segment
    other: Segment
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of both segments."""
        return self.one.hosts + self.other.hosts

    def __str__(self) -> str:
        return f"{self.one}-{self.other}"


@dataclass(frozen=True)
class Management:
    """The interfaces and networks that are no part of a fabric."""

    interfaces: frozenset[str] = frozenset()
    networks: frozenset[IPv4Network | IPv6Network] = frozenset()

    def beside(self, other: Management) -> Management:
        """Return both together."""
        return Management(self.interfaces | other.interfaces, self.networks | other.networks)

    def has(self, device: str, addresses: Iterable[IPv4Address | IPv6Address] = ()) -> bool:
        """Return whether a device is management by its name, or by one of its addresses."""
        own = [(network, address) for network in self.networks for address in addresses]
        return device in self.interfaces or any(network.version == a.version and a in network for network, a in own)


NO_MANAGEMENT = Management()


@dataclass(frozen=True)
class Tenant:
    """One row of a tenants file, as the fabric carries it.

    ``leaves`` are those of source and target, ``crossing`` the spine's ports in the order in which the
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
    """A promise about throughput: a path reaches at least this fraction of the bare path's rate in the same run.

    ``size`` is the UDP payload in bytes, None for every one that is measured.
    """

    path: str
    protocol: Literal["udp", "tcp"]
    at_least: float
    size: int | None = None
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Spread:
    """A promise about many flows between two nodes: they use all equal-cost paths (``even``), or all the same one.

    With ``survives`` every flow arrives also while the links of any one spine are down (in a fabric without spines: of
    any one node that not all paths pass).
    """

    source: str
    target: str
    even: bool
    survives: bool = False
    where: Position = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return f"{self.source}-{self.target}-{'even' if self.even else 'one-way'}"


@dataclass(frozen=True)
class Survival:
    """A promise about an event of ``topology.events``: what it costs each flow at most; None promises nothing.

    ``without_service`` is in seconds; the others count datagrams of one flow.
    """

    event: str
    without_service: float | None = None
    lost: int | None = None
    duplicated: int | None = None
    reordered: int | None = None
    looped: int | None = None
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def bounds(self) -> Mapping[str, float]:
        """The promised bounds, by the figure's name."""
        names = ("without_service", "lost", "duplicated", "reordered", "looped")
        return {name: bound for name in names if (bound := getattr(self, name)) is not None}

    def __str__(self) -> str:
        return self.event
