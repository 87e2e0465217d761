from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface

import pytest

from topology.errors import NodeNotFound
from topology.kernels.others import Found, Identity
from topology.kernels.rtnl.links import LinkEnd
from topology.model import Address, Device, Node
from topology.nodes.match import NODE_MAX, find_end, match_nodes, maybe_joined, named_and_right, node_names, reachable


def there(number: int, *names: str, process: str = "", forbidden: bool = False) -> Found:
    """A namespace with an owner."""
    words = tuple(f"namespace {name}" for name in names) or (f"process {number} ({process})",)
    return Found((4, number), f"/there/{number}", names, words, process, forbidden)


def node(name: str, *addresses: str) -> Node:
    """A declared node."""
    device = Device(node=name, name="eth1", addresses=tuple(ip_interface(f"{a}/24") for a in addresses))
    return Node(name=name, role="customer", devices=(device,))


def carried(**by_number: str) -> Mapping[Identity, frozenset[Address]]:
    """Addresses that the namespaces carry: ``n1="10.0.0.1 10.0.0.2"``."""
    return {(4, int(n[1:])): frozenset(ip_address(a) for a in text.split()) for n, text in by_number.items()}


A, B = node("a", "10.0.0.1"), node("b", "10.0.0.2", "10.0.1.2")


SWITCH = Node(name="sw", role="switch")
STRANGE, NAMED, OTHER = there(2, "strange"), there(1, "a"), there(2, "a")
MATCHED: Mapping[str, tuple[Node, list[Found], Mapping[Identity, frozenset[Address]], Found]] = {
    "its name": (A, [NAMED, STRANGE], {}, NAMED),
    "its addresses": (B, [there(1, "x"), STRANGE], carried(n2="10.0.0.2 10.0.1.2 10.9.9.9"), STRANGE),
    "the name of a node without addresses": (SWITCH, [there(1, "sw"), STRANGE], carried(n2="10.0.0.1"), there(1, "sw")),
    "the name, of two with the addresses": (A, [NAMED, STRANGE], carried(n1="10.0.0.1", n2="10.0.0.1"), NAMED),
    "the addresses, of two of the name": (A, [NAMED, OTHER], carried(n1="10.9.9.9", n2="10.0.0.1"), OTHER),
    "its process": (A, [there(1, process="a")], {}, there(1, process="a")),
    "its name, before a process of that name": (A, [there(1, process="a"), OTHER], {}, OTHER),
}


@pytest.mark.parametrize("case", MATCHED)
def test_node_is_found_by_its_name_or_its_addresses(case: str) -> None:
    """Either is enough where no other namespace has it; together they decide between two."""
    node_, found, addresses, right = MATCHED[case]
    assert match_nodes([node_], found, addresses) == {node_.name: right}


