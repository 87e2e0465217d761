from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reports.record.exhibits import Cause
from reports.record.model import About, Test, Verdict
from reports.render.groups import cause_words
from reports.render.summary import CAUSES_MAX, COMMANDS_MAX, causes, outcome, pair_lines, pairs, promise_counts, reasons
from reports.words import counted

TO = "21.0.0.0/24 dev gretun-cont"
ROUTE = Cause("route", "lc2", "gretun-cont", TO, "missing", f"ip -n lc2 route replace {TO}")
LINK = Cause("link", "lc1", "lc1_sc2", "up", "down", "up!")


def result(verdict: str, message: str = "", about: About = "network", **more: object) -> Test:
    made = Test("a", "", Verdict(verdict), 0, message, about=about)
    return replace(made, **more)  # type: ignore[arg-type]


def test_each_cause_is_one_line_with_its_fix() -> None:
    """However many promises it has spoiled; a failure comes before an error, the largest first."""
    tests = [
        result("not proven", "the underlay is broken: …", cause=ROUTE),
        result("failed", cause=LINK),
        *[result("failed", cause=ROUTE)] * 2,
        result("not proven", "the underlay is broken: …", cause=ROUTE),
        result("errored", "the agent died\nand more", why="the agent died"),
        result("not proven", "an earlier test errored: the agent died", why="the agent died"),
        result("failed", "l1 - x", why="first divergence at l1:p out"),
        result("passed"),
        result("failed", "not of the network", about="hopcheck"),
    ]
    assert list(causes(tests)) == [
        "cause: lc2 - route 21.0.0.0/24 dev gretun-cont missing: 2 failed, 2 not proven",
        "  fix: ip -n lc2 route replace 21.0.0.0/24 dev gretun-cont",
        "cause: lc1 - lc1_sc2 - link - expected up - seen down: 1 failed",
        "  fix: up!",
        "cause: not found - first divergence at l1:p out: 1 failed",
        "cause: the agent died: 1 errored, 1 not proven",
    ]


def test_causes_with_one_fix_are_one() -> None:
    """Both ends of a cable are missing, and one command makes it anew: the end that broke most is named."""
    ends = [replace(LINK, node=node, live="missing", declared="a veth", fix="ip -n s1 link add …") for node in "ab"]
    tests = [result("failed", cause=ends[0]), *[result("failed", cause=ends[1])] * 2]
    assert next(causes(tests)) == "cause: b - lc1_sc2 - link a veth missing: 3 failed"
    assert len(list(causes(tests))) == 2


def test_what_another_test_left_open_has_its_cause() -> None:
    """A promise that was not proven since a node is not as declared stands under what is wrong there."""
    why = "lc2 is not as declared"
    tests = [result("not proven", why, why=why), result("failed", why, why=why, cause=ROUTE)]
    assert next(causes(tests)).endswith("missing: 1 failed, 1 not proven")
    assert len(list(causes([replace(tests[0], verdict=Verdict.FAILED), tests[1]]))) == 3


def test_two_differences_of_one_device_are_both_told() -> None:
    """One fix, which makes the device anew, is the fix of each."""
    vxlan = Cause("vxlan", "l1", "vx", "vni 1", "vni 2", "ip -n l1 link del dev vx; ip -n l1 link add name vx …")
    port = replace(vxlan, declared="dstport 1", live="dstport 2")
    lines = list(causes([result("failed", cause=vxlan, causes=[vxlan, port])]))
    assert [line for line in lines if line.startswith("cause")] == [
        "cause: l1 - vx - vxlan - expected vni 1 - seen vni 2: 1 failed",
        "cause: l1 - vx - vxlan - expected dstport 1 - seen dstport 2: beside others",
    ]


def test_a_long_fix_is_cut_on_a_line_of_its_own() -> None:
    """What is pasted holds commands alone."""
    fix = "; ".join(f"ip {number}" for number in range(COMMANDS_MAX + 2))
    _, command, rest = causes([result("failed", cause=replace(LINK, fix=fix))])
    assert command == "  fix: " + "; ".join(fix.split("; ")[:COMMANDS_MAX])
    assert rest.strip() == "… and 2 more commands: results.json has all"


