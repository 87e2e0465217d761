"""What ``--active`` adds to an adopted fabric, and what plain probes conclude of its tenants without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lifecycle.kit.foreign import Foreign, foreign_fabric, run_as_owner, two_tenants
from tests.lifecycle.kit.suite import SuiteRun
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.lab import load_lab
from topology.kernels.host import HereKernel

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone]
TENANTS = ("red", "blue")
JOIN = "ip link set dev {port} nomaster; ip link set dev {port} master br-red"
TWO_IN_ONE = (("l1", ("l1_blue1",)), ("l2", ("l2_blue2", "l2_blue3")))
"""The ports of the blue tenant, by their leaf: moved into red's bridges its frames are in red's VNI."""
SOUND_SIZES = "mtu: {customers: 1450}\n"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The lab as a file."""
    path = tmp_path / "lab.yaml"
    path.write_text(two_tenants())
    return path


@pytest.fixture
def foreign(lab: Path) -> Iterator[Foreign]:
    """The lab, built on this machine by its owner, in namespaces that have other names than its nodes."""
    try:
        HereKernel.start(lambda _: None).close()
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    with foreign_fabric(load_lab(lab)) as fabric:
        yield fabric


@pytest.fixture
def expecting(foreign: Foreign, suite: Callable[..., SuiteRun], tmp_path: Path) -> Callable[..., SuiteRun]:
    """Runs the suite on what is there, of which the two segments alone are declared, and more in words of the file."""
    hosts = {name: ", ".join(foreign.names[f"{name}{n}"] for n in (1, 2, 3)) for name in TENANTS}
    numbers = {"red": 100, "blue": 200}

    def run(more: str, *options: str, vnis: bool = False, **where: str) -> SuiteRun:
        said = {name: f"via: vxlan, vni: {number}, " if vnis else "" for name, number in numbers.items()}
        lines = [f"  {name}: {{kind: l2-overlay, {said[name]}hosts: [{its}]}}\n" for name, its in hosts.items()]
        expect = tmp_path / "expect.yaml"
        expect.write_text("".join(("segments:\n", *lines, more)))
        return suite("--adopt", "--expect", str(expect), "--kernel", "here", *options, **where)

    return run


def test_active_proves_isolation_and_sizes_of_a_lab_and_changes_nothing(
    foreign: Foreign, suite: Callable[..., SuiteRun], lab: Path
) -> None:
    """Forged frames and packets of all sizes are sent into a lab's own nodes; without the word they are not."""
    asked = ("--adopt", "--lab", str(lab), "--kernel", "here", "-m", "isolation or mtu")
    before = foreign.state()
    with foreign.watched() as changes:
        run = suite(*asked, "--active")
    assert run.code == 0, run.output
    assert run.results["summary"]["passed"] >= 40, run.output
    assert (changes, run.left) == ([], {})
    assert foreign.state() == before
    quiet = suite(*asked, out="quiet")
    assert quiet.results["summary"]["passed"] == 0
    reasons = [test["message"] for test in quiet.with_verdict("not applicable")]
    assert any("would send forged frames: allowed with --active" in reason for reason in reasons)


def test_tenants_that_are_apart_pass_with_and_without_active(
    foreign: Foreign, expecting: Callable[..., SuiteRun]
) -> None:
    """Two tenants with VNIs of their own are proven apart, and their sizes found, and nothing is changed."""
    with foreign.watched() as changes:
        run = expecting(f"apart: [[red, blue]]\n{SOUND_SIZES}", "-m", "isolation or mtu", "--active")
    assert run.code == 0, run.output
    assert run.results["summary"]["passed"] == 3 + 6
    assert (changes, run.left) == ([], {})
    quiet = expecting(f"apart: [[red, blue]]\n{SOUND_SIZES}", "-m", "isolation or mtu", out="quiet")
    assert quiet.code == 0, quiet.output
    assert quiet.results["summary"]["passed"] == 2
    reasons = [test["message"] for test in quiet.with_verdict("not applicable")]
    assert sum(reason.endswith("allowed with --active") for reason in reasons) == 1 + 6


def test_one_vni_of_two_tenants_is_named_by_plain_probes(foreign: Foreign, expecting: Callable[..., SuiteRun]) -> None:
    """Two segments in one VNI fail at the VTEP with the number, though nothing but pings was sent.

    Where the segments' VNIs are promised, each pair that is in the other's fails, too.
    """
    for leaf, ports in TWO_IN_ONE:
        for port in ports:
            foreign.run(leaf, "sh", "-ec", JOIN.format(port=port))
    run = expecting("", "-m", "overlay or isolation", vnis=True)
    assert run.code == 1, run.output
    wrong = [
        test
        for test in run.with_verdict("failed")
        if "expected in vxlan VNI 200 - seen in vxlan VNI 100" in test["message"]
    ]
    assert len(wrong) == 2 * 2
    (shared,) = (test for test in run.with_verdict("failed") if test not in wrong)
    assert shared["cause"]["kind"] == "shared tunnel"
    assert shared["cause"]["node"] in {foreign.names["l1"], foreign.names["l2"]}
    assert " in vxlan VNI 100 to " in shared["message"]


def test_cable_between_two_tenants_is_named(foreign: Foreign, expecting: Callable[..., SuiteRun]) -> None:
    """A frame that one segment's host hears of the other's crossed at the cable's end, which is named."""
    wired = ("x0", "type", "veth", "peer", "name", "x1")
    run_as_owner("ip", "-n", foreign.names["l2"], "link", "add", "name", *wired)
    for end, bridge in (("x0", "br-red"), ("x1", "br-blue")):
        foreign.run("l2", "ip", "link", "set", "dev", end, "master", bridge, "up")
    run = expecting("apart: [[red, blue]]\n", "-m", "isolation")
    assert run.code == 1, run.output
    (failed,) = run.with_verdict("failed")
    cause = failed["cause"]
    assert (cause["kind"], cause["node"]) == ("separation", foreign.names["l2"])
    assert cause["interface"] in ("x0", "x1")


def test_sizes_that_vanish_are_named(foreign: Foreign, expecting: Callable[..., SuiteRun]) -> None:
    """Hosts of 1500 bytes over a VXLAN of 1450 lose packets in silence, unless 1450 is all that is promised."""
    run = expecting("", "-m", "mtu", "--active")
    assert run.code == 1, run.output
    failed = run.with_verdict("failed")
    assert len(failed) == 4
    assert {(test["cause"]["kind"], test["cause"]["interface"]) for test in failed} <= {
        ("mtu", "vx-red"),
        ("mtu", "vx-blue"),
    }
    assert all(" vanishes after " in test["message"] for test in failed)
