"""Judge that tenants' frames, forged packets and the outside are kept apart. Pure.

A frame is *bare* where no header of a tunnel of frames is around it. The sightings are compared with the exact set of
interfaces that the declaration derives, so that a leak and a loss are both named with node and interface.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reports.evidence import Finding, Sighting, first_broken
from reports.judge.journey import NOTHING, in_order
from topology.errors import NotApplicable
from topology.expected import ExpectedJourney
from topology.isolation.domains import Domain, FrameKind
from topology.isolation.forgery import Forgery, ForgeryKind, Target
from topology.links import FRAME_HEADERS, frame_tunnel
from topology.packet import IP_VERSIONS, Probe
from topology.refs import PortRef
from topology.wire.headers import quoted

NAMED_MAX = 20
"""Places that a message names; the rest is counted."""


@dataclass(frozen=True)
class FrameSeen:
    """One frame of a domain's station: where it must be bare, where it may be in a tunnel, and where it was seen."""

    domain: Domain
    source: PortRef
    kind: FrameKind
    expected: frozenset[PortRef]
    transit: frozenset[PortRef]
    sightings: tuple[Sighting, ...]
    possible: frozenset[PortRef] = frozenset()
    """Further places where it may be, as a device on its way may have forgotten the target's MAC."""

    @property
    def what(self) -> str:
        """The frame in words."""
        return f"{self.kind} frame of {self.domain} from {self.source}"

    @property
    def suspects(self) -> tuple[str, ...]:
        """The nodes at which something is wrong, those with too much first."""
        seen = bare(self.sightings)
        strayed = [stray.seen.node for stray in _strays(self)]
        return (*strayed, *(place.node for place in sorted(seen.keys() ^ self.expected)))


@dataclass(frozen=True)
class ForgerySeen:
    """A forged packet and every sighting of it."""

    forgery: Forgery
    sightings: tuple[Sighting, ...]

    @property
    def delivered(self) -> Mapping[PortRef, Sighting]:
        """Places of its bare frame; an ICMP error that quotes the packet delivers nothing."""
        return bare(seen for seen in self.sightings if quoted(seen.headers) is None)


@dataclass(frozen=True)
class ForgeryAttempt:
    """All forgeries of one sender, and a packet like the peer's own that followed them the same way."""

    forged: tuple[ForgerySeen, ...]
    control: ForgerySeen


@dataclass(frozen=True)
class OutwardSeen:
    """A probe to the outside: how far the declaration lets it come, and every sighting of it and of what it brought."""

    probe: Probe
    expected: ExpectedJourney
    sightings: tuple[Sighting, ...]
    refusal: str = ""


@dataclass(frozen=True)
class Surroundings:
    """A node's state beside the declared: devices that are up, rules, routes of other tables, resolvers."""

    node: str
    up: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True)
class MachineSeen:
    """A fabric's packets on the machine's own interfaces: the interface, and the packet's sender."""

    strays: tuple[tuple[str, str], ...] = field(default=())


def bare(sightings: Iterable[Sighting]) -> dict[PortRef, Sighting]:
    """Return the first sighting at each interface where no tunnel is around the frame, in the order of time."""
    found: dict[PortRef, Sighting] = {}
    for seen in in_order(sightings):
        if FRAME_HEADERS.isdisjoint(seen.layers):
            found.setdefault(seen.ref, seen)
    return found


def judge_frame(frame: FrameSeen) -> Finding:
    """Return whether a frame was bare where expected alone, and elsewhere only inside its domain's tunnels."""
    missing = sorted(frame.expected - bare(frame.sightings).keys())
    held = f"{frame.what} - seen at exactly its {len(frame.expected)} places"
    return _difference(frame.what, list(_strays(frame)), missing, held)


class _Stray(NamedTuple):
    """A sighting where nothing, or something else (``right``), must be; ``how`` says in which VNI."""

    seen: Sighting
    right: str = NOTHING
    how: str = ""


