"""Generated fabrics: nothing collides, every pair arrives, cost grows with the links, and bad shapes are refused."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sized
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Interface, IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.draws import draws
from topology.errors import LabError, Misuse, Problem, UnknownName
from topology.expected import check_pairs
from topology.formats import load
from topology.leafspine import _Shape, leafspine
from topology.model import NAME_MAX, Bridge, Device, Fabric, Node, Port
from topology.plan import make_plan
from topology.state import declared_state

shapes = st.builds(
    lambda leaves, spines, customers, gre: f"leafspine-{leaves}x{spines}x{customers}{'-gre' if gre else ''}",
    st.integers(2, 14),
    st.integers(1, 6),
    st.integers(0, 6),
    st.booleans(),
)


def repeated(things: Iterable[object]) -> list[object]:
    return [thing for thing, count in Counter(things).items() if count > 1]


def networks(fabric: Fabric) -> dict[IPv4Network, set[str]]:
    """Every subnet, and the link or the device that it is for: segments are named for their VNI's bridges."""
    found: dict[IPv4Network, set[str]] = {}
    for device in fabric.devices:
        for interface in device.addresses:
            assert isinstance(interface, IPv4Interface)
            found.setdefault(interface.network, set()).add(segment(fabric, device))
    return found


def segment(fabric: Fabric, device: Device) -> str:
    if not isinstance(device, Port):
        return str(device.ref)
    bridges = (fabric[ref.node].bridge_of(ref.interface) for ref in (device.ref, device.peer))
    joined = [bridge.name for bridge in bridges if bridge is not None]
    return joined[0] if joined else " -- ".join(sorted(map(str, (device.ref, device.peer))))


@settings(max_examples=draws(8))
@given(shapes)
def test_nothing_collides_and_every_pair_arrives(name: str) -> None:
    """In every shape, names, MACs, addresses and subnets are distinct, and every pair is carried as declared."""
    fabric = leafspine(name)
    devices = list(fabric.devices)
    assert repeated(node.name for node in fabric.nodes) == repeated(device.ref for device in devices) == []
    assert repeated(device.mac for device in devices if device.mac) == []
    assert repeated(interface.ip for device in devices for interface in device.addresses) == []
    assert max(len(name) for device in devices for name in (device.node, device.name)) <= NAME_MAX
    subnets = networks(fabric)
    assert [network for network, joined in subnets.items() if len(joined) != 1] == []
    assert [(a, b) for a, b in pairwise(sorted(subnets)) if a.overlaps(b)] == []
    assert list(check_pairs(fabric)) == []


def test_a_collision_would_be_seen() -> None:
    """The test above finds a subnet that two devices share, and any duplicate."""
    fabric = leafspine("leafspine-2x1x0")
    again = Bridge(node="x", name="loop", members=(), addresses=fabric["l1"]["loop"].addresses)
    shared = networks(replace(fabric, nodes=(*fabric.nodes, Node(name="x", role="leaf", devices=(again,)))))
    assert [joined for joined in shared.values() if len(joined) != 1] == [{"l1:loop", "x:loop"}]
    assert repeated("abca") == ["a"]


@pytest.mark.parametrize("name", ["leafspine-4x2x3", "leafspine-2x1x1", "leafspine-3x2x2", "leafspine-5x3x3-gre"])
def test_every_customer_is_in_a_pair(name: str) -> None:
    """There is a promise about each customer."""
    fabric = leafspine(name)
    promised = {end for pair in fabric.pairs for end in (pair.source, pair.target)}
    assert promised == {node.name for node in fabric.role("customer")}


@pytest.mark.parametrize(
    ("name", "kinds", "needs"),
    [
        ("leafspine-4x2x0", set(), {"veth", "bridge"}),
        ("leafspine-4x2x1", {"routed"}, {"veth", "bridge"}),
        ("leafspine-4x2x2", {"l2-overlay"}, {"veth", "bridge", "vxlan"}),
        ("leafspine-4x2", {"l2-overlay", "routed"}, {"veth", "bridge", "vxlan"}),
        ("leafspine-4x2-gre", {"l2-overlay", "l3-overlay"}, {"veth", "bridge", "vxlan", "gre"}),
        ("leafspine-4x2x2-gre", {"l2-overlay"}, {"veth", "bridge", "vxlan"}),
    ],
)
def test_a_shape_says_what_it_carries(name: str, kinds: set[str], needs: set[str]) -> None:
    """Customers decide the kinds of pairs; only ``-gre`` with a routed customer needs GRE of a kernel."""
    fabric = leafspine(name)
    assert {pair.kind for pair in fabric.pairs} == kinds
    assert fabric.needs == needs


def test_every_leaf_is_linked_to_every_spine_with_addresses() -> None:
    """There is one link for each leaf and spine, and one for each customer; the first all have addresses."""
    fabric = leafspine("leafspine-7x3x2")
    assert len(fabric.links) == 7 * 3 + 7 * 2
    assert len(fabric.spine_links) == 7 * 3
    assert all(fabric[end.node][end.interface].addresses for link in fabric.spine_links for end in link.ends)


