"""What is shown of a class: to a student as much as the rubric says, to the instructor all; no name does anything."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser

import pytest

from reports.grading.feedback import build_lines, item_lines
from reports.grading.gradescope import BYTES_MAX, results_bytes
from reports.grading.pages import index_page, instructor_page, student_page
from reports.grading.record import Graded, Row, Step
from reports.grading.score import Override, Score, score
from reports.grading.table import class_csv, class_lines
from reports.grading.words import in_class
from reports.record.exhibits import Cause, Rung
from reports.words import plain
from tests.self.grading.classes import BUILT, ROUTE, VNI, Key, empty, everything, graded, ladder
from topology.formats.rubric import FEEDBACK, Feedback, load_rubric

DEFAULT = load_rubric()
LOST: dict[Key, Sequence[Cause]] = {("reaches", 2): [ROUTE], ("own-vni", 2): [ROUTE], ("own-vni", 5): [VNI]}
HIDDEN: dict[Key, Sequence[Cause]] = {("second-run", 0): [replace(ROUTE, node="SECRET", fix="SECRET", show="SECRET")]}
FAILING = replace(BUILT, exit=1, tail="no such device\n")
SECOND = Step("python3 create.py SECRET", 1, 1.0, "exited", "SECRET", "second-run")
BROKEN = graded("s0417", {**LOST, **HIDDEN}, build=[FAILING, SECOND], notes=["SECRET"], nodes="SECRET")
EVIL = "<script>x</script>\u202e\x1b[31m\n'\"&"


def at(level: Feedback, record: Graded = BROKEN) -> Score:
    """A score by the assignment's rubric, with other feedback."""
    return score(record, replace(DEFAULT, feedback=level))


class Reader(HTMLParser):
    """A page's tags, links, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data if self.lasttag not in ("style", "script") else ""


ITEM = """\
vxlan 15/30: row 5 ok, row 2 CS1X -> CS2X not delivered
  ok      CS1X eth0 out   ARP who-has 42.0.0.2
  ok      LC1 eth2 out    41.0.0.1>43.0.0.1 UDP 4789 VXLAN 10002 / ARP
  MISSING SC2 eth2 out    expected 41.0.0.1>43.0.0.1 UDP 4789 VXLAN 10002 / ARP
  … 1 more hop expected after it
look at SC2:  docker exec SC2 ip route get 43.0.0.1"""
CAUSE = "cause: SC2: route - expected 43.0.0.0/24 via 28.0.0.2 - seen missing - the walk ends at SC2"
FIX = f"fix:   {ROUTE.fix}"
LEVELS: dict[Feedback, str] = {
    "result": "vxlan 15/30: row 5 ok, row 2 CS1X -> CS2X failed",
    "where": ITEM,
    "cause": f"{ITEM}\n{CAUSE}",
    "full": f"{ITEM}\n{CAUSE}\n{FIX}",
}


@pytest.mark.parametrize("level", FEEDBACK)
def test_item_says_as_much_as_the_rubric_lets_it(level: Feedback) -> None:
    """The hop where the packet was missed, expected beside seen, where to look; then the cause; then the fix."""
    assert "\n".join(item_lines(at(level).items[1], level)) == LEVELS[level]


@pytest.mark.parametrize("level", FEEDBACK)
def test_no_student_is_shown_more(level: Feedback) -> None:
    """Neither in a page nor in Gradescope's results: below full no fix, and nothing of hidden items at any level."""
    shown = at(level)
    tests = json.loads(results_bytes(shown))
    for text in (Reader(student_page(shown)).text, json.dumps(tests)):
        assert ("ip route add" in text) == ("ip link set" in text) == (level == "full")
        assert ("no such device" in text) == (level != "result")
        assert "SECRET" not in text
        assert "fix" not in text or level == "full"
    assert tests["stdout_visibility"] == "hidden"
    assert [tests["score"], *(one["score"] for one in tests["tests"])] == [57.5, 20, 15, 20, 0, 0, 2.5]


