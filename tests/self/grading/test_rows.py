"""Rows and the fabric behind them in what stands: names, neighbours, leaves, and ways beside a tunnel."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface
from itertools import pairwise

import pytest

from fixtures.instruments.grading.promises import whole_underlay
from fixtures.instruments.grading.rows import (
    NAME_LENGTH,
    Underlay,
    bare_way,
    behind_leaf,
    ends_of,
    in_roles,
    management_of,
    renamed,
    underlay_of,
    unseen_tunnel,
)
from reports.checks.seen import SeenTrip
from reports.evidence import Journey, Sighting
from reports.grading.record import Row
from tests.self.builders import expect, journey, known_lab, later, seen_path, sighting
from topology.formats.recipe import Recipe
from topology.links.base import ANY_ADDRESS
from topology.model import Bridge, Device, Fabric, Gre, Link, Loopback, Node, Port
from topology.promises import NO_MANAGEMENT, Pair
from topology.refs import PortRef
from topology.wire.headers import Headers

ROWS = [
    Row(1, "CS1", "CS2", "VXLAN"),
    Row(2, "CS1", "CS3", "VXLAN"),
    Row(3, "CS2", "CS1", "GRE"),
    Row(4, "CS1", "CS5", "VXLAN", fixed=True),
]
TWO = Recipe(spines=2, leaves=2)
ANY = ANY_ADDRESS[4]


def test_drawn_names_are_short_and_new_for_every_row() -> None:
    """A customer of two rows becomes two, no name was there before, and the fixed rows keep theirs."""
    drawn = list(renamed(ROWS * 200))
    names = [name for row in drawn if not row.fixed for name in (row.source, row.target)]
    assert {len(name) for name in names} == {NAME_LENGTH} == {4}
    assert len({name.casefold() for name in names}) == len(names) == 2 * 3 * 200
    assert not {name.casefold() for name in names} & {"cs1", "cs2", "cs3", "cs5"}
    assert [(row.number, row.kind) for row in drawn[:4]] == [(row.number, row.kind) for row in ROWS]
    assert drawn[3] == ROWS[3]


def unnumbered(*cut: str, bridged: bool = False, numbered: str = "", tunnelled: bool = False) -> Fabric:
    """Two leaves and two spines that have an address on loopback alone, and a bridge in between where asked, or one
    cable with an address at its leaf, or a tunnel between the leaves with addresses."""
    cables = {f"{leaf}{spine}": (leaf, spine) for leaf in ("l1", "l2") for spine in ("s1", "s2")}
    nodes = []
    for number, name in enumerate(("l1", "l2", "s1", "s2"), 1):
        loopback = Loopback(
            node=name, name="lo", addresses=(ip_interface("127.0.0.1/8"), ip_interface(f"10.0.0.{number}/32"))
        )
        ports = [
            Port(
                node=name,
                name=cable,
                peer=PortRef(ends[name == ends[0]], cable),
                addresses=(ip_interface("10.9.9.1/24"),) if (cable, name) == (numbered, ends[0]) else (),
            )
            for cable, ends in cables.items()
            if name in ends
        ]
        bridge = [Bridge(node=name, name="br", members=tuple(port.name for port in ports))] if bridged else []
        own = (ip_interface(f"172.31.0.{number}/24"),)
        tunnel = [Gre(node=name, name="gre", local=ANY, remote=ANY, addresses=own)] if tunnelled and number < 3 else []
        nodes.append(Node(name=name, role="switch", devices=(loopback, *tunnel, *ports, *bridge)))
    links = [
        Link(PortRef(leaf, cable), PortRef(spine, cable)) for cable, (leaf, spine) in cables.items() if cable not in cut
    ]
    return Fabric("live", tuple(nodes), tuple(links), pairs=())


def repeated() -> Fabric:
    """Two leaves and two spines with two networks on four cables, each between a leaf and a spine twice."""
    numbers = {"l1s1": 1, "l2s2": 1, "l1s2": 2, "l2s1": 2}
    nodes = []
    for name in ("l1", "l2", "s1", "s2"):
        ports = [
            Port(
                node=name,
                name=cable,
                peer=PortRef(cable.replace(name, ""), cable),
                addresses=(ip_interface(f"10.{number}.0.{1 + (name[0] == 's')}/30"),),
            )
            for cable, number in numbers.items()
            if name in cable
        ]
        nodes.append(Node(name=name, role="switch", devices=tuple(ports)))
    links = [Link(PortRef(cable[:2], cable), PortRef(cable[2:], cable)) for cable in numbers]
    return Fabric("live", tuple(nodes), tuple(links), pairs=())


def trips(found: Underlay, lost: tuple[str, ...] = ()) -> dict[Pair, SeenTrip]:
    """What became of each pair; those from some addresses are lost."""
    pairs = (*found.neighbours, *found.cables)
    return {pair: SeenTrip(_leg(pair, pair.source not in lost), _leg(pair, arrives=True)) for pair in pairs}


def _leg(pair: Pair, arrives: bool) -> Journey:
    seen = Sighting(pair.target, "eth0", "in", 0, 0, 0, b"", Headers(()))
    return Journey(pair.source, pair.target, "icmp", (seen,) if arrives else ())


@pytest.mark.parametrize(
    ("live", "lost", "outcome", "said"),
    [
        (unnumbered(), (), "kept", "4 pairs of neighbours reach each other"),
        (
            unnumbered("l2s2"),
            (),
            "broken",
            "spines: 2, leaves: 2, each joined to each - seen neighbours: l1-s1, l1-s2, l2-s1",
        ),
        (unnumbered(), ("10.0.0.2",), "broken", "10.0.0.2 -> 10.0.0.3"),
        (unnumbered(tunnelled=True), ("172.31.0.1", "172.31.0.2"), "kept", "4 pairs of neighbours reach each other"),
        (unnumbered(numbered="l2s2"), (), "broken", "seen neighbours: l1-s1, l1-s2, l2-s1"),
        (unnumbered(bridged=True), (), "broken", "seen neighbours: none"),
        (repeated(), (), "kept", "4 pairs of neighbours reach each other"),
        (repeated(), ("10.1.0.1@l2",), "broken", "10.1.0.1@l2 -> 10.1.0.2@s2"),
        (known_lab("ecmp"), (), "kept", "4 pairs of neighbours reach each other"),
        (known_lab("ece792"), (), "kept", "6 pairs of neighbours reach each other"),
        (known_lab("ipv6-underlay"), (), "broken", "seen neighbours: lc1-sc1, lc1-sw1, lc2-sc1, lc2-sw2"),
        (known_lab("ece792"), ("25.0.0.1",), "broken", "25.0.0.1 -> 25.0.0.2"),
        (known_lab("ipv6-overlay"), (), "broken", "seen neighbours: lc1-sc1, lc1-sw1, lc2-sc1, lc2-sw2"),
    ],
)
def test_underlay_is_whole_where_all_neighbours_reach_each_other(
    live: Fabric, lost: tuple[str, ...], outcome: str, said: str
) -> None:
    """Neighbours are nodes with addresses in one network, else those that a cable joins."""
    found = underlay_of(live, management_of(()), [node.name for node in live.nodes if node.name.startswith("cs")])
    promise = whole_underlay(trips(found, lost), found, TWO)
    assert promise.outcome == outcome, (promise, found)
    assert said in promise.said


def seen(fabric: Fabric, source: str, target: str) -> Journey:
    """A packet seen at every hop, as declared."""
    expected = expect(fabric, source, target)
    return journey(expected, seen_path(fabric, expected.paths[0]))


@pytest.mark.parametrize("lab", ["two-tenants", "ecmp"])
def test_roles_are_found_again(lab: str) -> None:
    """What the customers' rows and the neighbours behind them show is what the lab declares."""
    declared = known_lab(lab)
    bare = replace(declared, nodes=tuple(replace(node, role="switch") for node in declared.nodes))
    hosts = [node.name for node in declared.nodes if node.role == "customer"]
    rows = [Row(number, *pair, "VXLAN") for number, pair in enumerate(pairwise(hosts))]
    ends = ends_of(rows, {name: (name,) for name in hosts}, bare, NO_MANAGEMENT, "{name}")
    found = in_roles(bare, underlay_of(bare, NO_MANAGEMENT, hosts), ends)
    assert [(node.name, node.role) for node in found.nodes] == [(node.name, node.role) for node in declared.nodes]


