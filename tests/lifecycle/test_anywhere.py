"""The executable hopcheck proves a lab from a folder of the user's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fixtures.anywhere import ROOT
from tests.lifecycle.kit.suite import shell

pytestmark = pytest.mark.lifecycle


def test_lab_is_proven_from_an_empty_folder(tmp_path: Path) -> None:
    """The run passes, prints paths that are right there, and leaves nothing but its results."""
    shutil.copy(ROOT / "topology" / "labs" / "ece792.yaml", tmp_path / "my.yaml")
    done = shell(tmp_path, f"{ROOT / 'hopcheck'} -m overlay --lab my.yaml --html")
    assert done.code == 0, done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"my.yaml", "hopcheck-results"}
    for name in ("report.html", "results.json", "capture.pcapng"):
        assert f" hopcheck-results/{name}\n" in done.stdout
        assert (tmp_path / "hopcheck-results" / name).stat().st_size > 0
