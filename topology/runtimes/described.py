"""A fabric of which only pairs are declared, with the nodes that were found for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from topology.model import LOOPBACK, Device, Fabric, Node
from topology.state import NodeState


def described(fabric: Fabric, states: Mapping[str, NodeState]) -> Fabric:
    """The fabric with its nodes as they are: devices with their addresses, in the kernel's order, and no links."""
    nodes = tuple(Node(name=name, role="switch", devices=tuple(_devices(state))) for name, state in states.items())
    return replace(fabric, nodes=nodes)


def _devices(state: NodeState) -> Iterator[Device]:
    for name in (*state.links, LOOPBACK):
        known = state.links.get(name)
        addresses = sorted((i for device, i in state.addresses if device == name), key=lambda i: (i.version, i))
        if known is not None or addresses:
            mac, mtu = (known.mac, known.mtu) if known else (None, None)
            yield Device(node=state.node, name=name, mac=mac, mtu=mtu, addresses=tuple(addresses))
