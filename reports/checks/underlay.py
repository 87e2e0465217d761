"""Judges the links and tunnel ends below an overlay: both ends of each reach each other along the declared path.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.checks import Subject
from topology.model import Address, Fabric


@dataclass(frozen=True)
class Ends:
    """Two addresses that must reach each other: a link's, or a tunnel's."""

    name: str
    source: str
    target: str
    src: Address
    dst: Address

    def __str__(self) -> str:
        return self.name


def link_ends(lab: Fabric) -> Iterator[Ends]:
    """The links with an address at both ends."""
    for link in lab.links:
        a, b = (lab[end.node][end.interface] for end in link.ends)
        if a.addresses and b.addresses:
            yield Ends(f"{link.a}--{link.b}", a.node, b.node, a.addresses[0].ip, b.addresses[0].ip)


def tunnel_ends(lab: Fabric) -> Iterator[Ends]:
    """The ends of every tunnel, once per tunnel."""
    owners = {address: node.name for node in lab.nodes for address in node.addresses}
    known: set[frozenset[Address]] = set()
    for device, source, remote in ((tunnel, *ends) for tunnel in lab.tunnels for ends in lab.outer_ends(tunnel)):
        ends = frozenset((source, remote))
        if remote in owners and ends not in known:
            known.add(ends)
            name = f"{device.node}:{device.name}--{owners[remote]}"
            yield Ends(name, device.node, owners[remote], source, remote)


SUBJECTS = {
    "link_ends": Subject("no link with addresses", link_ends),
    "tunnel_ends": Subject("no tunnel", tunnel_ends),
}
