"""Addresses outside a fabric, and probes to them. Pure.

They are documentation's own, so that a packet that escaped would reach no host (RFC 5737, RFC 9637).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from topology.errors import NotApplicable
from topology.model import Address, Fabric, Network, Node
from topology.packet import Probe
from topology.refs import is_of_link

DOCUMENTATION: Sequence[Network] = tuple(
    map(ip_network, ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24", "3fff:0:0:1::/64", "3fff:0:0:2::/64"))
)

NO_ADDRESS = ip_address("0.0.0.0")


def outside(fabric: Fabric, version: int = 4) -> Address:
    """An address that is on no subnet of the fabric; NotApplicable where the fabric uses all of them."""
    subnets = [interface.network for device in fabric.devices for interface in device.addresses]
    for network in DOCUMENTATION:
        if network.version == version and not any(network.overlaps(subnet) for subnet in subnets):
            return network[1]
    raise NotApplicable(f"the lab uses every address that documentation has in IPv{version}")


def probes_outwards(fabric: Fabric, node: Node) -> tuple[Probe, ...]:
    """A probe to the outside from the node's first address of each IP version; one from nowhere where it has none."""
    own = [address for address in reversed([*node.addresses]) if not is_of_link(address)]
    firsts = {address.version: address for address in own} or {4: NO_ADDRESS}
    targets = {version: outside(fabric, version) for version in firsts}
    return tuple(Probe(node.name, str(targets[v]), firsts[v], targets[v]) for v in sorted(firsts))
