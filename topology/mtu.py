"""The MTU that each device of a node gets: the declared one, or the kernel's own choice. Pure.

The choices were read in Linux 6.1 and measured on 6.1 and 6.18. Sizes are bytes of IP packet, as in ip-link(8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from topology.errors import Problem
from topology.fib import Egress, Fib
from topology.model import PORT_MTU, Address, Bridge, Device, Fabric, Node


def device_mtu(node: Node, device: Device) -> int:
    """Return the MTU of one device of a node once it is built; a bridge has the least of its members'
    (br_mtu_auto_adjust, net/bridge/br_if.c)."""
    if isinstance(device, Bridge) and device.mtu is None:
        return min((device_mtu(node, node[name]) for name in device.members), default=PORT_MTU)
    return _when_made(node, device, frozenset())


def check_device_mtus(fabric: Fabric) -> Iterator[Problem]:
    """Yield the devices that are declared larger than the kernel lets them be: it cuts them down unasked."""
    for device in fabric.devices:
        room = device.room(Below(fabric[device.node], device, frozenset()))
        if device.mtu is not None and room is not None and device.mtu > room:
            what = f"the MTU {device.mtu} of {device.ref} is more than {device.made_on} leaves"
            yield Problem(device.where, what, f"{room} or less, or none: the kernel then chooses {room}")


def _when_made(node: Node, device: Device, above: frozenset[str]) -> int:
    """Return a device's MTU when tunnels are made and bridges have no members yet; ``above`` are the devices on top."""
    return device.own_mtu(Below(node, device, above)) if device.mtu is None else device.mtu


@dataclass(frozen=True)
class Below:
    """The devices below one that is being made; ``above`` are the devices on top of it."""

    node: Node
    device: Device
    above: frozenset[str]

    def of(self, name: str | None) -> int | None:
        """Return the MTU of a device by its name; None where there is none, or it is on top."""
        if name is None or name in self.above:
            return None
        return _when_made(self.node, self.node[name], self.above | {self.device.name})

    def towards(self, address: Address) -> int | None:
        """Return the MTU of the device that reaches an address by the addresses' own routes; None where none does."""
        others = [other for other in self.node.devices if other.name not in self.above | {self.device.name}]
        known = Fib((i.network, (Egress(other.name, None),)) for other in others for i in other.addresses)
        egresses = known.lookup(address)
        return self.of(egresses[0].dev) if egresses else None