@pytest.mark.parametrize("level", FEEDBACK)
def test_instructor_is_shown_all(level: Feedback) -> None:
    page = instructor_page(at(level))
    assert page.count("SECRET") >= 6
    assert all(words in Reader(page).text for words in (ROUTE.fix, CAUSE, "no such device", BROKEN.key))


def test_place_is_named_where_every_hop_is_as_the_fabric_s_own_state_has_it() -> None:
    """A packet that ends where its nodes' state ends it has no wrong hop: what is missing there is said below them."""
    said = "CS1X -> CS2X (ARP) - expected to arrive - seen last at LC1:eth2 out"
    lost = replace(ladder(), ladder=ladder().ladder[:2], message=said)
    promises = [
        replace(one, outcome="broken", said=said, causes=[ROUTE], ladder=lost) if key == ("reaches", 2) else one
        for key, one in everything().items()
    ]
    found = at("where", graded(promises=promises))
    place = "at SC2: expected 43.0.0.0/24 via 28.0.0.2 - seen missing"
    assert [line.split()[0] for line in item_lines(found.items[1], "where")[1:]] == ["ok", "ok", "at", "look"]
    assert f"  {place}" in item_lines(found.items[1], "where")
    page = Reader(student_page(found)).text
    assert place in page
    assert said in page
    assert "as declared at every hop" not in page


def test_loop_of_routes_is_shown_by_its_first_lap_and_its_end() -> None:
    """Sixty hops say no more than a lap does; as many of a way without a loop are all shown."""
    start, leaf, spine, _ = ladder().ladder
    laps = [replace(rung, seen=f"ttl {64 - n}", wrong="") for n in range(30) for rung in (leaf, spine)]

    def shown(rungs: list[Rung]) -> Score:
        lost = replace(ladder(), ladder=rungs)
        promises = [
            replace(one, outcome="broken", causes=[ROUTE], ladder=lost) if key == ("reaches", 2) else one
            for key, one in everything().items()
        ]
        return at("where", graded(promises=promises))

    found = shown([start, *laps])
    lines = item_lines(found.items[1], "where")
    repeated = "55 hops left out, which repeat those above; then the last 2"
    assert [line.split()[0] for line in lines[1:8]] == ["ok", "ok", "ok", "ok", "…", "ok", "ok"]
    assert (lines[4].split()[-1], lines[5], lines[7].split()[-1]) == ("63", f"  … {repeated}", "35")
    assert repeated in Reader(student_page(found)).text
    lines = item_lines(shown([replace(rung, interface=f"e{n}") for n, rung in enumerate(laps)]).items[1], "where")
    assert sum(line.startswith("  ok") for line in lines) == len(laps)


def test_message_without_a_cause_is_shown_up_to_what_would_mend_it() -> None:
    """A promise without ladder and causes has our message, of which the fix is no part for a student."""
    said = f"LC1 - vx2 - expected a number - seen none - cause: {VNI}"
    promises = [
        replace(one, outcome="broken", said=said) if key == ("kind", 4) else one for key, one in everything().items()
    ]
    lines = item_lines(at("where", graded(promises=promises)).items[2], "where")
    assert lines == [
        "gre 0/20: row 4 CSA -> CSB not carried as promised",
        "  LC1 - vx2 - expected a number - seen none",
    ]


ITEMS: dict[str, tuple[Graded, int, str, str]] = {
    "an effect": (
        BROKEN,
        3,
        "apart 0/20: row 2 CS1X -> CS2X not delivered (an effect of what lost points in vxlan), "
        "row 5 CS3X -> CS4X has no VNI or key of its own",
        "apart 0/20: row 2 CS1X -> CS2X not delivered (an effect",
    ),
    "hidden": (BROKEN, 4, "again 0/10: a hidden item: its checks are not shown", "again 0/10: a second run spoils it"),
    "open": (
        graded(others={("kind", 4): "errored"}),
        2,
        "gre 0 to 20/20: row 4 CSA -> CSB not settled yet: a person looks at it",
        "gre 0 to 20/20: row 4 CSA -> CSB errored",
    ),
    "not answered": (
        graded(others={("both-ways", 4): "broken", ("kind", 4): "broken"}),
        2,
        "gre 0/20: row 4 CSA -> CSB not answered",
        "gre 0/20: row 4 CSA -> CSB not answered",
    ),
    "hidden and open": (
        graded(others={("other-csv", 0): None}),
        4,
        "again 0 to 10/10: not settled yet: a person looks at it",
        "again 0 to 10/10: needs a run: other-csv",
    ),
    "of the whole": (empty(), 0, "fabric 0/20: the build fails and the leaf-spine fabric is not whole", "fabric 0/20"),
    "nothing reaches": (empty(), 4, "again 0/10: a hidden item", "again 0/10: nothing is delivered in any row"),
}


