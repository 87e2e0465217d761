""".venv/bin/pytest finds the checkout's settings whatever paths its options name."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def arguments(tmp_path: Path) -> Callable[[list[str]], list[str]]:
    """The launcher's function, as it is in a checkout at ``tmp_path``."""
    place = tmp_path / ".venv" / "bin" / "pytest"
    place.parent.mkdir(parents=True)
    place.write_text((ROOT / ".ci" / "launcher.py").read_text())
    found: dict[str, Callable[[list[str]], list[str]]] = runpy.run_path(str(place), run_name="launcher")
    return found["arguments"]


def test_settings_are_named_inside_the_checkout(
    arguments: Callable[[list[str]], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the checkout and from below it, the settings file comes first."""
    below = tmp_path / "tests"
    below.mkdir()
    for place in (tmp_path, below):
        monkeypatch.chdir(place)
        assert arguments(["--out", "/"]) == ["-c", str(tmp_path / "pyproject.toml"), "--out", "/"]


@pytest.mark.parametrize("given", [["-c", "other.toml"], ["--rootdir=/x"], ["-cother.ini"], ["--config-file=x"]])
def test_user_s_own_settings_win(
    arguments: Callable[[list[str]], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    """Where the user names settings, nothing is added."""
    monkeypatch.chdir(tmp_path)
    assert arguments(given) == given


def test_other_projects_are_left_alone(
    arguments: Callable[[list[str]], list[str]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Outside the checkout it is plain pytest."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert arguments(["-q"]) == ["-q"]


def test_closed_standard_streams_are_opened(tmp_path: Path) -> None:
    """Where the caller has closed input and outputs, pytest still runs, and what it opens is not taken for one."""
    line = f"exec {sys.executable} {ROOT}/.ci/launcher.py --version <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, timeout=60, check=False).returncode == 0
