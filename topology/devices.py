"""The devices that a node can have, as ip-link(8) creates them. Frozen and pure.

Import them from ``topology.model``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import TypeAlias

from topology.errors import Position
from topology.promises import NOWHERE
from topology.refs import PortRef

Address: TypeAlias = IPv4Address | IPv6Address
Interface: TypeAlias = IPv4Interface | IPv6Interface
Network: TypeAlias = IPv4Network | IPv6Network

NAME_MAX = 15
"""IFNAMSIZ is 16 with the terminating NUL (linux/if.h); node names have the same limit."""
PORT_MTU = 1500
"""The MTU of Ethernet (RFC 894) and of a new veth, in bytes."""
VXLAN_PORT = 4789
"""The port IANA assigned to VXLAN (RFC 7348, section 8)."""
GENEVE_PORT = 6081
"""The port IANA assigned to Geneve (RFC 8926, section 3.3)."""
AGEING = 300
"""The default ageing time of bridges and VXLAN devices, in seconds (BR_DEFAULT_AGEING_TIME, linux/if_bridge.h;
FDB_AGE_DEFAULT, drivers/net/vxlan)."""
USER_HZ = 100
"""Units of a bridge's ageing_time in a second (clock_t, include/asm-generic/param.h)."""
SOON = 60
"""Seconds; an entry with a shorter ageing time may expire between two packets of a test."""
LOOPBACK = "lo"


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

    @property
    def ref(self) -> PortRef:
        """The device as ``node:interface``."""
        return PortRef(self.node, self.name)


@dataclass(frozen=True, kw_only=True)
class Loopback(Device):
    """The loopback device of a namespace; its addresses stay reachable when links go down."""


@dataclass(frozen=True, kw_only=True)
class Port(Device):
    """One end of a veth pair."""

    peer: PortRef


@dataclass(frozen=True, kw_only=True)
class Subinterface(Device):
    """A VLAN sub-interface (IEEE 802.1Q): its untagged frames are tagged with ``vid`` on the port ``link``."""

    link: str
    vid: int


@dataclass(frozen=True, kw_only=True)
class Bridge(Device):
    """A bridge (IEEE 802.1D without spanning tree) over devices of its node.

    ``ageing`` is the lifetime of a learned MAC in seconds; with 0 the bridge learns nothing and floods every frame
    (br_fdb_update, net/bridge/br_fdb.c).
    """

    members: tuple[str, ...]
    ageing: int = AGEING

    def floods(self, mac: object, *, may: bool = False) -> bool:
        """Return whether the bridge floods frames to a MAC; with ``may`` also if learned entries expire soon."""
        return self.ageing < SOON if may else self.ageing == 0


@dataclass(frozen=True, kw_only=True)
class Vxlan(Device):
    """A VXLAN device: ``local`` is the VTEP's address, ``remote`` and ``others`` are the VTEPs it floods to.

    With several remotes (head-end replication) each is an FDB entry, and learned entries decide where a known unicast
    frame goes. Without ``learning`` every frame goes to all remotes, except to the MACs of ``entries`` (static FDB
    entries: MAC and remote). ``ageing`` is the lifetime of a learned entry in seconds.

    ``by_route`` is a device without a local address: each packet's source is the one that the route to the remote
    selects, and the device receives at every address of its node; ``local`` is the source towards the first remote.
    """

    vni: int
    local: Address
    remote: Address
    others: tuple[Address, ...] = ()
    dev: str | None = None
    port: int = VXLAN_PORT
    by_route: bool = False
    learning: bool = True
    ageing: int = AGEING
    entries: tuple[tuple[str, Address], ...] = ()

    @property
    def remotes(self) -> tuple[Address, ...]:
        """The addresses of all remote VTEPs."""
        return (self.remote, *self.others)

    def towards(self, mac: object) -> tuple[Address, ...]:
        """Return the remotes of a frame to a MAC that is not learned: those of its static entries, else all."""
        return tuple(remote for known, remote in self.entries if known == mac) or self.remotes

    def floods(self, mac: object, *, may: bool = False) -> bool:
        """Return whether frames to a MAC go to several remotes; with ``may`` also if learned entries expire soon."""
        forgets = not self.learning or (may and self.ageing < SOON)
        return forgets and len(self.towards(mac)) > 1


@dataclass(frozen=True, kw_only=True)
class Geneve(Device):
    """A point-to-point Geneve device (RFC 8926); it receives from ``remote`` only (``geneve_lookup``).

    Linux's Geneve has no local address: ``local`` is the source that the route to ``remote`` selects.
    """

    vni: int
    local: Address
    remote: Address
    port: int = GENEVE_PORT

    @property
    def remotes(self) -> tuple[Address, ...]:
        """The address of the remote end, as a tuple of one."""
        return (self.remote,)


@dataclass(frozen=True, kw_only=True)
class Gre(Device):
    """A GRE device (RFC 2784, key of RFC 2890); with ``ttl`` None it copies the inner packet's TTL.

    With ``inherit_tos`` it copies the TOS as well, and looks up its route for every packet.
    """

    local: Address
    remote: Address
    key: int | None = None
    ttl: int | None = None
    inherit_tos: bool = False

    @property
    def remotes(self) -> tuple[Address, ...]:
        """The address of the remote end, as a tuple of one."""
        return (self.remote,)


Tunnel: TypeAlias = Gre | Vxlan | Geneve
"""A device that encapsulates packets between two addresses."""
FrameTunnel: TypeAlias = Vxlan | Geneve
"""A tunnel that carries Ethernet frames and has a VNI."""


def link_kind(device: Device) -> str:
    """Return the rtnetlink link kind (IFLA_INFO_KIND) of a device."""
    if isinstance(device, Gre):
        return "ip6gre" if device.local.version == 6 else "gre"
    return {Bridge: "bridge", Vxlan: "vxlan", Geneve: "geneve", Subinterface: "vlan", Port: "veth"}[type(device)]


def stable_mac(lab: str, node: str, interface: str) -> str:
    """Return a locally administered unicast MAC that is the same in every build, so that expected stacks can name it.

    40 bits of SHA-256 behind ``02``: the U/L bit set, the I/G bit clear (IEEE 802, section 8.2).
    """
    digest = hashlib.sha256(f"{lab}/{node}/{interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in b"\x02" + digest[:5])
