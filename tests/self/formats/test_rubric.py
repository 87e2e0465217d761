"""A rubric that could not be fair is refused at its place; the assignment's own is the default."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from topology.errors import LabError
from topology.formats.rubric import load_rubric, rubric_of_text

DOCUMENT = Path(__file__).parents[3] / "docs" / "grading.md"
ITEM = "{id: a, points: 100, rows: VXLAN, needs: [reaches, kind]}"
LATER = "{id: b, points: 5, rows: [VXLAN, GRE], needs: own-vni, after: a, after-share: 0.5, extra: true}"
SOUND = f"points: 100\nfeedback: full\nitems:\n- {ITEM}\n- {LATER}\n"
BROKEN = {
    "": "1:1: the file is empty; a rubric, with a list 'items:'",
    "points: 100": "1:1: the file has no 'items'; items: with lines of",
    "items: {}": "1:8: a mapping is not a list",
    "items: []": "1:1: the items without 'extra' come to 0 points, the full marks are 100",
    SOUND.replace("feedback", "feed-back"): "2:1: unknown key 'feed-back'; did you mean 'feedback'?",
    SOUND.replace("full", "all"): "2:11: unknown feedback 'all'; one of: result, where, cause, full",
    SOUND.replace("points: 100\n", "points: 90\n"): "1:1: the items without 'extra' come to 100 points",
    SOUND.replace("points: 100\n", "points: many\n"): "1:9: the points is 'many'; a whole number",
    SOUND.replace("id: a", "id: a b"): "4:8: the item name 'a b' has a character",
    SOUND.replace("id: b, ", ""): "5:3: this has no 'id'; id: NAME",
    SOUND.replace("id: b", "id: A"): "5:8: the item 'A' is there already",
    SOUND.replace("needs: own-vni, ", ""): "5:3: this has no 'needs'; needs: one or more of reaches",
    SOUND.replace("[reaches, kind]", "[]"): "4:44: a needs nothing; needs: one or more of",
    SOUND.replace("[reaches, kind]", "[reaches, reaches]"): "4:54: 'reaches' is given a second time",
    SOUND.replace("reaches, kind", "reach"): "4:45: unknown promise 'reach'; one of: reaches",
    SOUND.replace("reaches, kind", "builds"): "4:45: 'builds' is a promise of the whole; an item without 'rows'",
    SOUND.replace("rows: VXLAN, ", ""): "4:32: 'reaches' is a promise of a row; also rows: TYPE",
    SOUND.replace("[VXLAN, GRE]", "VLAN"): "5:28: unknown type 'VLAN'; one of: Bridge, VXLAN, L3, GRE",
    SOUND.replace("[VXLAN, GRE]", "[VXLAN, L3]"): "5:48: a row of type L3 has no 'own-vni'; rows of other types",
    SOUND.replace("[VXLAN, GRE]", "[GRE, GRE]"): "5:28: a type is given twice",
    SOUND.replace("after: a,", "after: c,"): "5:65: no item 'c' comes before this one; one of: a",
    SOUND.replace("after: a,", "after: b,"): "5:65: no item 'b' comes before this one",
    SOUND.replace("needs: [reaches", "after: B, needs: [reaches"): (
        "4:44: no item 'B' comes before this one; move b above it"
    ),
    SOUND.replace("after: a, ", ""): "5:58: 'after-share' is given without 'after'",
    SOUND.replace("0.5", "0.51"): "5:81: '0.51' is no share of an item's points; a number from 0 to 0.5",
    SOUND.replace("0.5", "1"): "5:81: 1 is no share of an item's points",
    SOUND.replace("extra: true", "extra: 1"): "5:93: 1 is neither true nor false",
    SOUND.replace("reaches, kind", "inside-gre").replace("VXLAN, needs", "GRE, needs"): (
        "4:43: a row of type GRE has no 'inside-gre'; rows of other types: VXLAN"
    ),
    SOUND.replace("rows: VXLAN, needs: [reaches, kind]", "needs: builds, fixed: true"): (
        "4:39: 'fixed' is given without 'rows'; rows: TYPE"
    ),
    SOUND + "- {}": "6:3: this has no 'id'",
}


@pytest.mark.parametrize("text", BROKEN)
def test_unfair_rubric_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(LabError) as refused:
        rubric_of_text(text, "r.yaml")
    assert any(str(problem).startswith(f"r.yaml:{BROKEN[text]}") for problem in refused.value.problems), refused.value


def test_sound_rubric_is_read() -> None:
    rubric = rubric_of_text(SOUND)
    first, second = rubric.items
    assert (rubric.points, rubric.feedback, first.needs, first.rows) == (100, "full", ("reaches", "kind"), ("VXLAN",))
    assert (second.after, second.after_share, second.extra) == ("a", Fraction(1, 2), True)


def test_assignments_own_rubric_is_the_default() -> None:
    rubric = load_rubric()
    assert [item.id for item in rubric.items] == ["fabric", "vxlan", "gre", "apart", "again", "mtu"]
    assert (rubric.points, rubric.feedback) == (100, "where")
    assert [item.id for item in rubric.items if item.hidden] == ["again"]


def test_document_shows_the_assignments_rubric() -> None:
    shown = re.findall(r"^```yaml\n(points:.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert [rubric_of_text(text).items for text in shown] == [load_rubric().items]
