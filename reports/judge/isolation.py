"""Return whether what must be kept apart was kept apart: tenants' frames, forged packets, the world outside. Pure.

A frame is *bare* where no VXLAN or Geneve header is around it: there somebody has it. What was seen is held against the
exact set of interfaces that the declaration derives, so that a leak and a loss are both named with node and interface.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reports.evidence import Finding, Sighting, first_broken
from reports.judge.journey import in_order
from topology.errors import NotApplicable
from topology.expected import ExpectedJourney
from topology.isolation.domains import Domain, FrameKind
from topology.isolation.forgery import Forgery, ForgeryKind, Target
from topology.model import Vxlan
from topology.packet import Probe
from topology.promises import AROUND_FRAMES
from topology.refs import PortRef
from topology.wire.headers import quoted

TOLD_MAX = 20
"""Places that a message names; the rest is counted."""
SOURCE_KEY, BITS_KEY = "foreign-sources", "reserved-bits"
DECLARED_BY = {"foreign-source": SOURCE_KEY, "other-vni": SOURCE_KEY, "reserved-bit": BITS_KEY}
"""The lab's key that says what comes of a forgery."""


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
        strayed = [stray.place.node for stray in _strays(self)]
        return (*strayed, *(place.node for place in sorted(seen.keys() ^ self.expected)))


@dataclass(frozen=True)
class ForgerySeen:
    """A forged packet and every sighting of it."""

    forgery: Forgery
    sightings: tuple[Sighting, ...]

    @property
    def delivered(self) -> Mapping[PortRef, Sighting]:
        """Where its frame was bare; an ICMP error that quotes the packet delivers nothing."""
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
    """What a node has beside its declared state: devices that are up, rules, routes of other tables, resolvers."""

    node: str
    up: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True)
class MachineSeen:
    """What the machine's own interfaces showed of a fabric's packets: the interface, and whose packet it was."""

    strays: tuple[tuple[str, str], ...] = field(default=())


def bare(sightings: Iterable[Sighting]) -> dict[PortRef, Sighting]:
    """The first sighting at each interface where no tunnel is around the frame, in the order of time."""
    found: dict[PortRef, Sighting] = {}
    for seen in in_order(sightings):
        if AROUND_FRAMES.isdisjoint(seen.layers):
            found.setdefault(PortRef(seen.node, seen.interface), seen)
    return found


def judge_frame(frame: FrameSeen) -> Finding:
    """Return whether a frame was bare where expected alone, and elsewhere only inside its domain's tunnels."""
    missing = sorted(frame.expected - bare(frame.sightings).keys())
    held = f"{frame.what} - seen at exactly its {len(frame.expected)} places"
    return _difference(frame.what, list(_strays(frame)), missing, held)


def _strays(frame: FrameSeen) -> Iterator[_Stray]:
    """Where a frame must not be, or not under that VNI, in the order of time."""
    told: set[PortRef] = set()
    for seen in in_order(frame.sightings):
        place = PortRef(seen.node, seen.interface)
        tunnel = _innermost_tunnel(seen)
        if place in told or (_may_be_bare(frame, place, seen) if tunnel is None else _may_pass(frame, place, tunnel)):
            continue
        told.add(place)
        right = _vnis(frame.domain.tunnels) if tunnel is not None and place in frame.transit else "nothing"
        if tunnel is None and place in frame.expected:
            right = " or ".join(f"VLAN {vid}" for vid in sorted(_vids(frame, place))) or "no VLAN tag"
        yield _Stray(place, right, seen, f" in VNI {tunnel[1]}" if tunnel else "")


@dataclass(frozen=True)
class _Stray:
    """A place where something must not be, what is right there, and what was seen."""

    place: PortRef
    right: str
    seen: Sighting
    how: str = ""


def _difference(what: str, strays: Sequence[_Stray], missing: Sequence[PortRef], held: str) -> Finding:
    """The first difference in full, the others by their places."""
    if not strays and not missing:
        return Finding(True, held)
    if strays:
        first, *more = strays
        text = f"{first.place} - {what} - expected {first.right} - seen {first.seen.headers.summary()}"
        text += f"; too much at {_listed([f'{other.place}{other.how}' for other in more])}" if more else ""
        text += f"; missing at {_listed([str(place) for place in missing])}" if missing else ""
    else:
        text = f"{missing[0]} - {what} - expected it - seen nothing"
        text += f"; missing at {_listed([str(place) for place in missing[1:]])}" if missing[1:] else ""
    return Finding(False, text)


def _may_pass(frame: FrameSeen, place: PortRef, tunnel: tuple[int, int]) -> bool:
    return place in frame.transit and tunnel in frame.domain.tunnels


