"""Pictures of the page: the fabric's layout and verdicts, plots, groups by cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from reports.evidence import Cause
from reports.record.append import cause_of, journey_of
from reports.record.exhibits import Plot, Series
from reports.record.fabric import found, map_of
from reports.record.model import Map, Place, Verdict
from reports.render.fabric import TUNNEL_KINDS, Drawing, draw
from reports.render.groups import by_cause
from reports.render.layout import NODES_MAX, Box, arrange, shorten
from reports.render.plots import chart, mtu_rows, numbers, waterfall
from reports.render.trends import trended
from tests.browser import pages
from tests.self.builders import (
    expect,
    good_leg,
    known_lab,
    later,
    leg,
    reference,
    seen_path,
)
from topology.formats import load
from topology.links import TUNNELS
from topology.state import declared_state


def overlapping(boxes: list[Box]) -> list[tuple[str, str]]:
    """The pairs of boxes that lie on one another."""
    return [
        (a.name, b.name)
        for a, b in combinations(boxes, 2)
        if abs(a.x - b.x) < (a.width + b.width) / 2 and abs(a.y - b.y) < (a.height + b.height) / 2
    ]


LABS = ["ece792", "ecmp", "two-tenants", "geneve", "segments", "vlan-trunk"]


@pytest.mark.parametrize("lab", [*LABS, "leafspine-32x8", "leafspine-4x2x6"])
def test_nodes_stand_in_layers_apart_and_inside(lab: str) -> None:
    """No two boxes overlap, all are inside the picture, a spine is above every leaf and these above customers."""
    placed = arrange(map_of(load(lab)))
    assert placed
    assert overlapping(placed.boxes) == []
    assert all(box.x - box.width / 2 >= 0 and box.x + box.width / 2 <= placed.width for box in placed.boxes)
    assert all(box.top >= 0 and box.bottom <= placed.height for box in placed.boxes)
    heights = [[box.y for box in placed.boxes if box.role == role] for role in ("spine", "leaf", "switch", "customer")]
    assert all(max(upper) < min(lower) for upper, lower in pairwise([row for row in heights if row]))


def test_every_tunnel_is_drawn_in_its_kind() -> None:
    """The page is made without the registry of kinds, and still knows each kind of tunnel."""
    assert {kind for tunnel in TUNNELS for kind in tunnel.kinds} <= set(TUNNEL_KINDS)


def test_fabrics_too_large_or_empty_are_not_drawn() -> None:
    """A picture that nobody reads is left out."""
    assert arrange(Map([], [])) is None
    assert arrange(Map([Place(str(n), "leaf") for n in range(NODES_MAX + 1)], [])) is None
    assert draw(None, [], []) is None


def test_long_names_keep_both_ends() -> None:
    """Of a name that does not fit the middle is left out."""
    assert [shorten("abcdefghij", n) for n in (10, 5, 1)] == ["abcdefghij", "ab…ij", "a…"]


def drawing(journeys: Sequence[object]) -> Drawing:
    """The reference lab with some journeys."""
    made = draw(map_of(reference()), journeys, ())  # type: ignore[arg-type]
    assert made
    return made


def test_links_and_tunnels_have_the_verdict_of_what_crossed_them() -> None:
    """Out and back over spine 2 inside VXLAN and GRE; spine 1 carries nothing; each leg has its way."""
    there, back = (journey_of(good_leg(reference(), *ends)) for ends in (("cs1", "cs5"), ("cs5", "cs1")))
    made = drawing([there, back])
    states = {line.title.split(":")[0] + line.title.split("–")[1].split(":")[0]: line.state for line in made.links}
    assert (states["lc1 sc1"], states["lc1 sc2"]) == ("unseen", "good")
    assert [(line.kind, line.state) for line in made.tunnels] == [("vxlan", "good"), ("gre", "good")]
    assert [way.leg for way in made.ways] == ["out", "back"]
    assert [part[:-1] for part in made.ways[0].links.split()] == [part[:-1] for part in made.ways[1].links.split()][
        ::-1
    ]
    assert {part[-1] for way in made.ways for part in way.links.split()} == {"+", "-"}
    assert (made.crosses, [way.fault for way in made.ways]) == ([], ["", ""])


def test_first_divergence_is_a_cross_and_what_is_behind_it_expected() -> None:
    """The link at which the packet was missed is at fault; an answer to a request that never came is no fault."""
    expected, answer = (expect(reference(), *ends) for ends in (("cs1", "cs4"), ("cs4", "cs1")))
    lost = journey_of(leg(expected, seen_path(reference(), expected.paths[0])[:7]), "t")
    silent = journey_of(leg(answer, []), "t")
    made = drawing([lost, silent])
    assert [cross.title for cross in made.crosses] == ["packets first differ at sc2:sc2_lc2"]
    assert [line.title for line in made.links if line.state == "bad"] == ["lc2:lc2_sc2 – sc2:sc2_lc2"]
    assert [part.endswith("?") for part in made.ways[0].links.split()] == [False] * 3 + [True] * 3
    assert [way.fault for way in made.ways] == ["0", ""]
    assert made.ways[1].links == ""


@pytest.mark.parametrize(
    ("cause", "links", "tunnels"),
    [
        (pages.ROUTE, [], []),
        (replace(pages.TTL, kind="gre"), [], ["gre"]),
        (pages.LINK, ["cs3:cs3-br – con_ns2:bridge2_cs3"], []),
    ],
)
def test_a_line_is_at_fault_only_where_a_cause_is_about_it(cause: Cause, links: list[str], tunnels: list[str]) -> None:
    """A route that is wrong is the node's fault, wherever packets first differ; its device is marked there."""
    expected = expect(reference(), "cs1", "cs4")
    lost = leg(expected, seen_path(reference(), expected.paths[0])[:7])
    explained = replace(journey_of(lost), causes=[cause_of(cause)])
    made = draw(map_of(reference()), [explained], [cause_of(cause)])
    assert made
    assert [line.title for line in made.links if line.state == "bad"] == links
    assert [line.kind for line in made.tunnels if line.state == "bad"] == tunnels
    assert [(node.box.name, node.devices) for node in made.nodes if node.cause] == [(cause.node, {cause.interface})]
    assert [cross.title for cross in made.crosses] == ["packets first differ at sc2:sc2_lc2"]


