"""Where live forwarding state ends a packet, as causes with the commands that show it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reports.evidence import Cause
from topology.dataplane.paths import Ending

SHOW: Mapping[str, str] = {
    "address": "ip -n {node} address show",
    "fdb": "bridge -n {node} fdb show",
    "forwarding": "ip -n {node} -d link show",
    "neigh": "ip -n {node} neigh show nud permanent",
    "port": "bridge -n {node} -d link show",
    "route": "ip -n {node} route show table all",
    "rule": "ip -n {node} rule show",
    "sysctl": "ip -n {node} netconf show",
    "vlan": "bridge -n {node} vlan show",
}
"""By kind of cause the command whose output has what is said, ip-link(8) for all others."""
OF_NODE = ("route", "rule")
"""The kinds whose command is about no device."""


def causes_of(ending: Ending) -> Iterator[Cause]:
    """Yield the cause at the place where a packet ends, then those at other places that may be to blame as well.

    An address request that ends is told with who waits for the answer.
    """
    for one in (ending, *ending.others):
        live = f"{one.live}: {ending.asks}" if ending.asks else one.live
        wanted = one.wanted or f"the {'request' if ending.asks else 'packet'} passed on"
        yield Cause(one.kind, one.node, one.interface, wanted, live, "", show=_show(one), source="kernel")


def _show(ending: Ending) -> str:
    if ending.kind == "sysctl" and ending.live.startswith("net."):
        return f"ip netns exec {ending.node} sysctl {ending.live.split('=')[0]}"
    command = SHOW.get(ending.kind, SHOW["forwarding"]).format(node=ending.node)
    return command if ending.kind in OF_NODE or ending.interface is None else f"{command} dev {ending.interface}"
