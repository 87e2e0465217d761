"""The pairs of a lab that declares none: customers that reach each other according to the model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product

from topology.expected import expected_journey, reply_to
from topology.model import Address, Device, Fabric, Network, Node
from topology.packet import Probe
from topology.promises import Kind, Pair

MAX_PAIRS = 200
"""The maximum number of pairs tried: each takes two computed journeys, and later some tests."""
ADDRESSES_MAX = 4
"""The maximum number of a node's addresses tried, for each IP version."""


def with_derived_pairs(fabric: Fabric) -> Fabric:
    """Return the fabric with a pair for each two customers that reach each other in both directions with the same kind.

    Two nodes get further pairs between their other addresses: one for each subnet that they share, and one for each
    kind and IP version not covered by those. In a fabric with fewer than two customers, pairs are derived between all
    nodes that have an address. The notes say how many pairs were derived.
    """
    customers = [node for node in fabric.role("customer") if node.addresses]
    ends = customers if len(customers) > 1 else [node for node in fabric.nodes if node.addresses]
    tried = list(islice(_by_distance(ends), MAX_PAIRS))
    pairs: list[Pair] = []
    silent, lost = "", 0
    for source, target in tried:
        found, why = _pairs(fabric, source, target)
        pairs += found
        silent, lost = silent or why, lost + (not found)
    called = (
        "customers" if ends == customers or len(ends) < 2 else "nodes with an address, as there are no two customers"
    )
    note = _note(fabric, len(customers) if len(ends) < 2 else len(ends), called, len(tried), len(pairs), lost, silent)
    return replace(fabric, pairs=tuple(pairs), notes=(*fabric.notes, note))


def _by_distance(ends: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    """Yield all pairs, neighbours in the file first, so that the first few cover every node."""
    for distance in range(1, len(ends)):
        yield from zip(ends, ends[distance:], strict=False)


def _pairs(fabric: Fabric, source: Node, target: Node) -> tuple[list[Pair], str]:
    """Return the pairs of two nodes, at most one for each kind, IP version and common subnet, or else the reason why
    there is none."""
    found: dict[tuple[Kind, int, Network | None], Pair] = {}
    why = ""
    for src, dst in _addresses(source, target):
        kinds, reason = _kinds(fabric, Probe(source.name, target.name, src, dst))
        is_first = (src, dst) == (source.address, target.address)
        why = why or reason
        if len(kinds) == 1:
            kind = kinds.pop()
            ends = (None, None) if is_first else (src, dst)
            common = _common(source.addresses[src], dst)
            if common is not None or not any(key[:2] == (kind, src.version) for key in found):
                found.setdefault((kind, src.version, common), Pair(source.name, target.name, kind, *ends))
    return list(found.values()), "" if found else why


def _addresses(source: Node, target: Node) -> Iterator[tuple[Address, Address]]:
    """Yield the pairs of addresses to try, the nodes' first addresses first."""
    yield source.address, target.address
    for version in (4, 6):
        ours, theirs = ([ip for ip in node.addresses if ip.version == version] for node in (source, target))
        pairs = product(ours[:ADDRESSES_MAX], theirs[:ADDRESSES_MAX])
        yield from (pair for pair in pairs if pair != (source.address, target.address))


def _common(device: Device, address: Address) -> Network | None:
    """Return the device's subnet that contains an address, or None."""
    subnets = (interface.network for interface in device.addresses if interface.version == address.version)
    return next((subnet for subnet in subnets if address in subnet), None)


def _kinds(fabric: Fabric, probe: Probe) -> tuple[set[Kind], str]:
    """Return the kinds of the journeys between two addresses, or none and the reason if one is unreachable."""
    kinds: set[Kind] = set()
    source, target = probe.source, probe.target
    if probe.src.version != probe.dst.version:
        return set(), f"{source} and {target} have first addresses of two IP versions"
    for one in (probe, reply_to(probe)):
        journey = expected_journey(fabric, replace(one, is_reply=False))
        if journey.dropped or journey.kind is None:
            return set(), f"{one.source} -> {one.target}: {journey.dropped or 'no kind fits'}"
        kinds.add(journey.kind)
    return kinds, "" if len(kinds) == 1 else f"{source} and {target} reach each other in two kinds"


def _note(fabric: Fabric, ends: int, called: str, tried: int, pairs: int, lost: int, silent: str) -> str:
    possible = ends * (ends - 1) // 2
    words = f"{fabric.file} declares no pairs; {pairs} are derived between {ends} {called}"
    if possible > tried:
        words += f", {tried} of {possible} possible ones tried"
    if lost:
        words += f"; {lost} do not arrive, first {silent}"
    return words
