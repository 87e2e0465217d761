"""Where the wire shows a lost packet, or the request that it waits for, for the last time: without the nodes' state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reports.diagnosis.wire import last_on_wire, with_unread
from reports.evidence import Journey, Sighting
from tests.self.builders import expect, seen_path
from tests.self.reports.test_resolution import CASES, OUT, PLACES, case, taken


def said(name: str, resolution: Sequence[Sighting], sightings: Sequence[Sighting] = ()) -> tuple[str, ...]:
    """The place and the expectation that are named for a packet of a case's source."""
    lab, source, target = case(name)[0], CASES[name][1], CASES[name][3]
    journey = Journey(source, target, "icmp", tuple(sightings), "", tuple(resolution))
    return tuple(f"{cause.node}:{cause.interface} {cause.declared}" for cause in last_on_wire(journey, lab))


@pytest.mark.parametrize("name", CASES)
def test_request_is_followed_to_where_it_was_seen_last(name: str) -> None:
    """Wherever the request or its answer ends, in a tunnel or in one inside another, that place is named."""
    hops = case(name)[1]
    for count in range(1, len(hops)):
        (words,) = said(name, taken(name, count))
        what = "request" if count <= len(hops) // 2 else "answer"
        assert words.startswith(f"{hops[count - 1].node}:{hops[count - 1].interface} the {what} for ")


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        ("sc2:sc2_lc1 in", "passed on to 28.0.0.2"),
        ("lc2:lc2_sc2 in", "taken out of its tunnel"),
        ("con_ns3:br3_lc2 in", "taken out of its tunnel"),
        ("con_ns3:vxlan-cont in", "let out by bridge3_cs5"),
        ("con_ns3:bridge3_cs5 out", "passed on"),
        ("cs5:cs5_br3 in", "answered"),
    ],
)
def test_what_was_to_happen_there_is_said(last: str, wanted: str) -> None:
    """A tunnel's packet is to be passed on to its end, and taken out there; the frame is to be let out to the host."""
    (words,) = said("ARP", taken("ARP", OUT.index(last) + 1))
    assert words == f"{last.split()[0]} the request for 20.0.0.3 {wanted}"


def test_answered_request_blames_nobody() -> None:
    """Where the answer came back the packet was not seen, and nothing is concluded."""
    assert said("ARP", taken("ARP", len(PLACES))) == ()


def test_branch_that_ends_elsewhere_blames_nobody() -> None:
    """A request that several nodes flood, none of them the one before its target, leaves open where it was lost."""
    sent = taken("ARP", 3)
    assert len(said("ARP", sent)) == 1
    assert said("ARP", [*sent, replace(sent[-1], node="con_ns2", direction="in")]) == ()


def test_opaque_node_is_named_as_not_read() -> None:
    """Where a request comes to a node of which no state is understood, it is lost there or behind; what is not read is
    said, and of a cause that state shows nothing is added."""
    lab, sent = case("ARP")[0], taken("ARP", 3)
    resolution = [*sent, replace(sent[-1], node="con_ns2", interface="eth7", direction="in")]
    nodes = tuple(replace(n, opaque="its state says nothing") if n.name == "con_ns2" else n for n in lab.nodes)
    live, journey = replace(lab, nodes=nodes), Journey("cs1", "cs5", "icmp", (), "", tuple(resolution))
    (cause,) = with_unread(last_on_wire(journey, live), journey, live)
    assert (cause.node, cause.interface) == ("con_ns2", "eth7")
    assert cause.live.endswith("; not read: con_ns2 (its state says nothing)")
    known = replace(cause, live="down", source="kernel")
    assert [*with_unread([known], journey, live)] == [known]


def test_lost_packet_is_named_at_its_last_place() -> None:
    """A packet of which the node that holds it asks for no address was lost where it was seen last."""
    lab = case("ARP")[0]
    seen = seen_path(lab, expect(lab, "cs1", "cs5").paths[0])[:9]
    assert said("ARP", (), seen) == (f"{seen[-1].node}:{seen[-1].interface} the packet passed on",)


def test_node_that_holds_the_packet_and_asks_is_followed() -> None:
    """A packet that was seen at its source waits there where the source's own request is unanswered."""
    lab = case("ARP")[0]
    seen = seen_path(lab, expect(lab, "cs1", "cs5").paths[0])[:1]
    (words,) = said("ARP", taken("ARP", 8), seen)
    assert words.startswith("sc2:sc2_lc1 the request for 20.0.0.3")
