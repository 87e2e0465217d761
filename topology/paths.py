"""The paths whose throughput is compared: two nodes each, and between them a veth pair and what is measured. Pure.

================  ==================================================  =======================  ===========
path              between ``NAME-a`` and ``NAME-b``                   measured between         MTU
================  ==================================================  =======================  ===========
``veth``          a veth pair: the bare path                          10.100.0.1, 10.100.0.2   1500
``bridge``        two veth pairs and a bridge in a third node         10.101.0.1, 10.101.0.2   1500
``vxlan``         a veth pair, and VXLAN over it                      10.102.1.1, 10.102.1.2   1450
``gre``           a veth pair, and GRE over it                        10.103.1.1, 10.103.1.2   1476
``vxlan-in-gre``  a veth pair, GRE over it, and VXLAN over that       10.104.2.1, 10.104.2.2   1426
================  ==================================================  =======================  ===========
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from topology.errors import UnknownName
from topology.model import Bridge, Device, Fabric, Gre, Link, Node, Port, Role, Vxlan, stable_mac
from topology.refs import PortRef

LAB = "paths"
BARE = "veth"
MTU = 1500
VXLAN_MTU, GRE_MTU, VXLAN_IN_GRE_MTU = 1450, 1476, 1426
"""Less 50 bytes of VXLAN, UDP, IP and Ethernet, less 24 of GRE and IP, less both (RFC 7348, RFC 2784)."""
VNI = 100
ENDS = ("a", "b")


@dataclass(frozen=True)
class Path:
    """Two nodes, and the addresses between which is measured."""

    name: str
    source: str
    target: str
    src: IPv4Address
    dst: IPv4Address


def path(name: str) -> Path:
    """A path by its name."""
    a, b = _nodes(name)
    number, layer = _place(name), LAYERS[name]
    src, dst = (IPv4Address(f"10.{number}.{layer}.{end}") for end in (1, 2))
    return Path(name, a, b, src, dst)


def mtu_of(name: str) -> int:
    """The largest IP packet that a path carries whole, in bytes."""
    return {"vxlan": VXLAN_MTU, "gre": GRE_MTU, "vxlan-in-gre": VXLAN_IN_GRE_MTU}.get(name, MTU)


def fabric_of(names: Iterable[str]) -> Fabric:
    """One fabric with these paths; UnknownName lists the known ones."""
    nodes: list[Node] = []
    links: list[Link] = []
    for name in names:
        if name not in MAKERS:
            raise UnknownName("path", name, list(MAKERS))
        for node in MAKERS[name](name):
            nodes.append(node)
            links += [Link(port.ref, port.peer) for port in node.all(Port) if _first(port)]
    return Fabric(LAB, tuple(nodes), tuple(links), ())


def _first(port: Port) -> bool:
    return (port.node, port.name) < (port.peer.node, port.peer.interface)


def _place(name: str) -> int:
    return 100 + list(MAKERS).index(name)


def _nodes(name: str) -> tuple[str, str]:
    return f"{name}-{ENDS[0]}", f"{name}-{ENDS[1]}"


def _address(name: str, layer: int, end: int) -> IPv4Interface:
    return IPv4Interface(f"10.{_place(name)}.{layer}.{end}/24")


def _node(name: str, devices: Iterable[Device], role: Role = "customer") -> Node:
    return Node(name=name, role=role, devices=tuple(devices))


def _mac(node: str, interface: str) -> str:
    return stable_mac(LAB, node, interface)


def _port(node: str, interface: str, peer: PortRef, *addresses: IPv4Interface) -> Port:
    return Port(node=node, name=interface, mac=_mac(node, interface), mtu=MTU, peer=peer, addresses=addresses)


def _ends(name: str) -> Iterator[tuple[str, int, Port]]:
    """Both nodes of a path: the name, 1 or 2, and the port that leads to the other."""
    for number, (node, other) in enumerate((_nodes(name), _nodes(name)[::-1]), start=1):
        yield node, number, _port(node, "eth0", PortRef(other, "eth0"), _address(name, 0, number))


def _veth(name: str) -> Iterator[Node]:
    for node, _, port in _ends(name):
        yield _node(node, [port])


def _bridge(name: str) -> Iterator[Node]:
    switch = f"{name}-sw"
    members = []
    for number, node in enumerate(_nodes(name), start=1):
        inside = f"port{number}"
        yield _node(node, [_port(node, "eth0", PortRef(switch, inside), _address(name, 0, number))])
        members.append(_port(switch, inside, PortRef(node, "eth0")))
    joined = Bridge(node=switch, name="br0", mac=_mac(switch, "br0"), members=tuple(port.name for port in members))
    yield _node(switch, [*members, joined], "switch")


def _vxlan(name: str) -> Iterator[Node]:
    for node, number, port in _ends(name):
        yield _node(node, [port, _vtep(name, node, number, "eth0", 1, VXLAN_MTU)])


def _gre(name: str) -> Iterator[Node]:
    for node, number, port in _ends(name):
        yield _node(node, [port, _tunnel(name, node, number)])


def _vxlan_in_gre(name: str) -> Iterator[Node]:
    for node, number, port in _ends(name):
        yield _node(node, [port, _tunnel(name, node, number), _vtep(name, node, number, "gre1", 2, VXLAN_IN_GRE_MTU)])


def _tunnel(name: str, node: str, number: int) -> Gre:
    local, remote = (_address(name, 0, end).ip for end in (number, 3 - number))
    addresses = (_address(name, 1, number),)
    return Gre(node=node, name="gre1", local=local, remote=remote, ttl=64, mtu=GRE_MTU, addresses=addresses)


def _vtep(name: str, node: str, number: int, dev: str, layer: int, mtu: int) -> Vxlan:
    """A VXLAN device over ``dev``, whose addresses are those of the layer below."""
    return Vxlan(
        node=node,
        name="vxlan1",
        mac=_mac(node, "vxlan1"),
        mtu=mtu,
        vni=VNI,
        local=_address(name, layer - 1, number).ip,
        remote=_address(name, layer - 1, 3 - number).ip,
        dev=dev,
        addresses=(_address(name, layer, number),),
    )


MAKERS: Mapping[str, Callable[[str], Iterator[Node]]] = {
    BARE: _veth,
    "bridge": _bridge,
    "vxlan": _vxlan,
    "gre": _gre,
    "vxlan-in-gre": _vxlan_in_gre,
}
"""Every path, the bare one first."""
LAYERS: Mapping[str, int] = {BARE: 0, "bridge": 0, "vxlan": 1, "gre": 1, "vxlan-in-gre": 2}
"""How many tunnels lie between the veth pair and what is measured: the third number of the addresses."""
