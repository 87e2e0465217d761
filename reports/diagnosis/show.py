"""The read-only command that shows a cause, as typed for a node that is a namespace. Pure.

``topology.nodes.entrance`` turns it into the command for other nodes. Each command also succeeds if the object is
missing: its output then shows that.
"""

from __future__ import annotations

from collections.abc import Mapping

from reports.evidence import Cause
from reports.words import MISSING
from topology.refs import Address
from topology.state import Entry, RouteState

LINK = "ip -n {node} -d link show"
SHOWN_BY: Mapping[str, str] = {
    "address": "ip -n {node} address show",
    "fdb": "bridge -n {node} fdb show",
    "neigh": "ip -n {node} neigh show nud permanent nud noarp",
    "bridge port": "bridge -n {node} -d link show",
    "route": "ip -n {node} route show table all",
    "rule": "ip -n {node} rule show",
    "sysctl": "ip -n {node} netconf show",
    "tunnel_info": "bridge -n {node} vlan tunnelshow",
    "vlan": "bridge -n {node} vlan show",
}
"""By kind of cause the command whose output has what is said, LINK for all others."""
OF_NODE = ("route", "rule")
"""The kinds whose command is about no device."""


def show_of(cause: Cause) -> str:
    """Return the command that shows the live state that a cause names."""
    node, about, ip = cause.node, cause.about, f"ip -n {cause.node}"
    if isinstance(about, Entry):
        return _entry(node, about)
    if isinstance(about, RouteState):
        return f"{ip}{_six(about.prefix.version)} route show {about.prefix if about.prefix.prefixlen else 'default'}"
    if isinstance(about, tuple):
        return f"{ip} addr show to {about[1].ip}"
    if cause.kind == "sysctl" and cause.live.startswith("net."):
        return f"ip netns exec {node} sysctl {cause.live.partition('=')[0]}"
    if cause.live == MISSING:
        return f"{ip} -br link show"
    kind = "tunnel_info" if cause.kind == "vlan" and "tunnel_info" in f"{cause.live} {cause.declared}" else cause.kind
    command = SHOWN_BY.get(kind, LINK).format(node=node)
    return command if cause.kind in OF_NODE or cause.interface is None else f"{command} dev {cause.interface}"


def route_get(node: str, dst: Address, src: Address, came_by: str | None) -> str:
    """Return the command that asks a node for the route of a packet that came by a device, or that it sends itself."""
    came = f" iif {came_by}" if came_by else ""
    return f"ip -n {node}{_six(dst.version)} route get {dst} from {src}{came}"


def _six(version: int) -> str:
    return " -6" if version == 6 else ""


def _entry(node: str, entry: Entry) -> str:
    """The command that lists what an entry is among, by the tool that the entry names."""
    program, *rest = entry.tool.split()
    words = entry.words.split()
    if program == "nft":
        return f"ip netns exec {node} nft list {' '.join(words[:3])}"
    what = " ".join([program, "-n", node, *(["-s"] if entry.kind == "qdisc" else []), *rest, "show"])
    if entry.kind == "route":
        return f"{what} table {words[words.index('table') + 1]}"
    if entry.kind == "neigh":
        return f"{what} to {words[0]} dev {entry.device}"
    if entry.kind == "filter":
        at = words[2] if words[2] in ("ingress", "egress") else " ".join(words[2:4])
        return f"{what} dev {entry.device} {at}"
    return f"{what} dev {entry.device}" if entry.device else what
