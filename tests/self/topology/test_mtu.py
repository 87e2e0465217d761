"""The MTU that each device gets, against what was measured with ip-link(8) on Linux 6.1 and 6.18."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from tests.self.builders import reference, reference_text
from topology.errors import LabError
from topology.formats.lab import load_lab_text
from topology.model import Bridge, Device, Gre, Node, Port, Vxlan
from topology.mtu import check_device_mtus, device_mtu
from topology.refs import PortRef


def port(name: str = "eth", mtu: int | None = 9000, *addresses: str) -> Port:
    """A port of the node ``n``."""
    carried = tuple(ip_interface(address) for address in addresses or ("9.0.0.1/24", "fd00::1/64"))
    return Port(node="n", name=name, mtu=mtu, addresses=carried, peer=PortRef("m", "eth"))


def gre(remote: str, name: str = "g", **given: Any) -> Gre:
    """A GRE device of the node ``n``."""
    local = "fd00::1" if ":" in remote else "9.0.0.1"
    return Gre(node="n", name=name, local=ip_address(local), remote=ip_address(remote), **given)


def vxlan(dev: str | None, remote: str = "9.0.0.2", **given: Any) -> Vxlan:
    """A VXLAN device of the node ``n``."""
    local = ip_address("fd00::1" if ":" in remote else "9.0.0.1")
    return Vxlan(node="n", name="vx", vni=5, local=local, remote=ip_address(remote), dev=dev, **given)


def node(*devices: Device) -> Node:
    return Node(name="n", role="leaf", devices=devices)


CHOICES: dict[str, tuple[Device, int]] = {
    "veth": (port("other", None, "10.0.0.1/24"), 1500),
    "vxlan-over-a-port": (vxlan("eth"), 8950),
    "vxlan-over-ipv6": (vxlan("eth", "fd00::2"), 8930),
    "vxlan-by-route": (vxlan(None), 1500),
    "gre-to-a-neighbour": (gre("9.0.0.2"), 8976),
    "gre-with-key-to-a-neighbour": (gre("9.0.0.2", key=0), 8972),
    "gre-through-a-router": (gre("99.0.0.2"), 1476),
    "ip6gre-to-a-neighbour": (gre("fd00::2"), 8956),
    "ip6gre-through-a-router": (gre("fd01::2"), 1456),
    "empty-bridge": (Bridge(node="n", name="br", members=()), 1500),
}


@pytest.mark.parametrize(("device", "mtu"), CHOICES.values(), ids=CHOICES.keys())
def test_device_gets_what_the_kernel_was_seen_to_give(device: Device, mtu: int) -> None:
    """Beside a port of 9000 bytes, each device has the MTU that ip-link(8) showed."""
    whole = node(port(), device)
    assert device_mtu(whole, device) == mtu


def test_bridge_has_the_least_of_its_members() -> None:
    """A bridge follows its members down; one that is declared keeps what it was given."""
    members = (port("a", 1400, "10.1.0.1/24"), port("b", None, "10.2.0.1/24"), vxlan("eth", mtu=1450))
    bridge, own = (Bridge(node="n", name="br", members=("a", "b", "vx"), mtu=mtu) for mtu in (None, 1300))
    assert device_mtu(node(port(), *members, bridge), bridge) == 1400
    assert device_mtu(node(port(), *members, own), own) == 1300


def test_tunnel_over_a_bridge_is_made_before_its_members_join() -> None:
    """The tunnel finds the bridge below as it was made: empty."""
    bridge = Bridge(node="n", name="br", members=("eth",), addresses=(ip_interface("9.0.0.1/24"),))
    whole = node(port("eth", 9000, "10.0.0.1/24"), bridge, vxlan("br"))
    assert device_mtu(whole, whole["vx"]) == 1450
    assert device_mtu(whole, bridge) == 9000


def test_vxlan_over_a_tunnel_leaves_room_for_both() -> None:
    """A VXLAN device that leaves by a GRE device has what that leaves of the port."""
    whole = node(port(), gre("99.0.0.2"), vxlan("g"))
    assert device_mtu(whole, whole["vx"]) == 1426


def test_tunnels_on_top_of_each_other_end_somewhere() -> None:
    """Two tunnels that lead into each other are computed, not followed for ever."""
    over = vxlan("g", addresses=(ip_interface("99.0.0.1/24"),))
    whole = node(port(), over, gre("99.0.0.2"))
    assert device_mtu(whole, over) == 1500 - 24 - 50
    assert device_mtu(whole, whole["g"]) == 1500 - 24


def test_reference_lab_has_the_mtus_that_were_measured() -> None:
    """GRE 1476, VXLAN 1450, its bridge too."""
    lab = reference()
    found = {f"{d.ref}": device_mtu(lab[d.node], d) for d in lab.devices}
    assert {name: mtu for name, mtu in found.items() if mtu != 1500} == {
        "lc1:gretun-cont": 1476,
        "lc2:gretun-cont": 1476,
        "con_ns1:bridge1": 1450,
        "con_ns1:vxlan-cont": 1450,
        "con_ns3:bridge3": 1450,
        "con_ns3:vxlan-cont": 1450,
    }


def test_vxlan_larger_than_the_device_below_is_refused() -> None:
    """The kernel would cut it down without a word, so the lab is refused at its line."""
    text = reference_text().replace("mtu: 1450", "mtu: 1451", 1)
    with pytest.raises(LabError) as caught:
        load_lab_text(text, "x.yaml", extra_checks=(check_device_mtus,))
    (problem,) = caught.value.problems
    assert problem.what == "the MTU 1451 of con_ns1:vxlan-cont is more than br1_lc1 leaves"
    assert problem.right.startswith("1450 or less")
    assert text.splitlines()[problem.where.line - 1].strip().startswith("vxlan-cont:")
