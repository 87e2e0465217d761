"""A loop of Layer 2: recognised by copies of one frame, and named by the ports through which they circle."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from reports.diagnosis.loop import COPIES_MAX, EACH_WAY_MIN, Copies, loop_cause, loop_ports, ports_around, ring_ports
from reports.evidence import Direction, Sighting
from tests.self.builders import STEP_NS, reference, sighting
from topology.model import Link
from topology.packet import Layers
from topology.refs import PortRef

SECOND = 1_000_000_000 // STEP_NS
"""Steps of a second."""
TO_ALL, CS1, CS5 = "ff:ff:ff:ff:ff:ff", "02:ea:e5:a2:d1:d1", "02:29:ee:93:48:cd"
OUTER: Layers = (
    ("ether", {"src": CS1, "dst": CS5}),
    ("ipv4", {"src": "21.0.0.1", "dst": "23.0.0.1", "ttl": 64, "proto": 17}),
    ("udp", {"dport": 4900}),
    ("vxlan", {"vni": 30}),
)


def frame(dst: str = TO_ALL, number: int = 0) -> Layers:
    """A frame of cs1."""
    return (("ether", {"src": CS1, "dst": dst, "type": 0x9000}), ("payload", {"load": bytes([number]) * 46}))


def at_ttl(ttl: int) -> Layers:
    """The outer headers of a packet that routers send in a circle."""
    return tuple((name, {**fields, "ttl": ttl} if name == "ipv4" else fields) for name, fields in OUTER)


def request(sender: str = "21.0.0.1") -> Layers:
    """An ARP request of cs1's MAC."""
    asked = {"op": 1, "hwsrc": CS1, "psrc": sender, "hwdst": "00:00:00:00:00:00", "pdst": "21.0.0.2"}
    return (("ether", {"src": CS1, "dst": TO_ALL, "type": 0x0806}), ("arp", asked))


def to_vtep(number: int) -> Layers:
    """The outer headers of the copy for one of many VTEPs."""
    return tuple((name, {**fields, "dst": f"23.0.0.{number}"} if name == "ipv4" else fields) for name, fields in OUTER)


def copies(
    layers: Layers, count: int, each: int = 1, where: str = "con_ns1:loopa in", start: int = 0
) -> list[Sighting]:
    """Copies of a frame at one place, some steps of time apart, from a step on."""
    place, _, way = where.partition(" ")
    node, _, interface = place.partition(":")
    direction: Direction = "in" if way == "in" else "out"
    return [sighting(reference(), node, interface, direction, layers, start + number * each) for number in range(count)]


def circle(*parts: Iterable[Sighting]) -> bool:
    watch = Copies()
    return [watch.circle(part) for part in parts][-1]


MANY = COPIES_MAX + 1


