"""The veth pairs between nodes as the kernel reports them, not the declaration."""

from __future__ import annotations

from collections.abc import Sequence

from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.link import Agent
from topology.kernels.netlink import Netlink
from topology.kernels.others import identities
from topology.kernels.rtnl.dumps import NETLINK_ROUTE
from topology.kernels.rtnl.links import netnsid_request, read_netnsid
from topology.model import Link
from topology.refs import PortRef


def veth_links(netlink: Netlink, agent: Agent, nodes: Sequence[str]) -> tuple[Link, ...]:
    """Return the veth pairs between nodes, each once.

    A veth reports its peer's index and its namespace's own number for the peer's namespace. The same indexes are in
    use in every node, so the number decides; the kernel gives it for a descriptor, which a second name provides. A
    namespace that is gone, though the agent holds it open, has none.
    """
    there = identities(agent, [f"{NETNS_DIR}/{node}" for node in nodes])
    nodes = [node for node, seen in zip(nodes, there, strict=True) if seen is not None]
    second = {node: f"hopcheck-{number}" for number, node in enumerate(nodes)}
    paths = {name: f"{NETNS_DIR}/{node}" for node, name in second.items()}
    fds = agent.call("netns_adopt", paths=paths, never=[]).get("fds", dict)
    try:
        ends = {
            (node, end.index): end
            for node, known in netlink.ends(nodes).items()
            for end in known
            if end.peer is not None
        }
        facing: dict[object, list[tuple[str, int]]] = {}
        for here, end in ends.items():
            facing.setdefault((end.index, end.peer), []).append(here)
        maybe = [
            (here, there)
            for here, end in ends.items()
            for there in facing.get((end.peer, end.index), ())
            if here < there
        ]
        asked = [(here[0], netnsid_request(fds[second[there[0]]]), NETLINK_ROUTE) for here, there in maybe]
        numbers = [read_netnsid(answer) for answer in netlink.relay(asked)]
    finally:
        agent.call("netns_del", names=list(second.values()))
    return tuple(
        Link(PortRef(here[0], ends[here].name), PortRef(there[0], ends[there].name))
        for (here, there), number in zip(maybe, numbers, strict=True)
        if number is not None and number == ends[here].netnsid
    )
