from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.instruments.live import LiveFabric
from tests.self.adopting.test_match import there
from tests.self.builders import vxlan_lab
from tests.self.kernels.agents import Scripted, sandbox
from topology.errors import NetlinkError, NodeNotFound
from topology.formats.pairs_files import load_pairs_text
from topology.kernels.host import HostKernel
from topology.kernels.link import Reply
from topology.kernels.rtnl.dumps import LINKS
from topology.kernels.rtnl.links import LinkEnd, read_ends, read_netnsid, tunnel_ports
from topology.model import Device, Fabric, Node
from topology.nodes.adopted import Onlooker, described, named_ends, nearest_addresses, of_one_version, with_live_macs
from topology.state import LinkState, NodeState, declared_state

LIVE = "0a:00:00:00:00:01"


@pytest.fixture(scope="module")
def kernel() -> Iterator[HostKernel]:
    """Two namespaces with a veth pair between them and a VXLAN device in one; lo is up in that one only."""
    kernel = sandbox()
    try:
        kernel.agent.call("netns_add", names=["a", "b"])
        script = (
            "ip link set lo up; ip link add v0 index 7 type veth peer name v1 index 9 netns b;"
            "ip link add x0 type veth peer name x1; ip link add vx type vxlan id 5 dstport 4900; ip link set v0 up"
        )
        assert kernel.agent.run(["sh", "-ec", script], ns="a").stderr == ""
        yield kernel
    finally:
        kernel.close()


def test_ends_are_read_from_a_kernel(kernel: HostKernel) -> None:
    """Each veth to another namespace says its peer's index; one to its own namespace, and all else, says none."""
    ends = Onlooker(kernel.agent).ends(["a", "b"])
    a, b = ({end.name: end for end in ends[name]} for name in ("a", "b"))
    known = [(end.index, end.up, end.kind, end.peer) for end in (a["v0"], b["v1"])]
    assert known == [(7, True, "veth", 9), (9, False, "veth", 7)]
    assert (a["x0"].peer, a["vx"].peer, a["vx"].port, a["lo"].up, b["lo"].up) == (None, None, 4900, True, False)


def test_every_tunnels_port_counts_by_its_kind() -> None:
    """Several ports of one kind count, and so does one port with both kinds in different nodes."""
    geneve = [LinkEnd("gnv", 3, True, "geneve", port=6082), LinkEnd("md", 4, True, "geneve")]
    vxlan = [LinkEnd("vx", 2, True, "vxlan", port=6082), LinkEnd("eth0", 5, True, "veth")]
    ends = {"a": [LinkEnd("vx", 2, True, "vxlan", port=4900), *geneve], "b": vxlan}
    assert tunnel_ports(ends) == {"vxlan": {4900, 6082}, "geneve": {6082}}


def test_who_has_the_same_indexes_is_not_taken_for_a_peer(kernel: HostKernel) -> None:
    """The kernel's own numbers tell the namespace at the other end of a veth pair from one that looks like it."""
    kernel.agent.call("netns_add", names=["c", "d"])
    script = "ip link add v1 index 9 type veth peer name v0 index 7 netns d"
    assert kernel.agent.run(["sh", "-ec", script], ns="c").stderr == ""
    names = {name: there(number, name) for number, name in enumerate("abcd")}
    again = {f"again-{name}": f"/run/netns/{name}" for name in names}
    fds = kernel.agent.call("netns_adopt", paths=again, never=[]).get("fds", dict)
    onlooker = Onlooker(kernel.agent)
    joined = onlooker.joined(names, {name: fds[f"again-{name}"] for name in names}, onlooker.ends([*names]))
    words = {tuple(sorted((one[1], other[1]))) for one, _, other in joined}
    assert words == {(0, 1), (2, 3)}


def test_namespace_without_a_number_is_no_peer() -> None:
    """An answer that holds no number, or is none, is no number."""
    assert [read_netnsid(dump) for dump in (b"", LINKS.data)] == [None, None]


@pytest.mark.parametrize(
    "dump", [b"", b"\0" * 16, b"\xff" * 64, LINKS.data], ids=["nothing", "zeros", "ones", "a request"]
)
def test_dump_that_is_no_dump_is_refused(dump: bytes) -> None:
    """A dump that is cut off or malformed ends the look."""
    with pytest.raises(NetlinkError, match=r"a - links - expected all|netlink"):
        read_ends("a", dump)


