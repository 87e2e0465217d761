"""The checks of a lab file that has its schema, ordered so that a finding silences its echoes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeAlias

from topology.errors import Problem
from topology.formats import lab_links, lab_routes, lab_segments, lab_tunnels, lab_vlans
from topology.formats.lab_draft import Draft
from topology.formats.lab_refusals import DEVICES
from topology.model import Geneve, Gre, Vxlan

MAX_PROBLEMS = 200
"""As many problems as anybody reads; a hostile file costs no more."""
Find: TypeAlias = Callable[[Draft], Iterator[Problem]]


class Check(NamedTuple):
    """A check, the sections it ``needs`` unspoiled, and those that its findings spoil."""

    find: Find
    needs: frozenset[str] = frozenset()
    spoils: frozenset[str] = frozenset()


_NAMES = frozenset({"nodes"})
_ADDRESSES = frozenset({"addresses"})
_UNIQUE = frozenset({"unique names"})
"""Not a section: that each name of a node means one device."""
_PEERS = frozenset({"peers"})
"""Nor this: that every tunnel has its other end."""

_SOURCES, _VXLAN_SOURCES = frozenset({"sources"}), frozenset({"VXLAN sources"})
"""Nor these: that it is known which source each Geneve device's packets leave with, and each VXLAN device's."""
_ROUTED = _NAMES | DEVICES | _ADDRESSES | _UNIQUE | {"routes"}

CHECKS: tuple[Check, ...] = (
    Check(lab_links.check_node_lengths, spoils=_NAMES),
    Check(lab_links.check_ends, needs=_NAMES, spoils=frozenset({"links"})),
    Check(lab_links.check_device_lengths, spoils=_UNIQUE),
    Check(lab_links.check_names, spoils=_UNIQUE),
    Check(lab_links.check_settings, needs=_NAMES | DEVICES | _UNIQUE, spoils=_ADDRESSES),
    Check(lab_links.check_bridges, needs=_NAMES | DEVICES | _UNIQUE, spoils=frozenset({"bridges"})),
    Check(lab_vlans.check_vlans, needs=_NAMES | DEVICES | _UNIQUE, spoils=frozenset({"vlan"})),
    Check(lab_segments.check_macs, needs=frozenset({"isolation"})),
    Check(lab_tunnels.check_vnis),
    Check(lab_tunnels.check_places, needs=_NAMES | DEVICES | _ADDRESSES | _UNIQUE),
    Check(lab_tunnels.check_twins),
    Check(lab_tunnels.check_entries),
    Check(partial(lab_tunnels.check_sources, kind=Vxlan), needs=_ROUTED, spoils=_VXLAN_SOURCES),
    Check(partial(lab_tunnels.check_peers, kind=Vxlan), needs=_NAMES | _VXLAN_SOURCES | {"vxlan"}, spoils=_PEERS),
    Check(partial(lab_tunnels.check_sources, kind=Geneve), needs=_ROUTED, spoils=_SOURCES),
    Check(partial(lab_tunnels.check_peers, kind=Geneve), needs=_NAMES | _SOURCES | {"geneve"}, spoils=_PEERS),
    Check(partial(lab_tunnels.check_peers, kind=Gre), needs=_NAMES | {"gre"}, spoils=_PEERS),
    Check(lab_segments.check_hosts, needs=frozenset({"isolation"})),
    Check(lab_segments.check_subnets, needs=_NAMES | {"bridges", "vlan", "vxlan", "geneve", "gre", "isolation"}),
    Check(lab_segments.check_loops, needs=_NAMES | DEVICES | _UNIQUE | _PEERS | {"bridges"}),
    Check(lab_routes.check_prefixes),
    Check(lab_routes.check_next_hops, needs=_NAMES | DEVICES | _ADDRESSES | _UNIQUE | _PEERS),
    Check(lab_routes.check_pair_names, needs=_NAMES),
    Check(lab_routes.check_spreads, needs=_NAMES | DEVICES | _ADDRESSES | _UNIQUE | _PEERS),
    Check(lab_routes.check_pair_addresses, needs=_NAMES | DEVICES | _ADDRESSES | _UNIQUE | _PEERS),
)


def problems_of(draft: Draft, spoiled: Collection[str]) -> list[Problem]:
    """What is wrong by every check whose sections are not spoiled; at most ``MAX_PROBLEMS``."""
    found: list[Problem] = []
    bad = set(spoiled)
    for check in CHECKS:
        if bad.isdisjoint(check.needs):
            new = list(islice(check.find(draft), MAX_PROBLEMS - len(found)))
            found += new
            bad |= check.spoils if new else frozenset()
    return found
