"""Each lab that comes with hopcheck is proven as a whole, on every kernel and runtime that can carry it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lifecycle.kit.fixtures import LABS_TO_PROVE
from tests.lifecycle.kit.suite import SuiteRun
from topology.errors import NotApplicable
from topology.formats.lab import LABS, known_labs

pytestmark = [pytest.mark.lifecycle, pytest.mark.labs]
WHOLE = "underlay or overlay or isolation or mtu"
TENANTS = str(LABS / "mixed-tenants.csv")
WHOLE_S = 1200.0
"""49 containers and 600 tests in an emulated guest took 580 s on two busy cores."""
BY_PROMISES = ("bgp-graceful-restart", "bgp-unnumbered", "bgp-unnumbered-bfd", "evpn-l2", "evpn-l3vni", "evpn-ospf")
"""Labs whose daemons decide how they forward: fewer checks, which judge pairs, segments and the control plane."""
WITHOUT_TENANTS = ("ipv6-underlay", *BY_PROMISES)
"""Labs whose links have no IPv4 addresses, over which tenants would be carried."""
WITH_TENANTS = ("netns", "guest-docker")
"""Where GRE can be expected, which a row needs; elsewhere it would keep out labs that do without it."""
ON = {
    "netns": (),
    "host-netns": ("--kernel", "host"),
    "here-docker": ("--kernel", "here", "--runtime", "docker"),
    "guest-docker": ("--kernel", "guest", "--runtime", "docker"),
}
"""The first is whatever kernel this run has chosen."""
SAMPLE = (("geneve", "netns"),)
"""What every run proves of this; HOPCHECK_LABS=all proves all of it."""
EVERY = [(lab, where) for where in ON for lab in (*known_labs(), "leafspine-8x4")]
CASES = EVERY if LABS_TO_PROVE == "all" else SAMPLE


@pytest.mark.parametrize(("lab", "where"), CASES, ids=["-on-".join(case) for case in CASES])
def test_lab_is_proven_as_a_whole(lab: str, where: str, suite: Callable[..., SuiteRun]) -> None:
    """Its links, pairs, tenants, sizes and isolation are as declared, and nothing is left of the run."""
    tenants = ("--tenants", TENANTS) if where in WITH_TENANTS and lab not in WITHOUT_TENANTS else ()
    run = suite("-m", WHOLE, "--lab", lab, *tenants, *ON[where], timeout_s=WHOLE_S)
    if "kernel: none." in run.output:
        assert ON[where], run.output
        raise NotApplicable(next(line for line in run.output.splitlines() if line.startswith("kernel: none.")))
    assert run.code == 0, run.output
    assert run.results["complete"]
    verdicts = [test["verdict"] for test in run.results["tests"]]
    assert verdicts.count("passed") >= (16 if lab in BY_PROMISES else 40)
    assert set(verdicts) <= {"passed", "not applicable"}
    assert run.left == {}
