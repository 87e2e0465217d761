"""The lab file's schema: its keys, the required ones, and the values of each. Strict.

A list is held as a mapping from index to item, so that leaving a broken item out renumbers no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, create_model, model_validator
from pydantic_core import PydanticCustomError

from topology.events import EVENTS
from topology.formats import lab_values as values
from topology.frr import DAEMONS
from topology.links import FRAMELESS, NUMBERS, SECTIONS, VIAS
from topology.links.base import NEEDED, Device, Number
from topology.links.tunnel import VNI_MAX, VNI_MIN
from topology.model import PORT_MTU, TREATMENTS, Address, Interface, Network, Route, Treatment
from topology.node import RUNTIMES
from topology.paths import BARE, PATHS
from topology.promises import ABOVE, KINDS, WITHOUT_TUNNEL, Above, Encapsulation, Kind
from topology.refs import PortRef

MAX_NODES = 10_000
LACKS = "lacks"
"""The error of a part that has none of several keys, of which it needs one; its context names the first ``key``."""
T = TypeVar("T")


def _numbered(value: object) -> object:
    if isinstance(value, list):
        return dict(enumerate(value))
    if isinstance(value, dict) and value and all(isinstance(key, int) for key in value):
        return value
    raise values.wrong(f"{values.shown(value)} is not a list", "a list: [a, b], or lines of '- '")


def _one_or_more(value: object) -> object:
    return {0: value} if isinstance(value, str | int) or value is None else value


def _fates(value: object) -> object:
    if value == []:
        raise values.wrong("an empty list of fates", f"one or more of: {', '.join(ABOVE)}")
    return _one_or_more(value)


def _table(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise values.wrong(f"{values.shown(value)} is not a mapping", "lines of 'name: value'")


def _nodes(value: object) -> object:
    if not isinstance(value, dict) or not value:
        raise values.wrong("the lab has no nodes", "nodes: with one mapping for each node's name")
    if len(value) > MAX_NODES:
        raise values.wrong(f"the lab has {len(value)} nodes", f"at most {MAX_NODES}")
    return value


def _link(value: object) -> object:
    return {"endpoints": value} if isinstance(value, list) else value


def _two_ends(value: object) -> object:
    if isinstance(value, list) and len(value) != 2:
        raise values.wrong(f"a link with {len(value)} ends", "two ends: [node:interface, node:interface]")
    return value


def _choice(noun: str, words: tuple[str, ...]) -> PlainValidator:
    return PlainValidator(values.choice(noun, {word: word for word in words}))


def _number(noun: str, low: int, high: int) -> PlainValidator:
    return PlainValidator(values.number(noun, low, high))


Listed: TypeAlias = Annotated[dict[int, T], BeforeValidator(_numbered)]
InterfaceName: TypeAlias = Annotated[str, PlainValidator(values.name("interface"))]
"""A device's name in a place that refers to it; names that the kernel uses itself are allowed here."""
DeviceName: TypeAlias = Annotated[str, PlainValidator(values.name("device"))]
NodeName: TypeAlias = Annotated[str, PlainValidator(values.name("node"))]
NodeOrAddress: TypeAlias = Annotated[str, PlainValidator(values.node_or_address)]
Named: TypeAlias = Annotated[dict[InterfaceName, T], BeforeValidator(_table)]
Declared: TypeAlias = Annotated[dict[DeviceName, T], BeforeValidator(_table)]
Mtu: TypeAlias = Annotated[int, _number("MTU", values.MTU_MIN, values.MTU_MAX)]
Mac: TypeAlias = Annotated[str, PlainValidator(values.mac)]
Vni: TypeAlias = Annotated[int, PlainValidator(values.vni)]
Datagrams: TypeAlias = Annotated[int, _number("number of datagrams", 0, 1_000_000)]
UdpPort: TypeAlias = Annotated[int, _number("UDP port", 1, 65535)]
Flag: TypeAlias = Annotated[bool, PlainValidator(values.flag)]
Ip: TypeAlias = Annotated[Address, PlainValidator(values.address)]
Treated: TypeAlias = Annotated[Treatment, _choice("treatment", TREATMENTS)]
KindName: TypeAlias = Annotated[Kind, _choice("kind", KINDS)]


SegmentName: TypeAlias = Annotated[str, PlainValidator(values.name("segment"))]
ManagementItem: TypeAlias = Annotated[str | Network, PlainValidator(values.interface_or_network)]


class Spec(BaseModel):
    """The base of all parts of a lab file: strict types, no unknown keys, no change after reading."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)
    needed: ClassVar[Mapping[str, str]] = {}
    """What is right where a key is missing that other files have in another form."""

    @classmethod
    def spelled(cls) -> frozenset[str]:
        """Return its keys, as a file spells them."""
        return frozenset(field.alias or name for name, field in cls.model_fields.items())


class EntrySpec(Spec):
    """The base of the entries of a node's sections that declare devices."""

    mtu: Mtu | None = None
    either: ClassVar[tuple[str, ...]] = ()
    """Keys of which it has exactly one."""

    @model_validator(mode="after")
    def _has_one_of(self) -> EntrySpec:
        given = [key for key in self.either if getattr(self, key) is not None]
        if self.either and not given:
            raise PydanticCustomError(LACKS, "none of several", {"key": self.either[0]})
        if len(given) > 1:
            raise values.wrong(f"the device has both {' and '.join(map(repr, given))}", "one of the two")
        return self


