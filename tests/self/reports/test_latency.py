"""Where a packet's time goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.evidence import Journey
from reports.perf.latency import hop_times, latency_table
from tests.self.builders import seen_path, vxlan_lab
from tests.self.reports.perf_runs import recording
from topology.errors import EvidenceIncomplete
from topology.expected import expected_journey, probe_between


def journey(step_ns: int) -> Journey:
    """A packet that takes as long from each place to the next."""
    lab = vxlan_lab()
    probe = probe_between(lab, "c1", "c2")
    path = seen_path(lab, expected_journey(lab, probe).paths[0])
    seen = tuple(replace(one, time_ns=1000 + step_ns * at) for at, one in enumerate(path))
    return Journey("c1", "c2", "icmp", seen)


def test_times_lie_between_neighbouring_places() -> None:
    """The first place has none, each other what passed since the one before, of every packet."""
    hops = hop_times([journey(100), journey(300)])
    assert hops[0].since_before_ns == (0, 0)
    assert all(hop.since_before_ns == (100, 300) for hop in hops[1:])
    assert hops[1].median_ns == 200


def test_packets_of_two_ways_are_no_distribution() -> None:
    """A packet that was seen elsewhere, or nowhere, is no measurement of this way."""
    whole = journey(100)
    with pytest.raises(EvidenceIncomplete, match="expected one way - seen 2 of 2 packets"):
        hop_times([whole, replace(whole, sightings=whole.sightings[:-1])])
    with pytest.raises(EvidenceIncomplete, match="expected one way"):
        hop_times([])


def test_functions_stand_beside_the_device_they_are_of() -> None:
    """Functions are told where packets come in, with the share of the whole and the place that takes most."""
    hops = hop_times([journey(100)])
    graph = recording({"ip_rcv": 3000, "__do_sys_getpid": 900}).graph
    table = latency_table("title", [replace(hop, device="eth0") for hop in hops], graph)
    coming_in = [row for row in table.rows if row[0].endswith(" in")]
    assert coming_in
    assert all(row[-1] == "ip_rcv 3.0" for row in coming_in)
    assert all(row[-1] == "" for row in table.rows if row not in coming_in)
    assert table.words[0].startswith(f"Of {(len(hops) - 1) * 0.1:.0f} us in all, most pass before ")


def test_kernel_that_cannot_be_traced_is_told() -> None:
    """Without a trace the times stand alone."""
    table = latency_table("title", hop_times([journey(100)]), None)
    assert table.words[1] == "This kernel's functions cannot be traced."
    assert {row[-1] for row in table.rows} == {""}
