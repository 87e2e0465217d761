"""Promises of segments on a lab whose two tenants share addresses and MACs: kept, and broken by one command each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun

pytestmark = pytest.mark.lifecycle
PROMISES = """\
segments:
  red: {kind: l2-overlay, via: vxlan, vni: 100, hosts: [red1, red2, red3]}
  blue: {kind: l2-overlay, via: vxlan, vni: 200, hosts: [blue1, blue2, blue3]}
apart: [[red, blue]]
"""
AGAIN = (
    "ip link del dev vx-red; ip link add name vx-red mtu 1450 type vxlan id 300 local {local} remote {remote} "
    "dev {dev} dstport 4789; ip link set dev vx-red master br-red up"
)
L1 = {"local": "10.1.0.2", "remote": "10.2.0.2", "dev": "l1_s1"}
L2 = {"local": "10.2.0.2", "remote": "10.1.0.2", "dev": "l2_s1"}
LEAK = (
    "ip link add name x0 type veth peer name x1; "
    "ip link set dev x0 master br-red up; ip link set dev x1 master br-blue up"
)
BREAKS: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "another VNI at both ends": (
        (f"l1: {AGAIN.format(**L1)}", f"l2: {AGAIN.format(**L2)}"),
        "expected in vxlan VNI 100 - seen in vxlan VNI 300",
        ("[red1-red3-l2-overlay]", "[red2-red3-l2-overlay]"),
    ),
    "a wire between the bridges": ((f"l1: {LEAK}",), " - expected nothing of it - seen ether / ", ("[red-blue]",)),
}


@pytest.fixture
def promised(suite: Callable[..., SuiteRun], tmp_path: Path) -> Callable[..., SuiteRun]:
    """Runs the tests of segments, with something broken."""
    expect = tmp_path / "expect.yaml"
    expect.write_text(PROMISES)
    asked = ("-m", "overlay or isolation", "-k", "apart or promised_tunnel", "--lab", "two-tenants")
    return lambda *more: suite(*asked, "--expect", str(expect), *more)


def test_segments_keep_their_promises(promised: Callable[..., SuiteRun]) -> None:
    """Pairs through the fabric are in their segment's VNI, and the same addresses in the other hear nothing."""
    run = promised()
    assert run.code == 0, run.output
    assert run.results["summary"]["passed"] == 4 + 1


@pytest.mark.parametrize("name", BREAKS)
def test_broken_promise_is_noticed(name: str, promised: Callable[..., SuiteRun]) -> None:
    """The tests of what is broken fail, in its words, and no other does."""
    commands, words, guilty = BREAKS[name]
    run = promised(*(part for command in commands for part in ("--break", command)))
    assert run.code == 1, run.output
    failed = run.with_verdict("failed")
    assert sorted(test["id"].partition("[")[2] for test in failed) == sorted(one[1:] for one in guilty)
    assert all(words in test["message"] for test in failed)
