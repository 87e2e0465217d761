"""Judges whether an application's messages arrive unchanged, and if not, which size explains it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.checks.mtu import LegMtu, PairMtu
from reports.evidence import Finding
from reports.words import counted


@dataclass(frozen=True)
class Exchange:
    """Messages that went from one node to another and came back, one after the other.

    ``there`` are the bytes the target got, ``back`` those the source got back; both end with the first incomplete
    message. ``largest`` is the size, in bytes of IP packet, that the packets had at most; ``error`` is a socket's.
    """

    source: str
    target: str
    protocol: str
    largest: int
    sent: tuple[bytes, ...]
    there: tuple[bytes, ...]
    back: tuple[bytes, ...]
    error: str = ""

    def unchanged(self, sizes: PairMtu | None = None) -> Finding:
        """Return whether every message arrived and came back byte for byte; ``sizes`` explain a failure."""
        for number, message in enumerate(self.sent):
            for got, ends in ((self.there, (self.source, self.target)), (self.back, (self.target, self.source))):
                if wrong := _wrong(message, got[number : number + 1]):
                    way = next((way for way in sizes.legs if way.source == ends[0]), None) if sizes else None
                    return self._fails(f"{wrong} of message {number + 1}", ends, way)
        return Finding(True, f"{counted(len(self.sent), 'message')} came there and back unchanged")

    def _fails(self, wrong: str, ends: tuple[str, str], way: LegMtu | None) -> Finding:
        expected = f"{counted(len(self.sent), 'message')} of up to {max(map(len, self.sent))} bytes, unchanged"
        error = f" - {self.error}" if self.error else ""
        explained = explain(way, self.largest) if way else Finding(False, "")
        where = explained.cause.node if explained.cause else ends[0]
        words = f"{where} - {ends[0]} -> {ends[1]} ({self.protocol}) - expected {expected} - seen {wrong}{error}"
        return Finding(False, f"{words}{explained.message}", explained.causes)


def explain(way: LegMtu, largest: int) -> Finding:
    """Judge packets of up to a size on a way by the sizes found; the message continues another."""
    small = min(way.with_df, default=0)
    lost = way.crosses(largest)
    if lost is None:
        return Finding(True, f" - packets of {small} to {largest} bytes with DF arrive")
    size, what = lost
    words = f" - packets of {small} bytes arrive, one of {size} with DF {what}"
    return Finding(False, words + (f" - cause: {way.cause}" if way.cause else ""), way.causes)


def _wrong(message: bytes, got: Sequence[bytes]) -> str:
    """Describe the fault of a received message; empty if none."""
    if not got:
        return f"none of the {len(message)} bytes"
    seen = got[0]
    if seen == message:
        return ""
    same = next((n for n, (a, b) in enumerate(zip(message, seen, strict=False)) if a != b), None)
    if same is not None:
        return f"another byte {same}"
    return f"{len(seen)} of the {len(message)} bytes"
