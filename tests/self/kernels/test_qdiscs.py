"""Options of netem are read as tc(8) writes them, and a change of what is not spelled out is still a change."""

from __future__ import annotations

import struct

import pytest

from topology.kernels.rtnl import messages as nl
from topology.kernels.rtnl.qdiscs import qdiscs

PERCENT = 0xFFFFFFFF // 100
DUMPED = {1: bytes(12), 3: bytes(8), 4: bytes(8), 6: bytes(16), 10: bytes(8), 11: bytes(8), 12: bytes(range(8))}
"""The attributes that a kernel gives with every netem (netem_dump, net/sched/sch_netem.c)."""


def words(loss: int = 0, limit: int = 1000, duplicate: int = 0, gap: int = 0, **attributes: bytes) -> str:
    """The words of a netem at the root of a device, with these attributes (``a10`` is the one numbered 10)."""
    head = struct.pack("=6I", 0, limit, loss, gap, duplicate, 0)
    known = DUMPED | {int(name[1:]): value for name, value in attributes.items()}
    options = head + b"".join(nl.packed_attribute(kind, value) for kind, value in known.items())
    more = nl.packed_attribute(1, b"netem\0") + nl.packed_attribute(2, options)
    fields = {"index": 2, "handle": 0x80010000, "parent": 0xFFFFFFFF}
    payload = struct.pack(nl.QDISC.head, *(fields.get(name, 0) for name in nl.QDISC.fields)) + more
    (entry,) = qdiscs(nl.packed_message(nl.QDISC.kind, 0, payload), {2: "eth"})
    return entry.words.removeprefix("dev eth root netem").strip()


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("", {}),
        ("loss 10%", {"loss": 10 * PERCENT}),
        ("loss 0.1%", {"loss": PERCENT // 10}),
        ("limit 20 duplicate 50%", {"limit": 20, "duplicate": 50 * PERCENT}),
        ("delay 5ms", {"a10": struct.pack("=q", 5_000_000)}),
        ("delay 5ms 1.5ms", {"a10": struct.pack("=q", 5_000_000), "a11": struct.pack("=q", 1_500_000)}),
        (
            "reorder 25% corrupt 20%",
            {"a3": struct.pack("=II", 25 * PERCENT, 0), "a4": struct.pack("=II", 20 * PERCENT, 0)},
        ),
        ("rate 1Mbit", {"a6": struct.pack("=4I", 125_000, 0, 0, 0)}),
    ],
)
def test_options_read_as_they_are_typed(said: str, options: dict[str, int | bytes]) -> None:
    """Delays, chances, rates and a limit are in tc's words; the seed that a newer kernel draws is no difference."""
    assert words(**options) == said  # type: ignore[arg-type]


def test_options_that_are_not_spelled_out_are_told_apart() -> None:
    """Correlations, gaps and models of loss have no words here, but each differs from none and from another."""
    found = [words(), words(gap=5), words(gap=6), words(a1=struct.pack("=3I", PERCENT, 0, 0)), words(a5=bytes([1] * 8))]
    assert found[0] == ""
    assert len(set(found)) == len(found)
