"""Bridges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from topology.links.base import AGEING, SERVICE_TAGS, SOON, Device, Live, Option, Options
from topology.packet import ETHERTYPE_VLAN
from topology.refs import Tags

USER_HZ = 100
"""Units of a bridge's ageing_time in a second (clock_t, include/asm-generic/param.h)."""
DEFAULT_PVID = 1
"""The VLAN that a new bridge gives its ports (br_vlan_init, net/bridge/br_vlan.c)."""
OPTIONS = Options(
    "a bridge without further options",
    settings="ageing_time",
    fixed={"stp_state": "0", "vlan_filtering": "0", "forward_delay": "", "priority": ""}
    | {"mcast_snooping": "0 1", "mcast_querier": "0"},
)


@dataclass(frozen=True, kw_only=True)
class Bridge(Device):
    """A bridge (IEEE 802.1D without spanning tree) over devices of its node.

    ``ageing`` is the lifetime of a learned MAC in seconds; with 0 the bridge learns nothing and floods every frame
    (br_fdb_update, net/bridge/br_fdb.c).
    """

    members: tuple[str, ...]
    ageing: int = AGEING
    filters: bool = False
    """True if it lets frames pass within their VLAN only (``vlan_filtering``)."""
    vlans: tuple[tuple[str, int, bool, bool], ...] = ()
    """Where it filters, the VLANs of each port: its name, the VLAN, whether the ``pvid``, whether ``untagged``."""
    entries: tuple[tuple[str, str], ...] = ()
    """Static forwarding entries: MAC and port; the bridge itself where it takes the frames (``permanent``)."""

    kinds: ClassVar = ("bridge",)
    noun: ClassVar = "bridge"
    section: ClassVar = "bridges"
    clab: ClassVar = {"bridge": OPTIONS, "dummy": OPTIONS}
    attributes: ClassVar = (
        "4 ageing_time u32, 5 stp u32, 7 vlan_filtering u8, 8 vlan_protocol be16, 14 topology_change u8,"
        "23 mcast_snooping u8, 39 vlan_default_pvid u16"
    )
    prefix: ClassVar = "br"
    reads: ClassVar = "ageing, stp, vlan_filtering (with it vlan_protocol), vlan_default_pvid, mcast_snooping"
    undeclared: ClassVar = frozenset(("ageing", "vlan_default_pvid", "vlan_protocol", "mcast_snooping"))
    resets: ClassVar = {
        "ageing": f"ageing_time {AGEING * USER_HZ}",
        "stp": "stp_state 0",
        "vlan_filtering": "vlan_filtering 0",
        "vlan_default_pvid": f"vlan_default_pvid {DEFAULT_PVID}",
        "vlan_protocol": "vlan_protocol 802.1q",
        "mcast_snooping": "mcast_snooping 1",
    }
    modules: ClassVar = {"bridge": "bridge"}

    @classmethod
    def from_lab(cls, node: str, name: str, said: Mapping[Any, Any]) -> Bridge:
        """Return the bridge; an entry lists its members."""
        return cls(node=node, name=name, members=tuple(said.values()))

    @classmethod
    def from_live(cls, live: Live) -> Bridge:
        """Return the bridge as it was read from a node."""
        vlans = ((words[1], int(words[3]), "pvid" in words, "untagged" in words) for words in live.said("bridge vlan"))
        filters = live["vlan_filtering"] == "on"
        static = (words for words in live.said("bridge fdb") if "master" in words and (filters or "vlan" not in words))
        return cls(
            **live.common,
            members=live.members,
            ageing=live.number("ageing", AGEING),
            filters=filters,
            vlans=tuple(vlans),
            entries=tuple((words[0], live.name if "permanent" in words else words[2]) for words in static),
        )

    def options(self) -> Iterator[Option]:
        """Yield the options with which the bridge is made."""
        if self.ageing != AGEING:
            ticks = self.ageing * USER_HZ
            yield Option("ageing_time", ticks, f"ageing_time {ticks}")

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a bridge's parameters.

        A change of the spanning tree shortens the ageing for as long as it lasts (__br_set_topology_change,
        net/bridge/br_stp.c): what is set is not known then.
        """
        yield from ((word, "on") for word in ("stp", "vlan_filtering") if known.get(word))
        if known.get("vlan_filtering") and known.get("vlan_protocol", ETHERTYPE_VLAN) != ETHERTYPE_VLAN:
            yield "vlan_protocol", SERVICE_TAGS
        age = known.get("ageing_time", AGEING * USER_HZ)
        if age != AGEING * USER_HZ and not known.get("topology_change"):
            yield "ageing", f"{age / USER_HZ:g}"
        if (pvid := known.get("vlan_default_pvid", DEFAULT_PVID)) != DEFAULT_PVID:
            yield "vlan_default_pvid", pvid
        if not known.get("mcast_snooping", 1):
            yield "mcast_snooping", "off"

    def port_of(self, mac: str) -> str | None:
        """Return the port to which a static entry sends frames for a MAC; None where there is no entry."""
        return dict(self.entries).get(mac)

    def vlans_of(self, port: str) -> Mapping[int, bool]:
        """Return the VLANs of a port, and whether their frames leave it untagged."""
        return {vid: bare for name, vid, _, bare in self.vlans if name == port}

    def pvid_of(self, port: str) -> int | None:
        """Return the VLAN of frames that come untagged by a port."""
        return next((vid for name, vid, is_pvid, _ in self.vlans if name == port and is_pvid), None)

    def vlan_of(self, tags: Tags, came_by: str) -> int | None:
        """Return the VLAN of a frame where it filters: its tag's, or without one (or of priority alone, VLAN 0) the
        ``pvid`` of the port that it came by (br_allowed_ingress); None where there is none."""
        return next(iter(tags), 0) or self.pvid_of(came_by)

    def lets_out(self, tags: Tags, came_by: str, out: str) -> Tags:
        """Return the VLAN tags of a frame that leaves by a port, or goes up to the bridge itself, by those that it came
        with; where the filter drops it, those that a frame of the port's own VLAN has."""
        if not self.filters:
            return tags
        vid, inside = self.vlan_of(tags, came_by), tags[1:]
        known = self.vlans_of(out)
        bare = known.get(vid or 0, not known or self.pvid_of(out) is not None)
        return inside if bare or vid is None else (vid, *inside)

    def floods(self, mac: object, *, may: bool = False) -> bool:
        """Return whether the bridge floods frames to a MAC; with ``may`` also if learned entries expire soon."""
        return self.ageing < SOON if may else self.ageing == 0
