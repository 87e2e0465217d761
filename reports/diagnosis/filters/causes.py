"""Names what filters a packet between its last right sighting and the place where it is missing or wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reports.diagnosis.filters.hits import Effect, Hit
from reports.diagnosis.filters.hooks import Hook
from reports.diagnosis.filters.nft import nft_hits
from reports.diagnosis.filters.printed import Printed
from reports.diagnosis.filters.tc import qdisc_hits, tc_hits
from reports.diagnosis.filters.xfrm import xfrm_hits
from reports.evidence import Cause, Sighting
from reports.judge.journey import Rung, Verdict
from topology.dataplane.paths import ExpectedHop

VANISHED: tuple[Effect, ...] = ("drop", "redirect", "corrupt", "change")
ALTERED: tuple[Effect, ...] = ("change", "redirect", "corrupt")
EXTRA: tuple[Effect, ...] = ("duplicate", "redirect", "change")
DECLARED = {
    "drop": "nothing that drops it",
    "redirect": "nothing that takes it off its way",
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


def _before(rungs: Sequence[Rung], wrong: Rung) -> Iterator[ExpectedHop]:
    for rung in rungs:
        if rung is wrong:
            return
        if (hop := _hop(rung.seen)) is not None:
            yield hop


def _hop(seen: Sighting | None) -> ExpectedHop | None:
    """Return a sighting as a place with the headers that were seen there."""
    return ExpectedHop(seen.node, seen.interface, seen.direction, seen.headers.chain) if seen is not None else None


def consumed_at(seen: Iterable[Sighting], node: str, effects: tuple[Effect, ...] = VANISHED) -> Gap | None:
    """Return the stretch between a packet's last sighting at its target and what ought to consume it there."""
    there = [one for one in seen if (one.node, one.direction) == (node, "in")]
    return Gap(node, _hop(there[-1]), None, effects) if there else None


def hits_at(hooks: Sequence[Hook], printed: Printed) -> list[Hit]:
    """Return all that can do something to a packet at these hooks, in their order, up to what surely ends it."""
    hits: list[Hit] = []
    mark: int | None = 0
    for hook in hooks:
        packet = replace(hook.packet, mark=mark)
        found, packet = nft_hits(printed.rules, replace(hook, packet=packet))
        if hook.layer == "device":
            by_tc = tc_hits(printed.filters.get((hook.device, hook.name), ()), hook.device, hook.name, packet)
            found = by_tc + found if hook.name == "ingress" else found + by_tc
        if hook.name == "egress":
            found += qdisc_hits(printed.qdiscs, hook.device, printed.qdisc_words)
        if hook.layer == "xfrm":
            found += xfrm_hits(printed.policies, hook.name, packet)
        hits, mark = hits + found, packet.mark
        if any(hit.sure and hit.effect in ("drop", "redirect") for hit in found):
            break
    return hits


def causes(gap: Gap, hooks: Sequence[Hook], printed: Printed, declared: bool) -> Iterator[Cause]:
    """Yield what explains the packet's fate there, what is sure first; then what is there and not evaluated."""
    wanted = (*gap.effects, "mark") if printed.by_mark else gap.effects
    hits = [hit for hit in hits_at(hooks, printed) if hit.effect in wanted]
    for hit in sorted(hits, key=lambda one: (not one.sure, wanted.index(one.effect))):
        yield _cause(gap.node, hit, declared)
    for words, show in printed.unread if not any(hit.sure for hit in hits) else ():
        known = f"{words}: not evaluated"
        yield Cause("filter", gap.node, None, DECLARED[gap.effects[0]], known, "", _shown(gap.node, show), "kernel")


def _cause(node: str, hit: Hit, declared: bool) -> Cause:
    unsure = "" if hit.sure else f" (it may: what is not evaluated is in: {hit.unknown})"
    fix = _shown(node, hit.fix) if declared and hit.fix else ""
    words = f"{hit.words}{unsure}"
    return Cause(hit.kind, node, hit.device, DECLARED[hit.effect], words, fix, _shown(node, hit.show), "kernel")


def _shown(node: str, command: str) -> str:
    return f"ip netns exec {node} {command}"
