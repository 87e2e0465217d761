""".venv/bin/pytest finds the checkout's settings whatever paths its options name."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def launcher(tmp_path: Path) -> Mapping[str, Any]:
    """The launcher's functions, as they are in a checkout at ``tmp_path``."""
    place = tmp_path / ".venv" / "bin" / "pytest"
    place.parent.mkdir(parents=True)
    place.write_text((ROOT / ".ci" / "launcher.py").read_text())
    return runpy.run_path(str(place), run_name="launcher")


@pytest.fixture
def arguments(launcher: Mapping[str, Any]) -> Callable[[list[str]], list[str]]:
    """The arguments that the launcher gives to pytest."""
    found: Callable[[list[str]], list[str]] = launcher["arguments"]
    return found


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


def test_checkout_is_found_from_elsewhere(
    arguments: Callable[[list[str]], list[str]],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By --rootdir, which stands for its tests, or by the path of some of them; another file of it says nothing."""
    settings, tests = ["-c", str(tmp_path / "pyproject.toml")], tmp_path / "tests"
    tests.mkdir()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    for given in ([f"--rootdir={tmp_path}", "--map"], ["-m", "overlay", "--rootdir", str(tmp_path)]):
        assert arguments(given) == [*settings, str(tests), *given]
    for path in (f"{tests}::test_x", str(tmp_path)):
        assert arguments(["-q", path, f"--rootdir={tmp_path}"])[:3] == [*settings, "-q"]
        assert arguments([path]) == [*settings, path]
    assert arguments(["--lab", str(tmp_path / ".venv")]) == ["--lab", str(tmp_path / ".venv")]


@pytest.mark.parametrize(("code", "told"), [(0, False), (1, False), (4, True), (5, True)])
def test_who_runs_nothing_elsewhere_is_told_where_the_tests_are(
    code: int,
    told: bool,
    launcher: Mapping[str, Any],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line behind pytest's own, with cd; inside the checkout pytest's words are enough."""
    monkeypatch.setattr(pytest, "main", lambda _: code)
    for place, expected in ((tmp_path_factory.mktemp("elsewhere"), told), (tmp_path, False)):
        monkeypatch.chdir(place)
        assert launcher["main"](["-m", "overlay"]) == code
        assert (f"{tmp_path}: cd there" in capsys.readouterr().err) == expected


def test_closed_standard_streams_are_opened(tmp_path: Path) -> None:
    """Where the caller has closed input and outputs, pytest still runs, and what it opens is not taken for one."""
    line = f"exec {sys.executable} {ROOT}/.ci/launcher.py --version <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, timeout=60, check=False).returncode == 0
