"""VRFs (Documentation/networking/vrf.rst)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from topology.links.base import Below, Device, Key, Live, Number, Option

MTU = 65_575
"""IP6_MAX_MTU (drivers/net/vrf.c)."""


@dataclass(frozen=True, kw_only=True)
class Vrf(Device):
    """A VRF: packets that come in by its ``members`` are routed by ``table`` first, and by the main table after."""

    members: tuple[str, ...]
    table: int

    kinds: ClassVar = ("vrf",)
    noun: ClassVar = "VRF"
    section: ClassVar = "vrfs"
    keys: ClassVar = {"table": Key(Number("routing table", 1, 2**32 - 1)), "members": Key("interfaces")}
    ethernet: ClassVar = False
    attributes: ClassVar = "1 table u32"
    reads: ClassVar = "table"
    modules: ClassVar = {"vrf": "vrf"}
    tried: ClassVar = {"vrf": {"vrf_table": 1}}

    @classmethod
    def from_lab(cls, node: str, name: str, said: Mapping[Any, Any]) -> Vrf:
        """Return the VRF of one entry of a lab file."""
        return cls(node=node, name=name, **{**said, "members": tuple(said["members"].values())})

    @classmethod
    def from_live(cls, live: Live) -> Vrf:
        """Return the VRF as it was read from a node."""
        return cls(**live.common, members=live.members, table=live.number("table"))

    def options(self) -> Iterator[Option]:
        """Yield the options with which the VRF is made."""
        yield Option("table", self.table, f"table {self.table}")

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a VRF's parameters."""
        yield "table", known.get("table")

    def own_mtu(self, below: Below) -> int:
        """Return the largest possible MTU."""
        return MTU
