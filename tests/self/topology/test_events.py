"""Events: which nodes of a lab each may hit, and the commands that cause it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from topology.events import EVENTS, befalls
from topology.formats.lab import load_lab
from topology.model import Fabric, Node


@pytest.mark.parametrize(
    ("event", "lab", "nodes"),
    [
        ("daemon-restarted", "bgp-graceful-restart", ("leaf1", "leaf2")),
        ("daemon-restarted", "ecmp", ()),
        ("host-moved", "evpn-l2", ("blue1", "blue2")),
        ("host-moved", "evpn-l3vni", ("blue1", "pink2")),
        ("host-moved", "bgp-unnumbered", ()),
        ("host-moved", "ece792", ("cs1", "cs5")),
    ],
)
def test_event_befalls_what_the_lab_has(event: str, lab: str, nodes: tuple[str, ...]) -> None:
    """A daemon where one runs; a host where its VXLAN network is at another node."""
    assert befalls(load_lab(lab), EVENTS[event]) == nodes


def commands(lab: Fabric, event: str, node: str) -> list[tuple[str, str]]:
    """The commands of an event at a node."""
    return list(EVENTS[event].commands(lab, lab[node]))


def test_host_is_plugged_into_the_bridge_of_its_own_network() -> None:
    """Its cable's end goes to the bridge with the same VNI, never to another; the host then announces itself."""
    lab = load_lab("evpn-l2")
    announces, moves, announced = commands(lab, "host-moved", "blue1")
    assert announces == ("blue1", "echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify")
    assert moves[0] == "leaf1"
    assert moves[1] == "ip link set dev to-blue1 netns leaf2 && ip -n leaf2 link set dev to-blue1 master br10100 up"
    assert announced[0] == "blue1"


def test_device_of_the_same_name_there_leaves_no_place_for_a_cable() -> None:
    """Two ports of one name cannot be in one node."""
    lab = load_lab("evpn-l2")
    taken = replace(lab["leaf2"]["to-blue2"], name="to-blue1")
    leaf2 = replace(lab["leaf2"], devices=(*lab["leaf2"].devices, taken))
    nodes: tuple[Node, ...] = tuple(leaf2 if node.name == "leaf2" else node for node in lab.nodes)
    assert befalls(replace(lab, nodes=nodes), EVENTS["host-moved"]) == ("blue2",)


def test_restarted_daemon_gets_its_configuration_back() -> None:
    """bgpd is started once the killed one is gone, and takes its own part of the file."""
    lab = load_lab("bgp-graceful-restart")
    ((node, script),) = commands(lab, "daemon-restarted", "leaf1")
    assert node == "leaf1"
    assert script.index("kill -KILL") < script.index("^State:") < script.index("/usr/lib/frr/bgpd -d -N leaf1")
    assert script.endswith("vtysh -N leaf1 -d bgpd -f /run/frr/leaf1/frr.conf")