@pytest.mark.parametrize("lab", [*LABS, "gre-l3", "gretap"])
def test_words_of_tunnels_do_not_lie_on_one_another(lab: str) -> None:
    """Those for which there is no place are left out."""
    made = draw(map_of(load(lab)), [], [])
    assert made
    words = [line for line in made.tunnels if line.label]
    assert words
    assert all(line.y < made.height for line in made.tunnels)
    assert [
        (a.label, b.label)
        for a, b in combinations(words, 2)
        if abs(a.y - b.y) < 12 and abs(a.x - b.x) < 3.5 * (len(a.label) + len(b.label))
    ] == []


def test_device_that_a_cause_names_is_not_left_out() -> None:
    """Of a node with more devices than are shown, and of tunnels whose words have no place."""
    for place in map_of(load("two-tenants")).nodes:
        for device in (part.partition(":")[0] for part in place.parts):
            cause = replace(cause_of(pages.TTL), kind="vxlan", node=place.name, interface=device)
            made = draw(map_of(load("two-tenants")), [], [cause])
            assert made
            (node,) = [node for node in made.nodes if node.cause]
            assert device in node.box.parts
            assert all(line.label for line in made.tunnels if line.state == "bad")


def test_a_link_beside_the_declared_way_is_told_apart() -> None:
    """A packet that takes the wrong turn crosses a link, but none of its way."""
    expected = expect(reference(), "cs1", "cs4")
    *seen, last = seen_path(reference(), expected.paths[0])[:6]
    out, into = replace(last, interface="lc1_sc1"), replace(later(last, 5), node="sc1", interface="sc1_lc1")
    turned = [*seen, out, replace(into, direction="in", order=last.order + 1)]
    (way,) = drawing([journey_of(leg(expected, turned))]).ways
    assert "".join(part[-1] for part in way.links.split() if part[-1] not in "+-") == "!????"


def test_log_scales_are_even_and_intervals_surround_their_value() -> None:
    """Doubling a size is one distance wherever it is; the bare path is a curve of its own."""
    sizes: list[str | float] = [100.0, 200.0, 400.0]
    plot = Plot("log-log", "t", "x", "y", [Series(name, sizes, [1, 2, 4], [0.5, 1, 2], [2, 4, 8]) for name in "ab"])
    drawn = chart(plot)
    assert drawn
    assert [tick.words for tick in drawn.x_ticks] == ["100", "200", "400"]
    first, second, third = (tick.at for tick in drawn.x_ticks)
    assert second - first == pytest.approx(third - second, abs=0.2)
    assert [curve.name for curve in drawn.curves] == ["a", "b"]
    assert abs(drawn.curves[0].label_y - drawn.curves[1].label_y) >= 15
    assert drawn.curves[0].mark != drawn.curves[1].mark
    for (_, y, _), part in zip(drawn.curves[0].marks, drawn.curves[0].intervals.split("M")[1:], strict=True):
        low, high = float(part.split("V")[0].split()[1]), float(part.split("V")[1])
        assert high < y < low


@pytest.mark.parametrize("values", [[], [0.0], [-1.0, 0.0]])
def test_what_cannot_be_drawn_is_left_out(values: list[float]) -> None:
    """No value, or none that a logarithm has: no picture, and no error."""
    plot = Plot("steps", "t", "x", "y", [Series("a", [float(n) for n in range(len(values))], values)])
    assert chart(plot) is None


