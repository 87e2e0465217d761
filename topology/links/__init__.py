"""The kinds of link: a new kind is a module here with a class, named in ``LINKS``; all else asks the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from topology.links.base import Device
from topology.links.bridge import Bridge
from topology.links.geneve import Geneve
from topology.links.gre import Gre
from topology.links.gretap import Gretap
from topology.links.ipip import Ipip
from topology.links.port import Loopback, Port
from topology.links.tunnel import Tunnel, UdpTunnel, Unwrapped
from topology.links.vlan import Subinterface
from topology.links.vrf import Vrf
from topology.links.vxlan import Vxlan
from topology.packet import Layers

__all__ = [
    "Bridge",
    "Device",
    "Geneve",
    "Gre",
    "Gretap",
    "Ipip",
    "Loopback",
    "Port",
    "Subinterface",
    "Tunnel",
    "UdpTunnel",
    "Unwrapped",
    "Vrf",
    "Vxlan",
]

LINKS: Sequence[type[Device]] = (Loopback, Port, Subinterface, Bridge, Vrf, Vxlan, Geneve, Gre, Gretap, Ipip)
"""Every kind, in the order in which a node of a lab file gets its devices."""

TUNNELS: Sequence[type[Tunnel]] = tuple(link for link in LINKS if issubclass(link, Tunnel))
UDP_TUNNELS: Sequence[type[UdpTunnel]] = tuple(link for link in LINKS if issubclass(link, UdpTunnel))
FRAME_TUNNELS = tuple(tunnel for tunnel in TUNNELS if tunnel.ethernet)
"""Those that carry Ethernet frames."""
KINDS: Mapping[str, type[Device]] = {kind: link for link in LINKS for kind in link.kinds}
"""By the kind of link (IFLA_INFO_KIND) its class."""
SECTIONS: Mapping[str, type[Device]] = {link.section: link for link in LINKS if link.section}
"""By the section of a lab file's node the class of its entries."""
TYPES: Mapping[str, type[Device]] = {type_: link for link in LINKS for type_ in link.clab}
"""By the type in a containerlab file's ``ip link add`` the class of the device."""
MODULES: Mapping[str, str] = {kind: module for link in LINKS for kind, module in link.modules.items()}
OTHERS = ("bond", "dummy", "gretap", "ifb", "ip6gretap", "ip6tnl", "ipip", "sit", "team", "vti", "vti6")
LOCAL_KINDS = frozenset((*OTHERS, *KINDS)) - {"veth", "vlan"}
"""Kinds of links that lead nowhere but through other devices of their node (ip-link(8)), which are looked at."""
WIRES = frozenset(("physical", "veth", "netkit", "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"))
"""Kinds of links by which a frame comes in at another node as it went out."""
NOT_FOLLOWED = "is not followed"
"""The words of a walk that ends where its knowledge ends: nothing is known of the packet from there on."""
FALLBACK_DEVICES = frozenset(("lo", "sit0", "ip_vti0", "ip6tnl0", "ip6_vti0")).union(
    *(link.fallbacks for link in LINKS)
)
"""Devices that the kernel puts into every namespace (net/ipv4/ip_tunnel.c): not part of any fabric."""

TUNNEL_HEADERS = frozenset(tunnel.headers[-1] for tunnel in TUNNELS)
FRAME_HEADERS = frozenset(tunnel.headers[-1] for tunnel in FRAME_TUNNELS)
"""The headers of tunnels, and of those that carry Ethernet frames."""


KEYED = ("gre", "gretap", "ip6gre", "ip6gretap")
"""The link kinds of GRE, by the outer IP version and by what is inside: a packet, or a frame."""
NUMBERS = {kind: "vni" for tunnel in UDP_TUNNELS for kind in tunnel.kinds} | dict.fromkeys(KEYED, "key")
"""By the kind of tunnel the number that its header can have."""
FRAMELESS = frozenset(kind for tunnel in TUNNELS if not tunnel.ethernet for kind in tunnel.kinds)
"""The kinds of tunnels that carry no frames."""
VIAS = tuple(dict.fromkeys((*(kind for tunnel in TUNNELS for kind in tunnel.kinds), *KEYED)))
"""The kinds of tunnels that a promise can name, by ip-link(8)'s words."""


def hides(kind: str) -> bool:
    """Return whether packets that cross a link of this kind can be neither read nor followed, as with WireGuard."""
    return kind not in LOCAL_KINDS | WIRES


def frame_tunnel(layers: Layers) -> str:
    """Return the innermost tunnel around the frame in a packet, as ``Tunnel.title`` has it; empty for an unencapsulated
    frame.
    """
    found = [number for number, (name, _) in enumerate(layers) if name in FRAME_HEADERS]
    for tunnel in FRAME_TUNNELS if found else ():
        start = found[-1] + 1 - len(tunnel.headers)
        if tuple(name for name, _ in layers[start : found[-1] + 1]) == tunnel.headers:
            return tunnel.title_of(**tunnel.identity_in(layers[start:]))
    return ""


def unwrap(packet: Layers) -> Unwrapped | None:
    """Return what is in a packet, and which device takes it; None where it is in no tunnel."""
    return next((found for tunnel in TUNNELS if (found := tunnel.unwrap(packet)) is not None), None)
