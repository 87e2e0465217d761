"""Kernel functions traced in the kernel that forwards: what is counted at each hop, and that nothing of it stays."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from fixtures.instruments.ftrace import EVENT, OPTIONS, STATE, TRACEFS, function_trace
from fixtures.instruments.live import LiveFabric
from reports.evidence import Journey
from reports.judge.trip import Trip
from topology.errors import NotApplicable, TracerUnavailable

pytestmark = pytest.mark.lifecycle
DATAGRAMS = 200
SENDING = """import os, socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    sender.sendto(bytes(200), (sys.argv[1], 5001))
print(os.getpid())
"""


def tracing_state(fabric: LiveFabric) -> dict[str, str]:
    """Read tracefs's settings; a buffer that was never used counts at its later size."""
    names = (*STATE, EVENT, *OPTIONS)
    texts = fabric.kernel.agent.call("read_files", files=[[None, f"{TRACEFS}/{name}"] for name in names])
    found = dict(zip(names, texts.get("texts", list), strict=True))
    return {**found, "buffer_size_kb": (found["buffer_size_kb"] or "").split()[0]}


@contextlib.contextmanager
def read_only_tracefs(fabric: LiveFabric) -> Iterator[None]:
    """Make tracefs read-only, wherever it is mounted."""

    def mounted(how: str) -> None:
        done = fabric.kernel.agent.run(["mount", "-o", f"remount,{how}", TRACEFS])
        assert done.code == 0, done.stderr

    mounted("ro")
    try:
        yield
    finally:
        mounted("rw")


def last_of(way: Journey) -> str:
    """The interface at which a packet comes to its target."""
    return [seen.interface for seen in way.sightings if (seen.node, seen.direction) == (way.target, "in")][-1]


@pytest.fixture
def tracing(fabric: LiveFabric) -> dict[str, str]:
    """The state of tracefs before; not every kernel's agent has it."""
    try:
        with function_trace(fabric.kernel.agent):
            pass
    except TracerUnavailable as error:
        raise NotApplicable(f"this kernel cannot be traced: {error}") from error
    return tracing_state(fabric)


def test_datagrams_are_counted_at_every_hop(
    fabric: LiveFabric, tracing: dict[str, str], journey: Callable[..., Trip]
) -> None:
    """On the longest way 200 datagrams run ip_rcv once each at every hop that takes them in; tracefs is as before."""
    trips = [journey(pair.source, pair.target, "udp") for pair in fabric.declared.pairs]
    way = max((trip.out.journey for trip in trips), key=lambda way: len(way.sightings))
    seen = Counter(sighting.interface for sighting in way.sightings if sighting.direction == "in")
    with function_trace(fabric.kernel.agent) as trace:
        with trace.recording():
            sent = fabric.run(way.source, "python3", "-c", SENDING, str(fabric[way.target].address), str(DATAGRAMS))
        graph, empty = trace.graph(), trace.empty_cost()
    assert tracing_state(fabric) == tracing
    calls = {device: stats.calls for (name, device), stats in graph.groups.items() if name == "ip_rcv"}
    hops = {device: (calls[device], DATAGRAMS * seen[device]) for device in calls if device in seen}
    assert len(hops) >= 4
    # No process listens at the target's port, and its answers pass the same devices.
    assert all(out <= counted <= 2 * out + DATAGRAMS // 10 for counted, out in hops.values()), hops
    assert hops[last_of(way)][0] == DATAGRAMS
    assert graph.functions["udp_sendmsg"].calls >= DATAGRAMS
    assert graph.pid_filter([int(sent.stdout)])["ip_rcv"] <= graph.functions["ip_rcv"].calls
    assert empty is not None
    assert empty.p50_ns < graph.functions["udp_sendmsg"].total.p50_ns


def test_read_only_tracefs_is_reported_and_left_as_it_is(fabric: LiveFabric, tracing: dict[str, str]) -> None:
    """A read-only tracefs is reported, nothing is changed, and tracing later works again."""
    agent, words = fabric.kernel.agent, "expected writable - seen .*Read-only"
    with read_only_tracefs(fabric), pytest.raises(TracerUnavailable, match=words), function_trace(agent):
        pass
    assert tracing_state(fabric) == tracing
    with function_trace(agent):
        assert tracing_state(fabric)["current_tracer"] == "function_graph\n"
    assert tracing_state(fabric) == tracing