@pytest.mark.parametrize(
    ("seen", "circles"),
    [
        (copies(frame(), MANY), True),
        (copies((*OUTER, *frame()), MANY), True),
        (copies(frame("33:33:00:00:00:01"), MANY), True),
        (copies(frame(), MANY - 1), False),
        (copies(frame(), MANY * 3, 5 * SECOND // COPIES_MAX), False),
        (copies(frame(CS5), MANY), False),
        (copies((*OUTER, *frame(CS5)), MANY), False),
        ([one for number in range(MANY) for one in copies(frame(number=number), 2)], False),
        ([one for ttl in range(MANY) for one in copies((*at_ttl(ttl), *frame()), 2)], False),
        ([*copies(frame(), MANY - 1), *copies(frame(), MANY - 1, where="con_ns1:loopa out")], False),
        ([one for vtep in range(MANY * 2) for one in copies((*to_vtep(vtep), *frame()), 1, start=vtep)], False),
        ([one for vtep in range(2) for one in copies((*to_vtep(vtep), *frame()), MANY)], True),
    ],
    ids=[
        "ARP",
        "inside VXLAN",
        "IPv6",
        "few",
        "repeated",
        "for one",
        "for one in VXLAN",
        "many frames",
        "routers",
        "two places",
        "many VTEPs",
        "two VTEPs",
    ],
)
def test_only_many_copies_within_a_second_circle(seen: list[Sighting], circles: bool) -> None:
    """A frame for many that passes one place again and again circles, bare or wrapped; nothing else does."""
    assert circle(seen) is circles


def test_copies_count_across_readings() -> None:
    """The taps are read in pieces: copies add up, and what was long ago does not count."""
    half = copies(frame(), MANY)
    assert circle(half[: MANY // 2], half[MANY // 2 :])
    late = copies(frame(), MANY // 2, start=2 * SECOND)
    assert not circle(half[: MANY // 2], late)


EVERY = SECOND * 9 // 100
"""Steps between two flushes of neighbours, each followed by the same question."""


@pytest.mark.parametrize("read_after", [1, 7, 100])
@pytest.mark.parametrize("outer", [(), OUTER], ids=["bare", "in VXLAN"])
def test_requests_after_flushes_of_ours_do_not_circle(outer: Layers, read_after: int) -> None:
    """A node that must forget a neighbour asks for it again each time, however late the taps are read."""
    watch, seen = Copies(), copies((*outer, *request()), 300, EVERY)
    for start in range(0, len(seen), read_after):
        part = seen[start : start + read_after]
        watch.flushes += len(part)
        assert not watch.circle(part)


@pytest.mark.parametrize("layers", [frame(), request(), (*OUTER, *request()), request("0.0.0.0")])
def test_loop_is_found_amid_flushes_within_four_seconds(layers: Layers) -> None:
    """A loop through tunnels carries a frame 20 times a second; each new request circles beside the earlier ones, and
    another frame is not repeated for a flush.
    """
    watch, at = Copies(), 0
    repeated = layers[-1][0] == "arp" and layers[-1][1]["psrc"] != "0.0.0.0"
    while at < 4 * SECOND:
        watch.flushes += 1
        circling = watch.flushes if repeated else 1
        rounds = EVERY * 20 * circling // SECOND
        if watch.circle(copies(layers, rounds, EVERY // max(rounds, 1), start=at)):
            return
        at += EVERY
    pytest.fail("the loop was not found")


def test_ports_of_a_loop_are_those_with_copies_both_ways() -> None:
    """Ports out of which a frame is flooded, devices that only receive it, and tunnels' links are no part of a loop."""
    through = ["con_ns1:short", "con_ns1:vxlan-cont", "con_ns3:short3", "con_ns3:vxlan-cont"]
    seen = [
        one for port in through for way in ("in", "out") for one in copies(frame(), EACH_WAY_MIN, 1, f"{port} {way}")
    ]
    aside = copies(frame(), 99, 1, "con_ns1:bridge1_cs2 out") + copies(frame(), 99, 1, "cs2:cs2_br1 in")
    sender = copies(frame(), 99, 1, "con_ns1:bridge1_cs1 out") + copies(frame(), 1, 1, "con_ns1:bridge1_cs1 in")
    sender += copies(frame(), 3, SECOND, "con_ns1:vethx out") + copies(frame(), 99, 1, "con_ns1:vethx in")
    wrapped = [one for way in ("in", "out") for one in copies((*OUTER, *frame()), 99, 1, f"con_ns1:br1_lc1 {way}")]
    answers = copies(frame(CS1), 99, 1, "con_ns3:bridge3_cs5 in")
    assert [str(port) for port in loop_ports([*seen, *aside, *sender, *wrapped, *answers])] == through
    assert loop_ports([*aside, *sender, *wrapped, *answers]) == ()


RINGS = {
    "one bridge": (["con_ns3:loop0 out", "con_ns3:loop1 in"], [("con_ns3:loop0", "con_ns3:loop1")]),
    "two bridges and a tunnel": (
        ["con_ns1:short out", "con_ns3:short3 in", "con_ns3:vxlan-cont out", "con_ns1:vxlan-cont in"],
        [("con_ns1:short", "con_ns3:short3")],
    ),
}


@pytest.mark.parametrize("name", RINGS)
def test_ports_of_a_ring_are_those_that_a_frame_passes_in_one_direction(name: str) -> None:
    """A frame for one host goes round one way; where it only passes through, or is repeated, there is no ring."""
    places, cables = RINGS[name]
    links = [Link(PortRef(*one.split(":")), PortRef(*other.split(":"))) for one, other in cables]
    links.append(Link(PortRef("con_ns1", "bridge1_cs2"), PortRef("cs2", "cs2_br1")))
    aside = [one for at in ("con_ns1:bridge1_cs2 out", "cs2:cs2_br1 in") for one in copies(frame(CS5), 99, 1, at)]
    slow = [one for at in places for one in copies(frame(CS5), 9, SECOND, at)]
    assert ring_ports([*aside, *slow], links) == ()
    ring = [one for at in places for one in copies(frame(CS5), EACH_WAY_MIN, 1, at)]
    assert [str(port) for port in ring_ports([*aside, *ring], links)] == sorted(at.split()[0] for at in places)
    assert loop_ports([*aside, *ring]) == ()
    for gap in range(len(places)):
        some = [one for at in [*places[:gap], *places[gap + 1 :]] for one in copies(frame(CS5), EACH_WAY_MIN, 1, at)]
        assert ring_ports([*aside, *some], links) == ()


def test_a_loop_is_whole_though_one_place_was_sampled_too_rarely() -> None:
    """Of the eight places around a cable beside a tunnel any one may lack: the others show the same four ports."""
    ports = ["con_ns1:short", "con_ns1:vxlan-cont", "con_ns3:short3", "con_ns3:vxlan-cont"]
    cable = Link(PortRef("con_ns1", "short"), PortRef("con_ns3", "short3"))
    places = [f"{port} {way}" for port in ports for way in ("in", "out")]
    for gap in places:
        rare = copies(frame(), EACH_WAY_MIN - 1, 1, gap)
        seen = [one for at in places if at != gap for one in copies(frame(), EACH_WAY_MIN, 1, at)]
        assert [str(port) for port in ports_around([*seen, *rare], [cable])] == ports
    one_cable = [one for way in ("in", "out") for one in copies(frame(), EACH_WAY_MIN, 1, f"con_ns3:short3 {way}")]
    assert ports_around(one_cable, [cable]) == cable.ends
    assert ports_around(copies(frame(), EACH_WAY_MIN, 1, "con_ns3:short3 in"), [cable]) == ()


def test_a_loop_is_told_by_bridges_and_ports() -> None:
    """The cause has each bridge with its ports, and the port that closes the loop."""
    ports = [PortRef("con_ns1", "short"), PortRef("con_ns1", "vxlan-cont"), PortRef("con_ns3", "short3")]
    cause = loop_cause(ports, {ports[0]: "bridge1", ports[1]: "bridge1"}, ports[0])
    assert (cause.kind, cause.where, cause.source) == ("loop", "con_ns1 short", "traffic")
    assert cause.live == (
        "frames circle through bridge1 of con_ns1 (short, vxlan-cont) and no bridge of con_ns3 (short3)"
    )
