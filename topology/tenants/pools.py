"""Where tenants' addresses and numbers come from: pools that skip whatever the lab itself uses. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Network, collapse_addresses

from topology.model import Fabric, Vxlan

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
"""What each pool is for. A row takes the first free subnet: the first row of a type has x.0.0.0/24, the next x.0.1.0/24
and so on. docs/tenants.md lists them for users."""
SUBNET_LENGTH = 24
VNI_STEP = 10_000
"""A row's VNI is its number and a multiple of this, so that it can be read off."""


class Pool:
    """Subnets of equal length, each given once; those that overlap what is taken are left out."""

    def __init__(self, of: IPv4Network, taken: Iterable[IPv4Network]) -> None:
        self._free = _free(of, list(collapse_addresses(taken))[::-1])

    def take(self) -> IPv4Network | None:
        """The next subnet; None where there is none left."""
        return next(self._free, None)


def _free(of: IPv4Network, taken: list[IPv4Network]) -> Iterator[IPv4Network]:
    """``taken`` is disjoint and in falling order, so that one pass over both is enough."""
    for subnet in of.subnets(new_prefix=SUBNET_LENGTH):
        while taken and taken[-1][-1] < subnet[0]:
            taken.pop()
        if not taken or subnet[-1] < taken[-1][0]:
            yield subnet


def make_pools(fabric: Fabric) -> dict[str, Pool]:
    """The pools beside a lab."""
    taken = list(_taken(fabric))
    return {name: Pool(IPv4Network(of), taken) for name, of in POOLS.items()}


def _taken(fabric: Fabric) -> Iterator[IPv4Network]:
    """Every subnet, and every prefix with a route of its own, of the lab."""
    for device in fabric.devices:
        for interface in device.addresses:
            if isinstance(interface.network, IPv4Network):
                yield interface.network
    for node in fabric.nodes:
        for route in node.routes:
            if isinstance(route.prefix, IPv4Network) and route.prefix.prefixlen:
                yield route.prefix


def vnis_of(fabric: Fabric) -> frozenset[int]:
    """The VNIs that a lab uses."""
    return frozenset(vxlan.vni for vxlan in fabric.all(Vxlan))


def free_vni(number: int, taken: Collection[int]) -> int | None:
    """A VNI for a row, another one for each number up to VNI_STEP; None where the lab has taken all that could be."""
    return next((vni for vni in range(VNI_STEP + number, 2**24, VNI_STEP) if vni not in taken), None)
