"""Records of runs as a browser is shown them, made without a kernel: passing, failing, large, hostile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import sqrt

from reports.checks.mtu import PairMtu
from reports.evidence import Cause
from reports.history import Entry, trends
from reports.judge.trip import Leg
from reports.record.append import cause_of, journey_of, sizes_of_pair
from reports.record.exhibits import Figures, Journey, Plot, Series
from reports.record.fabric import found, map_of
from reports.record.model import Kernel, Lab, Record, Test, Verdict
from reports.record.store import parse_record, record_bytes
from tests.self.builders import expect, good_leg, leg, reference, seen_hop, seen_path, with_field
from tests.self.found import way
from tests.self.reports.records import diagnosis, record
from tests.self.topology.tenant_files import many_rows, tidy
from topology.expected import probes_of
from topology.formats import load
from topology.formats.tenants_csv import read_tenants_text
from topology.model import Fabric
from topology.promises import Pair
from topology.state import declared_state
from topology.tenants import add_tenants

PROMISE = "Request and answer pass exactly the declared hops, with exactly the declared headers at each."
HOSTILE = ('<img src=x onerror="alert(1)">', "\x1b[31mred\x1b[0m", "\u202etxt.exe\u202c", "x" * 200)
ROUTE = Cause(
    "route",
    "lc2",
    "gretun-cont",
    "21.0.0.0/24 dev gretun-cont",
    "missing",
    "ip -n lc2 route replace 21.0.0.0/24 dev gretun-cont",
    "ip -n lc2 route show table all",
    evidence="lookup: 23.0.0.1 > 21.0.0.1: Network is unreachable",
)
TTL = Cause(
    "tunnel", "lc1", "gretun-cont", "ttl inherit", "ttl 9", "ip -n lc1 link set gretun-cont type gre ttl inherit"
)
LINK = Cause("link", "con_ns2", "bridge2_cs3", "up", "down", "ip -n con_ns2 link set bridge2_cs3 up")


def run_of(fabric: Fabric, tests: Iterable[Test], journeys: Iterable[Journey]) -> Record:
    """The record of a run of a fabric that is as declared."""
    known = list(tests)
    return replace(
        record(),
        kernel=Kernel("guest", "6.1.0", "tcg", "no link kind gre here"),
        lab=Lab(fabric.name, fabric.file, fabric.tenants_file or None, len(fabric.nodes), len(fabric.links)),
        tests=known,
        journeys=list(journeys),
        sizes=[],
        measurements=[],
        states=[],
        faults=[],
        warnings=[],
        not_collected={"no spread": 3, "no promised tunnel": 1},
        map=map_of(fabric),
        nodes=[found(declared_state(node)) for node in fabric.nodes],
        summary={verdict: sum(test.verdict is verdict for test in known) for verdict in Verdict},
    )


def checks_of(pairs: Iterable[Pair]) -> Iterator[Test]:
    """A test of each pair."""
    for pair in pairs:
        name = f"tests/overlay/test_pairs.py::test_every_hop_shows_the_declared_stack[{pair}]"
        yield Test(name, PROMISE, Verdict.PASSED, 0.25, pair=str(pair))


def as_declared(fabric: Fabric, pairs: Sequence[Pair]) -> Record:
    """A run in which request and answer of every pair are as declared."""
    tests = list(checks_of(pairs))
    journeys = [
        journey_of(good_leg(fabric, probe.source, probe.target), test.id)
        for pair, test in zip(pairs, tests, strict=True)
        for probe in probes_of(fabric, pair)
    ]
    return run_of(fabric, tests, journeys)


@cache
def passing() -> Record:
    """All pairs of the reference lab, with their sizes."""
    made = as_declared(reference(), reference().pairs)
    return replace(made, sizes=list(sizes_of_pair(PairMtu(way(), way()), made.tests[2].id)))


def failed(number: int, cause: Cause, spoiled: Leg, pair: str) -> tuple[list[Test], Journey]:
    """A test that failed for a cause, some that are not proven for it, and its journey."""
    known = cause_of(cause)
    name = f"tests/overlay/test_pairs.py::test_every_hop_shows_the_declared_stack[{pair}]"
    said = journey_of(replace(spoiled, verdict=replace(spoiled.verdict, causes=(cause,))), name)
    words, why = f"{said.message} - cause: {known}", f"the fabric broke: {known}"
    tests = [Test(name, PROMISE, Verdict.FAILED, 0.5, words, known, pair=pair, causes=[known])]
    odd = replace(tests[0], verdict=Verdict.NOT_PROVEN, message=why, pair="")
    more = [replace(odd, id=f"{name}-{n}", promise=f"Promise {n}.") for n in range(number)]
    return [*tests, *more], said


def _lost(source: str, target: str, seen: int, note: str = "") -> Leg:
    expected = expect(reference(), source, target)
    return leg(expected, seen_path(reference(), expected.paths[0])[:seen], note=note)


def _changed(source: str, target: str) -> Leg:
    """A journey whose first packet inside a tunnel has another outer TTL."""
    expected = expect(reference(), source, target)
    seen = seen_path(reference(), expected.paths[0])
    at = next(n for n, hop in enumerate(seen) if hop.layers.count("ipv4") == 2)
    seen[at] = seen_hop(reference(), expected.paths[0].hops[at], at, with_field("ipv4", ttl=9))
    return leg(expected, seen)


@cache
def failing() -> Record:
    """Three causes: a route that is missing, a tunnel with another TTL, a port that is down; and a lost sentinel."""
    broken = [
        failed(3, ROUTE, _lost("cs5", "cs1", 5, "lc2 answers: network unreachable"), "cs1-cs5-l2-overlay"),
        failed(2, TTL, _changed("cs1", "cs4"), "cs1-cs4-l3-overlay"),
        failed(1, LINK, _lost("cs3", "cs4", 1), "cs3-cs4-bridge"),
    ]
    tests = [test for some, _ in broken for test in some]
    spoiled = {test.id for test in tests}
    good = [test for test in passing().tests if test.id not in spoiled][:2]
    whole = [journey for journey in passing().journeys if journey.test in {test.id for test in good}]
    why = "a tap missed its sentinel"
    odd = Test("tests/overlay/test_odd.py::t", "Nothing is known.", Verdict.ERRORED, 1, why, why=why)
    return run_of(reference(), [*good, *tests, odd], [*whole, *(journey for _, journey in broken)])


def _series(name: str, factor: float) -> Series:
    sizes = [64.0, 128, 256, 512, 1024, 1472, 2944]
    rates = [factor * size / sqrt(1 + (size / 900) ** 2) for size in sizes]
    return Series(name, list(sizes), rates, [0.9 * rate for rate in rates], [1.12 * rate for rate in rates])


PARTS: list[str | float] = [0, 0.5, 0.9, 0.99, 1]
PLACES: list[str | float] = ["cs1:a out", "lc1:b in", "lc1:c out"]
PLOTS = [
    Plot("log-log", "throughput", "payload, bytes", "Mbit/s", [_series("vxlan-in-gre", 0.4), _series("veth", 0.9)]),
    Plot("share", "loss", "payload, bytes", "lost", [Series("vxlan-in-gre", [64.0, 512, 2944], [0.0, 0.001, 0.2])]),
    Plot(
        "steps",
        "ip_rcv",
        "ns",
        "part of calls",
        [Series(f"{size} bytes", PARTS, [900 + size, 1100 + size, 1500 + size, 4e3, 9e3]) for size in (64, 1472)],
    ),
    Plot(
        "waterfall",
        "where the time goes",
        "µs",
        "",
        [Series("p50", PLACES, [0, 31.5, 80.25], [], [0, 40, 120], ["", "ip_rcv 1.2", ""])],
    ),
]


@cache
def measured() -> Record:
    """Figures of every kind of plot, and the matrix of faults."""
    good, name = (
        as_declared(reference(), reference().pairs[:1]),
        "tests/perf/test_throughput.py::test_throughput_over_size_is_explained[vxlan-in-gre]",
    )
    test = Test(name, "The rate grows with the payload.", Verdict.PASSED, 9, about="measurement")
    head, rows = ("payload bytes", "Mbit/s", "packets/s"), [("64", "25.6", "50000"), ("128", "51.0", "49800")]
    figures = Figures.table("vxlan-in-gre over sizes", head, rows, ("It grows.",), plots=PLOTS)
    kinds, ranks = ("route-missing", "gre-ttl", "port-down"), (1, 1, 2, 5, None)
    fault = replace(record().faults[0], undeclared=diagnosis("wrong", None))
    tried = [
        replace(fault, kind=kind, place=f"lc{n}:x", declared=diagnosis(rank=rank))
        for kind in kinds
        for n, rank in enumerate(ranks)
    ]
    tests = [*good.tests, test]
    summary = {**good.summary, Verdict.PASSED: len(tests)}
    made = replace(good, tests=tests, measurements=[replace(figures, test=test.id)], faults=tried, summary=summary)
    return replace(made, trends=trends(runs()))


def runs() -> Iterator[Entry]:
    """A ratio from run to run: noise of two per cent, and a loss of a tenth in the 20th run."""
    for n in range(30):
        ratio = (0.8 if n < 20 else 0.72) * (1 + 0.02 * ((n * 7) % 5 - 2) / 2)
        started = f"2026-01-{n + 1:02} 03:04:05 UTC"
        yield Entry(started, "2 x QEMU Virtual CPU", "guest, Linux 6.1", "ece792", {"vxlan, UDP, 800 bytes": ratio})


@cache
def tenants() -> Record:
    """The reference lab with 50 rows of tenants."""
    fabric = add_tenants(reference(), read_tenants_text(tidy(many_rows(50, 7))))
    return as_declared(fabric, fabric.pairs[-50:])


@cache
def large() -> Record:
    """A leaf-spine fabric of 32 leaves and 8 spines."""
    fabric = load("leafspine-32x8")
    return as_declared(fabric, fabric.pairs[:20])


@cache
def hostile() -> Record:
    """The failing run with names that are markup, escape sequences, turn the direction of writing, or are long."""
    text = record_bytes(failing()).decode()
    for plain, name in zip(("lc2", "con_ns1", "cs5", "gretun-cont"), HOSTILE, strict=True):
        text = text.replace(plain, json.dumps(name, ensure_ascii=False)[1:-1])
    return parse_record(text.encode(), "hostile")


def thousand() -> Record:
    """The passing run with a thousand journeys, each of a test of its own."""
    good = passing()
    count = 1000
    journeys = [good.journeys[n % len(good.journeys)] for n in range(count)]
    tests = [replace(good.tests[0], id=f"tests/overlay/test_many.py::t[{n}]", pair="") for n in range(count)]
    numbered = [replace(journey, test=test.id) for journey, test in zip(journeys, tests, strict=True)]
    return replace(good, tests=tests, journeys=numbered, summary={**good.summary, Verdict.PASSED: count})


PAGES: Mapping[str, Callable[[], Record]] = {
    "passing": passing,
    "failing": failing,
    "measured": measured,
    "tenants": tenants,
    "large": large,
    "hostile": hostile,
}
