"""What captures show of pairs counts; what they do not show is never a pass and never a failure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from reports.captures.files import captures_in
from reports.captures.packets import SAMPLES, Captured, Samples
from reports.checks.captured import judge_captured
from reports.checks.seen import SeenTrip
from tests.self.captures.frames import (
    Kept,
    datagram,
    ether,
    folder,
    gre,
    ipv4,
    request,
    vxlan,
)
from topology.errors import EvidenceIncomplete, HopcheckError, NotApplicable
from topology.promises import KINDS_OF_TENANTS, Pair, TenantType

Captures = dict[str, list[Kept]]


def pair_of(kind: TenantType) -> Pair:
    carried, within = KINDS_OF_TENANTS[kind]
    return Pair("CS1", "CS2", carried, within=within)


def way(place: Callable[[bytes, bool], bytes] | None, lowered: int = 0, by: str = "r") -> Captures:
    """A request and its answer at both ends, and inside what ``place`` makes of the frame, or packet, at a leaf."""
    found: Captures = {"cs1--eth0": [], "CS2--eth0": []}
    for back in (False, True):
        near, far = ("b", "a") if back else ("a", "b")
        names = list(found)[:2][:: -1 if back else 1]
        at = 1000 * back
        found[names[0]].append((at + 10, ether(near, far, request(64, back=back))))
        last = ether(by if lowered and by else near, far, request(64 - lowered, back=back))
        found[names[1]].append((at + 30, last))
        if place:
            found.setdefault("leaf--up", []).append((at + 20, place(request(64 - lowered, back=back), back)))
    return found


def framed(packet: bytes, back: bool) -> bytes:
    return ether("b", "a", packet) if back else ether("a", "b", packet)


def in_vxlan(packet: bytes, back: bool) -> bytes:
    return vxlan(framed(packet, back))


def one_way(found: Captures) -> Captures:
    return {name: frames[:1] for name, frames in found.items()}


def without(found: Captures, name: str) -> Captures:
    return {one: frames for one, frames in found.items() if one != name}


def later(found: Captures, name: str) -> Captures:
    return found | {name: [(time_ns + 25, frame) for time_ns, frame in found[name]]}


INCOMPLETE, ABSENT = EvidenceIncomplete, NotApplicable
UNKNOWN = way(lambda packet, back: ether("r", "r", datagram(bytes(4) + framed(packet, back), 9999)))
QUOTED = way(in_vxlan)
QUOTED["leaf--up"].append((40, ether("r", "a", ipv4("10.0.0.9", "42.0.0.1", 1, b"\x03\x04" + bytes(6) + request()))))
CASES: dict[str, tuple[TenantType, Captures, bool | type[HopcheckError], str]] = {
    "VXLAN": ("VXLAN", way(in_vxlan), True, ""),
    "VXLAN on another port": ("VXLAN", way(lambda p, b: vxlan(framed(p, b), port=4900)), True, ""),
    "an error that quotes the packet": ("VXLAN", QUOTED, True, ""),
    "GRE": ("GRE", way(lambda packet, _: gre(packet), lowered=2), True, ""),
    "GRE for VXLAN": ("VXLAN", way(lambda packet, _: gre(packet), lowered=2), False, "carried as l2-overlay"),
    "VXLAN for GRE": ("GRE", way(in_vxlan), False, "carried as l3-overlay - seen l2-overlay"),
    "VXLAN for Bridge": ("Bridge", way(in_vxlan), False, "carried as bridge - seen l2-overlay"),
    "routed for VXLAN": ("VXLAN", way(framed, lowered=2), False, "carried as l2-overlay - seen routed"),
    "routed for Bridge": ("Bridge", way(framed, lowered=1), False, "carried as bridge - seen"),
    "bridged for L3": ("L3", way(framed), False, "carried as routed - seen bridge"),
    "no tunnel caught": ("VXLAN", way(None), INCOMPLETE, "expected a capture that shows it in a tunnel - seen none"),
    "routed for GRE": ("GRE", way(framed, lowered=2), INCOMPLETE, "expected a capture that shows it in a tunnel"),
    "Bridge": ("Bridge", way(framed), ABSENT, "no tunnel is an absence, which no capture proves"),
    "L3": ("L3", way(None, lowered=2), ABSENT, "seen routed, but no tunnel is an absence"),
    "a TTL lowered in the same frame": ("L3", way(None, 2, by=""), False, "seen no kind (its TTL lowered"),
    "an end without a capture": ("VXLAN", without(way(in_vxlan), "CS2--eth0"), INCOMPLETE, "expected a capture CS2--"),
    "no answer": ("VXLAN", one_way(way(in_vxlan)), INCOMPLETE, "seen one direction only: what captures do not show"),
    "nothing": ("VXLAN", {"CS1--a": [], "CS2--b": []}, INCOMPLETE, "both ends - seen none"),
    "clocks that differ": ("VXLAN", later(way(in_vxlan), "leaf--up"), INCOMPLETE, "clocks differ"),
    "an unknown tunnel": ("VXLAN", UNKNOWN, INCOMPLETE, "leaf - up - .* - expected a tunnel that is known"),
}


@pytest.mark.parametrize("name", CASES)
def test_captures_are_judged_by_what_they_show(name: str, tmp_path: Path) -> None:
    """A pass and a failure both need packets that show it; all else is errored, or cannot be proven so at all."""
    kind, captures, expected, words = CASES[name]
    pair = pair_of(kind)
    found = Captured(captures_in(folder(tmp_path / "c", captures)), [pair])
    if isinstance(expected, bool):
        trip = found.trip(pair)
        assert trip
        assert trip.arrived
        finding = judge_captured(trip, pair)
        assert bool(finding) is expected
        assert words in finding.message or expected
    else:
        with pytest.raises(expected) as raised:
            judge_captured(cast(SeenTrip, found.trip(pair)), pair)
        assert re.search(words, str(raised.value)), str(raised.value)


def test_other_protocols_are_asked_for_by_name(tmp_path: Path) -> None:
    """Without datagrams of the pair there is nothing to say of them."""
    pair = pair_of("VXLAN")
    assert Captured(captures_in(folder(tmp_path / "c", way(in_vxlan))), [pair]).trip(pair, "udp") is None


def test_both_ends_keep_the_same_packets_of_many() -> None:
    """However many there are, and whichever were caught at one end only, what is kept is bounded and is shared."""
    near, far = Samples(), Samples()
    for number in range(5000):
        frame = ether("a", "b", request(number=number))
        near.take((number, 1, len(frame), frame))
        if number % 3:
            far.take((number + 1, 1, len(frame), frame))
    (flow,) = near.flows
    assert len(near.flows[flow]) <= 2 * SAMPLES
    assert len(near.flows[flow].keys() & far.flows[flow].keys()) > SAMPLES // 4


def test_frames_without_a_pairs_addresses_cost_little(tmp_path: Path) -> None:
    """A million frames in 90 s are 90 us each, also on a busy machine."""
    pair, captures = pair_of("VXLAN"), way(in_vxlan)
    noise = vxlan(ether("a", "b", ipv4("42.0.9.1", "42.0.9.2", 17, bytes(1000))))
    captures["leaf--up"] += [(5000 + number, noise) for number in range(20_000)]
    place = folder(tmp_path / "c", captures)
    began = time.process_time()
    assert Captured(captures_in(place), [pair]).trip(pair)
    assert time.process_time() - began < 20_000 * 90e-6
