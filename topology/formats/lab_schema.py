"""The lab file's schema: its keys, which of them are needed, and what each may hold. Strict.

A list is held as a mapping from index to item, so that leaving a broken item out renumbers no other.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from topology.formats import lab_values as values
from topology.model import AGEING, GENEVE_PORT, PORT_MTU, VXLAN_PORT, Address, Interface, Role, Route, Treatment
from topology.promises import ABOVE, Above, Kind
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
    raise values.wrong(f"{values.shown(value)} stands where a list belongs", "a list: [a, b], or lines of '- '")


def _one_or_more(value: object) -> object:
    return {0: value} if isinstance(value, str | int) or value is None else value


def _fates(value: object) -> object:
    if value == []:
        raise values.wrong("an empty list of fates", f"one or more of: {', '.join(ABOVE)}")
    return _one_or_more(value)


def _table(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise values.wrong(f"{values.shown(value)} stands where a mapping belongs", "lines of 'name: value'")


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


Listed: TypeAlias = Annotated[dict[int, T], BeforeValidator(_numbered)]
Text: TypeAlias = Annotated[str, PlainValidator(values.text)]
LabName: TypeAlias = Annotated[str, PlainValidator(values.name("lab", values.LAB_NAME_MAX))]
NodeName: TypeAlias = Annotated[str, PlainValidator(values.name("node"))]
InterfaceName: TypeAlias = Annotated[str, PlainValidator(values.name("interface"))]
"""A device's name where it is spoken of; that the kernel has one of that name is for a check to explain."""
DeviceName: TypeAlias = Annotated[str, PlainValidator(values.name("device"))]
Mtu: TypeAlias = Annotated[int, PlainValidator(values.number("MTU", values.MTU_MIN, values.MTU_MAX))]
Mac: TypeAlias = Annotated[str, PlainValidator(values.mac)]
Vni: TypeAlias = Annotated[int, PlainValidator(values.vni)]
Vid: TypeAlias = Annotated[int, PlainValidator(values.number("VLAN", 1, 4094))]
"""802.1Q keeps 0 for a tag without a VLAN and 4095 for itself (table 9-2)."""
Seconds: TypeAlias = Annotated[int, PlainValidator(values.number("ageing", 0, 1_000_000))]
Lasting: TypeAlias = Annotated[int, PlainValidator(values.number("ageing", 1, 1_000_000))]
"""A VXLAN device takes 0 for its default (vxlan_config_apply, drivers/net/vxlan/vxlan_core.c)."""
UdpPort: TypeAlias = Annotated[int, PlainValidator(values.number("UDP port", 1, 65535))]
Key: TypeAlias = Annotated[int, PlainValidator(values.number("GRE key", 0, 2**32 - 1))]
Ttl: TypeAlias = Annotated[int | None, PlainValidator(values.ttl)]
Tos: TypeAlias = Annotated[bool, PlainValidator(values.tos)]
HashPolicy: TypeAlias = Annotated[int, PlainValidator(values.hash_policy)]
Even: TypeAlias = Annotated[bool, PlainValidator(values.even)]
PathName: TypeAlias = Annotated[str, PlainValidator(values.measured_path)]
Protocol: TypeAlias = Annotated[Literal["udp", "tcp"], PlainValidator(values.protocol)]
Payload: TypeAlias = Annotated[int, PlainValidator(values.number("payload", 16, 65507))]
Part: TypeAlias = Annotated[float, PlainValidator(values.share)]
Flag: TypeAlias = Annotated[bool, PlainValidator(values.flag)]
Ip: TypeAlias = Annotated[Address, PlainValidator(values.address)]
IpInterface: TypeAlias = Annotated[Interface, PlainValidator(values.interface)]
Endpoint: TypeAlias = Annotated[PortRef, PlainValidator(values.endpoint)]
RouteText: TypeAlias = Annotated[Route, PlainValidator(values.route)]
RoleName: TypeAlias = Annotated[Role, PlainValidator(values.role)]
KindName: TypeAlias = Annotated[Kind, PlainValidator(values.kind)]
Treated: TypeAlias = Annotated[Treatment, PlainValidator(values.treatment)]
AboveName: TypeAlias = Annotated[Above, PlainValidator(values.above)]

Named: TypeAlias = Annotated[dict[InterfaceName, T], BeforeValidator(_table)]


