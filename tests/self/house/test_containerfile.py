"""The Containerfile copies what is there, calls what is there, and names no host to fetch from."""

from __future__ import annotations

import re

from tests.self.house.sources import ROOT, files

EXPORTED = "guest-image.tar.zst"
"""Made by ``make image-export`` before the build."""
TEXT = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
LINES = [line.split() for line in TEXT.splitlines() if line and not line.startswith("#")]


def copied() -> set[str]:
    """The sources of all COPY lines."""
    return {source for line in LINES if line[0] == "COPY" for source in line[1:-1]}


def test_everything_that_is_copied_is_there() -> None:
    """Each source is committed, and no line of .dockerignore keeps it out of the build."""
    committed = {name.split("/")[0] for name in files()}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied() - {EXPORTED} <= committed
    assert copied() == let_in


def test_everything_that_a_run_needs_is_copied() -> None:
    """The packages, the plugins' list, the settings, the set-up and the executable."""
    assert {"topology", "reports", "fixtures", "tests", "conftest.py", "pyproject.toml", ".ci", "hopcheck"} <= copied()


def test_what_is_called_exists() -> None:
    """The set-up's word is a known one, and the entry point is the copied executable."""
    (run,) = (" ".join(line) for line in LINES if line[0] == "RUN")
    word = re.search(r"\.ci/setup (\w+) ", run)
    assert word
    assert f"\n    {word[1]}) " in (ROOT / ".ci/setup").read_text()
    assert LINES[-1] == ["ENTRYPOINT", '["/opt/hopcheck/hopcheck"]']
    assert ["WORKDIR", "/opt/hopcheck"] in LINES


def test_base_is_the_only_image_that_is_fetched() -> None:
    """Another base may be given, and no line names a host."""
    assert [line for line in LINES if line[0] in ("ARG", "FROM")] == [["ARG", "BASE=debian:12"], ["FROM", "${BASE}"]]
    assert not re.search(r"https?://|--from=|ADD ", TEXT)