def _strays(frame: FrameSeen) -> Iterator[_Stray]:
    """Yield the first sighting at each place where a frame must not be, or not so, in the order of time."""
    reported: set[PortRef] = set()
    for seen in in_order(frame.sightings):
        stray = None if seen.ref in reported else _stray(frame, seen)
        if stray is not None:
            reported.add(seen.ref)
            yield stray


def _stray(frame: FrameSeen, seen: Sighting) -> _Stray | None:
    """Return the fault of a sighting: the wrong place, VNI or VLAN tag; None where nothing is."""
    tunnel = frame_tunnel(tuple((header.layer, header.fields) for header in seen.headers))
    if tunnel:
        here = seen.ref in frame.transit
        if here and tunnel in frame.domain.tunnels:
            return None
        return _Stray(seen, " or ".join(sorted(frame.domain.tunnels)) if here else NOTHING, f" in {tunnel}")
    tag = next((int(header["vlan"]) for header in seen.headers if header.layer == "dot1q"), None)
    vids: set[int | None] = {vid for port, vid in frame.domain.tags if port == seen.ref} or {None}
    if seen.ref in frame.expected | frame.possible and tag in vids:
        return None
    tags = " or ".join(f"VLAN {vid}" for vid in sorted(vid for vid in vids if vid is not None)) or "no VLAN tag"
    return _Stray(seen, tags if seen.ref in frame.expected else NOTHING)


def _difference(what: str, strays: Sequence[_Stray], missing: Sequence[PortRef], held: str) -> Finding:
    """Name the first difference in full, the others by their places."""
    if not strays and not missing:
        return Finding(True, held)
    if strays:
        first, *more = strays
        text = f"{first.seen.ref} - {what} - expected {first.right} - seen {first.seen.headers.summary()}"
        text += f"; too much at {_listed([f'{other.seen.ref}{other.how}' for other in more])}" if more else ""
    else:
        text = f"{missing[0]} - {what} - expected it - seen nothing"
        missing = missing[1:]
    return Finding(False, text + (f"; missing at {_listed([str(place) for place in missing])}" if missing else ""))


def arrives(seen: ForgerySeen) -> bool:
    """Return whether a forger's packet got through its VTEP."""
    return seen.forgery.attack_path.vtep.ref in seen.delivered


def judge_forgery(seen: ForgerySeen) -> Finding:
    """Return whether a forged packet was refused, or accepted, as the lab declares."""
    forgery, delivered = seen.forgery, seen.delivered
    at = forgery.attack_path.vtep.ref
    what = f"{forgery} sent by {forgery.attack_path.role} {forgery.attack_path.node}"
    key = forgery.attack_path.vtep.declared_by.get(forgery.kind or "", "").replace("_", "-")
    if not forgery.expected and delivered:
        why = f" (isolation: {key}: refused)" if key else ""
        places = _listed([str(place) for place in delivered])
        return Finding(False, f"{at} - {what} - expected refused{why} - seen its frame at {places}")
    if forgery.expected and not delivered:
        why = f" (isolation: {key}: accepted)" if key else ""
        return Finding(False, f"{at} - {what} - expected accepted{why} - seen it refused")
    strays = [_Stray(seen) for place, seen in delivered.items() if place not in forgery.expected]
    missing = sorted(forgery.expected - delivered.keys())
    declared = f"as the lab declares ({key}: accepted)" if key else "as its peer is that tenant's, too"
    outcome = f"accepts {what}, {declared}" if delivered else f"refuses {what}"
    return _difference(f"frame of {what}", strays, missing, f"{at} {outcome}")


