"""The kind of a journey, from what was seen alone: that of every lab's pairs, and none for what fits no kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from reports.checks.captured import judge_captured
from reports.checks.seen import SeenTrip, carried
from reports.evidence import Journey, Sighting
from reports.judge.encapsulation import judge_encapsulation
from tests.self.builders import (
    Change,
    expect,
    journey,
    known_lab,
    reference,
    seen_hop,
    seen_path,
    unlike_pairs,
    vxlan_lab,
    with_field,
)
from topology.errors import EvidenceIncomplete
from topology.expected import check_pairs
from topology.formats.lab import known_labs
from topology.model import Fabric
from topology.packet import Protocol
from topology.promises import KINDS, Encapsulation, Kind, Pair
from topology.wire.headers import decode

LABS = ("vxlan", *(name for name in known_labs() if not known_lab(name).has_daemons))
"""The labs of which the forwarding is declared."""


@cache
def lab(name: str) -> Fabric:
    return vxlan_lab() if name == "vxlan" else known_lab(name)


def seen(fabric: Fabric, source: str, target: str, protocol: Protocol = "icmp") -> Journey:
    """A packet seen at every hop, as declared."""
    expected = expect(fabric, source, target, protocol)
    return journey(expected, seen_path(fabric, expected.paths[0]), protocol)


@pytest.mark.parametrize("protocol", ["icmp", "udp"])
@pytest.mark.parametrize("name", LABS)
def test_every_declared_pair_is_seen_as_its_kind(name: str, protocol: Protocol) -> None:
    """On every lab, both ways, what is seen and what is derived agree about the kind, without a look at the lab."""
    fabric = lab(name)
    assert list(check_pairs(fabric)) == []
    both = [(p.kind, *ends) for p in unlike_pairs(fabric) for ends in ((p.source, p.target), (p.target, p.source))]
    found = [seen(fabric, source, target, protocol) for _, source, target in both]
    assert [str(carried(one)) for one in found] == [kind for kind, *_ in both]
    assert not any(SeenTrip(one, one).unseen for one in found)


def test_the_labs_show_every_kind() -> None:
    """The labs above have all kinds."""
    assert {pair.kind for name in LABS for pair in lab(name).pairs} == set(KINDS)


def changed(source: str, target: str, place: int, change: Change, fabric: Fabric | None = None) -> Journey:
    """The reference lab's journey with one sighting changed; ``place`` counts as an index does."""
    fabric = fabric or reference()
    expected = expect(fabric, source, target)
    hops = expected.paths[0].hops
    at = range(len(hops))[place]
    sightings = [seen_hop(fabric, hop, n, change if n == at else None) for n, hop in enumerate(hops)]
    return journey(expected, sightings)


def cut(whole: Journey, *kept: Callable[[int, Sighting], bool]) -> Journey:
    """Only the sightings that are kept."""
    sightings = tuple(s for n, s in enumerate(whole.sightings) if all(keep(n, s) for keep in kept))
    return replace(whole, sightings=sightings)


def pair_of(kind: Kind) -> tuple[Fabric, str, str]:
    """A pair of a kind, from whichever lab has one."""
    return next((lab(n), p.source, p.target) for n in LABS for p in lab(n).pairs if p.kind == kind)


def no_kinds() -> Iterator[tuple[str, Journey, str]]:
    """Headers of no kind, and words of the reason."""
    l2, l3, hairpin, bridge, routed = (
        pair_of(kind) for kind in ("l2-overlay", "l3-overlay", "hairpin", "bridge", "routed")
    )
    yield "never seen", cut(seen(*l2), lambda n, s: False), "seen nowhere"
    yield "lost half way", cut(seen(*l2), lambda n, s: n < 5), "it did not arrive: seen last at"
    yield "refused", replace(cut(seen(*l2), lambda n, s: False), note="unreachable"), "seen nowhere - unreachable"
    yield "not seen at its source", cut(seen(*l2), lambda n, s: s.node != l2[1]), "seen from"
    yield "goes on behind its target", replace(seen(vxlan_lab(), "c1", "c5"), target="v1"), "seen from c1 to c5"
    yield "TTL raised", changed(*routed[1:], -1, with_field("ipv4", ttl=65), routed[0]), "its TTL rose from 64 to 65"
    yield "frame altered in the tunnel", changed(*l2[1:], 6, with_field("icmp", id=9), l2[0]), "another frame at"
    yield (
        "frame altered at the end",
        changed(*l2[1:], -1, with_field("ether", src="02:00:00:00:00:09"), l2[0]),
        "another frame",
    )
    yield (
        "other MACs on a bridge",
        changed(*bridge[1:], -1, with_field("ether", dst="02:00:00:00:00:09"), bridge[0]),
        "other MACs",
    )
    yield "GRE that lowers no TTL", changed(*l3[1:], -1, with_field("ipv4", -1, ttl=64), l3[0]), "its TTL not lowered"
    first = seen(*routed).sightings[0].headers.get("ether")
    assert first is not None
    unchanged = with_field("ether", src=first.fields["src"], dst=first.fields["dst"])
    yield "routed by nobody", changed(*routed[1:], -1, unchanged, routed[0]), "its MACs not rewritten"
    yield "wrapped at the end", replace(seen(*l3), target="lc2", sightings=l3_until_leaf(l3)), "encapsulated at an end"
    assert str(carried(seen(*hairpin))) == "hairpin"


