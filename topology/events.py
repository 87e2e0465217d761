"""Events that happen to a fabric while flows pass it: one table, each with the commands that cause it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from topology.frr import RUN, restart
from topology.model import Bridge, Fabric, Node, Port, Vxlan
from topology.promises import Pair

NOTIFIES = {4: "ipv4/conf/{}/arp_notify", 6: "ipv6/conf/{}/ndisc_notify"}


@dataclass(frozen=True)
class Event:
    """An event: a description, the role of the node that it hits, and its shell commands, each with its node.

    Nothing passes a node that is ``silenced``. ``unnoticed`` leaves links up, so that only timers tell its neighbours.
    ``of_daemons`` hits only a node that runs bgpd, ``moves`` only a host that can be wired to another node.
    """

    words: str
    role: str
    commands: Callable[[Fabric, Node], Iterable[tuple[str, str]]]
    silenced: bool = False
    unnoticed: bool = False
    of_daemons: bool = False
    moves: bool = False

    @property
    def needs(self) -> str:
        """The node that a lab must have for it."""
        if self.moves:
            return "a bridged host of a pair, and another node with a bridge in the same VNI"
        return f"a node with role: {self.role}{' and frr, with router bgp' if self.of_daemons else ''}"


def _nothing(_: Fabric, node: Node) -> Iterator[tuple[str, str]]:
    yield node.name, "true"


def _dead(_: Fabric, node: Node) -> Iterator[tuple[str, str]]:
    """End the daemons, as a crash does, then set all links down in one command."""
    ended = f"kill -KILL $(cat {RUN}/{node.name}/*.pid); " if node.frr else ""
    lines = "\\n".join(f"link set dev {port.name} down" for port in node.all(Port))
    yield node.name, f"{ended}printf '{lines}\\n' | ip -batch -"


def _dark(_: Fabric, node: Node) -> Iterator[tuple[str, str]]:
    """Drop all that comes in, then all that goes out; the links stay up."""
    kinds = ("qdisc", "clsact"), ("filter", "ingress matchall action drop"), ("filter", "egress matchall action drop")
    lines = (f"{kind} add dev {port.name} {what}" for kind, what in kinds for port in node.all(Port))
    yield node.name, "printf '{}\\n' | tc -batch -".format("\\n".join(lines))


def _killed(_: Fabric, node: Node) -> Iterator[tuple[str, str]]:
    yield node.name, f"kill -KILL $(cat {RUN}/{node.name}/bgpd.pid)"


def _restarted(_: Fabric, node: Node) -> Iterator[tuple[str, str]]:
    """Start bgpd again once the killed one has let go of its files, which a process does before it is a zombie."""
    ended = f"pid=$(cat {RUN}/{node.name}/bgpd.pid); kill -KILL $pid; "
    ended += "while grep -qs '^State:.[^ZX]' /proc/$pid/status; do :; done; "
    yield node.name, ended + " && ".join(restart("bgpd", node.name))


def _moved(lab: Fabric, host: Node) -> Iterator[tuple[str, str]]:
    """Plug a host's cable into another node's bridge; its kernel then announces its addresses, as after a change of its
    MAC (arp_notify and ndisc_notify, Documentation/networking/ip-sysctl.rst).
    """
    own, old, bridge = next(_moves(lab, host))
    files = {f"/proc/sys/net/{NOTIFIES[one.version].format(own.name)}" for one in host.addresses}
    yield host.name, "; ".join(f"echo 1 >{file}" for file in sorted(files))
    into = f"ip -n {bridge.node} link set dev {old.name} master {bridge.name} up"
    yield old.node, f"ip link set dev {old.name} netns {bridge.node} && {into}"
    mac = f"$(ip -o link show dev {own.name} | sed 's/.*link.ether \\([^ ]*\\).*/\\1/')"
    yield host.name, f"ip link set dev {own.name} address {mac}"


def _moves(lab: Fabric, host: Node) -> Iterator[tuple[Port, Port, Bridge]]:
    """Yield the ways to move a host: its port, the other end of the cable, and a bridge of another node with the VXLAN
    network of the bridge there.
    """
    for own in host.all(Port):
        old = lab[own.peer.node][own.peer.interface]
        for one in lab.all(Bridge):
            if isinstance(old, Port) and one.node == old.node and old.name in one.members:
                vnis = _vnis(lab, one)
                for other in lab.all(Bridge):
                    if other.node != old.node and not lab[other.node].has(old.name) and vnis & _vnis(lab, other):
                        yield own, old, other


def _vnis(lab: Fabric, bridge: Bridge) -> set[int]:
    return {vxlan.vni for vxlan in lab[bridge.node].all(Vxlan) if vxlan.name in bridge.members}


EVENTS: Mapping[str, Event] = {
    "nothing": Event("nothing happens", "spine", _nothing),
    "spine-dead": Event("its daemons have ended, its links are down", "spine", _dead, silenced=True),
    "spine-dark": Event("its links are up, it drops everything", "spine", _dark, silenced=True, unnoticed=True),
    "daemon-killed": Event("its bgpd was killed", "leaf", _killed, of_daemons=True),
    "daemon-restarted": Event("its bgpd was killed and started again", "leaf", _restarted, of_daemons=True),
    "host-moved": Event("its cable was moved to another node", "customer", _moved, moves=True),
}


def befalls(lab: Fabric, event: Event) -> tuple[str, ...]:
    """The nodes of a lab that an event may hit; of hosts those between which flows are sent."""
    found = [node for node in lab.role(event.role) if not event.of_daemons or (node.frr and node.frr.speaks_bgp)]
    if event.moves:
        pair = crossing_pair(lab)
        ends = (pair.source, pair.target) if pair else ()
        found = [node for node in found if node.name in ends and next(_moves(lab, node), None)]
    return tuple(node.name for node in found)


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
