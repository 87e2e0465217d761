"""The checks of a lab file that fits its schema, ordered so that one fault is reported once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice
from typing import TypeAlias

from topology.errors import Problem
from topology.formats import lab_devices, lab_frr, lab_intent_checks, lab_routes, lab_segments, lab_tunnels
from topology.formats.lab_draft import Draft
from topology.formats.lab_refusals import DEVICES
from topology.links import SECTIONS, TUNNELS, Tunnel

MAX_PROBLEMS = 200
"""The most problems that are reported; a hostile file costs no more."""
Find: TypeAlias = Callable[[Draft], Iterator[Problem]]

_DECLARED = DEVICES | {"nodes", "unique names"}
_ROUTED = _DECLARED | {"addresses", "routes"}
_REACHED = _DECLARED | {"addresses", "peers"}


def _of_tunnels(kind: type[Tunnel]) -> Iterator[tuple[Find, Collection[str], str]]:
    sources = f"{kind.noun} sources"
    yield partial(lab_tunnels.check_sources, kind=kind), _ROUTED, sources
    yield partial(lab_tunnels.check_peers, kind=kind), ("nodes", sources, kind.section), "peers"


CHECKS: tuple[tuple[Find, Collection[str], str], ...] = (
    (partial(lab_devices.check_lengths, noun="node"), (), "nodes"),
    (lab_devices.check_roles, ("forwards",), ""),
    (lab_devices.check_links, ("nodes",), "links"),
    (partial(lab_devices.check_lengths, noun="device"), (), "unique names"),
    (lab_frr.check_frr, ("frr",), ""),
    (lab_frr.check_remotes, ("frr",), "vxlan"),
    (lab_devices.check_names, (), "unique names"),
    (lab_devices.check_settings, _DECLARED, "addresses"),
    (lab_devices.check_bridges, _DECLARED, "bridges"),
    (lab_devices.check_vlans, _DECLARED, "vlan"),
    (lab_devices.check_vrfs, _DECLARED | {"frr"}, "vrfs"),
    (lab_segments.check_macs, ("isolation",), ""),
    (lab_tunnels.check_vnis, (), ""),
    (lab_tunnels.check_places, _DECLARED | {"addresses"}, ""),
    (lab_tunnels.check_twins, (), ""),
    (lab_tunnels.check_entries, (), ""),
    *(check for kind in TUNNELS for check in _of_tunnels(kind)),
    (lab_segments.check_hosts, ("isolation",), ""),
    (lab_segments.check_subnets, ("nodes", *SECTIONS, "isolation"), ""),
    (lab_segments.check_loops, _DECLARED | {"peers"}, ""),
    (lab_routes.check_prefixes, (), ""),
    (lab_routes.check_next_hops, _REACHED, ""),
    (partial(lab_routes.check_ends, section="pairs"), ("nodes",), ""),
    (partial(lab_routes.check_ends, section="spreads"), ("nodes",), ""),
    (partial(lab_routes.check_addresses, section="pairs"), _REACHED, ""),
    (partial(lab_routes.check_addresses, section="spreads"), _REACHED, ""),
    (lab_intent_checks.check_hosts, _REACHED | {"segments"}, "hosts"),
    (lab_intent_checks.check_failover, _REACHED | {"pairs", "segments", "failover", "links"}, ""),
    (lab_intent_checks.check_doubles, ("pairs", "segments", "hosts"), ""),
    (lab_intent_checks.check_apart, ("pairs", "segments", "hosts", "apart"), ""),
    (lab_intent_checks.check_tunnels, ("nodes", "vxlan", "geneve", "gre"), ""),
    (lab_intent_checks.check_management, _DECLARED | {"addresses"}, ""),
)
INTENT = (
    lab_intent_checks.check_hosts,
    lab_intent_checks.check_doubles,
    lab_intent_checks.check_apart,
    lab_intent_checks.check_management,
)
"""The checks of promises that need no device of the lab."""
"""Each check with the sections that must not be spoiled for it to run, and the section that its findings spoil.

Beside sections there are conditions: each name of a node means one device, every tunnel has its other end, and it is
known which source the packets of each VXLAN and Geneve device leave with.
"""


def problems_of(draft: Draft, spoiled: Collection[str]) -> list[Problem]:
    """Return the problems of every check whose sections are not spoiled; at most ``MAX_PROBLEMS``."""
    found: list[Problem] = []
    bad = set(spoiled)
    for find, needs, spoils in CHECKS:
        if bad.isdisjoint(needs):
            new = list(islice(find(draft), MAX_PROBLEMS - len(found)))
            found += new
            bad |= {spoils} if new else set()
    return found