def l3_until_leaf(l3: tuple[Fabric, str, str]) -> tuple[Sighting, ...]:
    """The sightings of an L3 overlay up to a leaf into which it comes inside GRE."""
    whole = seen(*l3).sightings
    at = next(n for n, s in enumerate(whole) if s.node == "lc2" and s.direction == "in" and "gre" in s.layers)
    return whole[: at + 1]


CASES = {name: (case, words) for name, case, words in no_kinds()}


@pytest.mark.parametrize("name", CASES)
def test_what_fits_no_kind_is_none_with_the_reason(name: str) -> None:
    """One thing that is otherwise, and no kind is claimed."""
    case, words = CASES[name]
    found = carried(case)
    assert found.kind is None, found
    assert words in found.why


WITHIN = {
    "vxlan": (Encapsulation(("vxlan",)), ""),
    "its VNI": (Encapsulation(("vxlan",), 30), ""),
    "its VNI alone": (Encapsulation(vni=30), ""),
    "another VNI": (Encapsulation(("vxlan",), 31), "expected in vxlan VNI 31 - seen in vxlan VNI 30 - evidence: "),
    "another kind": (Encapsulation(("geneve",)), "expected in geneve - seen in vxlan VNI 30"),
    "a key": (Encapsulation(key=30), "expected in key 30 - seen in vxlan VNI 30"),
}


@pytest.mark.parametrize("name", WITHIN)
def test_tunnel_next_to_the_packet_is_the_promised_one(name: str) -> None:
    """On the reference lab VXLAN is inside GRE: what is next to the packet counts, at every hop."""
    promised, words = WITHIN[name]
    trip = SeenTrip(seen(reference(), "cs1", "cs5"), seen(reference(), "cs5", "cs1"))
    found = trip.carried_as("l2-overlay", promised)
    assert bool(found) == (not words)
    assert words in found.message


def test_hosts_behind_one_node_need_no_tunnel() -> None:
    """Bare by one node between them is enough for hosts of a segment, and for no other pair; by two it is not."""
    fabric, source, target = pair_of("bridge")
    trip = SeenTrip(seen(fabric, source, target), seen(fabric, target, source))
    one_tunnel = Encapsulation(("vxlan",))
    assert len({s.node for s in trip.out.sightings}) == 3
    assert trip.carried_as("l2-overlay", one_tunnel, may_be_local=True)
    assert not trip.carried_as("l2-overlay", one_tunnel)
    assert not trip.carried_as("l3-overlay", one_tunnel, may_be_local=True)
    renamed = [
        replace(s, node="far") if s.node not in (source, target) and n % 2 else s
        for n, s in enumerate(trip.out.sightings)
    ]
    further = SeenTrip(replace(trip.out, sightings=tuple(renamed)), trip.back)
    assert not further.carried_as("l2-overlay", one_tunnel, may_be_local=True)
    assert "seen in no tunnel" in judge_encapsulation(trip.out, one_tunnel).message


def test_trip_holds_only_if_both_ways_do() -> None:
    """A finding names the way that broke it, what was expected and seen, and every sighting."""
    fabric = vxlan_lab()
    out, back = seen(fabric, "c1", "c5"), seen(fabric, "c5", "c1")
    good = SeenTrip(out, back)
    assert good.arrived
    assert good.carried_as("l2-overlay")
    wrong = good.carried_as("bridge")
    assert not wrong
    words, evidence = wrong.message.split(" - evidence: ")
    assert words == "c1 -> c5 (icmp) - expected carried as bridge - seen l2-overlay"
    assert len(evidence.split("; ")) == len(out.sightings)
    assert evidence.startswith("c1:c1_v1 out ether/ipv4/icmp; v1:v1_c1 in ")
    lost = SeenTrip(out, replace(back, sightings=back.sightings[:2]))
    assert not lost.arrived
    assert lost.arrived.message.startswith("c5 -> c1 (icmp) - expected to arrive - seen last at v2:")
    assert not lost.carried_as("l2-overlay")
    nowhere = SeenTrip(replace(out, sightings=(), note="refused"), back)
    assert nowhere.arrived.message == "c1 -> c5 (icmp) - expected to arrive - seen nowhere - refused"