REFUSED: Mapping[str, tuple[list[Found], Mapping[Identity, frozenset[Address]], str]] = {
    "nothing is there": ([], {}, "a - expected a namespace of this name, or one with 10.0.0.1 - seen none"),
    "others are there": ([there(1, "x")], carried(n1="10.0.0.9"), "there is: namespace x"),
    "two of the name": ([there(1, "a"), there(2, "a", "b")], {}, "seen 2: namespace a; namespace a, namespace b"),
    "two with the address": (
        [there(1, "x"), there(2, "y")],
        carried(n1="10.0.0.1", n2="10.0.0.1"),
        "seen 2: namespace x; namespace y",
    ),
    "one of the name, another with the address": (
        [there(1, "a"), there(2, "y")],
        carried(n1="10.9.9.9", n2="10.0.0.1"),
        "seen 2: namespace a; namespace y",
    ),
    "the machine's own": ([there(1, "a", forbidden=True)], {}, "the machine's first or the run's own"),
    "part of a name": ([there(1, "ab"), there(2, "A")], {}, "seen none"),
    "one address of two": ([there(1, "x")], carried(n1="10.0.0.1"), "seen none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_ambiguous_or_missing_node_is_refused(case: str) -> None:
    """The message names the node, what would be right, what was seen, and all there is."""
    found, addresses, words = REFUSED[case]
    with pytest.raises(NodeNotFound) as caught:
        match_nodes([node("a", "10.0.0.1", "10.0.1.1") if case == "one address of two" else A], found, addresses)
    assert words in str(caught.value)
    assert "there is: " in str(caught.value)


def test_one_namespace_is_not_two_nodes() -> None:
    """Two declared nodes in one namespace are no fabric of two."""
    with pytest.raises(NodeNotFound, match="b - expected a namespace of its own - seen that of a"):
        match_nodes([A, B], [there(1, "a", "b")], {})


def test_all_missing_nodes_are_reported_at_once() -> None:
    """One look, every node."""
    with pytest.raises(NodeNotFound) as caught:
        match_nodes([A, B, node("c")], [there(1, "a")], {})
    assert [line.split(" - ")[0] for line in str(caught.value).splitlines()[1:3]] == ["b", "c"]


@pytest.mark.parametrize(
    ("found", "addresses", "right"),
    [
        ([there(1, "a")], carried(n1="10.0.0.1 10.0.0.7"), True),
        ([there(1, "a")], carried(n1="10.0.0.7"), False),
        ([there(1, "a")], {}, False),
        ([there(1, "a"), there(2, "a")], carried(n1="10.0.0.1", n2="10.0.0.1"), False),
        ([there(1, "x")], carried(n1="10.0.0.1"), False),
    ],
)
def test_others_are_left_alone_only_where_names_and_addresses_agree(
    found: list[Found], addresses: Mapping[Identity, frozenset[Address]], right: bool
) -> None:
    """Undeclared namespaces are entered only if names do not suffice."""
    assert named_and_right([A], found, addresses) is right


def veth(name: str, index: int, peer: int) -> LinkEnd:
    """One end of a pair."""
    return LinkEnd(name, index, True, "veth", peer)


ONE, TWO, THREE, ALONE = ((4, n) for n in range(1, 5))


def test_namespaces_with_veths_that_name_each_other_may_be_joined() -> None:
    """Index and peer's index must be each other's, for what shares a device the index of that one; who has the same
    indexes may be it too, and is asked about."""
    shares = (4, 8)
    ends = {
        ONE: [LinkEnd("lo", 1, True), veth("x", 5, 7)],
        TWO: [veth("y", 7, 5), veth("z", 8, 3)],
        THREE: [veth("w", 7, 5)],
        ALONE: [veth("v", 5, 9), LinkEnd("dummy0", 7, True, "dummy")],
        shares: [
            LinkEnd("m", 3, True, "macvlan", netnsid=0, below=5),
            LinkEnd("n", 5, True, "macvlan", below=3),
            LinkEnd("vx", 6, True, "vxlan", netnsid=1),
        ],
    }
    maybe = {(one, end.name, other) for one, end, other in maybe_joined(ends)}
    assert maybe == {(ONE, "x", TWO), (ONE, "x", THREE), (TWO, "y", ONE), (THREE, "w", ONE)} | {
        (shares, "m", ONE),
        (shares, "m", ALONE),
        *((shares, "vx", other) for other in (ONE, TWO, THREE, ALONE)),
    }


def test_what_is_joined_is_reached() -> None:
    """Pairs are followed from namespace to namespace, whichever end was named."""
    joined = [(ONE, TWO), (THREE, TWO), (ALONE, (4, 9))]
    assert reachable([ONE], joined) == reachable([THREE], joined) == {ONE, TWO, THREE}
    assert reachable([ALONE], []) == {ALONE}
    assert reachable([], joined) == frozenset()


LONG = "customer-of-the-second-site"


def test_every_node_gets_a_name_of_its_own() -> None:
    """An owner's name first, fit for a node, and numbered where it is taken."""
    found = [
        there(1, "leaf1"),
        there(2, "a-very-long-name-of-a-container", "leaf1"),
        there(3, process="kworker/0:1"),
        there(4, process="...."),
        there(5, "x" * NODE_MAX),
        there(6, "x" * NODE_MAX + "y"),
        there(7, process=""),
        there(8, LONG, "another-name-of-the-same"),
    ]
    names = list(node_names(found))
    assert names == ["leaf1", "leaf1-2", "kworker-0-1", "ns", "x" * NODE_MAX, "x" * (NODE_MAX - 2) + "-2", "ns-2", LONG]


ENDS = {"a": there(1, "a", "front"), "b": there(2, "b"), "sleep": there(3, process="sleep")}
CARRIED = carried(n1="10.0.0.1 fd00::1", n2="10.0.0.2 10.0.0.3", n3="10.0.0.3")


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("a", ("a", None)),
        ("front", ("a", None)),
        ("sleep", ("sleep", None)),
        ("10.0.0.2", ("b", ip_address("10.0.0.2"))),
        ("fd00:0::1", ("a", ip_address("fd00::1"))),
        ("10.0.0.3@b", ("b", ip_address("10.0.0.3"))),
    ],
)
def test_end_of_a_pair_is_a_name_or_an_address(said: str, end: tuple[str, Address | None]) -> None:
    """An address says which of a node's is meant, a name leaves that open."""
    assert find_end(said, ENDS, CARRIED) == end


@pytest.mark.parametrize("said", ["c", "10.0.0.3", "10.0.0.99", "10.0.0.2@a", "10.0.0.3@c", "10.0.0.1/24", "A", ""])
def test_ambiguous_or_missing_end_is_refused(said: str) -> None:
    """For no match or two, the message lists the candidates."""
    with pytest.raises(NodeNotFound, match="expected one namespace of this name or address") as caught:
        find_end(said, ENDS, CARRIED)
    assert "there is: namespace a, namespace front; namespace b; process 3 (sleep)" in str(caught.value)