@pytest.mark.parametrize(
    ("shape", "largest"),
    [
        ((256, 1, 26, True), "172.16.1.254"),
        ((2056, 255, 26, True), "172.31.255.238"),
        ((512, 2, 1, False), "172.16.7.254"),
    ],
    ids=str,
)
def test_the_largest_shapes_stay_in_their_ranges(shape: tuple[int, int, int, bool], largest: str) -> None:
    """At the bounds, the last link, leaf and segment still have addresses and names of their own."""
    leaves, spines, customers, gre = shape
    edge = _Shape("edge", leaves, spines, customers, gre)
    assert str(edge.link(leaves, spines).ip) == largest
    assert edge.link(leaves, spines).ip in IPv4Network("172.16.0.0/12")
    assert edge.block(leaves).subnet_of(IPv4Network("10.0.0.0/8"))
    assert all(end.address.ip in IPv4Network("100.64.0.0/10") for end in edge.ends(leaves))
    names = [f"l{leaves}_s{spines}", f"l{leaves}_c{leaves}z", f"br{leaves * 13}"]
    assert max(map(len, names)) <= NAME_MAX


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("leafspine-257x1", "257 leaves with 1 spines; from 2 to 256"),
        ("leafspine-2057x255", "2057 leaves with 255 spines; from 2 to 2056"),
        ("leafspine-1x4", "1 leaves with 4 spines; from 2 to 1024"),
        ("leafspine-8x256", "256 spines; from 1 to 255"),
        ("leafspine-8x0", "0 spines; from 1 to 255"),
        ("leafspine-8x4x27", "27 customers at a leaf; from 0 to 26"),
        ("leafspine-8", "not a shape; leafspine-LEAVESxSPINES"),
        ("leafspine-8x4x", "not a shape"),
        ("leafspine-8x4-vxlan", "not a shape"),
        ("leafspine-8x-4", "not a shape"),
        ("leafspine-٨x٤", "not a shape"),
        ("leafspine-9999999x4", "not a shape"),
        ("leafspine", "not a shape"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(name: str, words: str) -> None:
    """A name that is no shape is answered with the form, numbers that do not fit with those that do."""
    with pytest.raises(Misuse, match=rf"^{re.escape(name)}: {re.escape(words)}"):
        load(name)


def test_a_shape_is_a_lab_by_its_name() -> None:
    """``--lab`` takes a shape as it takes a known lab; what no lab is called is answered with the forms there are."""
    assert load("leafspine-8x4") == leafspine("leafspine-8x4")
    assert load("leafspine-8x4").file == "leafspine-8x4"
    with pytest.raises(UnknownName, match=r"unknown lab 'spineleaf'; known: .*leafspine-LEAVESxSPINES"):
        load("spineleaf")


def test_a_shape_is_checked_like_a_file() -> None:
    """The further checks that a file's fabric must stand are made for a generated one too."""

    def complain(fabric: Fabric) -> Iterable[Problem]:
        yield Problem(fabric.nodes[0].where, f"{fabric.name} is not liked", "another")

    with pytest.raises(LabError, match="leafspine-2x1:1:1: leafspine-2x1 is not liked; another"):
        load("leafspine-2x1", extra_checks=(complain,))


def calls(work: Callable[[], object]) -> int:
    """Count the functions that a piece of work calls: its cost without a clock."""
    count = 0

    def step(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


WORK: dict[str, tuple[Callable[[Fabric], object], Callable[[Fabric], Sized]]] = {
    "make": (lambda fabric: leafspine(fabric.name), lambda fabric: fabric.links),
    "plan": (make_plan, lambda fabric: fabric.links),
    "state": (lambda fabric: [declared_state(node) for node in fabric.nodes], lambda fabric: fabric.links),
    "tables": (lambda fabric: tables(fabric), lambda fabric: fabric.links),
    "expected": (lambda fabric: list(check_pairs(fabric)), lambda fabric: fabric.pairs),
    "quadratic": (lambda fabric: [len("") for _ in fabric.links for _ in fabric.links], lambda fabric: fabric.links),
}
"""Work on a fabric, and what its cost may be proportional to."""


def tables(fabric: Fabric) -> list[object]:
    """Tables read for each pair, made once for a fabric."""
    return [(node.fib, node.tunnel_by_ends, node.bridge_of("")) for node in fabric.nodes]


def growth(what: str) -> float:
    """Cost ratio of a link (or a pair, once the tables are there) in a fabric with ten times as many."""
    work, things = WORK[what]
    fabrics = [leafspine("leafspine-4x2"), leafspine("leafspine-16x8")]
    if what == "expected":
        for fabric in fabrics:
            tables(fabric)
    small, large = (calls(partial(work, fabric)) / len(things(fabric)) for fabric in fabrics)
    return large / small


@pytest.mark.parametrize("what", ["make", "plan", "state", "tables", "expected"])
def test_what_a_link_costs_does_not_grow_with_the_fabric(what: str) -> None:
    """Ten times the links take no more than ten times the calls, and a tenth."""
    assert growth(what) < 1.1


def test_a_quadratic_cost_would_be_seen() -> None:
    """Work that looks at every link for each link costs more calls a link in a larger fabric."""
    assert growth("quadratic") > 5
