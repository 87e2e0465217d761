"""What became of one packet of one size, by its journey and those of the errors that quote it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from reports.evidence import Journey, Sighting
from reports.judge.fragments import fragment_key, fragmented, is_complete

Fate: TypeAlias = Literal["whole", "fragments", "icmp", "silence", "refused"]
ARRIVES: frozenset[Fate] = frozenset(("whole", "fragments"))
UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4
"""ICMP type and code (RFC 792); the next hop's MTU is RFC 1191's."""


@dataclass(frozen=True)
class Attempt:
    """One probe: its size in bytes of IP packet, whether with DF, what was seen of it and of the errors that quote it.

    ``nonce`` leads its payload. ``refusal`` says why the sender's own kernel did not take it.
    """

    size: int
    df: bool
    journey: Journey
    errors: Journey
    nonce: bytes = b""
    refusal: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a packet, and ``where``: split there, answered from there, or seen there last.

    ``mtu`` is what ICMP told, ``speaker`` in whose name; ``forged`` when a device on the way took the target's.
    """

    fate: Fate
    node: str = ""
    where: str = ""
    mtu: int | None = None
    speaker: str = ""
    forged: bool = False
    note: str = ""

    @property
    def arrives(self) -> bool:
        """Return whether the target got it."""
        return self.fate in ARRIVES

    def __str__(self) -> str:
        if self.fate == "whole":
            return "arrives whole"
        if self.fate == "fragments":
            return f"arrives in fragments, split at {self.where}"
        if self.fate == "refused":
            return f"is refused by {self.node} itself"
        note = f" ({self.note})" if self.note else ""
        if self.fate == "silence":
            return f"vanishes {f'behind {self.where}' if self.where else f'in {self.node}'}{note}"
        name = f"{'in the name of' if self.forged else 'by'} {self.speaker}"
        return f"is answered {name}, at {self.where}: fragmentation needed, MTU {self.mtu}"


def outcome(attempt: Attempt) -> Outcome:
    """What became of the packet of an attempt."""
    seen, source = attempt.journey.sightings, attempt.journey.source
    if attempt.refusal and not seen:
        return Outcome("refused", source)
    split = next((sighting for sighting in seen if fragmented(sighting)), None)
    if _arrived(attempt.journey):
        return Outcome("whole") if split is None else Outcome("fragments", split.node, place(split))
    if not seen:
        return Outcome("silence", source)
    errors = _errors(attempt.errors.sightings)
    for error, its in errors.items():
        if any(sighting.node == source and sighting.direction == "in" for sighting in its):
            forged = error.src == _target(seen[0]) and all(s.node != attempt.journey.target for s in its)
            return Outcome("icmp", its[0].node, place(its[0]), error.mtu, error.src, forged)
    note = "; ".join(_unheard(error, its) for error, its in errors.items())
    return Outcome("silence", seen[-1].node, place(seen[-1]), note=note)


def place(sighting: Sighting) -> str:
    """Where a frame was seen, as ``node:interface direction``."""
    return f"{sighting.node}:{sighting.interface} {sighting.direction}"


def _arrived(journey: Journey) -> bool:
    """Return whether the packet came in at its target, whole or in all of its parts."""
    there = [s for s in journey.sightings if s.node == journey.target and s.direction == "in"]
    if any(fragmented(sighting) is None for sighting in there):
        return True
    packets = {fragment_key(sighting) for sighting in there}
    return any(is_complete(s for s in there if fragment_key(s) == packet) for packet in packets)


def _target(sighting: Sighting) -> str:
    """The address that the customer's packet is for."""
    ip = sighting.headers.get("ipv4", -1)
    return str(ip["dst"]) if ip is not None else ""


class _Error(NamedTuple):
    """What one ICMP error says: from whom, to whom, and which MTU."""

    src: str
    dst: str
    mtu: int


def _errors(seen: Iterable[Sighting]) -> Mapping[_Error, list[Sighting]]:
    """Every "fragmentation needed" among the errors, with all sightings of it."""
    found: dict[_Error, list[Sighting]] = {}
    for sighting in seen:
        icmp, ip = sighting.headers.get("icmp", -1), sighting.headers.get("ipv4", -1)
        if icmp is None or ip is None or (icmp["type"], icmp["code"]) != (UNREACHABLE, FRAGMENTATION_NEEDED):
            continue
        error = _Error(str(ip["src"]), str(ip["dst"]), int(icmp["nexthopmtu"]))
        found.setdefault(error, []).append(sighting)
    return found


def _unheard(error: _Error, its: Sequence[Sighting]) -> str:
    """What is known of an error that the sender never got: it was told to somebody else, or lost."""
    last = place(its[-1])
    return f"{its[0].node} told {error.dst} that fragmentation is needed, MTU {error.mtu}, seen last at {last}"
