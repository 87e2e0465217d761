"""The paths of compared throughput: two nodes each, and between them a veth pair and the tunnels measured. Pure.

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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface

from topology.errors import UnknownName
from topology.model import Bridge, Device, Fabric, Gre, Link, Node, Port, Vxlan, stable_mac
from topology.refs import PortRef

LAB = "paths"
BARE = "veth"
MTU = 1500
OVERHEAD: Mapping[str, int] = {"vxlan": 50, "gre": 24}
"""Bytes of VXLAN, UDP, IP and Ethernet (RFC 7348), and of GRE and IP (RFC 2784)."""
VNI = 100
PATHS: Mapping[str, Sequence[str]] = {
    BARE: (),
    "bridge": (),
    "vxlan": ("vxlan",),
    "gre": ("gre",),
    "vxlan-in-gre": ("gre", "vxlan"),
}
"""Every path, the bare one first, with the tunnels over its veth pair, the innermost last."""


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
    src, dst = (_address(name, len(PATHS[name]), end).ip for end in (1, 2))
    return Path(name, f"{name}-a", f"{name}-b", src, dst)


def mtu_of(name: str) -> int:
    """The largest IP packet that a path carries whole, in bytes."""
    return MTU - sum(OVERHEAD[tunnel] for tunnel in PATHS[name])


def fabric_of(names: Iterable[str]) -> Fabric:
    """One fabric with these paths; UnknownName lists the known ones."""
    nodes: list[Node] = []
    links: list[Link] = []
    for name in names:
        if name not in PATHS:
            raise UnknownName("path", name, list(PATHS))
        a, b = PortRef(f"{name}-a", "eth0"), PortRef(f"{name}-b", "eth0")
        bridge = f"{name}-sw"
        near = {a: PortRef(bridge, "port1"), b: PortRef(bridge, "port2")} if name == "bridge" else {a: b, b: a}
        nodes += [_end(name, ref, near[ref], number) for number, ref in enumerate((a, b), start=1)]
        if name == "bridge":
            ports = [_port(inside, outside) for outside, inside in near.items()]
            members = tuple(port.name for port in ports)
            joined = Bridge(node=bridge, name="br0", mac=stable_mac(LAB, bridge, "br0"), members=members)
            nodes.append(Node(name=bridge, role="switch", devices=(*ports, joined)))
        links += [Link(ref, far) for ref, far in near.items() if ref < far]
    return Fabric(LAB, tuple(nodes), tuple(links), ())


def _end(name: str, ref: PortRef, peer: PortRef, number: int) -> Node:
    """An end of a path: 1 or 2, its port, and a tunnel device for each layer above."""
    devices: list[Device] = [_port(ref, peer, _address(name, 0, number))]
    mtu = MTU
    for layer, tunnel in enumerate(PATHS[name], start=1):
        mtu -= OVERHEAD[tunnel]
        local, remote = (_address(name, layer - 1, end).ip for end in (number, 3 - number))
        own, above = (_address(name, layer, number),), devices[-1].name
        if tunnel == "gre":
            gre = Gre(node=ref.node, name="gre1", local=local, remote=remote, ttl=64, mtu=mtu, addresses=own)
            devices.append(gre)
            continue
        mac = stable_mac(LAB, ref.node, "vxlan1")
        vxlan = Vxlan(node=ref.node, name="vxlan1", mac=mac, mtu=mtu, vni=VNI, local=local, remote=remote, dev=above)
        devices.append(replace(vxlan, addresses=own))
    return Node(name=ref.node, role="customer", devices=tuple(devices))


def _port(ref: PortRef, peer: PortRef, *addresses: IPv4Interface) -> Port:
    mac = stable_mac(LAB, ref.node, ref.interface)
    return Port(node=ref.node, name=ref.interface, mac=mac, mtu=MTU, peer=peer, addresses=addresses)


def _address(name: str, layer: int, end: int) -> IPv4Interface:
    """The address of an end on the veth pair (layer 0) or on a tunnel above it."""
    return IPv4Interface(f"10.{100 + list(PATHS).index(name)}.{layer}.{end}/24")
