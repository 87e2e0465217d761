"""A node whose state says nothing of what it forwards is a hop like any other: seen, and not blamed for what is unread.

The stand-in is what a container with a virtual machine is: its interfaces are bridged to a namespace that forwards, in
which nobody can look.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.lifecycle.kit.foreign import foreign_fabric, run_as_owner, two_tenants
from tests.lifecycle.kit.suite import SuiteRun
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.lab import load_lab
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.host import HereKernel

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone]
LINK = re.compile(r"\[l1:(l1_)(\w+), (\w+:\w+)\]")
SEGMENTS = """\
segments:
  red: {{kind: l2-overlay, via: vxlan, vni: 100, hosts: [{red1}, {red2}, {red3}]}}
  blue: {{kind: l2-overlay, via: vxlan, vni: 200, hosts: [{blue1}, {blue2}, {blue3}]}}
apart: [[red, blue]]
"""
FAULTS = (
    ("s1", "sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1", "forwards no IPv4 packets"),
    ("l2", "ip link set dev vx-red down", "ip link set dev vx-red up", "down"),
    ("l1", "ip link set dev vx-red down", "ip link set dev vx-red up", "; not read: {o1} (its state says nothing of"),
)
"""Mistakes, each with what undoes it, and the words of its cause; that of the hidden node is seen at the outer one."""


def behind(text: str) -> str:
    """The lab with all cables of l1 led through a further node o1, which bridges each to one of l1."""
    cables = [found[2] for found in LINK.finditer(text)]
    bridges = ", ".join(f"b_{name}: [i_{name}, o_{name}]" for name in cables)
    text = LINK.sub(r"[l1:l1_\2, o1:i_\2]\n  - [o1:o_\2, \3]", text)
    return text.replace("  l2:\n", f"  o1: {{role: switch, bridges: {{{bridges}}}}}\n\n  l2:\n", 1)


@dataclass(frozen=True)
class Opaque:
    """The fabric while it is up: the names of its nodes, the place of each, and the suite on what can be seen of it."""

    names: Mapping[str, str]
    places: Mapping[str, str]
    prove: Callable[..., SuiteRun]

    def run(self, node: str, command: str) -> None:
        """Run a command in a node, the hidden one among them, as its owner does."""
        run_as_owner("nsenter", f"--net={self.places[node]}", *command.split())


@pytest.fixture
def opaque(suite: Callable[..., SuiteRun], tmp_path: Path) -> Iterator[Opaque]:
    """The fabric, with l1 where nobody finds it."""
    try:
        HereKernel.start(lambda _: None).close()
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    lab, expect = tmp_path / "lab.yaml", tmp_path / "expect.yaml"
    lab.write_text(behind(two_tenants()))
    with foreign_fabric(load_lab(lab)) as fabric, Path(NETNS_DIR, fabric.names["l1"]).open() as inner:
        run_as_owner("ip", "netns", "del", fabric.names["l1"])
        expect.write_text(SEGMENTS.format(**fabric.names))
        places = {name: f"{NETNS_DIR}/{own}" for name, own in fabric.names.items()}
        hidden = f"/proc/{os.getpid()}/fd/{inner.fileno()}"
        prove = partial(suite, "--adopt", f"--expect={expect}", "--kernel", "here", "-m")
        yield Opaque(fabric.names, {**places, "l1": hidden}, prove)


def test_opaque_node_is_a_hop_like_any_other(opaque: Opaque) -> None:
    """Pairs and segments are proven through it; a fault elsewhere is named there, one inside it by what is seen."""
    healthy = opaque.prove("overlay or isolation")
    assert healthy.code == 0, healthy.output
    for number, (node, command, undo, words) in enumerate(FAULTS):
        opaque.run(node, command)
        broken = opaque.prove("overlay", out=str(number))
        opaque.run(node, undo)
        causes = [test["cause"] for test in broken.with_verdict("failed") if test["cause"]]
        assert {cause["node"] for cause in causes} == {opaque.names["o1" if node == "l1" else node]}, broken.output
        assert all(words.format(**opaque.names) in cause["live"] for cause in causes), broken.output
