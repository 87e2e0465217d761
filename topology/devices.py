"""The devices that a node can have: what ip-link(8) makes. Frozen and pure.

``topology.model`` gives all of them with the nodes that have them; import them from there.
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
"""IFNAMSIZ is 16 with the terminating NUL (linux/if.h); node names stay in the same bound."""
PORT_MTU = 1500
"""What Ethernet carries (RFC 894), and a new veth's own choice."""
VXLAN_PORT = 4789
"""The port IANA assigned to VXLAN (RFC 7348, section 8)."""
GENEVE_PORT = 6081
"""The port IANA assigned to Geneve (RFC 8926, section 3.3)."""
AGEING = 300
"""Seconds for which bridges and VXLAN devices keep a MAC (BR_DEFAULT_AGEING_TIME, linux/if_bridge.h; FDB_AGE_DEFAULT,
drivers/net/vxlan)."""
USER_HZ = 100
"""Units of a bridge's ageing_time in a second (clock_t, include/asm-generic/param.h)."""
SOON = 60
"""Seconds; an entry that is kept for fewer may be gone between two packets of a test."""
LOOPBACK = "lo"


@dataclass(frozen=True, kw_only=True)
class Device:
    """What every network device has; ``mtu`` None leaves the kernel's own choice."""

    node: str
    name: str
    mac: str | None = None
    mtu: int | None = None
    addresses: tuple[Interface, ...] = ()
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def ref(self) -> PortRef:
        """The device as ``node:interface``."""
        return PortRef(self.node, self.name)


@dataclass(frozen=True, kw_only=True)
class Loopback(Device):
    """The loopback device, which every namespace has: its addresses are the node's own, whatever link is down."""


@dataclass(frozen=True, kw_only=True)
class Port(Device):
    """One end of a veth pair."""

    peer: PortRef


@dataclass(frozen=True, kw_only=True)
class Subinterface(Device):
    """One VLAN of a port (IEEE 802.1Q): its frames have the tag ``vid`` at the port ``link``, and none here."""

    link: str
    vid: int


@dataclass(frozen=True, kw_only=True)
class Bridge(Device):
    """A bridge (IEEE 802.1D without spanning tree) over devices of its node.

    ``ageing`` is for how many seconds it knows where a MAC is; with 0 it learns nothing and floods every frame
    (br_fdb_update, net/bridge/br_fdb.c).
    """

    members: tuple[str, ...]
    ageing: int = AGEING

    def floods(self, mac: object, *, may: bool = False) -> bool:
        """Return whether it sends frames to a MAC out of all its other ports; with ``may`` also where it soon forgets
        what it has learned."""
        return self.ageing < SOON if may else self.ageing == 0


@dataclass(frozen=True, kw_only=True)
class Vxlan(Device):
    """A VXLAN device: ``local`` is the VTEP's own address, ``remote`` and ``others`` the VTEPs that floods go to.

    With several of them (head-end replication) each is an entry of the device's forwarding database, and what is
    learned decides to which one a frame goes. Without ``learning`` every frame goes to all of them, but those to a MAC
    of ``entries``, which go to the one remote that is said there. ``ageing`` is for how many seconds what is learned
    is known.

    A device that says no address of its own (``by_route``) sends with the source that the route to each remote gives,
    and takes packets at any address of its node; ``local`` is then the source towards the first remote.
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
        """All VTEPs at the other ends."""
        return (self.remote, *self.others)

    def towards(self, mac: object) -> tuple[Address, ...]:
        """The remotes that a frame goes to before anything is learned: by its entry, else all."""
        return tuple(remote for known, remote in self.entries if known == mac) or self.remotes

    def floods(self, mac: object, *, may: bool = False) -> bool:
        """Return whether it sends frames to a MAC to several remotes; with ``may`` also where it soon forgets."""
        forgets = not self.learning or (may and self.ageing < SOON)
        return forgets and len(self.towards(mac)) > 1


@dataclass(frozen=True, kw_only=True)
class Geneve(Device):
    """A Geneve device (RFC 8926) to one other end; it takes packets from there alone (``geneve_lookup``).

    Linux's has no address of its own: ``local`` is the one that the route to ``remote`` gives a packet as its source.
    """

    vni: int
    local: Address
    remote: Address
    port: int = GENEVE_PORT

    @property
    def remotes(self) -> tuple[Address, ...]:
        """The one other end."""
        return (self.remote,)


@dataclass(frozen=True, kw_only=True)
class Gre(Device):
    """A GRE device (RFC 2784, key of RFC 2890); ``ttl`` None inherits the inner packet's.

    With ``inherit_tos`` it inherits the TOS as well, and then looks its route up for every packet anew.
    """

    local: Address
    remote: Address
    key: int | None = None
    ttl: int | None = None
    inherit_tos: bool = False

    @property
    def remotes(self) -> tuple[Address, ...]:
        """The one other end."""
        return (self.remote,)


Tunnel: TypeAlias = Gre | Vxlan | Geneve
"""A device that wraps packets between two addresses."""
FrameTunnel: TypeAlias = Vxlan | Geneve
"""One of those that carry Ethernet frames, under a VNI."""


def link_kind(device: Device) -> str:
    """The rtnetlink link kind (IFLA_INFO_KIND) that a device is made of."""
    if isinstance(device, Gre):
        return "ip6gre" if device.local.version == 6 else "gre"
    return {Bridge: "bridge", Vxlan: "vxlan", Geneve: "geneve", Subinterface: "vlan", Port: "veth"}[type(device)]


def stable_mac(lab: str, node: str, interface: str) -> str:
    """A locally administered unicast MAC, the same in every build, so that a stack can state it.

    40 bits of SHA-256 behind ``02``: the U/L bit set, the I/G bit clear (IEEE 802, section 8.2).
    """
    digest = hashlib.sha256(f"{lab}/{node}/{interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in b"\x02" + digest[:5])
