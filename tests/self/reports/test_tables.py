"""Tables on the terminal: of sizes and of measurements."""

from __future__ import annotations

from dataclasses import replace

from fixtures.run import unique_sizes
from reports.checks.mtu import PairMtu
from reports.judge.attempt import Outcome
from reports.record.append import sizes_of_pair
from reports.record.exhibits import Figures
from reports.render.tables import measurement_lines, sizes_table
from tests.self.found import AS_MEASURED, WHOLE, changed, way

PAIR = PairMtu(way(), replace(way([(84, WHOLE), (1426, WHOLE)]), source="cs5", target="cs1"))


def test_table_has_a_line_for_each_way() -> None:
    """The three results and the computed one, and the fate of larger packets, in columns."""
    head, out, back = sizes_table(sizes_of_pair(PAIR))
    assert head.split("  ")[0] == "way"
    assert out.split()[:6] == ["cs1", "->", "cs5", "1426", "1426", "1450"]
    assert "1427-1450 fragments from lc1:gretun-cont out; 1451-1454 ICMP, MTU 1450, in the name of 20.0.0.3" in out
    assert "1455-1500 silence after con_ns1:bridge1_cs1 in" in out
    assert "1501" not in out
    assert back.endswith("-")
    assert {line.index("1426") for line in (out, back)} == {head.index("whole")}
    assert sizes_table([]) == []


def test_way_on_which_nothing_arrives_has_no_sizes() -> None:
    """A way that was not reached has no entry."""
    gone = replace(way([], []), reached=False)
    assert [entry.source for entry in sizes_of_pair(PairMtu(gone, PAIR.back))] == ["cs5"]


def test_sizes_seen_by_two_workers_are_recorded_once() -> None:
    """The same way, found twice in the same state, is one entry; found otherwise it is two."""
    other = way(changed(AS_MEASURED, {1426: Outcome("silence", "lc1", "lc1:x out")}))
    assert len(unique_sizes(sizes_of_pair(PAIR, "a") + sizes_of_pair(PAIR, "b"))) == 2
    assert len(unique_sizes(sizes_of_pair(PAIR) + sizes_of_pair(PairMtu(other, PAIR.back)))) == 3


def test_measurements_have_aligned_columns() -> None:
    """Title, head, rows under each other, then the words; what looks like markup is text."""
    rows = (("veth", "100.0"), ("vxlan", "9.5"))
    found = [Figures.table("rates [bold]", ("path", "Mbit/s"), rows, ("so & so",)), Figures.table("t", ("a",), ())]
    rates = ["", "rates [bold]", "  path   Mbit/s", "  veth   100.0", "  vxlan  9.5", "  so & so"]
    assert list(measurement_lines(found)) == [*rates, "", "t"]