FORMS: Mapping[str, Any] = {
    "vni": Vni,
    "address": Ip,
    "addresses": Listed[Ip],
    "interface": InterfaceName,
    "interfaces": Listed[InterfaceName],
    "UDP port": UdpPort,
    "flag": Flag,
    "MACs": Annotated[dict[Mac, Ip], BeforeValidator(_table)],
    "TTL": Annotated[int | None, PlainValidator(values.ttl)],
    "inherit": Annotated[bool, PlainValidator(values.choice("tos", {"inherit": True}))],
}
"""The forms of the values of a link kind's keys."""


def _entry(link: type[Device]) -> type[EntrySpec]:
    """Return the schema of the entries of a kind's section."""
    fields: dict[str, Any] = {}
    for word, key in link.keys.items():
        form = Annotated[int, _number(*key.form)] if isinstance(key.form, Number) else FORMS[key.form]
        field = Field(alias=word if key.field else None, **({} if key.default is NEEDED else {"default": key.default}))
        fields[key.field or word] = (form, field)
    made: type[EntrySpec] = create_model(f"{link.__name__}Spec", __base__=EntrySpec, **fields)
    made.either = link.either
    return made


class IsolationSpec(Spec):
    """The mapping ``isolation``: the differences from Linux."""

    foreign_sources: Annotated[Treated, Field(alias="foreign-sources")] = "accepted"
    reserved_bits: Annotated[Treated, Field(alias="reserved-bits")] = "refused"
    overlap: Treated = "refused"


def _frr(value: object) -> object:
    return {"config": value} if isinstance(value, str) else value


class FrrSpec(Spec):
    """A node's ``frr``: the path of its frr.conf alone, or beside the daemons."""

    config: Annotated[str, PlainValidator(values.text)]
    daemons: Listed[Annotated[str, _choice("daemon", DAEMONS)]] = {0: DAEMONS[0]}


class _NodeSpec(Spec):
    """The sections of a node that declare no devices of a kind of their own, and bridges."""

    role: Annotated[str, PlainValidator(values.name("role"))]
    forwards: Flag | None = None
    runtime: Annotated[str, _choice("runtime", RUNTIMES)] = ""
    frr: Annotated[FrrSpec | None, BeforeValidator(_frr)] = None
    addresses: Named[
        Annotated[
            Listed[Annotated[Interface, PlainValidator(values.interface)]],
            BeforeValidator(_one_or_more),
        ]
    ] = {}
    mtu: Named[Mtu] = {}
    mac: Named[Mac] = {}
    bridges: Declared[Listed[InterfaceName]] = {}
    ageing: Named[Annotated[int, _number("ageing", 0, 1_000_000)]] = {}
    routes: Listed[Annotated[Route, PlainValidator(values.route)]] = {}

    def section(self, name: str) -> Mapping[str, Mapping[Any, Any] | EntrySpec]:
        """Return the entries of a section that declares devices: a bridge's members, the settings of others."""
        found: Mapping[str, Mapping[Any, Any] | EntrySpec] = getattr(self, name)
        return found


if TYPE_CHECKING:
    NodeSpec: TypeAlias = _NodeSpec
else:
    _SECTIONS = {name: (Declared[_entry(link)], {}) for name, link in SECTIONS.items() if link.keys}
    NodeSpec = create_model("NodeSpec", __base__=_NodeSpec, __doc__="One entry of ``nodes``.", **_SECTIONS)


class LinkSpec(Spec):
    """One entry of ``links``, written as a list of two ends or as a mapping."""

    endpoints: Annotated[Listed[Annotated[PortRef, PlainValidator(values.endpoint)]], BeforeValidator(_two_ends)]
    mtu: Mtu = PORT_MTU


class MtuSpec(Spec):
    """The lab's ``mtu``, or a pair's."""

    customers: Mtu | None = None
    above: (
        Annotated[
            Listed[Annotated[Above, _choice("fate of a larger packet", ABOVE)]],
            BeforeValidator(_fates),
        ]
        | None
    ) = None


