"""A device of a node, and all that other parts ask of its kind; a kind states only what differs. Frozen and pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, ClassVar, NamedTuple, Protocol

from topology.errors import Position
from topology.packet import ETHERTYPE_VLAN
from topology.promises import NOWHERE
from topology.refs import Address, Interface, PortRef

NAME_MAX = 15
"""IFNAMSIZ is 16 with the terminating NUL (linux/if.h); node names have the same limit."""
PORT_MTU = 1500
"""The MTU of Ethernet (RFC 894), of a new veth, and of a device without another source (ETH_DATA_LEN,
linux/if_ether.h), in bytes."""
LEAST_MTU = {4: 68, 6: 1280}
"""The least MTU that the kernel chooses for a tunnel: IPV4_MIN_MTU (also ETH_MIN_MTU) and IPV6_MIN_MTU."""
AGEING = 300
"""The default ageing time of bridges and VXLAN devices, in seconds (BR_DEFAULT_AGEING_TIME, linux/if_bridge.h;
FDB_AGE_DEFAULT, drivers/net/vxlan)."""
SOON = 60
"""Seconds; an entry with a shorter ageing time may expire between two packets of a test."""
SERVICE_TAGS = "802.1ad"
TAG_PROTOCOLS = {ETHERTYPE_VLAN: "802.1q", 0x88A8: SERVICE_TAGS}
"""The EtherTypes of VLAN tags, in the words of ip-link(8)."""
FLOOD_MAC = "00:00:00:00:00:00"
"""The MAC of a VXLAN device's FDB entries for unknown and broadcast frames (ip-link(8), ``remote``)."""
ANY_ADDRESS: Mapping[int, Address] = {4: IPv4Address(0), 6: IPv6Address(0)}
"""Stands for an address that is not known or not set, by IP version."""
NEEDED = object()
"""The default of a key that a lab file must have."""


class Number(NamedTuple):
    """The form of a whole number in a lab file."""

    noun: str
    low: int
    high: int


@dataclass(frozen=True)
class Key:
    """A key of a kind's entries in a lab file: the form of its value, and the field it fills where that has another
    name. ``topology.formats.lab_schema`` lists the forms that have a word."""

    form: str | Number
    default: Any = NEEDED
    field: str = ""


@dataclass(frozen=True)
class Options:
    """The words of a command, separated by blanks; what else ip(8) has means another device than any of hopcheck's.

    ``settings`` have a value and fill the key of their name, or the one behind ``=``; ``flags`` have none; ``fixed``
    may have the values given and no other (any, where none is given) and change nothing then; ``unseen`` are left out,
    with as many words behind them as given, and a note of its effect. ``defaults`` are those of the kernel and
    iproute2 where they are not a lab file's, ``zero`` is what a key's 0 stands for, ``off`` what a flag sets to false,
    ``needed`` the words without which ip(8) makes another device, with the reason.
    """

    right: str
    settings: str = ""
    flags: str = ""
    fixed: Mapping[str, str] = field(default_factory=dict)
    unseen: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    zero: Mapping[str, str] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    needed: Mapping[str, str] = field(default_factory=dict)


class Option(NamedTuple):
    """A netlink attribute of a new device without its kind in front, its value, and the words of ip-link(8).

    Without a name it is words alone.
    """

    name: str
    value: Any
    words: str = ""


class Live(Protocol):
    """A device as it was read from a live node."""

    @property
    def kind(self) -> str:
        """The kind of link."""

    @property
    def name(self) -> str:
        """The name of the device."""

    @property
    def common(self) -> dict[str, Any]:
        """The fields that every device has."""

    @property
    def members(self) -> tuple[str, ...]:
        """The devices that are in it."""

    def __getitem__(self, key: str) -> str:
        """The value of a parameter; blank where the device has none."""

    def number(self, key: str, default: int = 0) -> int:
        """The value of a parameter as a number."""

    def address(self, key: str, version: int = 4) -> Address:
        """The value of a parameter as an address; the unspecified one where the device has none."""

    def said(self, tool: str) -> Iterator[Sequence[str]]:
        """The words of each entry that a tool shows of the device and its members."""