def _may_be_bare(frame: FrameSeen, place: PortRef, seen: Sighting) -> bool:
    """Return whether a frame is for this place, and under the tag that its domain has there, if any."""
    tag = next((int(header.fields["vlan"]) for header in seen.headers if header.layer == "dot1q"), None)
    vids = _vids(frame, place)
    return place in frame.expected | frame.possible and (tag in vids if vids else tag is None)


def _vids(frame: FrameSeen, place: PortRef) -> frozenset[int]:
    return frozenset(vid for port, vid in frame.domain.tags if port == place)


def _vnis(tunnels: Collection[tuple[int, int]]) -> str:
    return " or ".join(f"VNI {vni} on port {port}" for port, vni in sorted(tunnels))


def _innermost_tunnel(seen: Sighting) -> tuple[int, int] | None:
    """UDP port and VNI of the VXLAN or Geneve header next to the frame; None for a frame that is bare."""
    headers = seen.headers.headers
    places = [number for number, header in enumerate(headers) if header.layer in AROUND_FRAMES]
    if not places:
        return None
    udp, tunnel = headers[places[-1] - 1], headers[places[-1]]
    return int(udp.fields["dport"]), int(tunnel.fields["vni"])


def arrives(seen: ForgerySeen) -> bool:
    """Return whether a forger's packet got through its VTEP."""
    return seen.forgery.inroad.vtep.ref in seen.delivered


def judge_forgery(seen: ForgerySeen) -> Finding:
    """Return whether a forged packet was refused, or accepted, as the lab declares; a frame that came in is told."""
    forgery, delivered = seen.forgery, seen.delivered
    at = forgery.inroad.vtep.ref
    what = f"{forgery} sent by {forgery.inroad.role} {forgery.inroad.node}"
    key = DECLARED_BY.get(forgery.kind or "", "") if isinstance(forgery.inroad.vtep, Vxlan) else ""
    if not forgery.expected and delivered:
        why = f" (isolation: {key}: refused)" if key else ""
        places = _listed([str(place) for place in delivered])
        return Finding(False, f"{at} - {what} - expected refused{why} - seen its frame at {places}")
    if forgery.expected and not delivered:
        why = f" (isolation: {key}: accepted)" if key else ""
        return Finding(False, f"{at} - {what} - expected accepted{why} - seen it refused")
    strays = [_Stray(place, "nothing", seen) for place, seen in delivered.items() if place not in forgery.expected]
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
        senders = ", ".join(attempt.control.forgery.inroad.node for attempt in attempts)
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
    ways = (*seen.expected.paths, *seen.expected.copies)
    legal = {(hop.node, hop.interface, hop.direction) for path in ways for hop in path.hops}
    complaints = []
    for sighting in in_order(seen.sightings):
        place = f"{sighting.node}:{sighting.interface}"
        sender = _sender(sighting)
        if quoted(sighting.headers) is not None:
            if sender not in fabric_addresses:
                complaints.append(f"{place} - error about {what} - expected from inside - seen from {sender}")
        elif sender == str(probe.dst):
            complaints.append(f"{place} - {what} - expected no answer - seen {sighting.headers.summary()}")
        elif (sighting.node, sighting.interface, sighting.direction) not in legal:
            complaints.append(f"{place} - {what} - expected it to end inside - seen {sighting.headers.summary()}")
    return _finding(dict.fromkeys(complaints), f"{what} ends inside: {seen.refusal or seen.expected.dropped}")


def _sender(sighting: Sighting) -> str:
    """The source of the innermost IP header."""
    found = [str(header.fields["src"]) for header in sighting.headers if header.layer in ("ipv4", "ipv6")]
    return found[-1] if found else ""


def judge_surroundings(seen: Surroundings, declared: Collection[str]) -> Finding:
    """Return whether a node has no device, rule, route or resolver but those that are declared or lead nowhere."""
    node = seen.node
    strange = [name for name in seen.up if name != "lo" and name not in declared]
    complaints = [f"{node}:{name} - device - expected down, as nobody declares it - seen up" for name in strange]
    complaints += [f"{node} - rule - expected only the kernel's own - seen {rule}" for rule in seen.rules]
    complaints += [f"{node} - route - expected in no table but main - seen {route}" for route in seen.routes]
    abroad = [address for address in seen.resolvers if not _is_own(address)]
    complaints += [f"{node} - resolver - expected none but its own loopback - seen {address}" for address in abroad]
    return _finding(complaints, f"{node} has nothing that is not declared")


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
    told = list(complaints)
    return Finding(not told, _listed(told, "; ") if told else otherwise)


def _listed(items: Sequence[str], between: str = ", ") -> str:
    more = len(items) - TOLD_MAX
    return between.join(items[:TOLD_MAX]) + (f"{between}and {more} more" if more > 0 else "")
