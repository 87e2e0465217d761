"""A fabric as a Graphviz graph: what a reader of the language finds in it is the fabric."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.self.builders import reference, vxlan_lab
from tests.self.export.dot_reader import Graph, names, read
from tests.self.topology.test_plan import MIXED
from topology.export.dot import to_dot
from topology.formats.lab import load_lab_text
from topology.model import Fabric, Gre, Vxlan
from topology.roles import row_of


@pytest.fixture(params=["reference", "vxlan", "mixed"])
def lab(request: pytest.FixtureRequest) -> Fabric:
    if request.param == "mixed":
        return load_lab_text(MIXED)
    return reference() if request.param == "reference" else vxlan_lab()


def edges(graph: Graph, style: str | None) -> list[tuple[str, str, Mapping[str, str]]]:
    """The edges of one style."""
    return [edge for edge in graph.edges if edge[2].get("style") == style]


def test_each_role_is_a_row_from_the_spines_down(lab: Fabric) -> None:
    """Every node stands in the row of its role, and each row hangs below the one before."""
    graph = read(to_dot(lab))
    rows = names(graph.rows)
    assert all(row.attributes == {"rank": "same"} for row in graph.rows)
    assert rows == [
        [node.name for node in lab.role(role)] for role in ("spine", "leaf", "switch", "customer") if lab.role(role)
    ]
    chain = [(upper, lower) for upper, lower, _ in edges(graph, "invis")]
    assert chain == [(upper[0], lower[0]) for upper, lower in pairwise(rows)]


def test_every_link_is_an_edge_with_both_ends(lab: Fabric) -> None:
    """A link's label names both interfaces with their addresses, and its upper end comes first."""
    found = edges(read(to_dot(lab)), None)
    assert len(found) == len(lab.links)
    for (upper, lower, attributes), link in zip(found, lab.links, strict=True):
        assert {upper, lower} == {end.node for end in link.ends}
        assert row_of(lab[upper].role) <= row_of(lab[lower].role)
        first, second = attributes["label"].split("\\l")[:2]
        for label, node in ((first, upper), (second, lower)):
            end = next(end for end in link.ends if end.node == node)
            assert label.split() == [end.interface, *map(str, lab[node][end.interface].addresses)]


def test_every_tunnel_is_one_dashed_edge(lab: Fabric) -> None:
    """A tunnel is drawn once, dashed, without a pull on the rows, with its VNI or key."""
    found = edges(read(to_dot(lab)), "dashed")
    assert len(found) == len(lab.tunnels) // 2
    assert all(attributes["constraint"] == "false" for *_, attributes in found)
    labels = " ".join(attributes["label"] for *_, attributes in found)
    assert all(f"VXLAN VNI {vxlan.vni} port {vxlan.port}" in labels for vxlan in lab.all(Vxlan))
    assert all(f"GRE key {gre.key}" in labels for gre in lab.all(Gre) if gre.key is not None)


AWKWARD = ('say "hi"', "back\\slash", "\\", '\\"', "a\nb", "}; graph evil {", "<b>", "äöü → µ", "")


@pytest.mark.parametrize("title", AWKWARD)
def test_awkward_text_stays_inside_its_quotes(title: str) -> None:
    """A quote, backslash, brace or line break in a title ends no string."""
    graph = read(to_dot(replace(reference(), title=title)))
    assert names(graph.rows) == names(read(to_dot(reference())).rows)
    assert graph.attributes["graph.label"] == (f"ece792: {title}" if title else "ece792").replace("\n", " ")


BROKEN = (
    "",
    "graph",
    "graph {",
    'graph "a" { "b" -- ; }',
    'graph x { "a -- "b"; }',
    "graph x { a [b=c }",
    "graph x {} }",
)


@pytest.mark.parametrize("text", BROKEN)
def test_reader_notices_what_is_no_graph(text: str) -> None:
    """The reader of these tests refuses text that is no graph, so that its taking ours means something."""
    with pytest.raises(ValueError, match=r"instead of|no token|behind"):
        read(text)


def drawn(text: str) -> tuple[int, str, list[str]]:
    """Run dot over a text and return the nodes it draws."""
    done = subprocess.run(["dot", "-Tplain"], input=text.encode(), capture_output=True, timeout=60, check=False)
    nodes = [line.split()[1].strip('"') for line in done.stdout.decode().splitlines() if line.startswith("node ")]
    return done.returncode, done.stderr.decode(), sorted(nodes)


@pytest.mark.skipif(shutil.which("dot") is None, reason="no dot here: apt-get install graphviz")
def test_graphviz_itself_draws_it(lab: Fabric) -> None:
    """The program dot takes the graph without a word and draws every node."""
    nodes = sorted(node.name for node in lab.nodes)
    for title in (" ".join(AWKWARD), "\\"):
        assert drawn(to_dot(replace(lab, title=title))) == (0, "", nodes)
