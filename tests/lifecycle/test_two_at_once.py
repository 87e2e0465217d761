"""Two suites at once on one machine know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lifecycle.kit.fixtures import PAIRS
from tests.lifecycle.kit.suite import SuiteRun
from topology.errors import NotApplicable
from topology.kernels.registry import Kernel

pytestmark = [pytest.mark.lifecycle, pytest.mark.soak]
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"
ON = {"host": ("--kernel", "host", "--lab", str(LAB)), "guest": ("--kernel", "guest")}
IN_TURN = (("host", "host"), ("guest", "guest"), ("host", "guest"))
NAMED = [("-".join(IN_TURN[number % len(IN_TURN)]), number) for number in range(PAIRS)]


@pytest.mark.parametrize("number", [number for _, number in NAMED], ids=[f"{name}-{number}" for name, number in NAMED])
def test_two_suites_at_once_are_as_good_as_one(number: int, suite: Callable[..., SuiteRun], kernel: Kernel) -> None:
    """Each proves every promise of its lab, though the other has the same names and addresses, and leaves nothing."""
    kinds = IN_TURN[number % len(IN_TURN)]
    if "guest" in kinds and kernel.info.kind != "guest":
        raise NotApplicable(f"this run's kernel is {kernel.info.kind}")

    def run(place: int) -> SuiteRun:
        return suite("-m", "overlay", *ON[kinds[place]], out=f"out{place}")

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(run, range(2)))
    for kind, one in zip(kinds, both, strict=True):
        assert one.code == 0, one.output
        assert one.results["complete"]
        assert one.results["kernel"]["kind"] == kind
        assert one.results["summary"]["passed"] >= 40
        assert {test["verdict"] for test in one.results["tests"]} <= {"passed", "not applicable"}
        assert one.left == {}
    if kinds[0] == kinds[1]:
        assert both[0].results["summary"] == both[1].results["summary"]