def test_many_causes_are_cut_and_counted() -> None:
    """The last lines stay on one screen."""
    lines = list(causes([result("failed", f"c{n}") for n in range(CAUSES_MAX + 3)]))
    assert len(lines) == CAUSES_MAX + 1
    assert lines[-1] == "… and 3 more causes: results.json has all"


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({}, "lc2 - route 21.0.0.0/24 dev gretun-cont missing"),
        ({"live": "21.0.0.0/24 dev x"}, "lc2 - route - expected 21.0.0.0/24 dev gretun-cont - seen 21.0.0.0/24 dev x"),
        (
            {"declared": "nothing", "live": "9.0.0.0/8 dev x", "interface": "x"},
            "lc2 - route 9.0.0.0/8 dev x not declared",
        ),
        ({"kind": "link", "declared": "a veth"}, "lc2 - gretun-cont - link a veth missing"),
        (
            {"kind": "sysctl", "interface": None, "declared": "a=1", "live": "a=0"},
            "lc2 - sysctl - expected a=1 - seen a=0",
        ),
    ],
)
def test_a_cause_names_node_device_and_difference(differs: dict[str, Any], words: str) -> None:
    """The device is named once."""
    assert cause_words(replace(ROUTE, **differs)) == words


def test_pairs_are_counted_by_what_is_known_of_them() -> None:
    """A failed promise breaks a pair, whatever else was not proven of it; an error proves nothing."""
    tests = [
        result("passed", pair="a-b"),
        result("not proven", pair="a-b"),
        result("errored", pair="a-c"),
        result("failed", pair="a-d"),
        result("not proven", pair="a-d"),
        result("not applicable", pair="a-e"),
        result("passed", pair="a-e"),
    ]
    broken, unknown = "broken: 1 of 4 pairs: a-d", "not proven: 2 of 4 pairs: a-b, a-c"
    assert list(pair_lines(tests)) == [broken, unknown]
    assert [(word, names) for word, _, names in pairs(tests[-2:])] == [("work", ["a-e"])]
    assert list(pair_lines(tests[-2:])) == []
    (many,) = pair_lines([result("not proven", pair=str(n)) for n in range(20)])
    assert many.endswith("5, 6, 7 and 12 more")


def test_pairs_and_separations_are_counted_by_their_worst_verdict() -> None:
    """Each once, however many checks are about it; one to which nothing applies is no promise of the run."""
    tests = [
        *(result(verdict, pair="a-b") for verdict in ("passed", "not proven", "failed")),
        *(result(verdict, pair="a-c") for verdict in ("passed", "passed")),
        *(result(verdict, pair="a-d") for verdict in ("passed", "errored")),
        result("not applicable", pair="a-e"),
        result("passed", pair="a-f", about="hopcheck"),
        result("passed", apart="red-blue"),
    ]
    assert list(promise_counts(tests)) == ["pairs: 1 proven, 1 not proven, 1 broken", "apart: 1 proven"]
    assert list(promise_counts(tests[7:9])) == []


def test_pairs_that_were_not_tried_say_why() -> None:
    """Where it is one reason for all of them, and none of their promises was tried."""
    tests = [result("not proven", "the underlay is broken: lc1 - …", pair=pair) for pair in "ab"]
    assert list(pair_lines(tests)) == ["not proven: 2 of 2 pairs, since the underlay is broken: a, b"]
    for other in (result("passed", pair="a"), result("errored", "the fabric broke: x", pair="b")):
        assert list(pair_lines([*tests, other])) == ["not proven: 2 of 2 pairs: a, b"]


def test_what_does_not_apply_is_one_line_for_each_reason() -> None:
    """The most frequent reason first; skips of hopcheck's own tests are left to pytest."""
    tests = [result("not applicable", why) for why in ("no tunnel", "no spread", "no spread")]
    found = list(reasons([*tests, result("not applicable", "no root", about="hopcheck")]))
    assert found == ["2 not applicable: no spread", "1 not applicable: no tunnel"]


def test_one_of_a_thing_is_no_plural() -> None:
    """In the outcome, and wherever things are counted."""
    assert [counted(n, "pair") for n in (0, 1, 2)] == ["0 pairs", "1 pair", "2 pairs"]
    assert outcome([result("passed")], True) == "1 check: 1 passed"
    line = outcome([result("passed"), result("not proven"), result("not applicable")], False)
    assert line == "3 checks: 1 passed, 1 not proven, 1 not applicable (the run was not completed)"
    assert outcome([], True) == "0 checks: none was tested"
