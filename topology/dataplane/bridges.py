"""Frames that a bridge drops, by the settings of its ports and their VLANs (bridge(8)). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from topology.dataplane.paths import Ending, Hops, ending
from topology.model import Address, Bridge, Device, Fabric, Subinterface, Tunnel, Vxlan
from topology.packet import Layers, tagged, tags_of, untagged
from topology.refs import Tags

BROADCAST = "ff:ff:ff:ff:ff:ff"
MULTICAST_IPV6 = "33:33:"
"""RFC 2464, section 7."""


def is_broadcast(frame: Layers) -> bool:
    """Return whether a frame is for all devices of its segment, as an address request of either version."""
    return str(frame[0][1]["dst"]).startswith((BROADCAST, MULTICAST_IPV6))


def bridge_refusal(bridge: Bridge, frame: Layers, came_by: Device | None, out: Device | None = None) -> Ending | None:
    """Return why a bridge does not let a frame pass from one port to another; None if it does."""
    if not bridge.up:
        return ending(bridge, "down", "link", "up")
    ports = [port for port in (came_by or bridge, out) if port is not None]
    for port in ports:
        if state := dict(port.port_settings).get("state"):
            return ending(port, f"state {state}", "bridge port", "state forwarding")
    isolated = [
        ending(port, "isolated on", "bridge port", "isolated off") for port in ports if _has(port, "isolated on")
    ]
    if len(isolated) > 1:
        return Ending(bridge.node, isolated[0].interface, "isolated on", "bridge port", "isolated off", (isolated[1],))
    if came_by is not None and _has(came_by, "locked on") and bridge.port_of(str(frame[0][1]["src"])) != came_by.name:
        return ending(came_by, f"locked on, without an entry for {frame[0][1]['src']}", "bridge port", "locked off")
    return _vlan_refusal(bridge, frame, ports, came_by)


def _vlan_refusal(bridge: Bridge, frame: Layers, ports: list[Device], came_by: Device | None) -> Ending | None:
    """Return why a bridge that filters VLANs drops a frame (br_allowed_ingress, br_allowed_egress)."""
    vid = bridge.vlan_of(tags_of(frame), (came_by or bridge).name)
    for port in ports if bridge.filters else ():
        if vid is None:
            return ending(port, "vlan_filtering, no pvid for untagged frames", "vlan", "a pvid")
        if vid not in bridge.vlans_of(port.name):
            end = ending(port, f"vlan_filtering, not in VLAN {vid}", "vlan", f"vid {vid}")
            return replace(end, others=tuple(_mapping(came_by))) if port is not came_by else end
    return None


def _mapping(came_by: Device | None) -> Iterator[Ending]:
    """Yield that a VNI is mapped to the VLAN of a frame that came by it."""
    if isinstance(came_by, Vxlan) and came_by.vid:
        yield ending(came_by, f"vid {came_by.vid} tunnel_info id {came_by.vni}", "vlan", "another VLAN's VNI")


def leaving(bridge: Bridge, frame: Layers, came_by: Device | None, out: Device) -> Layers:
    """Return a frame as it leaves a bridge by a port, or goes up to the bridge itself: with its VLAN tag, or
    without.
    """
    came, left = tags_of(frame), bridge.lets_out(tags_of(frame), (came_by or bridge).name, out.name)
    if came == left:
        return frame
    bare = untagged(frame) if came else frame
    return bare if tags_of(bare) == left else tagged(bare, left[0])


def coming(frame: Layers, came_by: Device) -> Layers:
    """Return a frame as it comes into a bridge: with the tag of the VLAN to which its VNI is mapped, if it has none."""
    vid = came_by.vid if isinstance(came_by, Vxlan) and not tags_of(frame) else None
    return tagged(frame, vid) if vid else frame


def no_vni(out: Vxlan, tags: Tags) -> Ending:
    """Return why a frame gets no VNI at a device that takes it from each (br_handle_egress_vlan_tunnel)."""
    if not out.is_mapped:
        return ending(out, "vlan_tunnel off: frames get no VNI", "bridge port", "vlan_tunnel on")
    if not tags:
        return ending(out, "lets frames out untagged, which get no VNI", "vlan", "tagged")
    return ending(out, f"no tunnel_info for VLAN {tags[0]}: its frames get no VNI", "vlan", "tunnel_info id VNI")


def no_remote(tunnel: Tunnel, frame: Layers) -> Ending:
    """Return that a tunnel has no remote for a frame; under the VNI that a VLAN gives, the VNI may be wrong as well."""
    words = f"no remote for frames to {frame[0][1]['dst']}"
    if not isinstance(tunnel, Vxlan) or not tunnel.vid:
        return ending(tunnel, words, tunnel.kind, "a remote")
    said = f"vid {tunnel.vid} tunnel_info id {tunnel.vni}: {words}"
    return ending(tunnel, said, "fdb", f"an entry with src_vni {tunnel.vni}")


def tagged_by(fabric: Fabric, hops: Hops) -> Ending | None:
    """Return the port of a bridge that let a frame out with a tag, where the frame ended at a node without VLANs."""
    if not hops or not (tags := tags_of(hops[-1].layers)):
        return None
    last = fabric[hops[-1].node]
    if last.all(Subinterface) or any(bridge.filters for bridge in last.all(Bridge)):
        return None
    for before, hop in reversed(list(pairwise(hops))):
        untagged_before = before.node == hop.node and not tags_of(before.layers)
        if untagged_before and hop.direction == "out" and fabric[hop.node].bridge_of(hop.interface) is not None:
            live = f"lets frames of VLAN {tags[0]} out tagged"
            return Ending(hop.node, hop.interface, live, "vlan", f"vid {tags[0]} untagged")
    return None


def no_broadcast(out: Device, frame: Layers) -> Ending | None:
    """Return why a bridge lets no broadcast or multicast out of a port; None if it does."""
    word = "bcast_flood" if is_broadcast(frame) else "mcast_flood"
    return ending(out, f"{word} off", "bridge port", f"{word} on") if _has(out, f"{word} off") else None


def not_learned(bridge: Bridge, out: Device) -> Ending | None:
    """Return why a frame to a MAC behind a port does not leave by it: the MAC is not learned there, and frames are not
    flooded.
    """
    learns = bridge.ageing and not _has(out, "learning off")
    if learns or not _has(out, "flood off"):
        return None
    return ending(out, "flood off, learning off" if bridge.ageing else "flood off, ageing 0", "bridge port", "flood on")


def wrong_answer(
    fabric: Fabric, bridge: Bridge, came_by: Device | None, frame: Layers, address: Address
) -> Ending | None:
    """Return the neighbour entry by which a bridge answers a request itself with a MAC that is not the owner's.

    It does so for a neighbour whose MAC it has behind a port with ``neigh_suppress``, unless the request came by such a
    port (br_do_proxy_suppress_arp, net/bridge/br_arp_nd_proxy.c).
    """
    node, tags = fabric[bridge.node], tags_of(leaving(bridge, frame, came_by, bridge))
    device = node.subinterface(bridge.name, tags[0]) if tags else bridge
    mac = node.neighbours.get((device.name, address)) if device is not None else None
    port, quiet = bridge.port_of(mac) if mac else None, "neigh_suppress on"
    if (
        device is None
        or port not in bridge.members
        or not _has(node[port], quiet)
        or (came_by and _has(came_by, quiet))
    ):
        return None
    owners = [one for one in fabric.devices if address in {interface.ip for interface in one.addresses}]
    if not owners or mac in {one.mac for one in owners}:
        return None
    wanted = f"lladdr {owners[0].mac}, as {owners[0].ref}"
    return ending(device, f"answers for {address} with lladdr {mac} ({quiet})", "neigh", wanted)


def _has(port: Device, setting: str) -> bool:
    name, _, value = setting.partition(" ")
    return (name, value) in port.port_settings
