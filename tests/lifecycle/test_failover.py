"""What an event costs is measured, and judged by what the lab promises: promises that hold, and such that do not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from topology.formats.lab import LABS

pytestmark = [pytest.mark.lifecycle, pytest.mark.labs]
WHOLE_S = 1200.0
"""A fabric, a calibration and up to 100 s until service is back, in an emulated guest on a busy machine."""
PROMISED = "failover:\n  - {event: daemon-restarted, without-service: 5 s}\n"
MOVED = "failover:\n  - {{event: host-moved, without-service: {}}}\n"
CASES = {
    "graceful-restart": ("bgp-graceful-restart", PROMISED, ""),
    "no-graceful-restart": ("bgp-unnumbered", PROMISED, "time without service - expected at most 5.00 s - seen "),
    "host-moved": ("evpn-l2", MOVED.format("5 s"), ""),
    "host-moved-too-late": ("evpn-l2", MOVED.format("1 ms"), "expected at most 1 ms - seen "),
}
"""A lab, its promise, and how the failure reads; empty where the promise is kept."""


@pytest.mark.parametrize("case", CASES)
def test_events_cost_is_within_the_promise_or_fails(
    case: str, suite: Callable[..., SuiteRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same event passes with a promise that its lab can keep, and fails with one that it cannot."""
    lab, promise, words = CASES[case]
    shutil.copytree(LABS / "frr", tmp_path / "frr")
    text = (LABS / f"{lab}.yaml").read_text().partition("\nfailover:")[0]
    (tmp_path / "lab.yaml").write_text(f"{text}\n{promise}")
    event = promise.partition("event: ")[2].partition(",")[0]
    monkeypatch.setenv("HOPCHECK_FAILOVERS", "1")
    selected = ("-m", "failover", "--lab", str(tmp_path / "lab.yaml"), "-k", event)
    run = suite(*selected, "--kernel", "guest", timeout_s=WHOLE_S)
    (test,) = run.results["tests"]
    assert test["verdict"] == ("failed" if words else "passed"), run.output
    assert words in test["message"]
    assert run.code == bool(words)
