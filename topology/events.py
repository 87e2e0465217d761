"""Events that happen to a fabric while flows pass it: one table, each with the commands that cause it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from topology.model import Fabric, Node, Port
from topology.promises import Pair

PIDS = "/run/frr"
"""The daemons' process IDs, in a folder for each node (``Frr.commands``)."""


@dataclass(frozen=True)
class Event:
    """An event: a description, the role of the node that it hits, and its shell commands in that node.

    Nothing passes a node that is ``silenced``. ``unnoticed`` leaves links up, so that only timers tell its neighbours.
    ``of_daemons`` hits only a node that runs bgpd.
    """

    words: str
    role: str
    commands: Callable[[Node], str]
    silenced: bool = False
    unnoticed: bool = False
    of_daemons: bool = False


def _dead(node: Node) -> str:
    """End the daemons, as a crash does, then set all links down in one command."""
    ended = f"kill -KILL $(cat {PIDS}/{node.name}/*.pid); " if node.frr else ""
    lines = "\\n".join(f"link set dev {port.name} down" for port in node.all(Port))
    return f"{ended}printf '{lines}\\n' | ip -batch -"


def _dark(node: Node) -> str:
    """Drop all that comes in, then all that goes out; the links stay up."""
    kinds = ("qdisc", "clsact"), ("filter", "ingress matchall action drop"), ("filter", "egress matchall action drop")
    lines = (f"{kind} add dev {port.name} {what}" for kind, what in kinds for port in node.all(Port))
    return "printf '{}\\n' | tc -batch -".format("\\n".join(lines))


EVENTS: Mapping[str, Event] = {
    "nothing": Event("nothing happens", "spine", lambda _: "true"),
    "spine-dead": Event("its daemons have ended, its links are down", "spine", _dead, silenced=True),
    "spine-dark": Event("its links are up, it drops everything", "spine", _dark, silenced=True, unnoticed=True),
    "daemon-killed": Event(
        "its bgpd was killed", "leaf", lambda node: f"kill -KILL $(cat {PIDS}/{node.name}/bgpd.pid)", of_daemons=True
    ),
}


def befalls(lab: Fabric, event: Event) -> tuple[str, ...]:
    """The nodes of a lab that an event may hit."""
    runs = (node for node in lab.role(event.role) if not event.of_daemons or (node.frr and node.frr.speaks_bgp))
    return tuple(node.name for node in runs)


def crossing_pair(lab: Fabric) -> Pair | None:
    """The first pair of nodes with different neighbours, whose packets cross the fabric between these."""
    near: dict[str, set[str]] = {node.name: set() for node in lab.nodes}
    for link in lab.links:
        for end, other in (link.ends, link.ends[::-1]):
            near[end.node].add(other.node)
    hosts = {node.name for node in lab.role("customer")}
    for pair in lab.pairs:
        if pair.src is None and {pair.source, pair.target} <= hosts and not near[pair.source] & near[pair.target]:
            return pair
    return None
