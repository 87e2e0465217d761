"""Payloads that an application gets through, and the cause if it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.checks.mtu import PairMtu
from reports.checks.payloads import Exchange
from tests.self.found import AS_MEASURED, CAUSE, SILENCE, changed, way

SENT = (b"a", bytes(range(200)), bytes(1374))
GOOD = Exchange("cs1", "cs5", "tcp", 1426, SENT, SENT, SENT)
STALLED = replace(GOOD, there=(*SENT[:2], b""), back=SENT[:2])
BACK = replace(way(changed(AS_MEASURED, {1330: SILENCE}), causes=(CAUSE,)), source="cs5", target="cs1")
SOUND = PairMtu(way(), replace(way(), source="cs5", target="cs1"))
NARROW = PairMtu(way(changed(AS_MEASURED, {1327: SILENCE}), causes=(CAUSE,)), BACK)


def test_unchanged_messages_are_fine() -> None:
    """All of them, there and back."""
    assert GOOD.unchanged()
    assert GOOD.unchanged(NARROW)


WRONG: dict[str, tuple[Exchange, str]] = {
    "nothing at all": (replace(GOOD, there=(), back=()), "seen none of the 1 bytes of message 1"),
    "stalled": (STALLED, "seen 0 of the 1374 bytes of message 3"),
    "changed": (replace(GOOD, there=(SENT[0], bytes(200), SENT[2])), "seen another byte 1 of message 2"),
    "lost on the way back": (replace(GOOD, back=(SENT[0], b"")), "cs5 -> cs1 (tcp) - expected"),
    "refused": (replace(GOOD, there=(), back=(), error="[Errno 90] Message too long"), "Message too long"),
}


@pytest.mark.parametrize("name", WRONG)
def test_message_that_did_not_come_as_it_was_sent_fails(name: str) -> None:
    """Lost, cut or changed, there or back: the first such message is reported with its direction."""
    found, words = WRONG[name]
    assert not found.unchanged()
    assert words in repr(found.unchanged())
    assert not found.unchanged(SOUND)


def test_last_message_there_may_be_whole_and_lost_on_its_way_back() -> None:
    """A message at the target clears the way there."""
    found = replace(GOOD, there=SENT[:2], back=SENT[:1]).unchanged(NARROW)
    assert "cs5 -> cs1" in repr(found)
    assert "one of 1330 with DF" in repr(found)


def test_stall_is_explained_by_the_sizes_that_cross() -> None:
    """Small packets arrive, one that the stream needs does not: at which size, where, and why."""
    found = STALLED.unchanged(NARROW)
    assert repr(found).startswith("lc1 - cs1 -> cs5 (tcp) - ")
    explained = "packets of 84 bytes arrive, one of 1327 with DF vanishes after con_ns1:bridge1_cs1 in - cause: lc1"
    assert explained in repr(found)
    assert found.cause == CAUSE


def test_stall_that_sizes_do_not_explain_is_said_to_be_so() -> None:
    """If all sizes of the stream cross, sizes are not the cause."""
    assert "packets of 84 to 1426 bytes with DF arrive" in repr(STALLED.unchanged(SOUND))
    assert STALLED.unchanged(SOUND).cause is None
