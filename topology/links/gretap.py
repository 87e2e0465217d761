"""GRE devices that carry Ethernet frames (Trans Ether Bridging), over IPv4."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from topology.links.gre import GRE_OPTIONS, GreTunnel
from topology.packet import Layers, frames_ttls


@dataclass(frozen=True, kw_only=True)
class Gretap(GreTunnel):
    """A point-to-point GRE device that carries Ethernet frames: it takes packets of its far end alone, and of those
    the ones of its key (``ip_tunnel_lookup``), beside a GRE device of the same ends.

    With ``ttl`` None the outer TTL is that of an IP packet in the frame, else the default.
    """

    kinds: ClassVar = ("gretap",)
    noun: ClassVar = "GRETAP"
    versions: ClassVar = (4,)
    carries: ClassVar = ("ether",)
    colour: ClassVar = "#8e7cc3"
    section: ClassVar = "gretap"
    clab: ClassVar = {"gretap": replace(GRE_OPTIONS, fixed={})}
    prefix: ClassVar = "gre"
    modules: ClassVar = {"gretap": "ip_gre"}
    tried: ClassVar = {"gretap": {"gre_local": "192.0.2.1", "gre_remote": "192.0.2.2"}}

    def ttls(self, inside: Layers) -> tuple[int, ...]:
        """Return the TTLs that the outer header may get."""
        return frames_ttls(inside, 4) if self.ttl is None else (self.ttl,)