def live_states(fabric: Fabric) -> dict[str, NodeState]:
    """The fabric with MACs that the kernel chose."""
    states = {node.name: declared_state(node) for node in fabric.nodes}
    return {
        name: replace(state, links={n: replace(link, mac=LIVE) for n, link in state.links.items()})
        for name, state in states.items()
    }


def test_mac_that_the_lab_does_not_state_is_the_live_one() -> None:
    """A stated MAC stays, so that another is a difference, and so does that of a missing device; others are live."""
    fabric, states = vxlan_lab(), live_states(vxlan_lab())
    stated = replace(fabric["c1"], devices=tuple(replace(d, mac="02:00:00:00:00:07") for d in fabric["c1"].devices))
    states["c2"] = replace(states["c2"], links={})
    seen = with_live_macs(replace(fabric, nodes=tuple(stated if n.name == "c1" else n for n in fabric.nodes)), states)
    assert seen["c1"]["c1_v1"].mac == "02:00:00:00:00:07"
    assert seen["c2"].devices == fabric["c2"].devices
    assert {device.mac for device in seen.devices if device.node not in ("c1", "c2")} == {LIVE}


def test_undeclared_node_is_described_as_it_is() -> None:
    """Devices in the kernel's order, their addresses sorted, lo where it has one, and the first address is used."""
    links = {name: LinkState(name, "veth", mac=LIVE, mtu=1500) for name in ("eth1", "eth0")}
    addresses = (("eth0", "10.0.0.9/24"), ("eth0", "10.0.0.2/24"), ("lo", "192.0.2.1/32"), ("eth0", "fd00::1/64"))
    known = frozenset((device, ip_interface(text)) for device, text in addresses)
    fabric = described(Fabric("x", (), (), ()), {"a": NodeState("a", links, known, frozenset())})
    (node,) = fabric.nodes
    assert [device.name for device in node.devices] == ["eth1", "eth0", "lo"]
    assert (node.address, node["eth0"].mac) == (ip_address("10.0.0.2"), LIVE)
    assert [str(a) for a in node.addresses] == ["10.0.0.2", "10.0.0.9", "fd00::1", "192.0.2.1"]


def test_name_means_an_address_inside_the_fabric() -> None:
    """A container's first card is its engine's, over which any two reach each other, whatever the fabric does."""
    links = {name: LinkState(name, "veth", mac=LIVE, mtu=1500) for name in ("eth0", "eth1")}
    known = frozenset({("eth0", ip_interface("172.20.20.2/24")), ("eth1", ip_interface("10.0.0.1/24"))})
    alone = frozenset({("eth0", ip_interface("172.20.20.3/24"))})
    states = {"h1": NodeState("h1", links, known, frozenset()), "h2": NodeState("h2", links, alone, frozenset())}
    fabric = described(load_pairs_text("pairs: [{source: h1, target: h2, kind: bridge}]"), states)
    found = {name: there(number, name) for number, name in enumerate(states, 1)}
    ends, lost = named_ends(fabric, found, {name: frozenset({"eth0"}) for name in states})
    firsts = {name: (node, str(addresses[0])) for name, (node, addresses) in ends.items()}
    assert firsts == {"h1": ("h1", "10.0.0.1"), "h2": ("h2", "172.20.20.3")}
    assert not lost
    assert named_ends(fabric, found, {})[0]["h1"][1][0] == ip_address("172.20.20.2")


def test_end_that_is_not_there_is_missing_from_its_own_pairs_only() -> None:
    """The other pairs keep their ends; without any end there is nothing to adopt."""
    text = "pairs: [{source: h1, target: h2, kind: bridge}, {source: 10.9.9.9, target: gone, kind: bridge}]"
    links = {"eth1": LinkState("eth1", "veth", mac=LIVE, mtu=1500)}
    own = {name: frozenset({("eth1", ip_interface(f"10.0.0.{n}/24"))}) for n, name in enumerate(("h1", "h2"), 1)}
    states = {name: NodeState(name, links, known, frozenset()) for name, known in own.items()}
    fabric = described(load_pairs_text(text), states)
    ends, lost = named_ends(fabric, {name: there(number, name) for number, name in enumerate(states, 1)}, {})
    assert ({*ends}, {*lost}) == ({"h1", "h2"}, {"10.9.9.9", "gone"})
    live = SimpleNamespace(adopted=SimpleNamespace(lost_ends=lost))
    right, wrong = fabric.pairs
    LiveFabric.must_find(cast(LiveFabric, live), right)
    with pytest.raises(NodeNotFound, match=r"10\.9\.9\.9 - expected one namespace(?s:.*)gone - expected one namespace"):
        LiveFabric.must_find(cast(LiveFabric, live), wrong)


