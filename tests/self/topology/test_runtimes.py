"""Each node has its own runtime, or the run's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import topology.nodes
from tests.self.builders import vxlan_lab
from topology.errors import UnknownName
from topology.formats.lab import load_lab_text
from topology.model import Fabric
from topology.node import RUNTIMES
from topology.nodes.registry import ADOPTED, need_engine, nodes_of, runtime

MIXED = """
lab: mixed
nodes:
  a: {role: customer, runtime: docker, addresses: {eth: 10.0.0.1/24}}
  b: {role: customer, addresses: {eth: 10.0.0.2/24}}
links: [[a:eth, b:eth]]
pairs: [{source: a, target: b, kind: bridge}]
"""


def mixed() -> Fabric:
    """A lab of which one node is a container."""
    lab = vxlan_lab()
    return replace(lab, nodes=(replace(lab.nodes[0], runtime="docker"), *lab.nodes[1:]))


def named(fabric: Fabric, default: str) -> dict[str, list[str]]:
    """The names of the nodes by their runtime."""
    return {kind: [node.name for node in nodes] for kind, nodes in nodes_of(fabric, default).items()}


def test_node_of_no_runtime_has_the_runs() -> None:
    """A node's own runtime wins over the run's."""
    first, *others = (node.name for node in mixed().nodes)
    assert named(mixed(), "netns") == {"docker": [first], "netns": others}
    assert named(mixed(), "docker") == {"docker": [first, *others]}
    assert named(load_lab_text(MIXED), "netns") == {"docker": ["a"], "netns": ["b"]}


def test_engine_is_needed_for_containers_alone() -> None:
    """The nodes that need an engine are named; for an adopted fabric none does."""
    assert need_engine(vxlan_lab(), "netns") == ()
    assert need_engine(mixed(), "netns") == (mixed().nodes[0].name,)
    assert need_engine(vxlan_lab(), "docker") == tuple(node.name for node in vxlan_lab().nodes)
    assert need_engine(mixed(), ADOPTED) == ()


def test_every_runtime_is_a_module_of_its_name() -> None:
    """Each word that a lab may say is a module; any other is refused with the known ones."""
    folder = Path(topology.nodes.__file__).parent
    assert all((folder / f"{name}.py").is_file() for name in RUNTIMES)
    assert {name: runtime(name).NEEDS_ENGINE for name in RUNTIMES} == {"netns": False, "docker": True, "frr": False}
    with pytest.raises(UnknownName, match="docker, frr, netns"):
        runtime("registry")
