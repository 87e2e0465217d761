"""A packet's outcome, from recorded journeys, whole and with frames taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.evidence import Sighting
from reports.judge.attempt import Attempt, Outcome, outcome
from reports.judge.fragments import fragmented
from tests.self.recorded import recorded

Taken = Callable[[Sighting], bool]

RECORDED: dict[tuple[str, str, int, bool], str] = {
    ("cs1", "cs5", 1426, True): "arrives whole",
    ("cs1", "cs5", 1427, True): "arrives in fragments, split at lc1:gretun-cont out",
    ("cs1", "cs5", 1451, True): "is answered in the name of 20.0.0.3, at con_ns1:vxlan-cont in: fragmentation needed, "
    "MTU 1450",
    ("cs1", "cs5", 1455, True): "vanishes after con_ns1:bridge1_cs1 in",
    ("cs1", "cs5", 1501, True): "is refused by cs1 itself",
    ("cs1", "cs4", 1476, True): "arrives whole",
    ("cs1", "cs4", 1477, True): "is answered by 20.0.0.254, at lc1:lc1-bridge1 out: fragmentation needed, MTU 1476",
    ("cs1", "cs4", 1477, False): "arrives in fragments, split at lc1:gretun-cont out",
    ("cs1", "cs5", 1327, True): "vanishes after lc1:gretun-cont out (lc1 sent fragmentation needed to 21.0.0.1, "
    "MTU 1376, seen last at con_ns1:br1_lc1 in)",
    ("cs5", "cs1", 1331, True): "vanishes after sc2:sc2_lc1 out",
    ("cs1", "cs4", 1400, True): "vanishes after sc2:sc2_lc1 in (sc2 sent fragmentation needed to 26.0.0.2, "
    "MTU 1400, seen last at lc1:lc1_sc2 in)",
}
"""The last three from a fabric whose leaf or spine had a link of 1400 bytes."""


@pytest.mark.parametrize(("key", "words"), RECORDED.items(), ids=lambda value: str(value)[:40])
def test_recorded_packet_is_reported_as_it_went(key: tuple[str, str, int, bool], words: str) -> None:
    """Whole, split, answered, vanished or refused: what became of it, where, and by whom."""
    assert str(outcome(recorded()[key])) == words


def without(attempt: Attempt, taken: Taken) -> Outcome:
    """An attempt without some of its sightings."""
    out, errors = (
        replace(journey, sightings=tuple(s for s in journey.sightings if not taken(s)))
        for journey in (attempt.journey, attempt.errors)
    )
    return outcome(replace(attempt, journey=out, errors=errors))


def at_target(sighting: Sighting) -> bool:
    """True if a frame was seen at the target."""
    return sighting.node in ("cs5", "cs4")


@pytest.mark.parametrize("size", [1426, 1427])
def test_packet_that_is_not_seen_at_its_target_has_vanished(size: int) -> None:
    """A packet that does not come in at the target is lost behind its last place."""
    lost = without(recorded()["cs1", "cs5", size, True], at_target)
    assert (lost.fate, lost.node, lost.where) == ("silence", "con_ns3", "con_ns3:bridge3_cs5 out")
    assert not lost.arrives


def test_packet_of_which_a_part_is_missing_has_vanished() -> None:
    """One of two fragments at the target is no packet."""
    attempt = recorded()["cs1", "cs4", 1477, False]
    there = [s for s in attempt.journey.sightings if s.node == "cs4"]
    assert len(there) == 2
    assert [without(attempt, lost.__eq__).fate for lost in there] == ["silence", "silence"]


def test_packet_is_not_whole_when_only_one_hop_saw_a_fragment() -> None:
    """A single fragment anywhere on the way is enough."""
    attempt = recorded()["cs1", "cs5", 1427, True]
    split = [s for s in attempt.journey.sightings if fragmented(s)]
    assert len(split) == 16
    for kept in split:
        others = set(split) - {kept}
        found = without(attempt, others.__contains__)
        assert (found.fate, found.node) == ("fragments", kept.node)


def test_error_that_does_not_reach_the_sender_is_silence() -> None:
    """A lost ICMP error never reaches the sender; its source and the place of its loss are shown."""
    lost = without(recorded()["cs1", "cs4", 1477, True], lambda s: s.node == "cs1" and s.direction == "in")
    assert (lost.fate, lost.where) == ("silence", "lc1:lc1-bridge1 in")
    assert "lc1 sent fragmentation needed to 20.0.0.1" in lost.note
    assert "seen last at con_ns1:bridge1_cs1 out" in lost.note


def test_error_of_another_kind_is_no_answer() -> None:
    """Without "fragmentation needed" the sender learns nothing about sizes."""
    lost = without(recorded()["cs1", "cs4", 1477, True], lambda s: s.headers.get("icmp", -1) is not None)
    assert (lost.fate, lost.note) == ("silence", "")


def test_error_in_the_targets_name_is_forged_only_when_the_target_was_not_asked() -> None:
    """If the target itself has seen the error, the target sent it."""
    attempt = recorded()["cs1", "cs5", 1451, True]
    assert outcome(attempt).forged
    own = replace(attempt.errors.sightings[0], node="cs5", interface="cs5_br3", direction="out")
    errors = replace(attempt.errors, sightings=(own, *attempt.errors.sightings))
    assert not outcome(replace(attempt, errors=errors)).forged


def test_refused_packet_that_was_seen_was_not_refused() -> None:
    """A packet seen on its way has left, even if the sender's kernel refused."""
    attempt = replace(recorded()["cs1", "cs5", 1455, True], refusal="Message too long")
    assert outcome(attempt).fate == "silence"


def test_packet_that_was_never_seen_vanished_at_its_sender() -> None:
    """Without a sighting and without a refusal the sender itself is where it was lost."""
    lost = without(recorded()["cs1", "cs5", 1426, True], lambda _: True)
    assert str(lost) == "vanishes in cs1"