class CarriedSpec(Spec):
    """The keys of pairs and segments that say how their traffic is carried."""

    kind: KindName
    via: Annotated[str, _choice("tunnel", VIAS)] | None = None
    vni: Annotated[int, _number("VNI", VNI_MIN, VNI_MAX)] | None = None
    key: Annotated[int, _number("GRE key", 0, 2**32 - 1)] | None = None

    @property
    def within(self) -> Encapsulation:
        """The promised tunnel."""
        return Encapsulation((self.via,) if self.via else (), self.vni, self.key)

    @model_validator(mode="after")
    def _is_of_one_tunnel(self) -> CarriedSpec:
        said = [word for word in ("via", "vni", "key") if getattr(self, word) is not None]
        if said and self.kind not in WITHOUT_TUNNEL:
            raise values.wrong(f"{said[0]!r} does not fit the kind {self.kind}", f"kind: {' or '.join(WITHOUT_TUNNEL)}")
        if {"vni", "key"} <= {*said}:
            raise values.wrong("both 'vni' and 'key'", "vni for VXLAN and Geneve, or key for GRE")
        number = NUMBERS.get(self.via or "", "")
        if self.via and ({"vni", "key"} - {number}) & {*said}:
            right = f"{number}: NUMBER, or no number" if number else "no number"
            raise values.wrong(f"{said[-1]!r} does not fit via: {self.via}", right)
        if self.kind == "l2-overlay" and self.via in FRAMELESS:
            right = f"via: {'ip6gretap' if self.via == 'ip6gre' else 'gretap'}"
            raise values.wrong(f"an l2-overlay via {self.via}, which holds no frames", right)
        return self


class PairSpec(CarriedSpec):
    """One entry of ``pairs``."""

    source: NodeName
    target: NodeName
    mtu: MtuSpec = MtuSpec()


class SegmentSpec(CarriedSpec):
    """One entry of ``segments``."""

    hosts: Listed[NodeName]


Segments: TypeAlias = Annotated[dict[SegmentName, T], BeforeValidator(_table)]
Apart: TypeAlias = Listed[Listed[SegmentName]]


class RoutingSpec(Spec):
    """The section ``routing``."""

    hash_policy: Annotated[
        int,
        Field(alias="multipath-hash"),
        PlainValidator(values.choice("multipath-hash", values.HASH_POLICIES)),
    ] = 0
    ignore_linkdown: Annotated[Flag, Field(alias="ignore-routes-with-linkdown")] = False


class SpreadSpec(Spec):
    """One entry of ``spreads``."""

    source: NodeName
    target: NodeName
    even: Annotated[
        bool,
        Field(alias="over"),
        PlainValidator(values.choice("spread", {"one-way": False, "all-ways": True})),
    ]
    survives: Flag = False


class ShareSpec(Spec):
    """One entry of ``throughput``; ``size`` is the UDP payload in bytes."""

    path: Annotated[str, _choice("path", tuple(name for name in PATHS if name != BARE))]
    protocol: Annotated[Literal["udp", "tcp"], _choice("protocol", ("udp", "tcp"))] = "udp"
    size: Annotated[int, _number("payload", 16, 65507)] | None = None
    at_least: Annotated[float, Field(alias="at-least"), PlainValidator(values.share)]


class SurvivalSpec(Spec):
    """One entry of ``failover``; the counts are of one flow's datagrams."""

    event: Annotated[str, _choice("event", tuple(EVENTS))]
    without_service: Annotated[
        float | None, Field(alias="without-service"), PlainValidator(values.time_without_service)
    ] = None
    lost: Datagrams | None = None
    duplicated: Datagrams | None = None
    reordered: Datagrams | None = None
    looped: Datagrams | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> SurvivalSpec:
        if all(bound is None for name, bound in self if name != "event"):
            right = "without-service: 300 ms, lost: 3, duplicated: 0, reordered: 0 or looped: 0"
            raise values.wrong(f"nothing is promised for {self.event}", right)
        return self


class LabSpec(Spec):
    """A whole lab file."""

    lab: Annotated[str, PlainValidator(values.name("lab", values.LAB_NAME_MAX))]
    title: Annotated[str, PlainValidator(values.text)] = ""
    isolation: IsolationSpec = IsolationSpec()
    nodes: Annotated[dict[NodeName, NodeSpec], BeforeValidator(_nodes)]
    links: Listed[Annotated[LinkSpec, BeforeValidator(_link)]] = {}
    pairs: Listed[PairSpec] = {}
    routing: RoutingSpec = RoutingSpec()
    spreads: Listed[SpreadSpec] = {}
    throughput: Listed[ShareSpec] = {}
    failover: Listed[SurvivalSpec] = {}
    mtu: MtuSpec = MtuSpec()
    management: Listed[ManagementItem] = {}
    segments: Segments[SegmentSpec] = {}
    apart: Apart = {}


class ExpectedPair(CarriedSpec):
    """One entry of ``pairs`` in a file of promises for a fabric that no lab declares."""

    source: NodeOrAddress
    target: NodeOrAddress
    mtu: MtuSpec = MtuSpec()


class ExpectedSegment(SegmentSpec):
    """One entry of ``segments`` in such a file."""

    hosts: Listed[NodeOrAddress]


class ExpectSpec(Spec):
    """A file of promises for a fabric that no lab declares."""

    pairs: Listed[ExpectedPair] = {}
    mtu: MtuSpec = MtuSpec()
    segments: Segments[ExpectedSegment] = {}
    apart: Apart = {}
    management: Listed[ManagementItem] = {}


class PairsSpec(Spec):
    """A file of promises beside a lab."""

    pairs: Listed[PairSpec] = {}
    segments: Segments[SegmentSpec] = {}
    apart: Apart = {}
    management: Listed[ManagementItem] = {}
