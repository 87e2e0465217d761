"""Nodes that are network namespaces with FRR's daemons inside; both end with their kernel.

The daemons are children of the agent's PID namespace, so nothing of them outlives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topology.control import ControlPlane, control_plane, far_end, questions
from topology.errors import DeadlineExceeded, EnvironmentBroken, Misuse
from topology.frr import (
    BFD_PEERS,
    BFD_SHUT_DOWN,
    BFD_UP,
    HOSTS,
    NEIGHBOURS,
    ROUTES,
    VNIS,
    BfdPeer,
    Frr,
    Session,
    answers,
    bfd_peers,
    config_file,
    far_vteps,
    installed,
    known_hosts,
    sessions,
    vtysh,
)
from topology.model import Address, Bridge, Fabric, NextHop, Node, Port, Vxlan
from topology.wait import scaled, wait_for

if TYPE_CHECKING:
    from topology.kernels.link import Agent
    from topology.kernels.netlink import Netlink
    from topology.kernels.registry import Kernel

NEEDS_ENGINE = False
START_TIMEOUT_S, SHOW_TIMEOUT_S = 120.0, 20.0
CONVERGED_TIMEOUT_S = 120.0
"""Four nodes take about 20 s under TCG; a BGP session that was refused is tried again after 10 s (datacenter)."""
PAUSE_S = 0.2
"""Between two questions: each is a process in the guest."""
LINES_SHOWN = 5


def start(kernel: Kernel, nodes: Sequence[Node], netlink: Netlink) -> None:
    """Make a namespace for each node, and start its daemons there: they take the devices as they come."""
    netlink.add([node.name for node in nodes])
    for node in nodes:
        if node.frr is not None:
            _begin(kernel.agent, node.name, node.frr)


def _begin(agent: Agent, node: str, frr: Frr) -> None:
    """Start one node's daemons with its configuration; Misuse, with FRR's words, for lines that it refuses."""
    config = config_file(node)
    make, *others = frr.commands(node, config)
    script = " && ".join((make, f"cat >{config}", *others))
    done = agent.run(["sh", "-c", script], ns=node, stdin=frr.config.encode(), timeout_s=START_TIMEOUT_S)
    if done.timed_out:
        raise DeadlineExceeded(
            f"{node} - FRR's daemons - expected to start - seen them starting after {START_TIMEOUT_S} s"
        )
    refused = [line for line in (*done.stdout.splitlines(), *done.stderr.splitlines()) if line.startswith("line ")]
    if refused:
        raise Misuse("\n".join(f"{frr.file}: {node} - FRR refuses {line}" for line in refused[:LINES_SHOWN]))
    if done.code:
        said = " / ".join((done.stderr or done.stdout).strip().splitlines()[-LINES_SHOWN:])
        raise EnvironmentBroken(f"{node} - FRR's daemons - expected to start - seen exit code {done.code}: {said}")


def converged(kernel: Kernel, fabric: Fabric, nodes: Sequence[Node]) -> None:
    """Wait until every session is established and every node has what the lab's promises need of its daemons.

    Raises DeadlineExceeded with all that is missing, and Misuse at once for a BFD session that one end alone has.
    """
    waiting = {node.name: Need.of(fabric, node) for node in nodes if node.frr is not None}
    _announce(kernel.agent, fabric)

    def all_there() -> bool:
        while waiting:
            name, need = next(iter(waiting.items()))
            if (lack := next(missing(kernel.agent, name, need), None)) is not None:
                if wrong := _one_sided(kernel.agent, fabric, name, lack):
                    raise Misuse(wrong)
                return False
            del waiting[name]
        return True

    try:
        wait_for(all_there, CONVERGED_TIMEOUT_S, "convergence", PAUSE_S)
    except DeadlineExceeded:
        found = [f"  {name} - {what}" for name, need in waiting.items() for what in missing(kernel.agent, name, need)]
        head = f"{fabric.name} - convergence - expected within {scaled(CONVERGED_TIMEOUT_S):g} s - seen this missing:"
        raise DeadlineExceeded("\n".join([head, *found])) from None


def _one_sided(agent: Agent, fabric: Fabric, near: str, lack: str | Session | BfdPeer) -> str:
    """Return what is wrong if BFD is not up because the other end is configured without it, for which no wait helps.

    Empty where the other end is not known, is not up yet, or has a BFD session of its own towards this one.
    """
    if isinstance(lack, str) or (isinstance(lack, Session) and not lack.is_up):
        return ""
    planes = {node.name: _bfd_plane(agent, node.name, node.frr) for node in fabric.nodes if node.frr is not None}
    if isinstance(lack, Session):
        found = far_end(fabric, planes, near, lack.neighbour)
        if found is None or not found[1].is_up or found[1].bfd:
            return ""
        name, there, right = found[0].node, found[1].neighbour, f"neighbor {found[1].neighbour} bfd"
    else:
        far = next((port.peer for port in fabric[near].all(Port) if port.name == lack.interface), None)
        if far is None or far.node not in planes:
            return ""
        name, there, right = far.node, far.interface, f"interface {far.interface} / ip ospf bfd"
    frr, beside = fabric[name].frr, fabric[near].frr
    own = any(there in (peer.interface, peer.peer) for peer in planes[name].bfd)
    if frr is None or beside is None or own or frr.has_ospf_bfd(there):
        return ""
    words = f"{name} - BFD with {near} by {there} - expected BFD, as {near} has - seen none"
    return f"{frr.file}: {words}; right would be {right!r} here, or none in {beside.file}"


def _bfd_plane(agent: Agent, node: str, frr: Frr) -> ControlPlane:
    """Return the BGP and BFD sessions of a node."""
    asked = vtysh(node, *(one for one in questions(frr) if one in (NEIGHBOURS, BFD_PEERS)))
    return control_plane(node, answers(agent.run(asked, ns=node, timeout_s=SHOW_TIMEOUT_S).stdout))


def _announce(agent: Agent, fabric: Fabric) -> None:
    """Let each host ask for its gateways, so that the routers know it: EVPN has a route to a host once it was heard."""
    gateways = {address for node in fabric.nodes if node.frr for address in node.addresses}
    for host in (node for node in fabric.nodes if not node.frr):
        vias = [hop.via for route in host.routes for hop in route.next_hops if hop.via in gateways]
        for via, dev in ((via, host.device_towards(NextHop(via))) for via in vias if via):
            agent.run(["ip", "neigh", "replace", str(via), "dev", str(dev), "use"], ns=host.name)


@dataclass(frozen=True)
class Need:
    """The state that a node's daemons must reach: sessions, routes to addresses, the VTEPs of each VNI, and the hosts
    of its own subnets at other VTEPs.
    """

    sessions: bool
    targets: tuple[Address, ...]
    vteps: Mapping[int, frozenset[Address]]
    bridged: tuple[Address, ...] = ()
    bfd: bool = False
    """True if OSPF has BFD beside it: its sessions come up after OSPF's neighbours."""

    @classmethod
    def of(cls, fabric: Fabric, node: Node) -> Need:
        """Return the need of a node: routes to the hosts that pairs reach through it and that are behind others."""
        names = {one.name for one in fabric.nodes}
        targets, bridged = dict[Address, None](), dict[Address, None]()
        for pair in fabric.pairs:
            for one, other in ((pair.source, pair.target), (pair.target, pair.source)):
                if {one, other} <= names and pair.kind != "l2-overlay":
                    near, far = (_gateways(fabric, fabric[end]) for end in (one, other))
                    target = fabric[other].address
                    if node.name in near - far:
                        (bridged if _is_bridged(node, target) else targets)[target] = None
        routed = node.frr.vrf_vnis.values() if node.frr else ()
        own = [vxlan for vxlan in node.all(Vxlan) if vxlan.by_daemon and vxlan.vni not in routed]
        alike = {one.vni: {v.local for v in fabric.all(Vxlan) if v.by_daemon and v.vni == one.vni} for one in own}
        vteps = {one.vni: frozenset(alike[one.vni] - {one.local}) for one in own}
        bfd = bool(node.frr and {"bfdd", "ospfd"} <= {*node.frr.daemons})
        return cls(bool(node.frr and node.frr.speaks_bgp), tuple(targets), vteps, tuple(bridged), bfd)


