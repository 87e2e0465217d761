"""Traces show the kernel's functions and the parts of a packet's time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.evidence import Journey
from reports.perf.functions import Recording, effects, functions_table, hop_times, latency_table, ranking_table
from tests.self.builders import seen_path, vxlan_lab
from tests.self.reports.perf_runs import NOISE, recording
from topology.errors import EvidenceIncomplete
from topology.expected import expected_journey, probe_between

SIZES = (200, 400, 800, 1600)


def recordings(costs: dict[str, float], grows: str = "", falls: str = "") -> dict[int, list[Recording]]:
    """Recordings at every size; one function's time grows with it, another's falls."""
    powers = {grows: 1, falls: -1}
    return {
        size: [
            recording({name: ns * n * (size / 200) ** powers.get(name, 0) for name, ns in costs.items()}) for n in NOISE
        ]
        for size in SIZES
    }


def test_every_function_has_a_line_for_every_size() -> None:
    """Calls for each datagram and percentiles; the empty function and a pid filter's count are in the words."""
    found = recordings({"ip_rcv": 3000, "udp_rcv": 2000, "__do_sys_getpid": 900})
    found[200] = [recording({"ip_rcv": 3000, "udp_rcv": 2000}, {"ip_rcv": 8})]
    table = functions_table("title", found, ("ip_gone",))
    assert table.lines[0][:4] == ["ip_rcv", "200", "1.00", "3000"]
    assert len(table.rows) == 2 * len(SIZES)
    assert "A function that does nothing takes 900 ns under the same tracer" in table.words[0]
    assert "calls of ip_rcv, a pid filter on the sender (set_ftrace_pid) would have counted 8" in table.words[1]
    assert "ip_do_fragment runs at no size" in table.words[2]
    assert table.words[3] == "This kernel has no function ip_gone."


def test_functions_are_ranked_by_what_the_size_changes() -> None:
    """The certain correlations come first; what grows and what falls are sentences of their own."""
    found = recordings({"ip_rcv": 3000, "udp_sendmsg": 5000, "udp_rcv": 7000}, grows="udp_sendmsg", falls="udp_rcv")
    *first, last = effects(found)
    assert ({effect.name for effect in first}, last.name) == ({"udp_sendmsg", "udp_rcv"}, "ip_rcv")
    assert all(abs(effect.per_packet.value) > 0.5 for effect in first)
    assert last.per_packet.low < 0 < last.per_packet.high
    assert last.per_byte.high < -0.5
    assert ranking_table("title", found).words[:2] == [
        "The time per packet grows with the size for udp_sendmsg.",
        "The time per packet falls with the size for udp_rcv.",
    ]


def test_function_that_runs_at_some_sizes_only_is_not_ranked() -> None:
    """A function that fragments has no time at sizes that are not split; the smallest that is split is named."""
    found = recordings({"ip_rcv": 3000})
    found[1600] = [recording({"ip_rcv": 3000, "ip_do_fragment": 9000}) for _ in NOISE]
    assert [effect.name for effect in effects(found)] == ["ip_rcv"]
    assert "ip_do_fragment runs from 1600 bytes of payload" in functions_table("title", found, ()).words[2]


@pytest.mark.parametrize(("factor", "holds"), [(0.5, "supported"), (1.0, "contradicted"), (0.58, "not decidable")])
def test_claim_of_the_reference_report_is_decided_by_the_interval(factor: float, holds: str) -> None:
    """Half as long is supported, as long contradicted, something between not decidable; without 800 bytes no answer."""
    found = {size: [recording({"ip_rcv": 3000 * n}) for n in NOISE] for size in SIZES}
    found[800] = [recording({"ip_rcv": 3000 * n * factor}) for n in NOISE[::-1]]
    assert f'as at 400": {holds}; it takes' in ranking_table("title", found).words[-1]
    del found[800]
    assert not any("half as long" in words for words in ranking_table("title", found).words)


def journey(step_ns: int) -> Journey:
    """A packet that takes as long from each place to the next."""
    lab = vxlan_lab()
    path = seen_path(lab, expected_journey(lab, probe_between(lab, "c1", "c2")).paths[0])
    seen = tuple(replace(one, time_ns=1000 + step_ns * at) for at, one in enumerate(path))
    return Journey("c1", "c2", "icmp", seen)


def test_times_lie_between_neighbouring_places() -> None:
    """The first place has none, each other the time since the one before, of every packet."""
    hops = hop_times([journey(100), journey(300)])
    assert hops[0].since_before_ns == (0, 0)
    assert all(hop.since_before_ns == (100, 300) for hop in hops[1:])
    assert hops[1].median_ns == 200


def test_packets_of_two_ways_are_no_distribution() -> None:
    """A packet that was seen elsewhere, or nowhere, is no measurement of this way."""
    whole = journey(100)
    with pytest.raises(EvidenceIncomplete, match="expected one path - seen 2 of 2 packets"):
        hop_times([whole, replace(whole, sightings=whole.sightings[:-1])])
    with pytest.raises(EvidenceIncomplete, match="expected one path"):
        hop_times([])


def test_functions_stand_beside_the_device_they_are_of() -> None:
    """Functions stand where packets come in, with the place that takes most; without a trace the times stand alone."""
    hops = hop_times([journey(100)])
    graph = recording({"ip_rcv": 3000, "__do_sys_getpid": 900}).graph
    table = latency_table("title", [replace(hop, device="eth0") for hop in hops], graph)
    assert {line[-1] for line in table.lines if line[0].endswith(" in")} == {"ip_rcv 3.0"}
    assert {line[-1] for line in table.lines if line[0].endswith(" out")} == {""}
    assert table.words[0].startswith(f"Of {(len(hops) - 1) * 0.1:.0f} us in all, most pass before ")
    bare = latency_table("title", hops, None)
    assert bare.words[1] == "This kernel's functions cannot be traced."
    assert {line[-1] for line in bare.lines} == {""}