@pytest.mark.parametrize("name", ITEMS)
def test_first_line_of_an_item(name: str) -> None:
    """For the student, and for the instructor."""
    record, place, student, instructor = ITEMS[name]
    one = at("where", record).items[place]
    assert item_lines(one, "where")[0].startswith(student)
    assert item_lines(one, "full", answers=True)[0].startswith(instructor)


def test_override_is_shown_with_its_reason() -> None:
    given = Override("s0417", "vxlan", Fraction(15), "seen in the lab", "Ada")
    shown = score(BROKEN, DEFAULT, [given])
    assert item_lines(shown.items[1], "result") == ["vxlan 15/30: set by Ada: seen in the lab"]
    assert "vxlan: seen in the lab (Ada)" in class_csv([shown], DEFAULT)


def evil() -> Graded:
    """A submission in which everything that its author can name is hostile."""
    rows = [Row(2, EVIL, EVIL, "VXLAN")]
    cause = Cause(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, "traffic", EVIL)
    rungs = [replace(rung, node=EVIL, interface=EVIL, expected=EVIL, wrong=EVIL) for rung in ladder().ladder]
    trip = replace(ladder(), source=EVIL, ladder=rungs)
    promises = [replace(p, outcome="broken", said=EVIL, causes=[cause], ladder=trip) for p in everything(rows).values()]
    step = Step(EVIL, 1, 1.0, "exited", EVIL * 3)
    return graded(
        EVIL, rows=rows, promises=promises, build=[step], nodes=EVIL, people=EVIL, notes=[EVIL], first=promises
    )


def test_names_and_logs_are_text_that_does_nothing() -> None:
    """No tag, no escape sequence, no turn of direction, no formula; and no link leads out of the class's folder."""
    shown = at("full", evil())
    rubric = shown.rubric
    pages = [student_page(shown), instructor_page(shown), index_page([shown], rubric)]
    for page in pages:
        reader = Reader(page)
        assert page.count("<script") == 1
        assert not {"img", "iframe", "link"} & reader.tags
        assert all("://" not in link and not link.startswith("/") for link in reader.links)
        assert "<script>x</script>\\u202e\\x1b[31m" in reader.text
        assert "&lt;script" not in reader.text
    plain = [*pages, class_csv([shown], rubric), *class_lines([shown], rubric, "grades"), results_bytes(shown).decode()]
    assert not any(letter in text for text in plain for letter in "\u202e\x1b")
    (_, row) = csv.reader(class_csv([at("full", graded("=1+1", people="@x"))], rubric).splitlines())
    assert row[:2] == ["'=1+1", "'@x"]


def test_long_log_is_cut_to_what_gradescope_takes() -> None:
    """Each text to one length, so that every item keeps its beginning; and the whole log is the instructor's."""
    flood = [replace(FAILING, tail="\U0001f500" * 400_000)] * 3
    content = results_bytes(at("where", graded("x", LOST, build=flood)))
    assert len(content) <= BYTES_MAX
    made = json.loads(content)
    assert made["output"].endswith("… (cut: the rest does not fit)")
    assert made["tests"][1]["output"] == ITEM


