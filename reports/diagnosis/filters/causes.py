"""Names what filters a packet between its last right sighting and the place where it is missing or wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reports.diagnosis.filters.hits import Effect, Hit
from reports.diagnosis.filters.hooks import Hook
from reports.diagnosis.filters.nft import nft_hits
from reports.diagnosis.filters.packet import Packet
from reports.diagnosis.filters.printed import Printed
from reports.diagnosis.filters.tc import qdisc_hits, tc_hits
from reports.diagnosis.filters.xfrm import xfrm_hits
from reports.evidence import Cause, Sighting
from reports.judge.journey import Rung, Verdict
from topology.dataplane.paths import ExpectedHop, ExpectedPath
from topology.packet import Layer

VANISHED: tuple[Effect, ...] = ("drop", "redirect", "corrupt", "change")
ALTERED: tuple[Effect, ...] = ("change", "redirect", "corrupt")
EXTRA: tuple[Effect, ...] = ("duplicate", "redirect", "change")
DECLARED = {
    "drop": "nothing that drops it",
    "redirect": "nothing that diverts it",
    "change": "nothing that changes it",
    "mark": "nothing that gives it another route",
    "corrupt": "nothing that changes it",
    "duplicate": "nothing that copies it",
}


@dataclass(frozen=True)
class Gap:
    """A stretch inside one node: the packet as it came, the next place expected of it, and what can explain the end."""

    node: str
    came: ExpectedHop | None
    goes: ExpectedHop | None
    effects: tuple[Effect, ...]


def gap_of(verdict: Verdict) -> Gap | None:
    """Return where a packet was last right and first missing or wrong; None where a link lies between, which filters
    nothing."""
    rung = verdict.divergence
    if rung is None or (goes := rung.expected or _hop(rung.seen)) is None:
        return None
    effects = VANISHED if rung.seen is None else ALTERED if rung.expected else EXTRA
    before = list(_before(verdict.rungs, rung))
    came = before[-1] if before else None
    if rung.expected is None:
        came = next((hop for hop in reversed(before) if (hop.node, hop.direction) == (rung.node, "in")), came)
    return Gap(rung.node, came, goes, effects) if came is None or came.node == rung.node else None


def gaps_of_error(path: ExpectedPath) -> Iterator[Gap]:
    """Yield every stretch inside a node on the way of the message that a packet is too big (RFC 792, RFC 4443).

    The path is that of an echo between the same ends.
    """
    before: ExpectedHop | None = None
    for hop in path.hops:
        hop = replace(hop, layers=tuple(_too_big(layer) for layer in hop.layers))
        if before is None or before.node == hop.node:
            yield Gap(hop.node, before, hop, VANISHED)
        before = hop


def _too_big(layer: Layer) -> Layer:
    name, fields = layer
    if name != "icmp":
        return layer
    return (name, {**fields, **({"type": 3, "code": 4} if fields["type"] in (0, 8) else {"type": 2, "code": 0})})


def _before(rungs: Sequence[Rung], wrong: Rung | None) -> Iterator[ExpectedHop]:
    for rung in rungs:
        if rung is wrong:
            return
        if (hop := _hop(rung.seen)) is not None:
            yield hop


def _hop(seen: Sighting | None) -> ExpectedHop | None:
    """Return a sighting as a place with the headers that were seen there."""
    return ExpectedHop(seen.node, seen.interface, seen.direction, seen.headers.chain) if seen is not None else None


def consumed_at(seen: Sequence[Sighting], node: str) -> Gap | None:
    """Return the stretch between a packet's last sighting at its target and what ought to consume it there."""
    there = [one for one in seen if (one.node, one.direction) == (node, "in")]
    return Gap(node, _hop(there[-1]), None, VANISHED) if there else None


def gaps_before(verdict: Verdict, request: Sequence[Sighting]) -> Iterator[Gap]:
    """Yield the way out of each node that a lost packet, or the request that was not answered, had passed, the last
    first: there it can have been damaged so that the next node drops it."""
    passed = list(_before(verdict.rungs, verdict.divergence)) or [hop for one in request if (hop := _hop(one))]
    for hop in reversed(passed):
        if hop.direction == "out":
            yield Gap(hop.node, None, hop, ("corrupt",))


def hits_at(hooks: Sequence[Hook], printed: Printed) -> list[Hit]:
    """Return all that can do something to a packet at these hooks, in their order, up to what surely ends it."""
    hits: list[Hit] = []
    mark: int | None = 0
    for hook in hooks:
        packet = replace(hook.packet, mark=mark)
        found, packet = nft_hits(printed.rules, replace(hook, packet=packet))
        if hook.layer == "device":
            by_tc = _by_tc(printed, hook, packet)
            found = by_tc + found if hook.name == "ingress" else found + by_tc
        if hook.name == "egress":
            found += qdisc_hits(printed.qdiscs, hook.device, printed.qdisc_words)
        if hook.layer == "xfrm":
            found += xfrm_hits(printed.policies, hook.name, packet)
        hits, mark = hits + found, packet.mark
        if any(hit.sure and hit.effect in ("drop", "redirect") for hit in found):
            break
    return hits


def _by_tc(printed: Printed, hook: Hook, packet: Packet) -> list[Hit]:
    """Return what tc's filters of a device do to what comes in, or to what goes out: those of its qdiscs come last."""
    ways = sorted(way for device, way in printed.filters if device == hook.device)
    taken = [way for way in ways if (way == "ingress") is (hook.name == "ingress")]
    return [hit for way in taken for hit in tc_hits(printed.filters[hook.device, way], hook.device, way, packet)]


def causes(gap: Gap, hooks: Sequence[Hook], printed: Printed, declared: bool) -> Iterator[Cause]:
    """Yield what explains the packet's fate there, what is sure first; then what is there and not evaluated.

    A command that removes it is given only where something is ``declared``.
    """
    wanted = (*gap.effects, "mark") if printed.by_mark else gap.effects
    hits = [hit for hit in hits_at(hooks, printed) if hit.effect in wanted]
    if not any(hit.sure for hit in hits):
        hits += [Hit("filter", wanted[0], words, show, sure=False) for words, show in printed.unread]
    for hit in sorted(hits, key=lambda one: (not one.sure, wanted.index(one.effect))):
        live = f"{hit.words} (it may: not evaluated: {hit.unknown})" if hit.unknown else hit.words
        fix, show = (f"ip netns exec {gap.node} {command}" if command else "" for command in (hit.fix, hit.show))
        kept = fix if declared else ""
        yield Cause(hit.kind, gap.node, hit.device, DECLARED[hit.effect], live, kept, show, "kernel", sure=hit.sure)
