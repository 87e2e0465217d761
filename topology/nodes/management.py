"""The devices of an adopted node that are management, and its state without them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from topology.promises import Management
from topology.state import NodeState, parts_of_sysctl


def management_devices(management: Management, state: NodeState) -> frozenset[str]:
    """Return a node's management devices: by name, by an address, and the ports of bridges among them."""
    addresses = {name: [i.ip for device, i in state.addresses if device == name] for name in state.links}
    found = {name for name in state.links if management.has(name, addresses[name])}
    return frozenset(found | {name for name, link in state.links.items() if link.master in found})


def without(state: NodeState, devices: Collection[str]) -> NodeState:
    """Return a node's state without some devices and all that is of them."""
    if not devices:
        return state
    return replace(
        state,
        links={name: link for name, link in state.links.items() if name not in devices},
        addresses=frozenset(one for one in state.addresses if one[0] not in devices),
        routes=frozenset(route for route in state.routes if route.dev not in devices),
        entries=frozenset(entry for entry in state.entries if entry.device not in devices),
        sysctls={key: value for key, value in state.sysctls.items() if parts_of_sysctl(key)[1] not in devices},
    )