def judge_forgeries(target: Target, kind: ForgeryKind, attempts: Sequence[ForgeryAttempt]) -> tuple[Finding, bool]:
    """Return whether a forgery was treated as declared, whoever sent it; and whether any was accepted.

    Raises NotApplicable where nothing of the kind was delivered and not even a packet like the peer's own arrived: then
    a loss shows no refusal. In a healthy lab the kernel can refuse a sender, as for a Geneve device of another tenant.
    """
    proven = [
        seen
        for attempt in attempts
        for seen in attempt.forged
        if seen.forgery.kind == kind and (seen.delivered or arrives(attempt.control))
    ]
    if not proven:
        senders = ", ".join(attempt.control.forgery.attack_path.node for attempt in attempts)
        raise NotApplicable(f"{target} takes no packet of {senders or 'any node'}, not even one like its peer's own")
    findings = [judge_forgery(seen) for seen in proven]
    held = "; ".join(finding.message for finding in findings)
    return first_broken(findings, held), any(seen.delivered for seen in proven)


def judge_agents_namespace(kernel: str, devices: Sequence[str]) -> Finding:
    """Return whether the network namespace that a kernel's agent came from has no device of its own."""
    where = f"kernel {kernel} - agent's namespace"
    return Finding(not devices, f"{where} - expected no device - seen {', '.join(devices)}")


def judge_outward(seen: OutwardSeen, fabric_addresses: Collection[str]) -> Finding:
    """Return whether a probe to the outside stayed on its declared path, which ends inside, without an answer."""
    probe, what = seen.probe, f"{seen.probe.source} -> {seen.probe.dst}"
    legal = {hop.place for path in (*seen.expected.paths, *seen.expected.copies) for hop in path.hops}
    complaints = []
    for sighting in in_order(seen.sightings):
        place, sender = sighting.ref, _sender(sighting)
        if quoted(sighting.headers) is not None:
            if sender not in fabric_addresses:
                complaints.append(f"{place} - error about {what} - expected from inside - seen from {sender}")
        elif sender == str(probe.dst):
            complaints.append(f"{place} - {what} - expected no answer - seen {sighting.headers.summary()}")
        elif sighting.place not in legal:
            complaints.append(f"{place} - {what} - expected it to end inside - seen {sighting.headers.summary()}")
    return _finding(dict.fromkeys(complaints), f"{what} ends inside: {seen.refusal or seen.expected.dropped}")


def _sender(sighting: Sighting) -> str:
    """Return the source of the innermost IP header."""
    found = [str(header["src"]) for header in sighting.headers if header.layer in IP_VERSIONS]
    return found[-1] if found else ""


def judge_surroundings(seen: Surroundings, declared: Collection[str]) -> Finding:
    """Return whether a node has no device, rule, route or resolver but those that are declared or lead nowhere."""
    node = seen.node
    strange = [name for name in seen.up if name != "lo" and name not in declared]
    complaints = [f"{node}:{name} - device - expected down, as it is not declared - seen up" for name in strange]
    complaints += [f"{node} - rule - expected only the kernel's own - seen {rule}" for rule in seen.rules]
    complaints += [f"{node} - route - expected in no table but main - seen {route}" for route in seen.routes]
    abroad = [address for address in seen.resolvers if not _is_own(address)]
    complaints += [f"{node} - resolver - expected none but its own loopback - seen {address}" for address in abroad]
    return _finding(complaints, f"{node} has nothing undeclared")


def _is_own(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def judge_machine(seen: MachineSeen) -> Finding:
    """Return whether the machine's own interfaces showed nothing of the fabric."""
    complaints = [
        f"this machine:{interface} - {whose} - expected nothing of the fabric - seen it"
        for interface, whose in dict.fromkeys(seen.strays)
    ]
    return _finding(complaints, "this machine's interfaces show nothing of the fabric")


def _finding(complaints: Iterable[str], otherwise: str) -> Finding:
    found = list(complaints)
    return Finding(not found, _listed(found, "; ") if found else otherwise)


def _listed(items: Sequence[str], between: str = ", ") -> str:
    more = len(items) - NAMED_MAX
    return between.join(items[:NAMED_MAX]) + (f"{between}and {more} more" if more > 0 else "")
