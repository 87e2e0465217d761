"""Fragments are tied to the packet that they are of, and to no other."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from reports.evidence import Sighting
from reports.judge.fragments import is_complete, sorted_out
from tests.self.recorded import recorded
from topology.wire.headers import decode

WHOLE = recorded()["cs1", "cs5", 1426, True]
SPLIT = recorded()["cs1", "cs5", 1427, True]
"""VXLAN's packet, split by the leaf on its way into GRE."""
PLAIN = recorded()["cs1", "cs4", 1477, False]
"""The customer's own packet, split by the leaf, put together by the target."""


def mark(sighting: Sighting) -> bytes | None:
    """The nonce of the one or the other packet."""
    return next((a.nonce for a in (SPLIT, PLAIN) if a.nonce in sighting.frame), None)


def changed(sighting: Sighting, offset: int, *octets: int) -> Sighting:
    """The sighting with other bytes in its frame."""
    frame = sighting.frame[:offset] + bytes(octets) + sighting.frame[offset + len(octets) :]
    link = sighting.hardware == 1
    return replace(sighting, frame=frame, headers=decode(frame, link=link, ethertype=0x0800))


def test_each_fragment_finds_its_packet_among_others() -> None:
    """Two split packets, mixed in any order, are separated, frame by frame."""
    both = [*SPLIT.journey.sightings, *PLAIN.journey.sightings, *WHOLE.journey.sightings]
    random.Random(1).shuffle(both)
    found = sorted_out(both, mark)
    assert {nonce: set(frames) for nonce, frames in found.items()} == {
        SPLIT.nonce: set(SPLIT.journey.sightings),
        PLAIN.nonce: set(PLAIN.journey.sightings),
    }


@pytest.mark.parametrize("what", ["node", "identification", "source"])
def test_a_fragment_of_another_packet_stays_apart(what: str) -> None:
    """A fragment of other node, addresses or identification is foreign."""
    first, last = (s for s in SPLIT.journey.sightings if (s.node, s.interface, s.direction) == ("sc2", "sc2_lc1", "in"))
    assert SPLIT.nonce in first.frame
    inner = 14 + 20 + 4
    other = {
        "node": replace(last, node="sc1"),
        "identification": changed(last, inner + 4, 0xEE, 0xEE),
        "source": changed(last, inner + 12, 21, 0, 0, 9),
    }[what]
    assert sorted_out([first, last], mark) == {SPLIT.nonce: [first, last]}
    assert sorted_out([first, other], mark) == {SPLIT.nonce: [first]}


def test_a_fragment_without_its_first_is_unassigned() -> None:
    """Fragments are left out if the frame with the nonce is unseen."""
    orphans = [s for s in SPLIT.journey.sightings if SPLIT.nonce not in s.frame]
    assert len(orphans) == 8
    assert sorted_out(orphans, mark) == {}


def test_a_packet_is_complete_when_nothing_is_missing() -> None:
    """All fragments make a packet, in any order and twice; one of them, a hole, or no end does not."""
    there = [s for s in PLAIN.journey.sightings if s.node == "cs4"]
    first, last = there
    assert is_complete(there)
    assert is_complete([last, first, last])
    assert not is_complete([first])
    assert not is_complete([last])
    assert not is_complete([])
    offset = 14 + 6
    assert not is_complete([first, changed(last, offset, 0x00, 0xFF)])
