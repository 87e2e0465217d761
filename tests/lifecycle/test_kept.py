"""A fabric that is kept can be entered and ended with what the run has printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.fixtures import StartSuite
from tests.lifecycle.kit.suite import TIMEOUT_S
from topology.errors import NotApplicable
from topology.formats.lab import load_lab
from topology.kernels.link import Completed
from topology.kernels.registry import Kernel
from topology.model import Fabric

pytestmark = pytest.mark.lifecycle
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"


@pytest.mark.parametrize("kind", ["host", "guest"])
def test_kept_fabric_is_entered_and_ended_as_printed(
    kind: str, start_suite: StartSuite, kernel: Kernel, lab: Fabric, typed: Callable[..., Completed], tmp_path: Path
) -> None:
    """--keep leaves the fabric up; one printed command runs what it is given in a node, another ends it all.

    A guest's fabric is adopted, too, by the options that are printed.
    """
    if kind not in ("host", kernel.info.kind):
        raise NotApplicable(f"this run's kernel is {kernel.info.kind}")
    file = str(LAB) if kind == "host" else lab.file
    with start_suite("tests/underlay", "-k", "state", "--keep", "--kernel", kind, "--lab", file) as run:
        done = run.finish(settle_s=0)
        assert done.code == 0, done.output
        node, enter = re.findall(r"the fabric stays up; a shell in (\S+): (.*)", done.output)[0]
        (end,) = re.findall(r"end it: (.*)", done.output)
        inside = typed(enter, "ip -o link; exit 7")
        assert inside.code == 7, inside.stderr
        seen = set(re.findall(r"^\d+: (\w+)", inside.stdout, re.MULTILINE))
        assert seen == {"lo", *(device.name for device in load_lab(file)[node].devices)}
        for options in re.findall(r"prove it again as it is then: (.*)", done.output):
            out = f"--out={tmp_path / 'again'}"
            again = typed(f"TMPDIR={run.temporary} {sys.executable} -m pytest -m underlay {options} --lab {file} {out}")
            assert again.code == 0, again.stdout
        assert run.left(settle_s=0)
        assert typed(end).code == 0
        assert run.left() == {}


@pytest.mark.parametrize("options", [("--pause-on-error", "--inject", "route-missing"), ("--topology-only",)])
def test_fabric_stays_up_for_whoever_looks_into_it(
    options: tuple[str, ...], start_suite: StartSuite, lab: Fabric, typed: Callable[..., Completed]
) -> None:
    """After the first failure, and without any test, the printed command enters each node by its name."""
    with start_suite("tests/underlay", *options) as run:
        run.terminal.wait_end(TIMEOUT_S)
        printed = run.terminal.printed
        named, enter = re.findall(r"the fabric stays up; a shell in (\S+): (.*)", printed)[0]
        (end,) = re.findall(r"end it: (.*)", printed)
        for node in (lab.nodes[0].name, lab.nodes[-1].name):
            inside = typed(re.sub(rf"(?<= ){re.escape(named)}(?= |$)", node, enter), "ip -o link; exit 7")
            assert inside.code == 7, inside.stderr
            assert {device.name for device in lab[node].devices} <= set(re.findall(r"\w+", inside.stdout))
        assert typed(end).code == 0
        assert run.left() == {}


def test_shell_in_a_node_is_all_that_a_run_does(start_suite: StartSuite, lab: Fabric) -> None:
    """Its exit code is the run's, a fault that was ordered is there, and nothing stays."""
    node = lab.nodes[-1]
    with start_suite("--shell", node.name, "--break", f"{node.name}: ip route add blackhole 198.51.100.0/24") as run:
        run.terminal.wait_for("# ", TIMEOUT_S)
        run.terminal.type("ip route show type blackhole; exit 9\n")
        assert run.terminal.wait_end(TIMEOUT_S) == 9
        assert "blackhole 198.51.100.0/24" in run.terminal.printed
        assert run.left() == {}
