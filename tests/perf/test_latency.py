"""Where the microseconds of a packet go between the ends of a pair of the lab."""

from __future__ import annotations

import pytest

from fixtures.instruments.functions import functions_under
from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from fixtures.instruments.stage import End
from fixtures.perf import Show
from reports.perf.latency import hop_times, latency_table
from topology.errors import NotApplicable
from topology.promises import Pair

pytestmark = pytest.mark.perf
PACKETS = 30


@pytest.fixture
def far(fabric: LiveFabric) -> Pair:
    """The pair whose packets are wrapped most: of an overlay inside another, where there is one."""
    for kind in ("l2-overlay", "l3-overlay", "routed", "bridge"):
        if found := [pair for pair in fabric.pairs if pair.kind == kind]:
            return found[0]
    raise NotApplicable(f"the lab {fabric.declared.name} has no pairs")


def test_every_microsecond_has_a_hop(far: Pair, fabric: LiveFabric, show: Show) -> None:
    """The times between neighbouring taps add up to the whole, and kernel functions stand beside their hop."""
    prober = Prober(fabric)
    trips = [prober.trip(far.source, far.target, "udp", far.src, far.dst) for _ in range(PACKETS)]
    assert all(trip.as_declared for trip in trips)
    journeys = [trip.out.journey for trip in trips]
    hops = hop_times(journeys)
    source, target = (End(fabric.kernel.agent, node, str(fabric[node].address)) for node in (far.source, far.target))
    graph = functions_under(source, target)
    show(latency_table(f"{far}: where a packet's time goes", hops, graph))
    for number, journey in enumerate(journeys):
        whole = journey.sightings[-1].time_ns - journey.sightings[0].time_ns
        assert sum(hop.since_before_ns[number] for hop in hops) == whole
