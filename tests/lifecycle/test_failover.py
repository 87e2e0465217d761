"""What an event costs is measured, and judged by what the lab promises: promises that hold, and such that do not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.fixtures import LABS_TO_PROVE
from tests.lifecycle.kit.suite import SuiteRun
from topology.formats.lab import LABS

pytestmark = [pytest.mark.lifecycle, pytest.mark.labs]
WHOLE_S = 1200.0
"""A fabric, a calibration and up to 100 s until service is back, in an emulated guest on a busy machine."""
TOO_LATE = "time without service - expected at most 1 ms - seen "
CASES = {
    "graceful-restart": ("bgp-graceful-restart", "daemon-restarted", "5 s", ""),
    "host-moved-too-late": ("evpn-l2", "host-moved", "1 ms", TOO_LATE),
    "no-graceful-restart": ("bgp-unnumbered", "daemon-restarted", "1 ms", TOO_LATE),
    "host-moved": ("evpn-l2", "host-moved", "5 s", ""),
}
"""A lab, an event, the promised time without service, and how the failure reads; empty where the promise is kept."""
ALWAYS = 2
"""What every run tries of these; HOPCHECK_LABS=all tries all of them."""


@pytest.mark.parametrize("case", CASES if LABS_TO_PROVE == "all" else [*CASES][:ALWAYS])
def test_events_cost_is_within_the_promise_or_fails(
    case: str, suite: Callable[..., SuiteRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same event passes with a promise that its lab can keep, and fails with one that it cannot."""
    lab, event, promised, words = CASES[case]
    shutil.copytree(LABS / "frr", tmp_path / "frr")
    text = (LABS / f"{lab}.yaml").read_text().partition("\nfailover:")[0]
    promise = f"failover:\n  - {{event: {event}, without-service: {promised}}}\n"
    (tmp_path / "lab.yaml").write_text(f"{text}\n{promise}")
    monkeypatch.setenv("HOPCHECK_FAILOVERS", "1")
    selected = ("-m", "failover", "--lab", str(tmp_path / "lab.yaml"), "-k", event)
    run = suite(*selected, "--kernel", "guest", timeout_s=WHOLE_S)
    (test,) = run.results["tests"]
    assert test["verdict"] == ("failed" if words else "passed"), run.output
    assert words in test["message"]
    assert run.code == bool(words)
