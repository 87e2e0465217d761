"""``--captures``: what it excludes, what it needs, and which tests it asks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.cli import check_options
from fixtures.selection import CAPTURED, PAIRS_ALONE, pytest_ignore_collect
from fixtures.session import run_key
from tests.self.captures.frames import folder
from tests.self.captures.test_packets import in_vxlan, way
from tests.self.fixtures.runs import Settings, configured

ROWS = "CS1, CS2, VXLAN\nCS3, CS4, Bridge\n"


def options(tmp_path: Path, **more: object) -> dict[str, object]:
    """A folder of captures and rows."""
    (tmp_path / "rows.csv").write_text(ROWS)
    captures = folder(tmp_path / "c", way(in_vxlan))
    return {"--captures": str(captures), "--tenants": str(tmp_path / "rows.csv"), "--lab": None, **more}


def test_captures_stand_alone(tmp_path: Path) -> None:
    """Nothing is built, adopted or broken beside them, and they need pairs."""
    wrong: dict[str, dict[str, object]] = {
        "--captures and --adopt exclude each other": {"--adopt": True},
        "--captures and --lab exclude each other": {"--lab": "ece792"},
        "--captures and --break exclude each other": {"breaks": ["a:b"]},
        "--captures needs --tenants FILE.csv or --expect FILE": {"--tenants": None},
    }
    for words, more in wrong.items():
        with pytest.raises(pytest.UsageError, match=words):
            check_options(cast(pytest.Config, Settings(tmp_path / "out", **options(tmp_path, **more))))


def test_pairs_are_the_rows_and_captures_are_read_at_once(tmp_path: Path) -> None:
    """Whatever is wrong with a file is said before any test; pairs are found in those that are right."""
    settings = configured(tmp_path / "out", **options(tmp_path))
    run = settings.stash[run_key]
    assert run.captured is not None
    assert run.captured.trip(run.lab.pairs[0])
    assert "no nonce and no sentinel" in run.warnings[0]
    settings.end()
    (tmp_path / "c" / "x--y.pcap").write_bytes(b"?")
    with pytest.raises(pytest.UsageError, match=r"x--y\.pcap: expected a pcap or pcapng file"):
        configured(tmp_path / "out", **options(tmp_path))


@pytest.mark.parametrize(("captures", "suite", "ignored"), [("c", CAPTURED, None), ("c", PAIRS_ALONE, True)])
def test_nothing_else_is_asked_of_captures(captures: str, suite: Path, ignored: bool | None) -> None:
    config = SimpleNamespace(rootpath=Path("/r"), getoption={"--captures": captures}.get)
    assert pytest_ignore_collect(Path("/r") / suite, cast(pytest.Config, config)) is ignored
