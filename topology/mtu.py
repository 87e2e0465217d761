"""The MTU that each device of a node gets: the declared one, or the kernel's own choice. Pure.

The choices were read in Linux 6.1 and measured on 6.1 and 6.18. Sizes are bytes of IP packet, as in ip-link(8).
"""

from __future__ import annotations

from collections.abc import Iterator

from topology.errors import Problem
from topology.fib import Egress, Fib
from topology.model import PORT_MTU, Bridge, Device, Fabric, Geneve, Gre, Node, Port, Subinterface, Vxlan

ETH_DATA_LEN = 1500
"""The MTU of a device without another source (linux/if_ether.h)."""
VXLAN_HEADROOM = {4: 50, 6: 70}
"""Outer IP, UDP, VXLAN and the inner Ethernet header, by the outer IP's version (net/vxlan.h); Geneve's are as long
without options (GENEVE_IPV4_HLEN, drivers/net/geneve.c)."""
IP_HEADER = {4: 20, 6: 40}
GRE_HEADER, GRE_KEY = 4, 4
"""RFC 2784, and the key of RFC 2890."""
LEAST = {4: 68, 6: 1280}
"""The least MTU that the kernel chooses for a tunnel: IPV4_MIN_MTU (also ETH_MIN_MTU) and IPV6_MIN_MTU."""


def device_mtu(node: Node, device: Device) -> int:
    """Return the MTU of one device of a node once it is built; a bridge has the least of its members'
    (br_mtu_auto_adjust, net/bridge/br_if.c)."""
    if isinstance(device, Bridge) and device.mtu is None:
        return min((device_mtu(node, node[name]) for name in device.members), default=ETH_DATA_LEN)
    return _when_made(node, device, frozenset())


def check_device_mtus(fabric: Fabric) -> Iterator[Problem]:
    """Yield the VXLAN devices that are declared larger than their ``dev`` leaves: the kernel cuts them down unasked."""
    for vxlan in fabric.all(Vxlan):
        room = _vxlan_room(fabric[vxlan.node], vxlan)
        if vxlan.mtu is not None and room is not None and vxlan.mtu > room:
            what = f"the MTU {vxlan.mtu} of {vxlan.ref} is more than {vxlan.dev} leaves"
            yield Problem(vxlan.where, what, f"{room} or less, or none: the kernel then chooses {room}")


def _when_made(node: Node, device: Device, above: frozenset[str]) -> int:
    """Return a device's MTU when tunnels are made and bridges have no members yet; ``above`` are the devices on top."""
    if device.mtu is not None:
        return device.mtu
    if isinstance(device, Port):
        return PORT_MTU
    if isinstance(device, Subinterface):
        return _when_made(node, node[device.link], above)
    if isinstance(device, Vxlan):
        room = _vxlan_room(node, device, above)
        return ETH_DATA_LEN if room is None else room
    if isinstance(device, Geneve):
        return below - VXLAN_HEADROOM[device.remote.version] if (below := _below(node, device, above)) else ETH_DATA_LEN
    return _gre(node, device, above) if isinstance(device, Gre) else ETH_DATA_LEN


def _vxlan_room(node: Node, device: Vxlan, above: frozenset[str] = frozenset()) -> int | None:
    """Return the largest MTU that a VXLAN device's ``dev`` leaves it (vxlan_config_apply,
    drivers/net/vxlan/vxlan_core.c); None where it has none."""
    if device.dev is None or device.dev in above:
        return None
    below = _when_made(node, node[device.dev], above | {device.name})
    return max(LEAST[4], below - VXLAN_HEADROOM[device.local.version])


def _gre(node: Node, device: Gre, above: frozenset[str]) -> int:
    """Return what the device leaves by which the far end is reached (ip_tunnel_bind_dev, net/ipv4/ip_tunnel.c;
    ip6gre_tnl_link_config_route, net/ipv6/ip6_gre.c)."""
    below = _below(node, device, above) or ETH_DATA_LEN
    version = device.local.version
    header = IP_HEADER[version] + GRE_HEADER + (0 if device.key is None else GRE_KEY)
    return max(LEAST[version], below - header)


def _below(node: Node, device: Gre | Geneve, above: frozenset[str]) -> int | None:
    """Return the MTU of the device that reaches the far end by the addresses' own routes; None where none does."""
    others = [other for other in node.devices if other.name not in above | {device.name}]
    known = Fib((i.network, (Egress(other.name, None),)) for other in others for i in other.addresses)
    egresses = known.lookup(device.remote)
    return _when_made(node, node[egresses[0].dev], above | {device.name}) if egresses else None
