"""The whole suite on the host kernel, on a lab for which every kernel with VXLAN will do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from tests.lifecycle.kit.watch import watched_network

pytestmark = pytest.mark.lifecycle
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"


def test_whole_suite_passes_on_the_host_kernel_and_leaves_nothing(suite: Callable[..., SuiteRun]) -> None:
    """The lab, its sizes and its isolation are proven, every result is written, and nothing is left or changed."""
    with watched_network() as changes:
        run = suite("-m", "overlay or mtu or isolation", "--html", "--lab", str(LAB), "--kernel", "host")
    assert run.code == 0, run.output
    assert run.results["kernel"]["kind"] == "host"
    assert run.results["summary"]["passed"] >= 60
    assert run.files >= {"report.html", "results.json", "junit.xml", "capture.pcapng"}
    assert (run.left, changes) == ({}, [])
