"""The fate of one packet of one size, by its journey and those of the errors that quote it. Pure."""

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
    """One probe: its size in bytes of IP packet, its DF bit, its journey and that of the errors that quote it.

    ``nonce`` leads its payload. ``refusal`` says why the sender's own kernel refused it.
    """

    size: int
    df: bool
    journey: Journey
    errors: Journey
    nonce: bytes = b""
    refusal: str = ""


@dataclass(frozen=True)
class Outcome:
    """The fate of a packet, and ``where``: split there, answered from there, or seen there last.

    ``mtu`` is ICMP's, ``speaker`` its source; ``forged`` if a device on the path answered with the target's address.
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
            return f"vanishes {f'after {self.where}' if self.where else f'in {self.node}'}{note}"
        name = f"{'in the name of' if self.forged else 'by'} {self.speaker}"
        return f"is answered {name}, at {self.where}: fragmentation needed, MTU {self.mtu}"


def outcome(attempt: Attempt) -> Outcome:
    """Return the fate of the packet of an attempt."""
    seen, source = attempt.journey.sightings, attempt.journey.source
    if attempt.refusal and not seen:
        return Outcome("refused", source)
    split = next((sighting for sighting in seen if fragmented(sighting)), None)
    if _arrived(attempt.journey):
        return Outcome("whole") if split is None else Outcome("fragments", split.node, split.place)
    if not seen:
        return Outcome("silence", source)
    errors, ip = _errors(attempt.errors.sightings), seen[0].headers.get("ipv4", -1)
    for error, its in errors.items():
        if any(sighting.node == source and sighting.direction == "in" for sighting in its):
            in_its_name = ip is not None and error.src == ip["dst"]
            forged = in_its_name and all(sighting.node != attempt.journey.target for sighting in its)
            return Outcome("icmp", its[0].node, its[0].place, error.mtu, error.src, forged)
    note = "; ".join(_unheard(error, its) for error, its in errors.items())
    return Outcome("silence", seen[-1].node, seen[-1].place, note=note)


def _arrived(journey: Journey) -> bool:
    """Return whether the packet came in at its target, whole or in all of its parts."""
    there = [s for s in journey.sightings if s.node == journey.target and s.direction == "in"]
    if any(fragmented(sighting) is None for sighting in there):
        return True
    packets = {fragment_key(sighting) for sighting in there}
    return any(is_complete(s for s in there if fragment_key(s) == packet) for packet in packets)


class _Error(NamedTuple):
    """The content of one ICMP error: its source, its destination and the MTU."""

    src: str
    dst: str
    mtu: int


def _errors(seen: Iterable[Sighting]) -> Mapping[_Error, list[Sighting]]:
    """Return every "fragmentation needed" among the errors, with all sightings of it."""
    found: dict[_Error, list[Sighting]] = {}
    for sighting in seen:
        icmp, ip = sighting.headers.get("icmp", -1), sighting.headers.get("ipv4", -1)
        if icmp and ip and (icmp["type"], icmp["code"]) == (UNREACHABLE, FRAGMENTATION_NEEDED):
            error = _Error(str(ip["src"]), str(ip["dst"]), int(icmp["nexthopmtu"]))
            found.setdefault(error, []).append(sighting)
    return found


def _unheard(error: _Error, its: Sequence[Sighting]) -> str:
    """Describe an error that the sender never got: it went to another address, or was lost."""
    return f"{its[0].node} sent fragmentation needed to {error.dst}, MTU {error.mtu}, seen last at {its[-1].place}"