def test_build_is_told_by_its_commands() -> None:
    """Of those that failed the student sees the end of what they printed, the instructor everything."""
    record = graded(
        build=[replace(BUILT, tail="a\r\n" * 40), replace(FAILING, exit=None, ended="deadline", tail="b\n" * 40)]
    )
    lines = list(build_lines(record, "where"))
    assert lines[:2] == [
        "python3 create.py tenants.csv: exit 0, 12.5 s",
        "python3 create.py tenants.csv: hit its deadline, 12.5 s",
    ]
    assert lines[2:] == ["  b"] * 30
    assert len(list(build_lines(record, "full", answers=True))) == 82


CLASS = """\
graded 2, need a person 2: s3 (build hit its deadline), s4 (errored)
item    points  full  part  none   err  commonest cause
fabric      20     3     0     1     0  the build fails (1)
vxlan       30     2     1     1     0  not delivered (1)
gre         20     2     0     1     1  not delivered (1)
apart       20     2     0     2     0  vni: VNI … rows … and … (1)
again       10     2     0     2     0  nothing is delivered in any row (1)
mtu          5     2     1     1     0  not delivered (1)
median 71.25, full marks 1, zero 1      page: grades/index.html   table: grades/class.csv"""


def test_class_is_told_in_a_table() -> None:
    """How many earn each item, and the commonest cause; the middle, and who is left to a person."""
    records = [empty("s1"), BROKEN, graded("s3", ended="deadline"), graded("s4", others={("kind", 4): "errored"})]
    scores = [at("where", record) for record in records]
    lines = list(class_lines(scores, DEFAULT, "grades"))
    head, *items, end = CLASS.splitlines()
    assert (lines[0], lines[-1]) == (head, end)
    assert [line.split()[:6] for line in lines[1:-1]] == [line.split()[:6] for line in items]
    table = list(csv.DictReader(class_csv(scores, DEFAULT).splitlines()))
    assert [(row["submission"], row["score_min"], row["score_max"], row["person"]) for row in table] == [
        ("s1", "0", "0", ""),
        ("s0417", "57.5", "57.5", ""),
        ("s3", "105", "105", "build hit its deadline"),
        ("s4", "85", "105", "errored"),
    ]
    reader = Reader(index_page(scores, DEFAULT, "4 of 120 graded, about 40 min to go"))
    assert "4 of 120 graded" in reader.text
    assert {"instructor/s4.html", "students/s4.html", "class.csv"} <= set(reader.links)


def test_class_says_what_it_ran_on() -> None:
    """Each machine once, without the reasons for it, and that an emulated one is no wall."""
    kernels = [f"guest (Linux 6.1.0, {by}): restored from a snapshot" for by in ("kvm", "tcg", "tcg")]
    text = Reader(index_page([score(graded(kernel=kernel), DEFAULT) for kernel in kernels], DEFAULT)).text
    assert text.count("guest (Linux 6.1.0, kvm)") == text.count("guest (Linux 6.1.0, tcg)") == 1
    assert "tcg), emulated: QEMU promises isolation with KVM only" in text
    assert "kvm), emulated" not in text


def test_empty_class_has_a_page() -> None:
    """Before the first submission is graded."""
    assert "nothing is graded yet" in index_page([], DEFAULT)


def cause(kind: str, declared: str, live: str) -> Cause:
    return Cause(kind, "LC1", "vx1", declared, live, "")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (ROUTE, "route missing"),
        (cause("address", "nothing", "10.0.0.1/24"), "address too much"),
        (cause("link", "up", "down: cs1:cs1_br1 gets no answer for 20.0.0.2"), "link: down"),
        (cause("route", "another next hop", "28.0.0.0/24 via 26.0.0.1 dev vx1"), "route: … via … dev …"),
        (VNI, "vni: VNI …"),
    ],
)
def test_same_mistake_has_the_same_words_in_every_submission(found: Cause, words: str) -> None:
    assert in_class(found) == words


def test_text_is_spelled_out_once() -> None:
    """Printed characters of all languages stay as they are."""
    assert plain("é 中 \u202e\u200b\r\x07\n\t\ud800", "\n\t") == "é 中 \\u202e\\u200b\\r\\x07\n\t\\ud800"
    assert plain(plain("\x1b", "\n\t"), "\n\t") == "\\x1b"
