"""What a fabric says of itself: names that are known and names that are not, links, tunnels, needs."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from tests.self.builders import reference, vxlan_lab
from topology.errors import UnknownName
from topology.model import Route, stable_mac
from topology.promises import Pair
from topology.refs import PortRef


def test_unknown_node_lists_the_known_ones() -> None:
    """A name that the lab does not have is refused with those that it has."""
    with pytest.raises(UnknownName, match=r"unknown node of ece792 'lc9'; known: con_ns1, .*sc2"):
        reference()["lc9"]


def test_unknown_device_lists_the_known_ones() -> None:
    """A device that the node does not have is refused with those that it has."""
    with pytest.raises(UnknownName, match="unknown device of cs1 'eth0'; known: cs1_br1"):
        reference()["cs1"]["eth0"]


@pytest.mark.parametrize(
    ("node", "attribute"), [("cs1", "gre"), ("lc1", "vxlan"), ("sc1", "vtep"), ("con_ns2", "address")]
)
def test_what_is_not_there_is_refused(node: str, attribute: str) -> None:
    """A node without a tunnel, or without an address, has none to give."""
    with pytest.raises(UnknownName, match=f"of {node}"):
        getattr(reference()[node], attribute)


def test_spine_links_are_those_between_leaf_and_spine() -> None:
    """Four links join the leaves to the spines; those to switches are none of them."""
    ends = {frozenset(map(str, link.ends)) for link in reference().spine_links}
    assert ends == {
        frozenset(("lc1:lc1_sc1", "sc1:sc1_lc1")),
        frozenset(("lc1:lc1_sc2", "sc2:sc2_lc1")),
        frozenset(("lc2:lc2_sc1", "sc1:sc1_lc2")),
        frozenset(("lc2:lc2_sc2", "sc2:sc2_lc2")),
    }


def test_needs_are_the_kinds_of_its_devices() -> None:
    """A lab needs the link kinds that it declares, and no other."""
    assert reference().needs == {"veth", "bridge", "vxlan", "gre"}
    assert vxlan_lab().needs == {"veth", "bridge", "vxlan"}


def test_only_declared_ports_are_vxlan() -> None:
    """The reference lab's VXLAN port is its own; the usual one means nothing there."""
    assert reference().vxlan_ports == {4900}
    assert vxlan_lab().vxlan_ports == {4789}


def test_tunnels_are_gre_and_vxlan() -> None:
    """Every device that wraps packets is a tunnel."""
    assert [str(device.ref) for device in reference().tunnels] == [
        "lc1:gretun-cont",
        "lc2:gretun-cont",
        "con_ns1:vxlan-cont",
        "con_ns3:vxlan-cont",
    ]


def test_bridge_is_found_by_its_member() -> None:
    """A member knows its bridge; a port outside has none."""
    node = reference()["con_ns1"]
    bridge = node.bridge_of("vxlan-cont")
    assert bridge is not None
    assert bridge.name == "bridge1"
    assert node.bridge_of("br1_lc1") is None


def test_mac_is_local_unicast_and_stable() -> None:
    """A made MAC is the same in every build, locally administered, unicast, and the interface's own."""
    mac = stable_mac("ece792", "lc1", "lc1_sc1")
    assert mac == reference()["lc1"]["lc1_sc1"].mac == "02:e5:25:d4:3e:21"
    first = int(mac[:2], 16)
    assert (first & 2, first & 1) == (2, 0)
    assert len({device.mac for device in reference().devices if device.mac}) == 31


def test_routes_and_pairs_read_as_they_are_written() -> None:
    """Messages show routes and pairs in the words of ip(8) and of the lab file."""
    assert str(Route(prefix=ip_network("0.0.0.0/0"), via=ip_address("10.0.0.1"))) == "default via 10.0.0.1"
    assert str(Route(prefix=ip_network("10.1.0.0/16"), dev="x")) == "10.1.0.0/16 dev x"
    assert str(Pair("a", "b", "hairpin")) == "a-b-hairpin"
    assert str(PortRef("a", "x")) == "a:x"
    assert str(reference().links[0]) == "lc1:lc1_sc1 -- sc1:sc1_lc1"
