"""A fabric written as a lab file, so that the lab file's own checks can be asked what they think of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from topology.model import Bridge, Device, Fabric, Gre, Node, Vxlan


def written(fabric: Fabric) -> str:
    """The file's text (JSON is YAML); pairs are left out, for there each two nodes have one."""
    nodes = {node.name: _node(node) for node in fabric.nodes}
    links = [[str(link.a), str(link.b)] for link in fabric.links]
    return json.dumps({"lab": fabric.name, "title": fabric.title, "nodes": nodes, "links": links})


def _node(node: Node) -> dict[str, Any]:
    return {
        "role": node.role,
        "addresses": {d.name: [str(interface) for interface in d.addresses] for d in node.devices if d.addresses},
        "mac": {device.name: device.mac for device in node.devices if device.mac},
        "bridges": {bridge.name: list(bridge.members) for bridge in node.all(Bridge)},
        "vxlan": _tunnels(node.all(Vxlan), "vni", "local", "remote", "dev", "port", "mtu"),
        "gre": _tunnels(node.all(Gre), "local", "remote", "key", "ttl", "mtu"),
        "routes": [str(route) for route in node.routes],
    }


def _tunnels(devices: Iterable[Device], *keys: str) -> dict[str, Any]:
    return {
        device.name: {
            key: value if isinstance(value, int) else str(value)
            for key in keys
            if (value := getattr(device, key)) is not None
        }
        for device in devices
    }
