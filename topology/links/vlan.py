"""VLAN sub-interfaces (IEEE 802.1Q)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from topology.links.base import PORT_MTU, Below, Device, Key, Live, Number, Option, Options

TAGGED = 0x8100
PROTOCOLS = {TAGGED: "802.1q", 0x88A8: "802.1ad"}
"""The EtherType of a tag (IEEE 802.1Q), and all of tags in the words of ip-link(8)."""


@dataclass(frozen=True, kw_only=True)
class Subinterface(Device):
    """A VLAN sub-interface (IEEE 802.1Q): its untagged frames are tagged with ``vid`` on the port ``link``."""

    link: str
    vid: int

    kinds: ClassVar = ("vlan",)
    noun: ClassVar = "VLAN"
    section: ClassVar = "vlan"
    keys: ClassVar = {
        "dev": Key("interface", field="link"),
        # 802.1Q (table 9-2) keeps the ID 0 for tags without a VLAN and 4095 for itself.
        "id": Key(Number("VLAN", 1, 4094), field="vid"),
    }
    clab: ClassVar = {
        "vlan": Options(
            "id NUMBER",
            settings="id",
            fixed={"protocol": "802.1Q 802.1q", "reorder_hdr": "on", "gvrp": "off", "mvrp": "off"}
            | {"loose_binding": "off", "bridge_binding": "off"},
        )
    }
    attributes: ClassVar = "1 id u16, 5 protocol be16"
    reads: ClassVar = "id, protocol, dev"
    modules: ClassVar = {"vlan": "8021q"}
    tried: ClassVar = {"vlan": {"vlan_id": 1}}

    @classmethod
    def from_live(cls, live: Live) -> Subinterface:
        """Return the sub-interface as it was read from a node."""
        return cls(**live.common, link=live["dev"], vid=live.number("id"))

    @property
    def parent(self) -> str:
        """The port that carries its tagged frames."""
        return self.link

    def options(self) -> Iterator[Option]:
        """Yield the options with which the sub-interface is made."""
        yield Option("id", self.vid, f"id {self.vid}")

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a sub-interface's parameters."""
        protocol = known.get("protocol", TAGGED)
        yield from (("id", known["id"]), ("protocol", PROTOCOLS.get(protocol, protocol)))
        yield "dev", known.get("link") or "none"

    def own_mtu(self, below: Below) -> int:
        """Return the MTU of its port (vlan_newlink, net/8021q/vlan_netlink.c)."""
        return below.of(self.link) or PORT_MTU
