"""References to things of a fabric: interfaces as ``node:interface``, places, addresses and VLAN tags. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Interface: TypeAlias = IPv4Interface | IPv6Interface
Network: TypeAlias = IPv4Network | IPv6Network
Tags: TypeAlias = tuple[int, ...]
"""The VLAN IDs of a frame's 802.1Q tags, outermost first."""


def is_of_link(what: Address | Interface | Network) -> bool:
    """Return True for an IPv6 link-local address, which is one of its link alone (RFC 4291, section 2.5.6).

    False for 169.254.0.0/16: Linux makes no such address by itself, and routes those that it is given like others.
    """
    return what.version == 6 and what.is_link_local


@dataclass(frozen=True, order=True)
class PortRef:
    """An interface of a node, written ``node:interface``."""

    node: str
    interface: str

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


class Placed:
    """Base of everything at an interface in one direction."""

    node: str
    interface: str
    direction: str

    @property
    def ref(self) -> PortRef:
        """The interface as ``node:interface``."""
        return PortRef(self.node, self.interface)

    @property
    def place(self) -> str:
        """The interface and direction as ``node:interface direction``."""
        return f"{self.node}:{self.interface} {self.direction}"
