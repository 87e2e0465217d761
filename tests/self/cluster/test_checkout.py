"""Machines of a cluster have the same checkout where every file that decides a result is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.cluster.checkout import checkout_digest, checkout_files, difference

KNOWN = ("conftest.py", "pyproject.toml", "topology/a.py", "topology/labs/frr/CS1/frr.conf", "topology/guest_init")
DECIDE = (*KNOWN[:2], *KNOWN[3:], "tests/new.json")
LEFT = ("topology/__pycache__/a.pyc", "reports/out/results.json", ".venv/a.py")


def checkout(folder: Path, changed: str = "") -> Path:
    """A checkout whose file ``changed`` is another."""
    for name in filter(None, (*KNOWN, changed)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("changed" if name == changed else "known")
    return folder


@pytest.mark.parametrize("name", DECIDE)
def test_file_that_decides_a_result_is_missed_by_name(name: str, tmp_path: Path) -> None:
    ours, other = checkout(tmp_path / "a"), checkout(tmp_path / "b", name)
    assert checkout_digest(ours) != checkout_digest(other)
    assert difference(checkout_files(other), ours) == difference(checkout_files(ours), other) == name


@pytest.mark.parametrize("name", LEFT)
def test_what_a_run_leaves_is_none_of_the_checkout(name: str, tmp_path: Path) -> None:
    ours, other = checkout(tmp_path / "a"), checkout(tmp_path / "b", name)
    assert checkout_digest(ours) == checkout_digest(other)
    assert difference(checkout_files(other), ours) == difference({}, ours) == ""
