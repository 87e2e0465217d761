""".venv/bin/pytest finds the checkout's settings whatever paths its options name."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

ROOT = Path(__file__).parents[3]
Launcher: TypeAlias = Mapping[str, Any]


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    """The launcher's functions, as they are in a checkout at ``tmp_path``."""
    place = tmp_path / ".venv" / "bin" / "pytest"
    place.parent.mkdir(parents=True)
    place.write_text((ROOT / ".ci" / "launcher.py").read_text())
    return runpy.run_path(str(place), run_name="launcher")


@pytest.mark.parametrize(
    ("place", "given", "settled"),
    [
        ("", ["--out", "/"], True),
        ("tests", [], True),
        ("", ["-c", "other.toml"], False),
        ("", ["--rootdir=/x"], False),
        ("", ["-cother.ini"], False),
        ("", ["--config-file=x"], False),
        ("..", ["-q"], False),
    ],
)
def test_settings_are_named_inside_the_checkout(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, given: list[str], settled: bool
) -> None:
    """In the checkout and below it the settings file comes first, unless the user names settings."""
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path / place)
    settings = ["-c", str(tmp_path / "pyproject.toml")]
    assert launcher["arguments"](given) == [*(settings if settled else ()), *given]


@pytest.mark.parametrize(
    ("code", "place", "named"), [(1, "..", False), (4, "..", True), (5, "..", True), (5, "", False)]
)
def test_run_of_nothing_elsewhere_names_the_executable(
    launcher: Launcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: int,
    place: str,
    named: bool,
) -> None:
    """One line behind pytest's own; inside the checkout pytest's words are enough."""
    monkeypatch.setattr(pytest, "main", lambda _: code)
    monkeypatch.chdir(tmp_path / place)
    assert launcher["main"](["-m", "overlay"]) == code
    assert (f"run by {tmp_path}/hopcheck" in capsys.readouterr().err) == named


def test_closed_standard_streams_are_opened(tmp_path: Path) -> None:
    """With inputs and outputs closed by the caller pytest still runs, and opens no file in their place."""
    line = f"exec {sys.executable} {ROOT}/.ci/launcher.py --version <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, timeout=60, check=False).returncode == 0
