"""Rows that cannot be planned are refused at their place, and nothing else is; what the lab has is never taken."""

from __future__ import annotations

import pytest

from tests.self.builders import reference, reference_text, vxlan_lab
from topology import tenants
from topology.errors import LabError
from topology.formats.lab import load_lab_text
from topology.formats.tenants_csv import read_tenants_text
from topology.model import Fabric, Vxlan
from topology.tenants import add_tenants, parts, pools

Said = list[tuple[int, int, str]]
NO_SPINE = """
lab: short
nodes:
  l1: {role: leaf, addresses: {x: 10.0.0.1/24}}
  l2: {role: leaf, addresses: {x: 10.0.0.2/24}}
  lonely: {role: customer}
links: [[l1:x, l2:x]]
"""
ONE_LEAF = "lab: one\nnodes: {l1: {role: leaf}, lonely: {role: customer}}\n"
NO_LEAF = "lab: none\nnodes: {a: {role: customer}}\n"

MISPLACED: dict[str, tuple[str, Said]] = {
    "overlay on one leaf": (
        "cs1, cs2, VXLAN",
        [(1, 1, "cs1 and cs2 are both behind lc1, and a row of type VXLAN crosses")],
    ),
    "routed on one leaf": ("a,b,GRE\n  cs3,cs5,L3", [(2, 3, "cs3 and cs5 are both behind lc2, and a row of type L3")]),
    "bridge across": (
        "cs1,cs5,Bridge",
        [(1, 1, "cs1 is behind lc1 and cs5 behind lc2, and a row of type Bridge")],
    ),
    "bridge across, new nodes": ("a,b,L3\na,b,bridge", [(2, 1, "a is behind lc1 and b behind lc2")]),
    "overlay on one leaf, new nodes": ("a,b,Bridge\nb,a,gre", [(2, 1, "b and a are both behind lc1")]),
    "bridge of new and far": ("a,cs3,Bridge\ncs1,a,Bridge", [(2, 1, "cs1 is behind lc1 and a behind lc2")]),
    "leaf": ("lc1,a,GRE", [(1, 1, "lc1 is a leaf of the lab; a customer, or a name new to the lab")]),
    "spine": ("a, SC2, L3", [(1, 4, "sc2 is a spine of the lab")]),
    "switch": ("con_ns1,con_ns3,VXLAN", [(1, 1, "con_ns1 is a switch"), (1, 9, "con_ns3 is a switch")]),
    "a row's own node": ("a,row1-switch,Bridge", [(1, 3, "the name row1-switch is reserved for nodes that rows")]),
    "another row's node": ("a,b,L3\nROW7-vtep1,a,GRE", [(2, 1, "the name ROW7-vtep1 is reserved for nodes that")]),
}
ECHOES: dict[str, tuple[str, Said]] = {
    "type": ("a,b,L4\na,b,Bridge\ncs1,b,L3\nb,cs3,L3", [(1, 5, "unknown type 'L4'")]),
    "name": ("a,b c,L3\na,d,Bridge\ncs1,d,GRE\ne,cs1,Bridge\ncs3,e,L3", [(1, 3, "'b c'")]),
    "place": ("lc1,a,L3\ncs1,a,L3\na,cs3,VXLAN\ncs1,cs2,L3", [(1, 1, "lc1 is a leaf"), (4, 1, "both behind lc1")]),
    "chain": ("a,b,\nb,c,Bridge\nc,d,Bridge\ncs1,d,L3\ncs3,d,L3", [(1, 5, "the type is empty")]),
}


def refusal(text: str, base: Fabric | None = None) -> LabError:
    """The error in which a file's text must end."""
    with pytest.raises(LabError) as caught:
        add_tenants(base or reference(), read_tenants_text(text, "my.csv"))
    return caught.value


def assert_said(error: LabError, said: Said) -> None:
    """Exactly these problems, at their places."""
    assert [(p.where.line, p.where.column) for p in error.problems] == [(line, column) for line, column, _ in said]
    for problem, (_, _, words) in zip(error.problems, said, strict=True):
        assert words in str(problem)
        assert str(problem).startswith("my.csv:")


@pytest.mark.parametrize("name", MISPLACED)
def test_a_row_without_a_place_is_refused_with_its_line(name: str) -> None:
    """Both ends of an overlay behind one leaf, a bridge across leaves, and what is no customer have no place."""
    text, said = MISPLACED[name]
    assert_said(refusal(text), said)


@pytest.mark.parametrize("name", ECHOES)
def test_a_mistake_is_not_blamed_on_other_rows(name: str) -> None:
    """Nodes of a refused row have no known place, so no sound row is refused for them."""
    text, said = ECHOES[name]
    assert_said(refusal(text), said)


@pytest.mark.parametrize(
    ("lab", "text", "words"),
    [
        (NO_LEAF, "x,y,Bridge", "too few leaves for a row of type Bridge; a lab with two leaves"),
        (ONE_LEAF, "x,y,L3", "too few leaves for a row of type L3; a lab with two leaves"),
        (NO_SPINE, "x,y,VXLAN", "no spine has links with IPv4 addresses to l1 and l2; a spine that joins them"),
        (ONE_LEAF, "x,y,Bridge\nlonely,x,Bridge", "lonely is behind no leaf of the lab; a node that does"),
    ],
)
def test_a_lab_that_cannot_carry_a_row_is_reported(lab: str, text: str, words: str) -> None:
    """Without leaves, a spine between them, or a leaf before a customer, a row has nothing to be built on."""
    assert words in str(refusal(text, load_lab_text(lab)))


