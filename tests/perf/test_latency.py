"""A packet's microseconds are split between the ends of the pair with the most encapsulation."""

from __future__ import annotations

import pytest

from fixtures.instruments.functions import functions_under
from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from fixtures.instruments.stage import End
from fixtures.perf import Show
from reports.perf.functions import hop_times, latency_table
from topology.expected import probes_of
from topology.promises import Pair

pytestmark = pytest.mark.perf
PACKETS = 30


def test_every_microsecond_has_a_hop(far: Pair, fabric: LiveFabric, show: Show) -> None:
    """The times between neighbouring taps add up to the total, and each hop lists its kernel functions."""
    prober = Prober(fabric)
    trips = [prober.trip(far.source, far.target, "udp", far.src, far.dst) for _ in range(PACKETS)]
    assert all(trip.as_declared for trip in trips)
    journeys = [trip.out.journey for trip in trips]
    hops = hop_times(journeys)
    src, dst = (probe.src for probe in probes_of(fabric.declared, far))
    source, target = End(fabric.kernel.agent, far.source, str(src)), End(fabric.kernel.agent, far.target, str(dst))
    graph = functions_under(source, target)
    show(latency_table(f"{far}: where a packet's time goes", hops, graph))
    for number, journey in enumerate(journeys):
        whole = journey.sightings[-1].time_ns - journey.sightings[0].time_ns
        assert sum(hop.since_before_ns[number] for hop in hops) == whole
