"""What a run leaves as evidence, opened with Wireshark's own reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from tests.lifecycle.kit.wireshark import need_tshark, packets

pytestmark = pytest.mark.lifecycle
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"


def test_wireshark_opens_the_capture_as_the_run_says(suite: Callable[..., SuiteRun]) -> None:
    """With the printed options tunnels are dissected, no packet is malformed, and a lost one has its own capture."""
    need_tshark()
    broken = ("--break", "s1: ip route flush table main")
    run = suite("-m", "underlay or isolation", "--lab", str(LAB), "--kernel", "host", *broken)
    assert run.code == 1, run.output
    options, path = re.findall(r"^capture: wireshark (.*?) ?(\S+)$", run.output, re.MULTILINE)[0]
    whole = packets(Path(path), *options.split())
    assert any("vxlan:eth" in protocols for protocols, _, _ in whole)
    assert [row for row in whole if row[1]] == []
    assert any("kept: " in comment for _, _, comment in whole)
    lost = packets(Path(path).with_name("failed-1.pcapng"), *options.split())
    assert any("broke: " in comment for _, _, comment in lost)


@pytest.mark.parametrize("verbose", ["-q", "-v"])
def test_names_from_nodes_are_text(verbose: str, suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """A device whose name is markup, a colour and a reversed direction does nothing in what is printed and written."""
    name = "<b>\x1b[31m\u202ex"
    made = ("--break", f"l1: ip link add name '{name}' type bridge")
    run = suite("tests/underlay", verbose, "--lab", str(LAB), "--kernel", "host", *made)
    assert run.code == 1, run.output
    junit = (tmp_path / "out" / "junit.xml").read_text()
    for text in (run.output.replace("\r", ""), junit):  # pytest itself counts the tests that it collects so
        assert text.replace("\n", "").isprintable()
        assert "\\x1b[31m\\u202ex" in text
    assert name[:3] not in junit
