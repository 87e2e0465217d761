"""Finds the routers of a containerlab file: the nodes that another node's route has as a next hop.

Docker sets ``net.ipv4.ip_forward`` to 1 in every container (libnetwork), so a node of which no line says otherwise
forwards IPv4; IPv6's ``forwarding`` starts with 0 in every network namespace (net/ipv6/addrconf.c).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network

from topology.formats.clab_findings import Findings
from topology.formats.clab_machine import Machine
from topology.model import Address, Network

INHERITED: Mapping[int, bool] = {4: True, 6: False}
"""A container's default for forwarding, by IP version."""


class NextHops:
    """The machines that others route packets through, for addresses that are not their own, by IP version."""

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self._machines = machines
        self._owners = {interface.ip: name for name, m in machines.items() for interface in m.interfaces}
        self._found = {(hop, version) for name in machines for hop, version in self._of(name)}

    def versions(self, name: str) -> set[int]:
        """The IP versions of which a machine is a next hop."""
        return {version for hop, version in self._found if hop == name}

    def _of(self, name: str) -> Iterator[tuple[str, int]]:
        """The next hops of a machine's routes that lead further than to themselves."""
        machine = self._machines[name]
        near = [interface.network for interface in machine.interfaces if interface.network.prefixlen]
        for prefix, ways in _routes(machine):
            hops = {hop for way in ways if (hop := self._owner(machine, way)) is not None} - {name}
            for hop in hops:
                beyond = (ip for ip, owner in self._owners.items() if owner not in (hop, name))
                if any(_covers(prefix, ip) and not any(_covers(net, ip) for net in near) for ip in beyond):
                    yield hop, prefix.version

    def _owner(self, machine: Machine, way: str) -> str | None:
        words = way.split()
        said = dict(zip(words[::2], words[1::2], strict=False))
        text = machine.far_end(said.get("dev", "")) or said.get("via", "")
        try:
            return self._owners.get(ip_address(text))
        except ValueError:
            return None


def _covers(prefix: Network, ip: Address) -> bool:
    return prefix.version == ip.version and ip in prefix


def _routes(machine: Machine) -> Iterator[tuple[Network, list[str]]]:
    """Each route's prefix, and the words of its ways; those that are no route are left to the lab's checks."""
    for key, routes in machine.routes.items():
        for route in routes:
            _, _, words = route.text.partition(" ")
            try:
                yield ip_network(key), words.split("nexthop ")
            except ValueError:
                continue


def forwards(machine: Machine, next_hops: NextHops) -> bool:
    """Return whether a node is a router: its lines say so, or it inherits forwarding and others route through it."""
    said = {version: on for version, (on, _) in machine.forwarding.items()}
    if any(said.values()):
        return True
    return any(said.get(version, INHERITED[version]) for version in next_hops.versions(machine.name))


def check(machine: Machine, next_hops: NextHops, is_router: bool, findings: Findings) -> None:
    """Refuse a router that is a next hop of packets that it does not forward."""
    if 6 in next_hops.versions(machine.name) and 6 not in machine.forwarding and is_router:
        what = f"{machine.name} is the next hop of IPv6 routes, and does not forward IPv6: a container starts without"
        findings.refuse(machine.where, what, "sysctl -w net.ipv6.conf.all.forwarding=1")


def note_inherited(machines: Sequence[Machine], findings: Findings) -> None:
    """Note once which routers forward only by docker's default."""
    found = [machine for machine in machines if 4 not in machine.forwarding]
    if found:
        names = ", ".join(machine.name for machine in found[:8]) + (f" and {len(found) - 8} more" if found[8:] else "")
        what = f"no line sets net.ipv4.ip_forward at {names}, which others route through"
        findings.note(min(machine.where for machine in found), what, "docker sets it to 1, so they forward IPv4")
