"""--regrade: a class is scored again from its records alone, and says whose score changes, by how much and why."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from fixtures.out import MARKER
from fixtures.session import pytest_cmdline_main
from reports.grading.folder import regrade
from reports.grading.overrides import overrides_of
from reports.grading.record import Graded, write_graded
from reports.record.store import RecordRefused
from tests.self.fixtures.runs import Settings
from tests.self.grading.classes import ROUTE, VNI, graded
from topology.errors import LabError
from topology.formats.rubric import DEFAULT, load_rubric

TEXT = DEFAULT.read_text()
RECORDS = [
    graded("s1"),
    graded("s2", {("reaches", 2): [ROUTE]}),
    graded("s3", {("own-vni", 2): [VNI], ("own-vni", 5): [VNI]}),
]


def a_class(folder: Path, records: Sequence[Graded] = RECORDS) -> Path:
    """A folder with records, as a run leaves it."""
    for record in records:
        write_graded(folder, record)
    (folder / MARKER).touch()
    return folder


def with_rubric(folder: Path, text: str) -> list[str]:
    """What a regrading by a rubric says of whose score changes."""
    (folder.parent / "rubric.yaml").write_text(text)
    lines, _ = regrade(folder, folder.parent / "rubric.yaml")
    return [re.sub(r"/\S*/", "", line) for line in lines[: -len(load_rubric().items) - 3]]


def test_first_grading_writes_everything(tmp_path: Path) -> None:
    """By the assignment's rubric where none is named."""
    folder = a_class(tmp_path / "grades")
    lines, code = regrade(folder)
    assert (lines[0], code) == ("graded 3, need a person 0", 0)
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MARKER}
    assert made == {
        "index.html",
        "class.csv",
        "scores.json",
        *(f"{name}/s{n}.{suffix}" for n in (1, 2, 3) for name, suffix in FILES),
    }