@pytest.mark.parametrize(
    ("lab", "ends", "routers", "local"),
    [
        ("two-tenants", ("red1", "red2"), {"l1", "l2", "s1"}, True),
        ("two-tenants", ("red1", "red3"), {"l1", "l2", "s1"}, False),
        ("two-tenants", ("red1", "red2"), {"s1"}, False),  # a bridge that hangs on nothing, as an engine's network
        ("ece792", ("cs3", "cs4"), {"lc2"}, True),  # their bridge hangs on the leaf
        ("ece792", ("cs3", "cs4"), {"lc1"}, False),
    ],
)
def test_one_leaf_is_a_router_or_a_bridge_that_hangs_on_one(
    lab: str, ends: tuple[str, str], routers: set[str], local: bool
) -> None:
    fabric = known_lab(lab)
    assert behind_leaf(fabric, routers, seen(fabric, *ends)) == local


def test_one_node_is_not_both_customers() -> None:
    names = {"red1": ("CS1", "CS2"), "red2": ("red2",)}
    (ends,) = ends_of([Row(1, "CS1", "cs2", "VXLAN")], names, known_lab("two-tenants"), NO_MANAGEMENT, "{name}")
    assert (ends.pair, ends.missing) == (
        None,
        "CS1, cs2 - expected a container or namespace each - seen one for both",
    )


@pytest.mark.parametrize("name", ["two-tenants", "ece792", "gre-l3"])
def test_what_goes_through_tunnels_alone_has_no_other_way(name: str) -> None:
    fabric = known_lab(name)
    found = [bare_way(fabric, seen(fabric, p.source, p.target)) for p in fabric.pairs if "overlay" in p.kind]
    assert found
    assert set(found) == {""}


