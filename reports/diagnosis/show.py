"""The read-only command that shows what a cause is about, as typed for a node that is a namespace. Pure.

``topology.nodes.entrance`` makes of it what is typed for other nodes. Each command succeeds where what it asks for is
missing, too: its output then shows that.
"""

from __future__ import annotations

from ipaddress import ip_interface

from reports.evidence import Cause
from reports.words import MISSING
from topology.state import Entry, RouteState

SHOWN_BY = {"port": "bridge -n {node} -d link show", "fdb": "bridge -n {node} fdb show"}
"""By kind of cause, the command that shows it for a device; of all other kinds the link itself is shown."""


def show_of(cause: Cause) -> str:
    """The command that shows the live state of what a cause is about."""
    node, ip = cause.node, f"ip -n {cause.node}"
    if isinstance(cause.about, Entry):
        return _entry(node, cause.about)
    if isinstance(cause.about, RouteState):
        prefix = cause.about.prefix
        return f"{ip}{_six(prefix.version)} route show {'default' if prefix.prefixlen == 0 else prefix}"
    if cause.kind == "sysctl":
        return f"ip netns exec {node} sysctl {cause.live.partition('=')[0]}"
    if cause.kind == "address":
        said = cause.live if cause.declared == "nothing" else cause.declared
        return f"{ip} addr show to {ip_interface(said).ip}"
    if cause.kind == "address resolution" and cause.interface is None:
        return f"{ip} -d link show"
    if cause.interface is None:
        return f"{ip} route show table all"
    if cause.live == MISSING:
        return f"{ip} -br link show"
    return f"{SHOWN_BY.get(cause.kind, 'ip -n {node} -d link show').format(node=node)} dev {cause.interface}"


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
