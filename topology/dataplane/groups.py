"""Multicast groups to which VXLAN devices flood, and their members. Pure."""

from __future__ import annotations

from topology.dataplane.paths import Ending, ending
from topology.links import NOT_FOLLOWED
from topology.model import Address, Fabric, Tunnel


def unheard(fabric: Fabric, tunnel: Tunnel, group: Address) -> Ending:
    """Return why a device's frames to a group reach none of its members: no router forwards multicast packets."""
    routed = next((node for node in fabric.nodes if "multicast routes" in node.unfollowed), None)
    if routed is not None:
        return ending(routed, f"what multicast routes do with packets to {group} {NOT_FOLLOWED}")
    others = [str(far.ref) for far in fabric.tunnels if group in far.remotes and far.ref != tunnel.ref]
    what = f"no multicast routing to {', '.join(others)}" if others else "no other device is in it"
    return ending(tunnel, f"multicast group {group}: {what}", tunnel.kind, "a remote of its own for each, or routing")
