"""Dumps without what changes by itself say the same as whole ones, and the same again after traffic."""

from __future__ import annotations

import struct

import pytest

from tests.self.kernels.dumps import (
    END,
    NEWLINK,
    NEWNEIGH,
    NEWROUTE,
    answers,
    dumps,
    link,
    message,
    neighbour,
    recorded,
    state_of,
)
from topology.kernels.rtnl import readout
from topology.kernels.rtnl.dumps import state_requests
from topology.kernels.rtnl.lean import lean

NAMES = [request.what for request in state_requests()]
RELEASES = ("6.1.0", "6.18.44")
STATS64, CACHEINFO = 23, 3
"""IFLA_STATS64 (linux/if_link.h), NDA_CACHEINFO (linux/neighbour.h)."""


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("release", RELEASES)
def test_traffic_changes_no_byte(release: str, what: str) -> None:
    """What a kernel says after traffic is what it said before, so that it need not be decoded again."""
    before, after = (answers(f"{release} {moment}")[what] for moment in ("as built", "after traffic"))
    assert lean(what, before) == lean(what, after)


@pytest.mark.parametrize("what", ["links", "neighbours", "forwarding"])
def test_whole_answers_differ_after_traffic(what: str) -> None:
    """Left as they are, these answers are different ones after every packet, which is why they are made lean."""
    before, after = (answers(f"6.1.0 {moment}")[what] for moment in ("as built", "after traffic"))
    assert before != after


@pytest.mark.parametrize("moment", ["as built", "after traffic", "changed"])
@pytest.mark.parametrize("release", RELEASES)
def test_lean_answers_tell_the_same_state(release: str, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a state is read from is left out."""
    told = recorded(f"{release} {moment}")
    monkeypatch.setattr(readout, "lean", lambda what, answer: answer)
    assert recorded(f"{release} {moment}") == told


def test_the_devices_of_every_kind_of_tunnel_stay() -> None:
    """A device's kind and parameters are told, a bridge's are not read."""
    answer = dict(zip(NAMES, dumps(), strict=True))["links"]
    assert b"vxlan\0" in lean("links", answer)
    assert b"bridge\0" in lean("links", answer)
    assert state_of(("links", answer)).links["vx"].parameters


def test_a_change_is_still_a_change() -> None:
    """Another MTU, a device that is down, a neighbour that is kept: each makes another answer."""
    plain = link(2, "eth", [("IFLA_MTU", 1500)])
    for other in (link(2, "eth", [("IFLA_MTU", 1400)]), link(2, "eth", [("IFLA_MTU", 1500)], flags=0)):
        assert lean("links", plain + END) != lean("links", other + END)
    kept = neighbour(2, 2, 0x80, [("NDA_DST", "10.0.0.9"), ("NDA_LLADDR", "02:00:00:00:00:09")])
    learned = neighbour(2, 2, 0x02, [("NDA_DST", "10.0.0.8"), ("NDA_LLADDR", "02:00:00:00:00:08")])
    assert lean("neighbours", kept + learned + END) == lean("neighbours", kept + END) != lean("neighbours", END)


def test_counters_and_ages_are_left_out() -> None:
    """Attributes that only count or age are no part of an answer."""
    head = struct.pack("=BBHiII", 0, 0, 1, 2, 1, 0)
    counted = [struct.pack("=HHQ", 12, STATS64, count) for count in (1, 2)]
    first, second = (lean("links", message(NEWLINK, head + attribute) + END) for attribute in counted)
    assert first == second == message(NEWLINK, head) + END
    static = struct.pack("=BxxxIHBB", 7, 2, 0x40, 0, 0)
    aged = [message(NEWNEIGH, static + struct.pack("=HHQ", 12, CACHEINFO, age)) + END for age in (1, 2)]
    assert lean("forwarding", aged[0]) == lean("forwarding", aged[1])


CUT = struct.pack("=HH", 400, 1) + b"??"
"""An attribute that says that it is longer than its message."""


@pytest.mark.parametrize(("what", "kind"), [("links", NEWLINK), ("routes", NEWROUTE), ("neighbours", NEWNEIGH)])
@pytest.mark.parametrize("payload", [b"", b"\1", bytes(11), bytes(16) + CUT, bytes(12) + b"\0\0\0\0"], ids=bytes.hex)
def test_what_is_no_kernels_word_is_left_to_who_reads_it(what: str, kind: int, payload: bytes) -> None:
    """A broken message is neither dropped nor fixed, and nothing is raised here."""
    if what == "neighbours" and len(payload) >= 12:
        payload = payload[:8] + struct.pack("=H", 0x80) + payload[10:]
    assert payload[12:] in lean(what, message(kind, payload) + END)