@pytest.mark.parametrize(
    ("bridges", "more", "way"),
    [
        ({"br": ("a", "b")}, (), "c1:e -> n:a n:b -> c2:e"),
        ({"br1": ("a", "x"), "br2": ("b", "y")}, (), ""),
        ({"br1": ("a", "x"), "br2": ("b", "y")}, ("br1",), "c1:e -> n:a n:b -> c2:e"),
        ({"br1": ("a", "x")}, (), "c1:e -> n:a n:b -> c2:e"),
    ],
)
def test_two_bridges_of_a_node_are_no_way_unless_it_routes(
    bridges: dict[str, tuple[str, ...]], more: tuple[str, ...], way: str
) -> None:
    """What comes in by one and goes out by the other has been elsewhere, or was let up to IP."""
    ports = {name: Port(node="n", name=name, peer=PortRef(peer, "e")) for name, peer in (("a", "c1"), ("b", "c2"))}
    others = [Device(node="n", name=name) for name in "xy"]
    joined = [Bridge(node="n", name=name, members=members) for name, members in bridges.items()]
    ends = [
        Node(name=name, role="switch", devices=(Port(node=name, name="e", peer=PortRef("n", at)),))
        for name, at in (("c1", "a"), ("c2", "b"))
    ]
    middle = Node(name="n", role="switch", devices=(*ports.values(), *others, *joined))
    links = (Link(PortRef("c1", "e"), PortRef("n", "a")), Link(PortRef("c2", "e"), PortRef("n", "b")))
    places = (("c1", "e", "out"), ("n", "a", "in"), *(("n", name, "in") for name in more), ("n", "b", "out"))
    seen = [Sighting(*place, 0, 0, 0, b"", Headers(())) for place in (*places, ("c2", "e", "in"))]  # type: ignore[arg-type]
    assert bare_way(Fabric("live", (*ends, middle), links, pairs=()), Journey("c1", "c2", "icmp", tuple(seen))) == way


@pytest.mark.parametrize(
    ("addresses", "pair"),
    [
        ({"a": "10.0.0.1/24", "b": "10.0.0.2/24"}, ("10.0.0.1", "10.0.0.2")),
        ({"a": "10.0.0.1/24", "b": "10.0.0.2/24", "c": "10.0.0.2/24"}, ("10.0.0.1", "10.0.0.2@b")),
        ({"a": "fe80::1/64 169.254.1.1/24", "b": "169.254.1.2/24"}, ("169.254.1.1", "169.254.1.2")),
        ({"a": "fd00::1/64", "b": "10.0.0.2/24 fd00::2/64"}, ("fd00::1", "fd00::2")),
        ({"a": "fd00::1/64", "b": "10.0.0.2/24"}, "a, b - expected addresses of one IP version - seen two"),
        ({"a": "", "b": "10.0.0.2/24"}, "a - expected an address of its row's network - seen none"),
    ],
)
def test_ends_are_addresses_of_one_version_with_their_node_where_others_have_them(
    addresses: dict[str, str], pair: tuple[str, str] | str
) -> None:
    devices = {
        name: Device(node=name, name="eth0", addresses=tuple(map(ip_interface, said.split())))
        for name, said in addresses.items()
    }
    nodes = tuple(Node(name=name, role="switch", devices=(device,)) for name, device in devices.items())
    names = {name: (name,) for name in addresses}
    (found,) = ends_of([Row(1, "a", "b", "VXLAN")], names, Fabric("live", nodes, (), ()), NO_MANAGEMENT, "{name}")
    assert ((found.pair.source, found.pair.target) if found.pair else found.missing) == pair


@pytest.mark.parametrize(("below", "said"), [("l1", ""), ("s1", "s1 - seen"), ("", "not found - seen")])
def test_tunnel_of_another_namespace_is_seen_there_or_not_known(below: str, said: str) -> None:
    """A device that was moved sends by the namespace that it came from: what is in VXLAN elsewhere is another copy."""
    fabric = known_lab("two-tenants")
    expected = expect(fabric, "red1", "red3")
    first, *rest = seen_path(fabric, expected.paths[0])
    moved = journey(expected, [first, replace(first, node="l9", interface="moved"), *rest])
    found = unseen_tunnel(fabric, {PortRef("l9", "moved"): below}, moved)
    assert (said in found) if said else not found


def test_copy_without_the_tunnel_is_a_way_beside_it() -> None:
    fabric = known_lab("two-tenants")
    expected = expect(fabric, "red1", "red3")
    path = seen_path(fabric, expected.paths[0])
    bare = expected.paths[0].hops[0].layers
    copies = [
        sighting(fabric, one.node, one.interface, one.direction, bare, number)
        for number, one in enumerate(path)
        if "vxlan" in one.layers
    ]
    way = bare_way(fabric, journey(expected, [*path, *(later(one, 1) for one in copies)]))
    assert "l1:l1_s1 -> s1:s1_l1 s1:s1_l2 -> l2:l2_s1" in way
