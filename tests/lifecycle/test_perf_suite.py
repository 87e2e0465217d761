"""The perf suite as a user runs it, on one size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone]
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"
ASKED = "throughput:\n  - {path: bridge, at-least: 0.01 %}\n  - {path: vxlan, protocol: tcp, at-least: 1000 %}\n"
"""One that any machine keeps, and one that none does."""


def test_suite_measures_judges_and_leaves_nothing(suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """Paths are proven and measured, the lab's shares decide the verdicts, and nothing stays."""
    lab = tmp_path / "asked.yaml"
    lab.write_text(LAB.read_text() + ASKED)
    asked = ("-k", "carries_its_share and (bridge or vxlan) and not gre or test_environment", "--sizes=800")
    run = suite("-m", "perf", "--lab", str(lab), "--kernel", "host", "--endpoints=container", *asked)
    verdicts = {test["id"].rpartition("::")[2]: test["verdict"] for test in run.results["tests"]}
    assert verdicts == {
        "test_environment_is_described": "passed",
        "test_udp_carries_its_share[bridge]": "passed",
        "test_udp_carries_its_share[vxlan]": "passed",
        "test_tcp_carries_its_share[bridge]": "passed",
        "test_tcp_carries_its_share[vxlan]": "failed",
    }, run.output
    (failed,) = run.with_verdict("failed")
    assert "vxlan - throughput - expected at least 10 of the bare path's - seen " in failed["message"]
    titles = [entry["title"] for entry in run.results["measurements"]]
    assert "environment" in titles
    assert [title for title in titles if title.startswith("bridge, UDP, ")] == [
        "bridge, UDP, 800 bytes of payload, kernel host"
    ]
    assert run.left == {}
