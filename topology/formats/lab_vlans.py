"""Checks of VLAN sub-interfaces: each is on a port of its own node, and some other port takes its frames."""

from __future__ import annotations

from collections.abc import Iterator

from topology.errors import Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_values import suggest
from topology.model import Node, Port, Subinterface


def check_vlans(draft: Draft) -> Iterator[Problem]:
    """A VLAN is on a port that is in no bridge, once, and the port's other end has it too, or one beyond bridges."""
    for node in draft.fabric.nodes:
        for device in node.all(Subinterface):
            yield from _problems(draft, node, device)


def _problems(draft: Draft, node: Node, device: Subinterface) -> Iterator[Problem]:
    path = ("nodes", node.name, "vlan", device.name)
    port = node[device.link] if node.has(device.link) else None
    bridge = node.bridge_of(device.link)
    if not isinstance(port, Port):
        right = suggest(device.link, (found.name for found in node.all(Port)))
        yield Problem(draft.at(*path, "dev"), f"{device.link!r} is no port of {node.name}", right)
        return
    first = node.subinterface(device.link, device.vid)
    if first is not None and first is not device:
        what = f"{device.link} has the VLAN {device.vid} already, on line {first.where.line}"
        yield Problem(draft.at(*path, "id"), f"{what} (EEXIST)", "another VLAN")
    elif bridge is not None:
        what = f"{device.link} is a member of {bridge.name}, which would take some of its frames, and has VLANs"
        yield Problem(draft.at(*path, "dev"), what, f"{device.name} in the bridge instead of it")
    elif not draft.fabric.far_ends(device):
        there = draft.fabric[port.peer.node].subinterfaces(port.peer.interface)
        known = ", ".join(str(found.vid) for found in there[:8]) or "none"
        beyond = ", nor beyond the bridge there" if draft.fabric[port.peer.node].bridge_of(port.peer.interface) else ""
        what = f"nobody takes the VLAN {device.vid} of {port.ref} at {port.peer}{beyond}"
        yield Problem(draft.at(*path, "id"), what, f"a VLAN of both ends (there: {known})")
