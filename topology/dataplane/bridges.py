"""Frames that a bridge drops, by the settings of its ports (bridge(8)). Pure."""

from __future__ import annotations

from topology.model import Bridge, Device
from topology.packet import Layers

BROADCAST = "ff:ff:ff:ff:ff:ff"
MULTICAST_IPV6 = "33:33:"
"""RFC 2464, section 7."""


def is_broadcast(frame: Layers) -> bool:
    """Return whether a frame is for all devices of its segment, as an address request of either version."""
    return str(frame[0][1]["dst"]).startswith((BROADCAST, MULTICAST_IPV6))


def bridge_refusal(bridge: Bridge, came_by: Device | None, out: Device | None = None) -> str:
    """Return why a bridge does not let a frame pass from one port to another; empty if it does."""
    for port in (came_by, out):
        if port is not None and "state" in dict(port.port_settings):
            return f"{bridge.ref}: port {port.name} is {dict(port.port_settings)['state']}"
    isolated = [port.name for port in (came_by, out) if port is not None and ("isolated", "on") in port.port_settings]
    return f"{bridge.ref}: ports {' and '.join(isolated)} are isolated from each other" if len(isolated) > 1 else ""


def no_broadcast(bridge: Bridge, out: Device) -> str:
    """Return why a bridge lets no broadcast out of a port; empty if it does."""
    return f"{bridge.ref}: port {out.name} has bcast_flood off" if ("bcast_flood", "off") in out.port_settings else ""
