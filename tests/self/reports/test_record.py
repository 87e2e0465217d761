"""results.json: everything comes back from it, and no other file is taken for one; the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from reports.json_schemas import texts
from reports.record.files import write_atomically
from reports.record.model import About, Test, Verdict, exit_code
from reports.record.store import RecordRefused, parse_record, record_bytes
from tests.self.reports.records import record


@pytest.mark.parametrize("name", ["ece792", "<b>&\"'\x00\n", "\U0001f500", "a\udcff"])
def test_what_is_written_comes_back(name: str) -> None:
    """Every kind of exhibit, with any name; a lone surrogate, which UTF-8 cannot encode, becomes a question mark."""
    stopped = replace(record(), complete=False, kernel=None, lab=None, tests=[], map=None)
    assert parse_record(record_bytes(stopped), "x") == stopped
    assert parse_record(record_bytes(record(name)), "x") == record(name.replace("\udcff", "?"))


def test_results_keep_their_names() -> None:
    """Programs find a journey's names: hops with headers as hex, relative times, the divergence."""
    made = json.loads(record_bytes(record()))
    out, lost = made["journeys"]
    assert (made["schema"], out["source"], out["arrived"], out["divergence"]) == (2, "cs1", True, None)
    assert [hop["time_ns"] for hop in out["hops"]] == [5_000 * n for n in range(16)]
    assert out["hops"][7]["stack"][-1]["fields"]["load"].startswith("a0a1a2")
    assert (lost["divergence"]["node"], lost["divergence"]["seen"]) == ("lc1", None)
    assert lost["divergence"]["cause"]["fix"] == "ip -n lc1 route replace …"
    assert made["summary"]["failed"] == 1
    forged = made["sizes"][0]["zones"][2]
    assert [forged[key] for key in ("first", "last", "fate", "mtu", "forged")] == [1451, 1454, "icmp", 1450, True]


def test_schemas_are_those_of_the_records() -> None:
    """The published files are what ``python -m reports.json_schemas`` writes."""
    for path, text in texts().items():
        assert path.read_text() == text


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "unknown key": lambda made: made["tests"][0].update(more=1),
    "missing key": lambda made: made["tests"][0].pop("promise"),
    "unknown verdict": lambda made: made["tests"][0].update(verdict="green"),
    "text for a number": lambda made: made["tests"][0].update(seconds="1"),
    "number without end": lambda made: made["journeys"][0]["hops"][0].update(time_ns=10**30),
    "list for an object": lambda made: made.update(kernel=[]),
    "cause without its fix": lambda made: made["tests"][1]["cause"].pop("fix"),
    "summary by another verdict": lambda made: made["summary"].update(green=1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_record_is_refused_in_one_line(name: str) -> None:
    """The place of the first problem is named."""
    made = json.loads(record_bytes(record()))
    CHANGES[name](made)
    with pytest.raises(RecordRefused, match=r"^r.json: damaged: .+; run the tests again$"):
        parse_record(json.dumps(made).encode(), "r.json")


FOREIGN = {
    "empty": (b"", "no JSON that can be read"),
    "truncated": (record_bytes(record())[:5000], "no JSON that can be read"),
    "nested": (b"[" * 200_000, "no JSON that can be read"),
    "no text": (b"\xff\xfe\x00", "no JSON that can be read"),
    "another document": (b'{"tests": []}', "not a run's results.json"),
    "no object": (b"[1]", "not a run's results.json"),
    "newer": (b'{"schema": 3}', "schema 3 is newer than 2"),
    "older": (b'{"schema": "hopcheck-results/2"}', "is older than 2"),
    "hostile words": (b'{"schema": "hopcheck-results/\\u001b[2J\\n"}', r"hopcheck-results/\?\[2J\? is older"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_file_is_refused_with_exit_code_4(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line that says what it is, and no page is written."""
    content, words = FOREIGN[name]
    path = tmp_path / "r.json"
    path.write_bytes(content)
    assert main([str(path)]) == 4
    with pytest.raises(RecordRefused, match=words):
        parse_record(content, "r.json")
    assert capsys.readouterr().out.count("\n") == 1
    assert [found.name for found in tmp_path.iterdir()] == ["r.json"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a file that is not there, and a folder of results that is a file."""
    assert main([str(tmp_path)]) == 4
    assert main([str(tmp_path / "none.json")]) == 4
    good = tmp_path / "results.json"
    good.write_bytes(record_bytes(record()))
    assert main([str(good), "--out", str(good)]) == 4
    assert main([str(good)]) == 0


def verdicts(*found: str, about: About = "network") -> list[Test]:
    return [Test(str(n), "", Verdict(verdict), 0, about=about) for n, verdict in enumerate(found)]


OWN = verdicts("passed", about="hopcheck")


@pytest.mark.parametrize(
    ("tests", "pytest_code", "code"),
    [
        (verdicts("passed"), 0, 0),
        (verdicts("passed", "not applicable"), 0, 0),
        (verdicts("failed", "errored", "unstable"), 1, 1),
        (OWN + verdicts("failed", about="hopcheck"), 1, 1),
        (verdicts("passed", "errored"), 1, 6),
        (verdicts("passed", "unstable", about="measurement"), 0, 6),
        (verdicts("not applicable", "not applicable"), 0, 7),
        (verdicts("not applicable") + OWN, 0, 7),
        (OWN + verdicts("not applicable", about="hopcheck"), 0, 0),
        (verdicts("not applicable"), 1, 1),
        (verdicts("passed", "not proven"), 0, 7),
        (verdicts("passed", "not proven", "errored"), 1, 6),
        (OWN + verdicts("not proven", about="hopcheck"), 0, 0),
        ([], 5, 5),
        (verdicts("failed"), 2, 2),
        (verdicts("errored"), 4, 4),
    ],
)
def test_exit_code_follows_the_verdicts(tests: list[Test], pytest_code: int, code: int) -> None:
    """0 all that applies is proven; 1 failed; 6 errored or unstable; 7 not proven, or nothing applies."""
    assert exit_code(tests, pytest_code) == code


def test_run_that_proves_no_pair_for_want_of_one_is_not_green() -> None:
    """If pairs were to be proven and none is declared, passed underlay tests are not enough."""
    assert exit_code(verdicts("passed"), 0, without_pairs=True) == 7
    assert exit_code(verdicts("passed", "failed"), 1, without_pairs=True) == 1
    assert exit_code([], 5, without_pairs=True) == 5


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_write_that_fails_leaves_what_was_there(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, or the last step fails, the old file stands and no half of a new one does."""
    path = tmp_path / "out.json"
    write_atomically(path, "before …")
    write = Path.write_bytes

    def fail(self: Path, data: object = b"") -> None:
        if isinstance(data, bytes):
            write(self, data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "after")
    monkeypatch.undo()
    assert path.read_text() == "before …"
    assert list(tmp_path.iterdir()) == [path]
