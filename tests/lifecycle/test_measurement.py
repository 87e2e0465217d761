"""Measurements can be believed: the A/B rule keeps its word on bare links of this machine's kernel."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from fixtures.instruments.background import in_background
from fixtures.instruments.iperf import Iperf, Load, listens
from fixtures.instruments.live import LiveFabric
from fixtures.verdicts import evidence_of
from reports.perf.compare import Judged, Threshold, measure
from reports.perf.iperf import read_throughput
from tests.lifecycle.kit.fixtures import COMPARISONS, SEED
from tests.lifecycle.kit.host_fabric import host_fabric
from tests.self.reports.noises import in_rounds
from topology.errors import InstrumentFailed, NotApplicable
from topology.formats.lab import load_lab_text
from topology.kernels.link import Completed
from topology.wait import wait_for

pytestmark = [pytest.mark.lifecycle, pytest.mark.soak, pytest.mark.alone]
TWINS = """
lab: twins
nodes:
  near: {role: customer, addresses: {n1: 10.1.0.1/24, n2: 10.2.0.1/24}}
  far: {role: customer, addresses: {f1: 10.1.0.2/24, f2: 10.2.0.2/24}}
links:
  - [near:n1, far:f1]
  - [near:n2, far:f2]
pairs: []
"""
"""Two links between the same two nodes."""
LOAD = Load("tcp", 131072, count=1000)
"""125 MiB, some 100 ms: short and noisy, which is what the rule has to bear."""
SLOWEST = 0.2
"""What a slowed link keeps at least: where noise asks for more than that, a link is as good as down."""
SHAPERS = (("tbf", "burst", "128k", "limit", "1m"), ("netem", "limit", "10000"))
"""What slows a link, with its options besides the rate (tc-tbf(8), tc-netem(8))."""
FASTEST = 1e11
FRAME, CARRIED = 1514, 1448
"""Bytes of a full frame, which both count, and of its payload, which iperf3 counts (Ethernet, IPv4, TCP with time)."""
SAME = Threshold(1.0)
"""Equal paths lie on it: the rule leaves them undecided, and any decision tells the two apart."""
BY_HAND_PORT = 5201
BY_HAND_COMPARISONS = 3
"""Ours and those by hand differ where as many comparisons in a row say so: one of equals does in a hundred."""
ALARMS, MISSES = 0.01, 0.05
"""What the rule promises at most."""
ENOUGH = 100
"""From so many comparisons on, the promise itself is counted; a few of them can only refute it."""
DOUBT = 1e-4
"""How often a sample of a rule that keeps its promise may refute it."""


@pytest.fixture(scope="module")
def twins() -> Iterator[LiveFabric]:
    """Two nodes with two links, up on the host kernel."""
    with host_fabric(load_lab_text(TWINS)) as live:
        yield live


@pytest.fixture
def rate(twins: LiveFabric) -> Callable[[int], float]:
    """Runs iperf3 over the first or the second link, and gives what arrived of it in bits per second."""
    iperf, addresses = Iperf(twins.kernel.agent), {1: "10.1.0.2", 2: "10.2.0.2"}
    return lambda link: iperf.run("near", "far", addresses[link], LOAD).received.bits_per_second


@pytest.fixture
def slow_downs(twins: LiveFabric) -> list[Callable[[float], None]]:
    """Ways to let the second link carry so many bits of TCP's payload in a second: those that the kernel has."""

    def shaped(kind: tuple[str, ...], bits: float) -> Completed:
        limit = f"{int(bits * FRAME / CARRIED)}bit"
        twins.run("near", "tc", "qdisc", "del", "dev", "n2", "root")
        return twins.run("near", "tc", "qdisc", "add", "dev", "n2", "root", kind[0], "rate", limit, *kind[1:])

    def shape(kind: tuple[str, ...], bits: float) -> None:
        done = shaped(kind, bits)
        if done.code:
            raise InstrumentFailed(f"tc - expected {kind[0]} on n2 - seen {done.stderr}")

    there = [kind for kind in SHAPERS if not shaped(kind, FASTEST).code]
    if not there:
        raise NotApplicable("this kernel has neither tbf nor netem")
    return [partial(shape, kind) for kind in there]


