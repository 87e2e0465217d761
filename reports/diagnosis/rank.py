"""Ranks the causes that the sources of a diagnosis found: one entry for each fault, the surest first. Pure.

An entry is a fault (a part of a node's state), or an *ending*: only where a packet or a request ends. Sources give them
in the order in which the nodes are suspected, and each node's causes before their effects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reports.evidence import Cause
from reports.words import IT_MAY, MISSING, NOTHING
from topology.state import LinkState, RouteState

CAUSES_MAX = 8
"""More entries than this explain nothing."""
RESOLUTION = "address resolution"
"""The kind of an ending of which the place differs by who tells it: the asking node, or the way of its request."""
LOOKUP = "lookup"
"""The kind of what a kernel answers about a packet."""
EFFECTS = (LOOKUP, "fdb")
"""Kinds of what only a kernel knows, such as a learned MAC: with a declaration it follows from what surely differs."""
ENDINGS = ("forwarding", RESOLUTION, LOOKUP)
"""Kinds of causes that say where something ends, and leave open why."""
ROUTING = ("route", "rule")
WITH_ADDRESS = ("address", "route")
"""What goes with an address, or an address too much that is there instead."""


def ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """One entry for each fault, those first that surely explain; others only where none does, all of one node.

    What follows from a fault is part of it, and so is its fix. Of a fault that several sources found the declaration's
    words stand, which say what ought to be; the others' are its evidence. An ending at a node with a fault is evidence
    of it. What a kernel says is an effect where a difference of another node surely explains, and that a node waits for
    an answer is one of whatever else was found.
    """
    found = list(dict.fromkeys(causes))
    stated = [cause for cause in found if cause.source == "declaration"]
    entries = list(_without_effects(stated))
    for cause in sorted((one for one in found if one.source != "declaration"), key=_is_ending):
        alike = [entry for entry in entries if _is_same(cause, entry)]
        if alike:
            best = max(alike, key=lambda entry: (entry.sure, _closeness(cause, entry)))
            entries[entries.index(best)] = _confirmed(best, cause)
        elif not _is_effect(cause, entries):
            entries.append(cause)
    sure = [entry for entry in entries if entry.sure]
    return tuple(sure or (entry for entry in entries if entry.node == entries[0].node))[:CAUSES_MAX]


def with_drops(found: Sequence[Cause], drops: Iterable[Cause]) -> list[Cause]:
    """The causes behind what a kernel was seen to drop: this makes the only suspect of its kind at its node sure.

    A packet's port and the device of a filter's hook are two: a bridge's ports, say, and the bridge.
    """
    known, others = list(found), list[Cause]()
    for drop in drops:
        at = [n for n, one in enumerate(found) if (one.kind, one.node, one.sure) == (drop.kind, drop.node, False)]
        if len(at) == 1:
            known[at[0]] = _confirmed(known[at[0]], drop)
        else:
            others.append(drop)
    return [*others, *known]


def _is_ending(cause: Cause) -> bool:
    return cause.kind in ENDINGS


def _is_effect(cause: Cause, entries: Sequence[Cause]) -> bool:
    """Return whether what a kernel says at one node follows from the entries: of other nodes, or of what is asked."""
    if is_waiting(cause):
        return bool(entries)
    return cause.kind in EFFECTS and any(entry.sure and entry.source == "declaration" for entry in entries)


def is_waiting(cause: Cause) -> bool:
    """Return whether a cause only says that a node gets no answer for an address."""
    return cause.kind == RESOLUTION and cause.source == "kernel"


def _is_same(cause: Cause, entry: Cause) -> bool:
    """Return whether a cause of live evidence is of an entry's fault."""
    if cause.kind == entry.kind == RESOLUTION:
        return True
    if cause.node != entry.node:
        return False
    if _is_ending(cause):
        return entry.sure
    here = None in (cause.interface, entry.interface) or cause.interface == entry.interface
    return here and cause.kind == entry.kind


def _closeness(cause: Cause, entry: Cause) -> tuple[bool, bool]:
    """How well an entry fits: an ending at no device is one of routing."""
    here = entry.kind in ROUTING if cause.interface is None else cause.interface == entry.interface
    return cause.about is not None and cause.about == entry.about, here


def _confirmed(entry: Cause, by: Cause) -> Cause:
    """An entry with what another source knows of it and the command that shows it; the entry's own fix undoes all."""
    words = f"{by.kind}: {by.live}"
    evidence = entry.evidence if words in entry.evidence else "; ".join(filter(None, (entry.evidence, words)))
    narrower = by if by.kind == entry.kind else entry
    show, fix = narrower.show or entry.show, entry.fix or narrower.fix
    live = entry.live.partition(IT_MAY)[0] if by.sure else entry.live
    return replace(entry, live=live, evidence=evidence, sure=entry.sure or by.sure, show=show, fix=fix)


def _without_effects(causes: Sequence[Cause]) -> Iterator[Cause]:
    """The causes that follow from none before them; each can be fixed with what follows from it."""
    left = list(causes)
    while left:
        head, *left = left
        effects = [cause for cause in left if _follows(cause, head)]
        effects += [one for one in left if any(_is_of_one_route(one, effect) for effect in effects)]
        left = [cause for cause in left if cause not in effects]
        fixes = () if head.remade else effects  # what makes a device anew gives it all that it had
        yield replace(head, fix="; ".join(dict.fromkeys(one.fix for one in (head, *fixes) if one.fix)))


def _is_of_one_route(cause: Cause, effect: Cause) -> bool:
    """Return whether two differences are of one route with several next hops, which goes with any of its devices."""
    one, other = cause.about, effect.about
    return (
        isinstance(one, RouteState)
        and one is not other
        and one.whole != ""
        and isinstance(other, RouteState)
        and (cause.node, one.whole, cause.live) == (effect.node, other.whole, MISSING)
    )


def _follows(cause: Cause, head: Cause) -> bool:
    """Return whether a difference of a node follows from another: a link takes addresses, routes, ports and devices
    above it along, an address its routes, a tunnel's header some of its MTU."""
    if cause.node != head.node or head.declared == NOTHING:
        return False
    here = cause.interface == head.interface
    if head.kind == "link":
        return here or (head.live == MISSING and _stands_on(cause, head.interface))
    if head.kind == "address":
        return here and cause.kind in WITH_ADDRESS and (cause.kind == "route" or cause.declared == NOTHING)
    return here and cause.kind == "mtu" and not isinstance(cause.about, RouteState)


def _stands_on(cause: Cause, device: str | None) -> bool:
    """Return whether a cause is a port that is in no bridge any more, or a device that went with the one below it."""
    if cause.kind == "bridge":
        return cause.declared == device
    below = cause.about.parameters if isinstance(cause.about, LinkState) else ()
    return cause.kind == "link" and cause.live == MISSING and ("dev", str(device)) in below