class Spec(BaseModel):
    """What all parts of a lab file share: strict types, no unknown keys, no change after reading."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @classmethod
    def spelled(cls) -> frozenset[str]:
        """Its keys, as a file spells them."""
        return frozenset(field.alias or name for name, field in cls.model_fields.items())


class VxlanSpec(Spec):
    """One entry of a node's ``vxlan``: with ``remote``, or ``remotes``."""

    vni: Vni
    local: Ip | None = None
    remote: Ip | None = None
    remotes: Listed[Ip] = {}
    dev: InterfaceName | None = None
    port: UdpPort = VXLAN_PORT
    mtu: Mtu | None = None
    learning: Flag = True
    ageing: Lasting = AGEING
    entries: Annotated[dict[Mac, Ip], BeforeValidator(_table)] = {}

    @model_validator(mode="after")
    def _ends_somewhere(self) -> VxlanSpec:
        if self.remote is None and not self.remotes:
            raise PydanticCustomError(LACKS, "no remote", {"key": "remote"})
        if self.remote is not None and self.remotes:
            raise values.wrong("the device has both 'remote' and 'remotes'", "one of the two")
        return self

    @property
    def ends(self) -> tuple[Address, ...]:
        """Where its tunnels end."""
        return (self.remote,) if self.remote is not None else tuple(self.remotes.values())


class VlanSpec(Spec):
    """One entry of a node's ``vlan``."""

    dev: InterfaceName
    id: Vid
    mtu: Mtu | None = None


class GeneveSpec(Spec):
    """One entry of a node's ``geneve``."""

    vni: Vni
    local: Ip | None = None
    remote: Ip
    port: UdpPort = GENEVE_PORT
    mtu: Mtu | None = None


class GreSpec(Spec):
    """One entry of a node's ``gre``."""

    local: Ip
    remote: Ip
    key: Key | None = None
    ttl: Ttl = None
    tos: Tos = False
    mtu: Mtu | None = None


class IsolationSpec(Spec):
    """The mapping ``isolation``: what differs from what Linux does."""

    foreign_sources: Annotated[Treated, Field(alias="foreign-sources")] = "accepted"
    reserved_bits: Annotated[Treated, Field(alias="reserved-bits")] = "refused"
    overlap: Treated = "refused"


class NodeSpec(Spec):
    """One entry of ``nodes``."""

    role: RoleName
    addresses: Named[Annotated[Listed[IpInterface], BeforeValidator(_one_or_more)]] = {}
    mtu: Named[Mtu] = {}
    mac: Named[Mac] = {}
    bridges: Annotated[dict[DeviceName, Listed[InterfaceName]], BeforeValidator(_table)] = {}
    ageing: Named[Seconds] = {}
    vlan: Annotated[dict[DeviceName, VlanSpec], BeforeValidator(_table)] = {}
    vxlan: Annotated[dict[DeviceName, VxlanSpec], BeforeValidator(_table)] = {}
    geneve: Annotated[dict[DeviceName, GeneveSpec], BeforeValidator(_table)] = {}
    gre: Annotated[dict[DeviceName, GreSpec], BeforeValidator(_table)] = {}
    routes: Listed[RouteText] = {}


class LinkSpec(Spec):
    """One entry of ``links``, written as a list of two ends or as a mapping."""

    endpoints: Annotated[Listed[Endpoint], BeforeValidator(_two_ends)]
    mtu: Mtu = PORT_MTU


class MtuSpec(Spec):
    """The lab's ``mtu``, or a pair's."""

    customers: Mtu | None = None
    above: Annotated[Listed[AboveName], BeforeValidator(_fates)] | None = None


class PairSpec(Spec):
    """One entry of ``pairs``."""

    source: NodeName
    target: NodeName
    kind: KindName
    mtu: MtuSpec = MtuSpec()


class RoutingSpec(Spec):
    """The section ``routing``."""

    multipath_hash: Annotated[HashPolicy, Field(alias="multipath-hash")] = 0
    ignore_linkdown: Annotated[Flag, Field(alias="ignore-routes-with-linkdown")] = False


class SpreadSpec(Spec):
    """One entry of ``spreads``."""

    source: NodeName
    target: NodeName
    over: Even
    survives: Flag = False


class ShareSpec(Spec):
    """One entry of ``throughput``."""

    path: PathName
    protocol: Protocol = "udp"
    size: Payload | None = None
    at_least: Annotated[Part, Field(alias="at-least")]


class LabSpec(Spec):
    """A whole lab file."""

    lab: LabName
    title: Text = ""
    isolation: IsolationSpec = IsolationSpec()
    nodes: Annotated[dict[NodeName, NodeSpec], BeforeValidator(_nodes)]
    links: Listed[Annotated[LinkSpec, BeforeValidator(_link)]] = {}
    pairs: Listed[PairSpec] = {}
    routing: RoutingSpec = RoutingSpec()
    spreads: Listed[SpreadSpec] = {}
    throughput: Listed[ShareSpec] = {}
    mtu: MtuSpec = MtuSpec()