FILES = (("records", "json"), ("students", "html"), ("instructor", "html"), ("gradescope", "json"))
CHANGES: dict[str, tuple[tuple[str, str], list[str]]] = {
    "nothing": (("", ""), ["3 submissions, the scores of 0 change"]),
    "how much is shown": (
        ("feedback: where", "feedback: full"),
        ["3 submissions, the scores of 0 change", "the scores before are kept in before-1"],
    ),
    "points": (
        ("points: 20, rows: VXLAN", "points: 10, rows: VXLAN"),
        [
            "s1 105 -> 95 (-10): apart 20 -> 10 (points 20 -> 10)",
            "s2 77.5 -> 72.5 (-5): apart 10 -> 5 (points 20 -> 10)",
            "2 of 3",
        ],
    ),
    "needs": (
        ("needs: [own-vni, no-leak]", "needs: [no-leak]"),
        ["s3 85 -> 105 (+20): apart 0 -> 20 (other needs)", "1 of 3"],
    ),
    "what effects earn": (
        ("after: vxlan}", "after: vxlan, after-share: 0.5}"),
        ["s2 77.5 -> 82.5 (+5): apart 10 -> 15 (other after-share)", "1 of 3"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_of_a_rubric_says_whose_score_changes_and_why(name: str, tmp_path: Path) -> None:
    folder = a_class(tmp_path / "grades")
    regrade(folder)
    before = (folder / "class.csv").read_text()
    edit, expected = CHANGES[name]
    text = TEXT.replace(*edit).replace("points: 100", "points: 90") if name == "points" else TEXT.replace(*edit)
    said = with_rubric(folder, text)
    count = expected[-1].split()[0]
    if expected[-1].endswith("of 3"):
        kept = "the scores before are kept in before-1"
        expected = [*expected[:-1], f"3 submissions, the scores of {count} change", kept]
    assert said == expected
    kept_folder = folder / "before-1"
    assert not kept_folder.exists() if name == "nothing" else (kept_folder / "class.csv").read_text() == before
    assert with_rubric(folder, text) == ["3 submissions, the scores of 0 change"]


def test_last_rubric_is_used_again(tmp_path: Path) -> None:
    """Without naming it, and the student's pages are as it says."""
    folder = a_class(tmp_path / "grades")
    with_rubric(folder, TEXT.replace("feedback: where", "feedback: full"))
    assert ROUTE.fix in (folder / "students" / "s2.html").read_text()
    regrade(folder)
    assert ROUTE.fix in (folder / "students" / "s2.html").read_text()
    with_rubric(folder, TEXT)
    assert ROUTE.fix not in (folder / "students" / "s2.html").read_text()


def test_item_that_a_record_does_not_hold_needs_a_run(tmp_path: Path) -> None:
    """A promise nobody asked for when it was graded is never guessed."""
    record = graded("s1", others={("cleans-up", 0): None})
    folder = a_class(tmp_path / "grades", [record])
    assert regrade(folder)[1] == 0
    said = with_rubric(folder, TEXT.replace("[second-run, other-csv]", "[second-run, cleans-up]"))
    assert said[0] == "s1 105 -> 95..105 (-10): again 10 -> 0..10 (other needs)"
    lines, code = regrade(folder)
    assert (lines[1], code) == ("graded 0, need a person 1: s1 (needs a run: cleans-up)", 6)


def test_overrides_survive_every_regrading(tmp_path: Path) -> None:
    """They are applied last, also to points of a new rubric; one that is taken back is said so."""
    folder = a_class(tmp_path / "grades")
    regrade(folder)
    overrides = folder / "overrides.csv"
    overrides.write_text('submission,item,points,reason,by\ns2,vxlan,25.5,"seen, in the lab",Ada\n')
    lines, _ = regrade(folder)
    assert lines[0] == "s2 77.5 -> 88 (+10.5): vxlan 15 -> 25.5 (overridden: seen, in the lab (Ada))"
    with_rubric(
        folder, TEXT.replace("points: 20, rows: GRE", "points: 19, rows: GRE").replace("points: 100", "points: 99")
    )
    assert json.loads((folder / "gradescope" / "s2.json").read_text())["score"] == 87
    assert "seen, in the lab" in (folder / "students" / "s2.html").read_text()
    overrides.unlink()
    assert regrade(folder)[0][0] == "s2 87 -> 76.5 (-10.5): vxlan 25.5 -> 15 (no longer overridden)"
    assert sorted(path.name for path in folder.glob("before-*")) == ["before-1", "before-2", "before-3"]


def test_submission_that_was_graded_again_is_said_so(tmp_path: Path) -> None:
    folder = a_class(tmp_path / "grades")
    regrade(folder)
    a_class(folder, [replace(graded("s2"), key="1" * 64), graded("s4")])
    lines, _ = regrade(folder)
    assert lines[0].startswith("s2 77.5 -> 105 (+27.5): vxlan 15 -> 30 (graded again), apart 10 -> 20 (graded again)")
    assert lines[1:3] == ["s4 new: 105", "4 submissions, the scores of 2 change"]


WRONG = {
    "s9,vxlan,1,r,Ada": "1:1: no submission 's9'; one of: s1, s2, s3",
    "s1,vlan,1,r,Ada": "1:4: unknown item 'vlan'; did you mean 'vxlan'?",
    "s1,vxlan,31,r,Ada": "1:10: '31' are no points of this item; a number from 0 to 30",
    "s1,vxlan,-1,r,Ada": "1:10: '-1' are no points",
    "s1,vxlan,,r,Ada": "1:10: '' are no points",
    "s1,vxlan,1,,Ada": "1:12: the reason is empty",
    "s1,vxlan,1,r,": "1:14: the name of who says so is empty",
    "s1,vxlan,1,r": "1:1: a row of 4 cells; submission, item, points, reason, by",
    "s1,vxlan,1,a,b,Ada": "1:1: a row of 6 cells",
    "\ns1,vxlan,1,r,Ada\ns1,VXLAN,2,r,Ada": "3:4: vxlan of s1 is there already; once",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_override_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(LabError) as refused:
        overrides_of(text, "o.csv", ["s1", "s2", "s3"], load_rubric())
    assert str(refused.value).startswith(f"o.csv:{WRONG[text]}")


def test_submission_is_named_in_overrides_as_in_the_class_table() -> None:
    """Also where its name holds what no spreadsheet may see."""
    given = overrides_of("\ufeff'=1\\x1b, VXLAN, 1, r, Ada", "o.csv", ["=1\x1b"], load_rubric())
    assert [one.item for one in given["=1\x1b"]] == ["vxlan"]


def test_nothing_is_written_where_something_cannot_be_read(tmp_path: Path) -> None:
    """Damaged scores, a damaged record, a wrong override or rubric."""
    folder = a_class(tmp_path / "grades")
    regrade(folder)
    (folder / "overrides.csv").write_text("s9,x,1,r,Ada")
    (folder / "scores.json").rename(tmp_path / "scores.json")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(LabError, match="no submission 's9'"):
        regrade(folder)
    (folder / "scores.json").write_text("{}")
    with pytest.raises(RecordRefused, match=r"scores\.json: not a class's scores\.json: no schema 1"):
        regrade(folder)
    (folder / "scores.json").unlink()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("record", RECORDS[1:2])
def test_hundred_and_twenty_are_scored_in_little_time(record: Graded, tmp_path: Path) -> None:
    """The bound is ten seconds on a machine with other work; a tenth of the class in a tenth of it."""
    folder = a_class(tmp_path / "grades", [replace(record, name=f"s{n}") for n in range(12)])
    regrade(folder)
    began = time.process_time()
    lines, _ = regrade(folder)
    assert time.process_time() - began < 1
    assert lines[0] == "12 submissions, the scores of 0 change"


def test_command_line_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 6 where a person is needed; what cannot be read, and a rubric for nothing, are misuse."""
    folder = a_class(tmp_path / "grades", [graded("[red]s1", others={("kind", 2): "errored"})])
    assert asked(tmp_path, folder) == 6
    assert "need a person 1: [red]s1 (errored)" in capsys.readouterr().out
    (tmp_path / "r.yaml").write_text("items: []")
    for words, given in {
        "r.yaml:1:1: the items without": {"--regrade": str(folder), "--rubric": str(tmp_path / "r.yaml")},
        "nowhere.yaml: no such file": {"--regrade": str(folder), "--rubric": "nowhere.yaml"},
        "no records of submissions; name the folder": {"--regrade": str(tmp_path)},
        "--rubric needs --submission or --calibrate or --regrade": {"--rubric": "r.yaml"},
    }.items():
        with pytest.raises(pytest.UsageError, match=re.escape(words)):
            pytest_cmdline_main(cast(pytest.Config, Settings(tmp_path / "out", **{"--slow-factor": None} | given)))


def asked(tmp_path: Path, folder: Path) -> int | None:
    """The exit code of --regrade."""
    settings = Settings(tmp_path / "out", **{"--slow-factor": None, "--regrade": str(folder)})
    return pytest_cmdline_main(cast(pytest.Config, settings))
