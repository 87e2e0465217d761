"""The sources of tenants' addresses and numbers: pools that skip those that the lab itself uses. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Network, collapse_addresses

from topology.model import Fabric

POOLS = {
    "Bridge": "40.0.0.0/8",
    "VXLAN VTEPs, source": "41.0.0.0/8",
    "VXLAN": "42.0.0.0/8",
    "VXLAN VTEPs, destination": "43.0.0.0/8",
    "GRE, source": "100.0.0.0/8",
    "GRE, destination": "101.0.0.0/8",
    "L3, source": "110.0.0.0/8",
    "L3, destination": "111.0.0.0/8",
}
"""The range of each pool. A row takes the first free subnet: the first row of a type has x.0.0.0/24, the next
x.0.1.0/24 and so on. docs/tenants.md lists them for users."""
SUBNET_LENGTH = 24
VNI_STEP = 10_000
"""A row's VNI is its number plus a multiple of this, so that the row can be read off."""


def make_pools(fabric: Fabric) -> dict[str, Iterator[IPv4Network]]:
    """Return the free subnets of each pool beside a lab."""
    taken = list(collapse_addresses(_taken(fabric)))
    return {name: _free(IPv4Network(of), taken[::-1]) for name, of in POOLS.items()}


def _free(of: IPv4Network, taken: list[IPv4Network]) -> Iterator[IPv4Network]:
    """Yield subnets; ``taken`` is disjoint and in falling order, so that one pass over both is enough."""
    for subnet in of.subnets(new_prefix=SUBNET_LENGTH):
        while taken and taken[-1][-1] < subnet[0]:
            taken.pop()
        if not taken or subnet[-1] < taken[-1][0]:
            yield subnet


def _taken(fabric: Fabric) -> Iterator[IPv4Network]:
    """Yield every subnet, and every prefix with a route of its own, of the lab."""
    networks = [interface.network for device in fabric.devices for interface in device.addresses]
    networks += [route.prefix for node in fabric.nodes for route in node.routes if route.prefix.prefixlen]
    return (network for network in networks if isinstance(network, IPv4Network))


def free_vni(number: int, taken: Collection[int]) -> int | None:
    """Return a VNI for a row, another one for each number up to VNI_STEP; None if the lab has taken all of them."""
    return next((vni for vni in range(VNI_STEP + number, 2**24, VNI_STEP) if vni not in taken), None)
