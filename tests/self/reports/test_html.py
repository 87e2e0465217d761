"""The page's pieces: marked where the ladder is, and never a tag that comes from outside."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from reports.evidence import Cause
from reports.judge.journey import Rung
from reports.judge.trip import Leg, Trip
from reports.render.html import head_html, leg_html, note_html, promise_cell, trip_html
from reports.render.pytest_html_hooks import HtmlHooks
from tests.self.builders import expect, good_leg, leg, reference, seen_hop, seen_path, with_field
from topology.kernels.registry import KernelInfo

EVIL = "<script>alert('x')</script>\"&"
OURS = {"details", "summary", "table", "tr", "th", "td", "b", "br", "p", "code", "div", "h2"}
CAUSE = Cause("route", "lc1", "lc1_sc2", "28.0.0.0/24", "missing", "ip -n lc1 route replace <28.0.0.0/24>")


class Reader(HTMLParser):
    """What a browser makes of a piece: its tags, its classes, its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.classes: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.classes += [value or "" for name, value in attrs if name == "class"]
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    """A well-formed piece that has no tags but ours."""
    reader = Reader(page)
    assert reader.open == []
    assert set(reader.tags) <= OURS
    return reader


def bad_leg(cause: Cause | None = CAUSE, note: str = "") -> Leg:
    expected = expect(reference(), "cs1", "cs5")
    sightings = seen_path(reference(), expected.paths[0])[:10]
    sightings[7] = seen_hop(reference(), expected.paths[0].hops[7], 7, with_field("vxlan", vni=31))
    made = leg(expected, sightings, note=note)
    return replace(made, verdict=replace(made.verdict, cause=cause))


def test_good_leg_is_closed_and_green() -> None:
    """A leg as declared is folded away; every hop has a row, and nothing is marked bad."""
    page = leg_html(good_leg(reference(), "cs1", "cs5"), "out")
    reader = read(page)
    assert page.startswith(
        '<details class="hc-leg"><summary class="hc-good">cs1 → cs5 (icmp, out): as declared at every hop<'
    )
    assert reader.classes.count("hc-good") == 1 + 16
    assert not {"hc-bad", "hc-after"} & set(reader.classes)
    assert "cause" not in reader.text


def test_bad_leg_is_open_and_marks_the_first_divergence() -> None:
    """A leg that diverges is open; the divergence shows expected, seen and why; the cause and its fix follow."""
    page = leg_html(bad_leg(), "back")
    reader = read(page)
    assert page.startswith('<details class="hc-leg" open><summary class="hc-bad">')
    assert page.count("✗") == 1
    assert reader.classes.count("hc-good") == 9
    assert reader.classes.count("hc-bad") == 1 + 1
    assert reader.classes.count("hc-after") == 6
    assert "layer 5 vxlan.vni - another value - expected 30 - seen 31" in reader.text
    assert "lc1 lc1_sc2: route – expected 28.0.0.0/24 – seen missing" in reader.text
    assert "<code>ip -n lc1 route replace &lt;28.0.0.0/24&gt;</code>" in page


def test_only_what_was_seen_wrong_or_first_missed_is_bad() -> None:
    """The first missing hop is bad and the ones behind it are pale; but what was seen and is wrong stays bad."""
    expected = expect(reference(), "cs1", "cs2")
    sightings = seen_path(reference(), expected.paths[0])
    lost = read(leg_html(leg(expected, sightings[:2]), "out"))
    assert lost.classes[-4:] == ["hc-good", "hc-good", "hc-bad", "hc-after"]
    for number in (1, 3):
        hop = expected.paths[0].hops[number]
        sightings[number] = seen_hop(reference(), hop, number, with_field("ipv4", ttl=9))
    page = leg_html(leg(expected, sightings), "out")
    assert read(page).classes[-4:] == ["hc-good", "hc-bad", "hc-good", "hc-bad"]
    assert (page.count("✗"), page.count("·")) == (1, 1)


def test_unknown_cause_is_said() -> None:
    """A divergence whose cause nobody found says so, and a note is shown."""
    reader = read(leg_html(bad_leg(cause=None, note="cs1 refused to send"), "out"))
    assert "cause not found" in reader.text
    assert "note cs1 refused to send" in reader.text


def test_everything_from_outside_is_escaped() -> None:
    """Names, notes, protocols, causes and fixes are text, whatever is in them."""
    made = bad_leg(Cause(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL), note=EVIL)
    seen = made.journey.sightings[0]
    rung = Rung(EVIL, EVIL, EVIL, None, seen, EVIL)
    verdict = replace(made.verdict, source=EVIL, target=EVIL, rungs=(rung, *made.verdict.rungs))
    page = leg_html(Leg(replace(made.journey, protocol=EVIL), made.expected, verdict), EVIL)
    assert "<script" not in page
    assert read(page).text.count(EVIL) >= 10


def test_head_is_escaped_and_says_which_kernel() -> None:
    """The head shows the outcome, the lab and the kernel, each as text."""
    lab = replace(reference(), name=EVIL, file=EVIL, tenants_file=EVIL)
    page = head_html(lab, KernelInfo(EVIL, EVIL, EVIL, EVIL), EVIL, good=False, words=(EVIL,))
    assert "<script" not in page
    reader = read(page)
    assert reader.text.count(EVIL) == 9
    assert "hc-bad" in reader.classes
    good = read(head_html(reference(), None, "4 passed", good=True))
    assert "hc-good" in good.classes
    assert "lab ece792 (ece792.yaml): 12 nodes, 13 links" in good.text
    assert "tenants" not in good.text
    assert "no kernel was started" in good.text


def test_promise_is_escaped() -> None:
    """A promise is a docstring, and may speak of <tags>."""
    assert promise_cell("a < b & c") == '<td class="col-promise">a &lt; b &amp; c</td>'


def test_note_is_escaped() -> None:
    """What is to be known of a promise is text, whatever it holds."""
    assert note_html("<b>accepted</b>") == "<p><b>note</b> &lt;b&gt;accepted&lt;/b&gt;</p>"


def test_trip_is_both_legs() -> None:
    """A trip shows out and back, in this order."""
    trip = Trip(good_leg(reference(), "cs1", "cs2"), bad_leg())
    text = read(trip_html(trip)).text
    assert text.index("cs1 → cs2 (icmp, out)") < text.index("cs1 → cs5 (icmp, back)")


class Report:
    """As much of a pytest report as the hook looks at."""

    nodeid = f"tests/x.py::test[{EVIL}]"

    def __init__(self, promise: str | None) -> None:
        if promise is not None:
            self.hopcheck = {"promise": promise}


@pytest.mark.parametrize(("promise", "shown"), [(EVIL, EVIL), (None, "")])
def test_row_shows_the_promise_and_a_name_that_is_no_markup(promise: str | None, shown: str) -> None:
    """pytest-html writes a test's id as it is: the hook puts an escaped one in its place."""
    cells = ["<td>Passed</td>", f"<td>{Report.nodeid}</td>", "<td>0.1</td>"]
    HtmlHooks(lambda: "").pytest_html_results_table_row(Report(promise), cells)  # type: ignore[arg-type]
    assert len(cells) == 4
    assert Reader(cells[1]).text == shown
    assert Reader(cells[2]).text == Report.nodeid
    assert "<script" not in "".join(cells)


def test_row_that_is_left_out_stays_out() -> None:
    """A row without cells, as for a hidden result, gets none."""
    cells: list[str] = []
    HtmlHooks(lambda: "").pytest_html_results_table_row(Report("x"), cells)  # type: ignore[arg-type]
    assert cells == []
