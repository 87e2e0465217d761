"""Checks of a file's promises about segments and events: hosts, tunnels, separations, management."""

from __future__ import annotations

from collections.abc import Iterator

from topology.errors import Position, Problem
from topology.events import EVENTS, befalls, crossing_pair
from topology.formats.lab_draft import Draft
from topology.formats.lab_schema import CarriedSpec
from topology.formats.lab_values import suggest
from topology.formats.yaml_positions import Step
from topology.promises import WITHOUT_TUNNEL, Pair

TWO = "two or more"


def check_hosts(draft: Draft) -> Iterator[Problem]:
    """A segment has two hosts or more, each a node with an address, and of one segment."""
    nodes = {node.name: node for node in draft.fabric.nodes}
    first: dict[str, tuple[str, Position]] = {}
    for name, said in draft.spec.segments.items():
        if len(said.hosts) < 2:
            what = f"the segment {name} has {'one host' if said.hosts else 'no host'}"
            yield Problem(draft.at("segments", name, "hosts"), what, f"{TWO} hosts, of which each two are a pair")
        for index, host in said.hosts.items():
            where = draft.at("segments", name, "hosts", index)
            other, earlier = first.setdefault(host, (name, where))
            if nodes and host not in nodes:
                yield Problem(where, f"unknown node {host!r}", suggest(host, nodes))
            elif nodes and not nodes[host].addresses:
                what = f"{host} has no address, so nothing can be sent to or from it"
                yield Problem(where, what, f"an entry in {host}'s addresses")
            elif earlier is not where:
                what = f"{host} is a host of the segment {other} already, on line {earlier.line}"
                yield Problem(where, what, "each host in one segment, once")


def check_failover(draft: Draft) -> Iterator[Problem]:
    """An event is promised once, and can happen in the lab while flows between two hosts cross it."""
    first: dict[str, Position] = {}
    for index, said in draft.spec.failover.items():
        where = draft.at("failover", index, "event")
        if (earlier := first.setdefault(said.event, where)) is not where:
            yield Problem(where, f"{said.event} is promised already, on line {earlier.line}", "each event once")
        elif not befalls(draft.fabric, EVENTS[said.event]):
            yield Problem(where, f"there is no node that {said.event} can befall", EVENTS[said.event].needs)
        elif crossing_pair(draft.fabric) is None:
            yield Problem(where, "no pair of two customers is behind different nodes", "such a pair, for flows to pass")


def check_doubles(draft: Draft) -> Iterator[Problem]:
    """A pair of two hosts of one segment is of the segment's kind and tunnel, or of the kind behind one node."""
    of = {frozenset(ends): segment for segment in draft.fabric.segments for ends in segment.ends}
    for pair in _declared(draft):
        segment = of.get(frozenset((pair.source, pair.target)))
        if segment is None or pair.kind == WITHOUT_TUNNEL.get(segment.kind):
            continue
        is_numbered_twice = pair.within.vni is not None and pair.within.key is not None
        if pair.kind != segment.kind or is_numbered_twice or not segment.within.allows(pair.within):
            what = f"{pair.source} and {pair.target} are declared {_words(pair.kind, pair.within)} here, and"
            what += f" {_words(segment.kind, segment.within)} by the segment {segment} on line {segment.where.line}"
            yield Problem(pair.where, what, "one of the two")


def _words(kind: str, within: object) -> str:
    return f"{kind} in {within}" if str(within) else kind


def _declared(draft: Draft) -> Iterator[Pair]:
    return (pair for pair in draft.fabric.pairs if not pair.segment)


def check_apart(draft: Draft) -> Iterator[Problem]:
    """A separation has two known segments or more, each once, and no pair is promised between them."""
    first: dict[frozenset[str], Position] = {}
    for index, names in draft.spec.apart.items():
        if len(names) < 2:
            what = f"{'one segment is' if names else 'nothing is'} apart"
            yield Problem(draft.at("apart", index), what, f"{TWO} segments: [NAME, NAME]")
        before: set[str] = set()
        for place, name in names.items():
            where = draft.at("apart", index, place)
            if name not in draft.spec.segments:
                yield Problem(where, f"unknown segment {name!r}", suggest(name, draft.spec.segments))
            elif name in before:
                yield Problem(where, f"the segment {name} is apart from itself", "two different segments")
            before.add(name)
    for two in draft.fabric.apart:
        ends = frozenset((two.one.name, two.other.name))
        earlier = first.setdefault(ends, two.where)
        if len(ends) == 2 and earlier is not two.where:
            what = f"{two.one} and {two.other} are apart already, by line {earlier.line}"
            yield Problem(two.where, what, "each two segments apart once")
    yield from _promised_apart(draft, first)


def _promised_apart(draft: Draft, apart: dict[frozenset[str], Position]) -> Iterator[Problem]:
    segment = {host: one.name for one in draft.fabric.segments for host in one.hosts}
    for pair in _declared(draft):
        names = frozenset(segment.get(end, "") for end in (pair.source, pair.target))
        if len(names) == 2 and names in apart:
            what = (
                f"{pair.source} and {pair.target} are a pair, and their segments are apart by line {apart[names].line}"
            )
            yield Problem(pair.where, what, "one of the two")


def check_tunnels(draft: Draft) -> Iterator[Problem]:
    """The tunnel of each pair and segment is that of a device of the lab."""
    for index, pair in draft.spec.pairs.items():
        yield from _tunnel(draft, pair, "pairs", index)
    for name, segment in draft.spec.segments.items():
        yield from _tunnel(draft, segment, "segments", name)


def _tunnel(draft: Draft, said: CarriedSpec, *path: Step) -> Iterator[Problem]:
    kinds = {tunnel.kind for tunnel in draft.fabric.tunnels}
    if said.via is not None and said.via not in kinds:
        yield Problem(draft.at(*path, "via"), f"the lab has no {said.via} device", suggest(said.via, kinds))
        return
    fitting = [tunnel for tunnel in draft.fabric.tunnels if said.via in (None, tunnel.kind)]
    for word, wanted in (("vni", said.vni), ("key", said.key)):
        known = {number for tunnel in fitting if (number := getattr(tunnel, word, None)) is not None}
        if wanted is not None and wanted not in known:
            what = f"no {said.via or 'tunnel'} device of the lab has the {word} {wanted}"
            yield Problem(draft.at(*path, word), what, suggest(str(wanted), map(str, known)))


def check_management(draft: Draft) -> Iterator[Problem]:
    """An entry of ``management`` names no device and no address of the lab, and is given once."""
    first: dict[object, int] = {}
    for index, item in draft.spec.management.items():
        where = draft.at("management", index)
        if first.setdefault(item, index) != index:
            yield Problem(where, f"{item} is given a second time", "each interface and network once")
        for device in draft.fabric.devices:
            if device.name == item:
                what = f"{device.ref} is a device of the fabric, on line {device.where.line}"
                yield Problem(where, what, "an interface that the lab does not declare")
                break
            inside = [i.ip for i in device.addresses if not isinstance(item, str) and i.version == item.version]
            if found := next((address for address in inside if address in item), None):
                what = f"the network {item} has {found}, an address of {device.ref}"
                yield Problem(where, what, "a network that the fabric does not use")
                break