def _is_bridged(node: Node, target: Address) -> bool:
    """True where EVPN bridges a subnet of the node's own that has a target, and its VRF has no VNI to route by."""
    vxlans, vnis = {one.name for one in node.all(Vxlan) if one.by_daemon}, node.frr.vrf_vnis if node.frr else {}
    own = (one for one in node.all(Bridge) if any(target in interface.network for interface in one.addresses))
    return any(
        not vxlans.isdisjoint(one.members) and not (one.name in node.vrfs and node.vrfs[one.name].name in vnis)
        for one in own
    )


def _gateways(fabric: Fabric, host: Node) -> set[str]:
    """The routers that have the gateways of a host's routes: of several those that it is wired to."""
    gateways = {hop.via for route in host.routes for hop in route.next_hops if hop.via}
    owners = {node.name for node in fabric.nodes if node.frr and not gateways.isdisjoint(node.addresses)}
    return owners & {port.peer.node for port in host.all(Port)} or owners


def missing(agent: Agent, node: str, need: Need) -> Iterator[str | Session | BfdPeer]:
    """Yield what a node lacks of its need, by its daemons' answers; they are asked as far as the caller goes on."""

    def show(question: str) -> list[Any]:
        return answers(agent.run(vtysh(node, question), ns=node, timeout_s=SHOW_TIMEOUT_S).stdout)

    if need.sessions:
        known = [session for answer in show(NEIGHBOURS) for session in sessions(answer)]
        if not known:
            yield f"expected BGP sessions - seen none in {NEIGHBOURS!r}"
        yield from (one for one in known if not one.is_complete)
    for peer in bfd_peers(next(iter(show(BFD_PEERS)), None)) if need.bfd else ():
        if peer.status not in (BFD_UP, BFD_SHUT_DOWN):
            yield peer
    for version in sorted({target.version for target in need.targets}):
        tables = show(ROUTES[version])
        for target in need.targets:
            if target.version == version and not installed(tables, target):
                yield f"expected an installed route to {target} - seen none in {ROUTES[version]!r}"
    yield from _missing_of_evpn(show, need)


def _missing_of_evpn(show: Callable[[str], list[Any]], need: Need) -> Iterator[str]:
    """Yield what EVPN lacks: hosts in their VNIs, and VTEPs."""
    known = known_hosts(next(iter(show(HOSTS)), None)) if need.bridged else frozenset()
    for target in need.bridged:
        if str(target) not in known:
            yield f"expected EVPN to know {target} - seen nothing of it in {HOSTS!r}"
    answer = next(iter(show(VNIS)), None) if need.vteps else None
    for vni, wanted in need.vteps.items():
        if lacking := sorted(wanted - far_vteps(answer, vni)):
            yield f"VNI {vni} - expected the VTEPs {', '.join(map(str, lacking))} - seen others in {VNIS!r}"