class Below(Protocol):
    """The devices below one that is made: their MTUs, None where there is none."""

    def of(self, name: str | None) -> int | None:
        """The MTU of a device by its name."""

    def towards(self, address: Address) -> int | None:
        """The MTU of the device that reaches an address by the addresses' own routes."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """The properties of every network device; ``mtu`` None is the kernel's default."""

    node: str
    name: str
    mac: str | None = None
    mtu: int | None = None
    addresses: tuple[Interface, ...] = ()
    up: bool = True
    arp: bool = True
    """False if the device resolves no addresses and answers for none."""
    port_settings: tuple[tuple[str, str], ...] = ()
    """The settings that it has as a port of a bridge beside those of a new port, in the words of bridge(8)."""
    where: Position = field(default=NOWHERE, compare=False)

    kinds: ClassVar[tuple[str, ...]] = ()
    """The kinds of link that it can be (IFLA_INFO_KIND), the usual one first."""
    noun: ClassVar[str] = ""
    """The kind in words."""
    section: ClassVar[str] = ""
    """The section of a lab file's node that declares such devices."""
    keys: ClassVar[Mapping[str, Key]] = {}
    """The keys of that section's entries beside ``mtu``."""
    either: ClassVar[tuple[str, ...]] = ()
    """Keys of which an entry has exactly one."""
    clab: ClassVar[Mapping[str, Options]] = {}
    """The options behind each type of ip-link(8) in a containerlab file; one absent from the model has the value of
    hopcheck's own devices."""
    ethernet: ClassVar[bool] = True
    """False if it carries IP packets without a frame, and so has no MAC."""
    attributes: ClassVar[str] = ""
    """The attributes of IFLA_INFO_DATA that are read: number, name and form of each."""
    prefix: ClassVar[str] = ""
    """The word before attributes' names in pyroute2, where it is not the kind."""
    reads: ClassVar[str] = ""
    """The parameters that are read, in the words of ip-link(8)."""
    undeclared: ClassVar[frozenset[str]] = frozenset()
    """Those that no lab declares and that break no promise by themselves: one that an adopted node has is its own."""
    resets: ClassVar[Mapping[str, str]] = {}
    """By parameter the words of ip-link(8) that set a device back to the kernel's default."""
    modules: ClassVar[Mapping[str, str]] = {}
    """The kernel module of each kind."""
    tried: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """By kind, arguments of a device that shows whether a kernel has it."""
    fallbacks: ClassVar[frozenset[str]] = frozenset()
    """The devices that its module puts into every namespace (net/ipv4/ip_tunnel.c)."""

    @property
    def ref(self) -> PortRef:
        """The device as ``node:interface``."""
        return PortRef(self.node, self.name)

    @property
    def kind(self) -> str:
        """The kind of link (IFLA_INFO_KIND)."""
        if not self.kinds:
            raise TypeError(f"no plan for a {type(self).__name__}: it has no kind")
        return self.kinds[0]

    @classmethod
    def from_lab(cls, node: str, name: str, said: Mapping[Any, Any]) -> Device:
        """Return the device of one entry of a lab file."""
        return cls(node=node, name=name, **said)

    @classmethod
    def from_live(cls, live: Live) -> Device:
        """Return the device as it was read from a node."""
        return cls(**live.common)

    @classmethod
    def is_open(cls, live: Live) -> bool:
        """Return whether it is not known what a live device does: it takes packets of any sender or VNI, or tags of
        802.1ad."""
        return SERVICE_TAGS in (live["vlan_protocol"], live["protocol"])

    def options(self) -> Iterator[Option]:
        """Yield the options with which the device is made."""
        yield from ()

    @property
    def parent(self) -> str | None:
        """The device that its link names (IFLA_LINK)."""
        return None

    @property
    def made_on(self) -> str | None:
        """The device that must be there before it is made."""
        return self.parent

    def entries_at_start(self) -> Sequence[tuple[str, Address]]:
        """Return the forwarding entries that are added once it is made: MAC and remote."""
        return ()

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a device's parameters in the words of ip-link(8), by its netlink attributes without the kind in front;
        ``link`` is a device's name. One at the kernel's default may be missing from both."""
        yield from ()

    def own_mtu(self, below: Below) -> int:
        """Return the MTU that the kernel chooses."""
        return PORT_MTU

    def room(self, below: Below) -> int | None:
        """Return the MTU to which the kernel cuts a larger one down unasked; None where it does not."""
        return None

    def floods(self, mac: object, *, may: bool = False) -> bool:
        """Return whether frames to a MAC go to several places; with ``may`` also if learned entries expire soon."""
        return False


def words_of(**options: object) -> str:
    """Return options as a command has them; those that are None are left out."""
    return " ".join(f"{name} {value}" for name, value in options.items() if value is not None)


def stable_mac(lab: str, node: str, interface: str) -> str:
    """Return a locally administered unicast MAC that is the same in every build, so that expected stacks can name it.

    40 bits of SHA-256 behind ``02``: the U/L bit set, the I/G bit clear (IEEE 802, section 8.2).
    """
    digest = hashlib.sha256(f"{lab}/{node}/{interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in b"\x02" + digest[:5])
