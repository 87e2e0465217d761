"""The record of a submission: it comes back as written, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.grading.record import file_name, read_class, read_graded, write_graded
from reports.record.store import RecordRefused, record_bytes
from tests.self.grading.classes import ROUTE, graded

RECORD = graded("s1", {("reaches", 2): [ROUTE], ("builds", 0): []}, people="Ada (1)", notes=["a note"])
NAMES = ["s0417", "Ada Lovelace", "..", ".hidden", "a/b", "a" * 300, "\x1b[2J", "\u202egpj", "x.", "", "\udcff", "con"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "\udcff"])
def test_what_is_written_comes_back(name: str, tmp_path: Path) -> None:
    """Under any name, as a file in the folder of records and nowhere else."""
    path = write_graded(tmp_path, graded(name))
    assert path.resolve().parent == (tmp_path / "records").resolve()
    assert read_class(tmp_path) == [graded(name)]
    assert read_graded(write_graded(tmp_path, RECORD)) == RECORD


def test_no_two_names_share_a_file() -> None:
    assert len({file_name(name) for name in NAMES}) == len(NAMES)
    assert (file_name("s0417"), file_name("submission_12")) == ("s0417", "submission_12")


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, tuple[Change, str]] = {
    "newer": (lambda made: made.update(schema=2), "schema 2 is newer than 1; use the hopcheck that wrote it"),
    "no schema": (lambda made: made.pop("schema"), "not a record of a submission: no schema 1"),
    "unknown key": (lambda made: made.update(more=1), "damaged: more: .*; grade it again"),
    "unknown promise": (lambda made: made["promises"][0].update(name="wins"), "damaged: promises.0.name: "),
    "unknown outcome": (lambda made: made["promises"][0].update(outcome="passed"), "damaged: promises.0.outcome: "),
    "unknown end": (lambda made: made["build"][0].update(ended="well"), "damaged: build.0.ended: "),
    "text for a number": (lambda made: made.update(seconds="1"), "damaged: seconds: "),
    "a promise twice": (lambda made: made["promises"].append(made["promises"][0]), "damaged: reaches is given twice"),
    "a row twice": (lambda made: made["rows"].append(made["rows"][0]), "damaged: its rows contradict each other"),
    "a row of another CSV": (
        lambda made: made["promises"][0]["row"].update(source="x"),
        "damaged: its rows contradict each other",
    ),
    "hostile words": (lambda made: made.update({"\x1b[2J\n": 1}), r"damaged: \?\[2J\?: "),
}


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_record_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    made = json.loads(record_bytes(RECORD))
    change, words = CHANGES[name]
    change(made)
    (tmp_path / "r.json").write_text(json.dumps(made))
    with pytest.raises(RecordRefused, match=words) as refused:
        read_graded(tmp_path / "r.json")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"{}", record_bytes(RECORD)[:3000]])
def test_what_is_no_record_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "s1.json").write_bytes(content)
    with pytest.raises(RecordRefused, match=r"s1\.json: "):
        read_class(tmp_path)


def test_record_under_another_submissions_name_is_refused(tmp_path: Path) -> None:
    path = write_graded(tmp_path, RECORD)
    path.rename(path.with_name("s2.json"))
    with pytest.raises(
        RecordRefused, match=r"s2\.json: holds the record of another submission; it belongs into s1\.json"
    ):
        read_class(tmp_path)
    with pytest.raises(RecordRefused, match="no records of submissions"):
        read_class(tmp_path / "records")
