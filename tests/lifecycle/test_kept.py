"""A fabric that is kept can be entered and ended with what the run has printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.fixtures import StartSuite
from topology.errors import NotApplicable
from topology.formats.lab import load_lab
from topology.kernels.link import Completed
from topology.kernels.registry import Kernel
from topology.model import Fabric

pytestmark = pytest.mark.lifecycle
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"


@pytest.mark.parametrize("kind", ["host", "guest"])
def test_kept_fabric_is_entered_and_ended_as_printed(
    kind: str, start_suite: StartSuite, kernel: Kernel, lab: Fabric, typed: Callable[..., Completed]
) -> None:
    """--keep leaves the fabric up; the one printed command runs what it is given in a node, the other ends it all."""
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
        assert run.left(settle_s=0)
        assert typed(end).code == 0
        assert run.left() == {}