def allowed(share: float, comparisons: int) -> int:
    """Comparisons of so many that may go wrong: the share promised, or as many of a few as do not refute it."""
    if comparisons >= ENOUGH:
        return int(share * comparisons)
    chances = [math.comb(comparisons, n) * share**n * (1 - share) ** (comparisons - n) for n in range(comparisons + 1)]
    return next(n for n in range(comparisons + 1) if sum(chances[n + 1 :]) < DOUBT)


def against_itself(rate: Callable[[int], float], seed: str) -> tuple[Judged, list[float]]:
    """The first link compared with itself, and its rates in the order of the runs."""
    rates: list[float] = []

    def run(_: str) -> float:
        rates.append(rate(1))
        return rates[-1]

    return measure(in_rounds(run, "again", "first", seed), SAME), rates


def listed(figures: Sequence[float]) -> str:
    """Figures in their order, short: what shows how an alarm came about."""
    return " ".join(f"{figure:.3g}" for figure in figures)


def test_unchanged_link_raises_no_alarm_and_a_slow_one_is_found(
    request: pytest.FixtureRequest, rate: Callable[[int], float], slow_downs: Sequence[Callable[[float], None]]
) -> None:
    """An unchanged link raises alarms in 1 % at most; slowed by twice the stated effect, it is found in 95 %."""
    same, slow, links = Counter[str](), Counter[str](), {"first": 1, "slowed": 2}
    alarms: list[str] = []
    for number in range(COMPARISONS):
        judged, rates = against_itself(rate, f"{SEED} {number}")
        same[judged.verdict] += 1
        if judged.verdict != "unstable":
            alarms.append(f"Gbit/s {listed([bits / 1e9 for bits in rates])}; ratios {listed(judged.comparison.ratios)}")
        slow_down = slow_downs[number % len(slow_downs)]
        slow_down(statistics.median(rates) * max(SLOWEST, 1 - 2 * judged.comparison.smallest_effect))
        order = in_rounds(lambda name: rate(links[name]), "slowed", "first", f"{SEED} slow {number}")
        slow[measure(order, SAME).verdict] += 1
    counted = f"seed {SEED}; unchanged {dict(same)}, slowed {dict(slow)}"
    evidence_of(request.node).note = counted
    assert len(alarms) <= allowed(ALARMS, COMPARISONS), "\n".join((counted, *alarms))
    assert COMPARISONS - slow["failed"] <= allowed(MISSES, COMPARISONS), counted


def test_our_runs_and_those_by_hand_do_not_differ(twins: LiveFabric, rate: Callable[[int], float]) -> None:
    """iperf3 started by hand in the same nodes, alternating with our runs, measures the same by our own rule."""
    agent = twins.kernel.agent
    with in_background(agent, ["iperf3", "-s"], "far") as server:
        wait_for(lambda: listens(agent, "far", BY_HAND_PORT) or server.has_ended(), 10, "iperf3 by hand")

        def by_hand() -> float:
            done = twins.run("near", "iperf3", "-c", "10.1.0.2", "--json", *LOAD.arguments)
            return read_throughput(done.stdout, words=done.stderr).received.bits_per_second

        runs = {"ours": lambda: rate(1), "by hand": by_hand}
        told_apart: list[str] = []
        for number in range(BY_HAND_COMPARISONS):
            judged = measure(in_rounds(lambda name: runs[name](), "ours", "by hand", f"{SEED} {number}"), SAME)
            if judged.verdict == "unstable":
                break
            told_apart.append(judged.message("ours against by hand"))
    assert len(told_apart) < BY_HAND_COMPARISONS, "\n".join((SEED, *told_apart))