@pytest.mark.parametrize(
    ("some", "others", "right"),
    [
        ("10.0.0.1 fd00::1", "10.0.0.2 fd00::2", "10.0.0.1 10.0.0.2"),
        ("10.0.0.1 fd00::1", "fd00::2", "fd00::1 fd00::2"),
        ("fd00::1 10.0.0.1", "10.0.0.2 fd00::2", "fd00::1 fd00::2"),
        ("10.0.0.1 10.0.1.1", "fd00::2", "10.0.0.1 fd00::2"),
    ],
)
def test_ends_of_two_ip_versions_are_probed_in_one_that_both_have(some: str, others: str, right: str) -> None:
    """A name stands for each of its node's addresses, the first one first; without a version in common nothing fits."""
    found = of_one_version(*([*map(ip_address, said.split())] for said in (some, others)))
    assert " ".join(map(str, found)) == right


def test_name_stands_for_all_addresses_inside_the_fabric() -> None:
    """Beside an address of IPv6 alone, a name of both versions means its own one of IPv6."""
    own = {"h1": ("10.0.0.1/24", "fd00::1/64"), "h2": ("fd00::2/64",)}
    states = {
        name: NodeState(
            name,
            {"eth1": LinkState("eth1", "veth", mac=LIVE, mtu=1500)},
            frozenset(("eth1", ip_interface(one)) for one in addresses),
            frozenset(),
        )
        for name, addresses in own.items()
    }
    fabric = described(load_pairs_text('pairs: [{source: h1, target: "fd00::2", kind: bridge}]'), states)
    ends, _ = named_ends(fabric, {name: there(number, name) for number, name in enumerate(states, 1)}, {})
    assert of_one_version(ends["h1"][1], ends["fd00::2"][1]) == (ip_address("fd00::1"), ip_address("fd00::2"))


def test_nodes_are_probed_in_a_network_that_both_have() -> None:
    """A network of an engine is none, nor is the first address where another one is nearer."""
    links = ("eth0", "eth1", "eth2")
    own = {
        "L1": ("172.17.0.2/16", "10.1.1.1/24", "10.2.1.1/24"),
        "S2": ("172.17.0.3/16", "10.2.2.2/24", "10.2.1.2/24"),
        "C1": ("172.17.0.4/16", "42.0.0.1/24"),
    }
    nodes = {
        name: Node(
            name=name,
            role="switch",
            devices=tuple(
                Device(node=name, name=link, addresses=(ip_interface(one),))
                for link, one in zip(links, given, strict=False)
            ),
        )
        for name, given in own.items()
    }
    outlets = {name: frozenset({"eth0"}) for name in nodes}
    between = {
        ends: nearest_addresses(nodes[ends[0]], nodes[ends[1]], outlets) for ends in (("L1", "S2"), ("L1", "C1"))
    }
    assert list(map(str, between["L1", "S2"])) == ["10.2.1.1", "10.2.1.2"]
    assert list(map(str, between["L1", "C1"])) == ["10.1.1.1", "42.0.0.1"]


@pytest.mark.parametrize("now", [None, [4, 9]])
def test_node_that_is_not_where_it_was_is_named(now: Any) -> None:
    """A path with nothing or another namespace behind it: the nodes that are still there are not blamed."""
    onlooker = Onlooker(Scripted(lambda *_: Reply({"found": [[4, 1], now]}, b"")))
    onlooker.found = {"a": there(1, "a"), "b": there(2, "blue")}
    with pytest.raises(NodeNotFound) as caught:
        onlooker.check_there()
    assert str(caught.value) == "b - expected namespace blue still there - seen it gone"