def test_what_crosses_unseen_is_of_no_known_kind() -> None:
    """A packet that leaves a tunnel's device and comes out of one elsewhere, without a header between, as in ESP."""
    whole = seen(*pair_of("l3-overlay"))
    bare = cut(whole, lambda n, s: "gre" not in s.layers)
    at = next(n for n, s in enumerate(bare.sightings) if not s.has_ethernet)
    assert {s.node for s in bare.sightings[at : at + 2]} == {"lc1", "lc2"}
    assert SeenTrip(whole, whole).unseen == ""
    for kind in ("l3-overlay", "routed"):
        with pytest.raises(EvidenceIncomplete, match="lc1:gretun-cont to lc2:gretun-cont - seen nowhere"):
            SeenTrip(whole, bare).carried_as(kind)
    with pytest.raises(EvidenceIncomplete, match="seen nowhere"):
        judge_captured(SeenTrip(bare, bare), Pair("cs", "cs", "l2-overlay"))
    wrong = judge_captured(SeenTrip(bare, whole), Pair("cs", "cs", "l2-overlay"))
    assert "expected carried as l2-overlay - seen l3-overlay" in wrong.message


@pytest.mark.parametrize("kind", ["wireguard", "macsec", "tun", "l2tp_eth", "xfrm"])
def test_device_that_hides_what_crosses_makes_the_kind_errored(kind: str) -> None:
    """A pair that is carried by a device of a kind that is not followed is of no known kind, and the device is named,
    also one with frames; where its packets can be read on their way it changes nothing."""
    whole = seen(*pair_of("l2-overlay"))
    bare = cut(whole, lambda n, s: "vxlan" not in s.layers)
    near, far = (one.ref for one in bare.sightings if one.interface == "vx")
    kinds = {near: kind, far: kind}
    assert str(carried(bare)) == "bridge"
    for promised in ("bridge", "l2-overlay"):
        with pytest.raises(EvidenceIncomplete, match=f"{near}: {kind} is not followed; both ends were reached"):
            SeenTrip(bare, bare, kinds=kinds).carried_as(promised)
    assert SeenTrip(bare, bare, kinds=kinds).arrived
    assert SeenTrip(whole, whole, kinds=kinds).carried_as("l2-overlay")
    lost = cut(bare, lambda n, s: s.ref != bare.sightings[-1].ref)
    assert not SeenTrip(lost, bare, kinds=kinds).arrived


def test_header_that_is_not_read_makes_the_kind_errored() -> None:
    """A router that labels a packet (MPLS) hides how it is carried, in either direction."""
    whole = seen(*pair_of("routed"))
    at = len(whole.sightings) // 2
    labelled = replace(whole.sightings[at], headers=decode(whole.sightings[at].frame[:12] + b"\x88\x47" + bytes(60)))
    hidden = replace(whole, sightings=(*whole.sightings[:at], labelled, *whole.sightings[at + 1 :]))
    with pytest.raises(EvidenceIncomplete, match=f"expected an IP header at {labelled.place} - seen ether"):
        SeenTrip(hidden, whole).carried_as("routed")
    assert SeenTrip(hidden, whole).arrived


def test_packet_that_is_not_sent_says_nothing_only_where_its_way_is_not_followed() -> None:
    """Its way leads into a device of which it is not known where it leads, or out of the fabric."""
    out, back = seen(*pair_of("routed")), seen(*pair_of("routed"))
    for note, unsent in (
        ("not sent: it would take wg0: wireguard is not followed", True),
        ("not sent: by eth0", False),
    ):
        kept = replace(out, sightings=(), note=note)
        assert SeenTrip(kept, replace(back, sightings=())).unsent == (note if unsent else "")
    assert SeenTrip(out, back).unsent == ""


@pytest.mark.parametrize("decrypted", [False, True])
def test_ttl_that_no_node_was_seen_to_lower_is_of_no_known_kind(decrypted: bool) -> None:
    """A policy of IPsec has no device: the node behind it shows what it sends, or first what it decrypted."""
    whole, devices = seen(*pair_of("l3-overlay")), {"lc2"} if decrypted else set[str]()
    bare = cut(whole, lambda n, s: "gre" not in s.layers and (s.has_ethernet or s.node in devices))
    assert str(carried(bare)) == "routed"
    with pytest.raises(EvidenceIncomplete, match=r"to lc2:\S+ - seen nowhere"):
        SeenTrip(whole, bare).carried_as("routed")
    assert SeenTrip(whole, bare, partial=True).unseen == ""
    together = replace(bare, sightings=tuple(replace(s, time_ns=0) for s in bare.sightings))
    assert SeenTrip(whole, together).unseen == ""


def test_tunnel_is_seen_where_its_sender_shows_none() -> None:
    """A capture at the tunnel's device, none at its leaf's cable: the next one shows the header."""
    whole = seen(*pair_of("l3-overlay"))
    out = cut(whole, lambda n, s: (s.node, s.direction) != ("lc1", "out") or not s.has_ethernet)
    one, other = next(both for both in pairwise(out.sightings) if not both[0].has_ethernet)
    assert (one.place, other.node, "gre" in other.layers) == ("lc1:gretun-cont out", "sc2", True)
    assert SeenTrip(out, out).carried_as("l3-overlay", Encapsulation(("gre",)))
    assert judge_captured(SeenTrip(out, out), Pair("cs", "cs", "l3-overlay"))