def test_bridge_rows_need_one_leaf_only() -> None:
    """A lab with a single leaf takes Bridge rows."""
    fabric = add_tenants(load_lab_text(ONE_LEAF), read_tenants_text("x,y,Bridge\n"))
    assert [str(tenant) for tenant in fabric.tenants] == ["row1-x-y-Bridge"]


def test_a_key_that_the_lab_has_is_refused() -> None:
    """The kernel could not tell a row's tunnel from one of the lab with the same ends and key: EEXIST."""
    text = reference_text().replace("ttl: inherit}", "ttl: inherit}\n      other: {local: X, remote: Y, key: 2}")
    one, two = "26.0.0.2", "28.0.0.2"
    text = text.replace("local: X, remote: Y", f"local: {one}, remote: {two}", 1)
    base = load_lab_text(text.replace("local: X, remote: Y", f"local: {two}, remote: {one}", 1))
    error = refusal("a,b,GRE\nc,d, GRE\ne,f,GRE\n", base)
    assert_said(error, [(2, 6, "lc1:other has the key 2 between the same ends already; the row at another place")])
    assert [t.number for t in add_tenants(base, read_tenants_text("a,b,GRE\nc,d,L3\ne,f,GRE\n")).tenants] == [1, 2, 3]


def test_a_pool_that_is_used_up_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row that finds no subnet is refused, not given one twice."""
    monkeypatch.setitem(pools.POOLS, "Bridge", "40.0.0.0/23")
    error = refusal("a,b,Bridge\nc,d,Bridge\ne,f,Bridge")
    assert_said(error, [(3, 5, "no subnet is left for a row of type Bridge; fewer such rows")])


def test_subnets_and_numbers_of_the_lab_are_left_out() -> None:
    """A pool skips what the lab has addresses in or routes to, and a VNI that the lab uses is not given."""
    text = reference_text().replace("vni: 30", "vni: 10001").replace("21.0.0.", "41.0.0.").replace("23.0.0.", "43.0.1.")
    routes = "- 27.0.0.0/24 via 25.0.0.1 dev lc1_sc1"
    base = load_lab_text(text.replace(routes, f"{routes}\n      - 42.0.0.0/23 via 25.0.0.1"))
    fabric = add_tenants(base, read_tenants_text("a,b,VXLAN\nc,d,VXLAN"))
    found = [fabric[ref.node][ref.interface] for tenant in fabric.tenants for ref in tenant.tunnel]
    ends = [(str(end.local), end.vni) for end in found if isinstance(end, Vxlan)]
    assert ends == [("41.0.1.1", 20001), ("43.0.0.1", 20001), ("41.0.2.1", 10002), ("43.0.2.1", 10002)]
    assert [str(tenant.pair.src) for tenant in fabric.tenants] == ["42.0.2.1", "42.0.3.1"]


def test_macs_that_would_be_equal_are_made_different(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should two interfaces' digests be equal, the later one gets another."""
    monkeypatch.setattr(parts, "stable_mac", lambda lab, node, name: f"02:00:00:00:00:{len(name):02x}")
    macs = [d.mac for d in add_tenants(reference(), read_tenants_text("a,b,VXLAN")).devices if d.mac]
    assert len(macs) == len(set(macs))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("con_ns3", "row1-vtep2", "the name row1-vtep2 is one for tenants' nodes; another name"),
        ("lc1_br1", "row3", "the name row3 is one for tenants' devices; another name"),
        ("gretun-cont", "gretun-row4", "the name gretun-row4 is one for tenants' devices"),
    ],
)
def test_names_of_rows_are_not_the_labs(old: str, new: str, words: str) -> None:
    """A lab whose nodes or devices have the names that rows bring along cannot have tenants; its own line says so."""
    base = load_lab_text(reference_text().replace(old, new), "mine.yaml")
    error = refusal("a,b,L3", base)
    assert all(str(problem).startswith("mine.yaml:") for problem in error.problems)
    assert words in str(error)


def test_everything_is_reported_at_once_in_order() -> None:
    """Errors of form and place are reported by line."""
    error = refusal("cs1,cs2,L3\na,b\n\nlc1,a,L3\na,b,L5\ncs1,cs5,Bridge")
    assert [problem.where.line for problem in error.problems] == [1, 2, 4, 5, 6]


def test_the_number_of_problems_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of reported problems is limited."""
    monkeypatch.setattr(tenants, "MAX_PROBLEMS", 3)
    assert len(refusal("a,b,L9\n" * 9).problems) == 3


def test_a_tenant_whose_way_is_broken_is_refused_at_its_row() -> None:
    """A lab whose spine cannot forward, or whose tunnel end is unreachable, is refused at the row."""
    base = load_lab_text(reference_text().replace("28.0.0.0/24 via 26.0.0.1 dev lc1_sc2", "28.0.0.0/25 via 25.0.0.1"))
    error = refusal("\na,b,GRE", base)
    assert "my.csv:2:1: a -> b cannot arrive: sc1: no route to 28.0.0.2" in str(error)


def test_another_lab_takes_tenants_too() -> None:
    """Nothing is particular to the reference lab: what has leaves and a spine between them will do."""
    fabric = add_tenants(vxlan_lab(), read_tenants_text("a,b,VXLAN\na,b,L3\nc,d,Bridge\n"))
    assert [str(tenant) for tenant in fabric.tenants] == ["row1-a-b-VXLAN", "row2-a-b-L3", "row3-c-d-Bridge"]