def test_waterfall_adds_up() -> None:
    """Each bar begins where the one before ended, and the last ends at the right."""
    plot = next(plot for plot in pages.PLOTS if plot.kind == "waterfall")
    bars = [row.bars[0] for row in waterfall(plot).rows]
    assert all(b.x == pytest.approx(a.x + max(a.width, 0), abs=2) for a, b in pairwise(bars))
    assert bars[-1].x + bars[-1].width == pytest.approx(800)


def test_trend_shows_its_band_and_marks_the_change_alone() -> None:
    """Thirty runs of noise with one real change: one cross, where it is; a single run has no trend."""
    (trend,) = pages.measured().trends
    drawn = trended(trend)
    assert drawn
    assert [at for at, run in enumerate(drawn.runs) if run.changed] == [
        at for at, point in enumerate(trend.points) if point.changed
    ]
    assert any(run.changed for run in drawn.runs)
    assert drawn.runs[0].x < drawn.runs[-1].x
    assert drawn.band.endswith("z")
    assert trended(replace(trend, points=trend.points[:1])) is None


def test_sizes_are_bars_in_order_with_their_limits() -> None:
    """Every fate is a bar that begins where the one before ends; the largest size of each is named."""
    sizes = pages.passing().sizes
    narrow = replace(sizes[0], source="cs9", zones=sizes[0].zones[1:])
    drawn = mtu_rows([*sizes, narrow])
    assert drawn
    assert [row.name for row in drawn.rows] == ["cs1 → cs5 and 1 more", "cs9 → cs5"]
    for row, one in zip(drawn.rows, (sizes[0], narrow), strict=True):
        assert [bar.kind for bar in row.bars] == [zone.fate for zone in one.zones]
        assert all(b.x == pytest.approx(a.x + a.width, abs=2) for a, b in pairwise(row.bars))
        assert [tick.words for tick in row.limits] == [str(zone.last) for zone in one.zones[:-1]]
    assert mtu_rows([]) is None


def test_tests_are_grouped_by_their_cause_worst_first() -> None:
    """Each cause once with all that it broke; the one with the most failed promises first; errors for themselves."""
    groups = by_cause(pages.failing().tests)
    assert [(group.cause.node if group.cause else group.why, len(group.tests)) for group in groups] == [
        ("lc2", 4),
        ("lc1", 3),
        ("con_ns2", 2),
        ("a tap missed its sentinel", 1),
    ]
    assert all(group.tests[0].verdict is Verdict.FAILED for group in groups[:3])
    assert groups[0].said == "route 21.0.0.0/24 dev gretun-cont missing"
    assert groups[1].said == "gretun-cont, tunnel: ttl 9, expected ttl inherit"
    assert groups[0].fixes == [pages.ROUTE.fix]


def test_known_cause_comes_before_an_unknown_one_that_breaks_as_much() -> None:
    """A failure without a cause and one with a cause: the cause is read first, whichever test ran first."""
    known = next(test for test in pages.failing().tests if test.cause)
    unknown = replace(known, id="tests/overlay/test_pairs.py::first", cause=None, causes=[], why="")
    assert [group.cause for group in by_cause([unknown, known])][:2] == [known.cause, None]


def test_a_node_is_told_in_the_words_of_ip() -> None:
    """Addresses, the forwarding table, and tunnels with their parameters."""
    told = found(declared_state(reference()["con_ns1"]))
    assert "br1_lc1 21.0.0.1/24" in told.addresses
    assert "23.0.0.0/24 via 21.0.0.2 dev br1_lc1" in told.routes
    (vxlan,) = [line for line in told.devices if line.startswith("vxlan-cont: vxlan")]
    assert "vni 30" in vxlan
    assert "master bridge1" in vxlan


def test_a_mesh_of_vteps_has_each_tunnel_once() -> None:
    """Two ends that receive each other's packets are one line, whoever sends."""
    made = map_of(known_lab("two-tenants"))
    ends = [frozenset(tunnel.ends) for tunnel in made.tunnels]
    assert ends
    assert len(ends) == len(set(ends))


def test_numbers_of_a_plot_are_written_out() -> None:
    """Large and small numbers without an exponent; an interval's column only where there are intervals."""
    series = Series("200 bytes", [0.5, 1.0], [12_334_567.0, 0.00012345])
    table = numbers(Plot("steps", "ip_rcv", "own time, ns", "part of calls", [series]))
    assert table.head == ["series", "part of calls", "own time, ns"]
    assert table.rows == [["200 bytes", "0.5", "12330000"], ["200 bytes", "1", "0.0001234"]]
    hop = numbers(Plot("waterfall", "a packet's time", "us", "", [Series("p50", ["cs1 out"], [7.0], [], [9.5])]))
    assert (hop.head, hop.rows) == (["series", "place", "us", "to"], [["p50", "cs1 out", "7", "9.5"]])
