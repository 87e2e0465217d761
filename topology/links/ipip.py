"""IP in IP devices (RFC 2003): IPv4 packets behind another IPv4 header and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from topology.links.base import Options
from topology.links.iptunnel import IpTunnel
from topology.packet import Layers


@dataclass(frozen=True, kw_only=True)
class Ipip(IpTunnel):
    """A point-to-point device that puts IPv4 packets behind another IPv4 header."""

    kinds: ClassVar = ("ipip",)
    noun: ClassVar = "IPIP"
    ethernet: ClassVar = False
    versions: ClassVar = (4,)
    carries: ClassVar = ("ipv4",)
    headers: ClassVar = ("ipip",)
    protocol: ClassVar = 4
    colour: ClassVar = "#a64d79"
    section: ClassVar = "ipip"
    clab: ClassVar = {
        "ipip": Options(
            "local and remote ADDRESS, ttl NUMBER or inherit, tos inherit",
            settings="ttl hoplimit=ttl tos tclass=tos local remote",
            flags="pmtudisc",
            fixed={"mode": "ipip ip4ip4 ipv4/ipv4"},
            zero={"ttl": "inherit", "tos": ""},
        )
    }
    attributes: ClassVar = "1 link u32, 2 local ip, 3 remote ip, 4 ttl u8, 5 tos u8, 10 pmtudisc u8"
    modules: ClassVar = {"ipip": "ipip"}
    tried: ClassVar = {"ipip": {"ipip_local": "192.0.2.1", "ipip_remote": "192.0.2.2"}}
    fallbacks: ClassVar = frozenset(("tunl0",))

    def header(self, inside: str) -> Layers:
        """Return the mark between the two IP headers, which has no bytes."""
        return (("ipip", {}),)
