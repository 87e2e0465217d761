"""The walk over bridges that filter VLANs: access ports, a VXLAN device and a gateway (``vlanN``) for each VLAN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, TypeAlias

import pytest

from reports.diagnosis.explain import explained
from topology.dataplane.bridges import leaving
from topology.model import Bridge, Device, Fabric, Link, Node, Port, Route, Subinterface, Vxlan
from topology.packet import ETHERTYPES, Layers, Probe, tagged, tags_of
from topology.refs import PortRef, Tags

VLANS, LEAVES = (100, 200), {"tor1": "10.0.0.1", "tor2": "10.0.0.2"}
HOSTS = {"web1": ("tor1", 100), "web2": ("tor2", 100), "db1": ("tor1", 200), "db2": ("tor2", 200)}
UNTAGGED: Layers = (("ether", {"dst": "ff:ff:ff:ff:ff:ff", "type": ETHERTYPES["arp"]}), ("arp", {}))
Change: TypeAlias = Callable[[Device], Device]


def common(node: str, name: str, *addresses: str) -> dict[str, Any]:
    """What every device has; the MAC is the node's, as a bridge and its VLAN devices share one."""
    number = [*LEAVES, *HOSTS].index(node)
    interfaces = tuple(map(ip_interface, addresses))
    return {"node": node, "name": name, "mac": f"02:00:00:00:00:{number:02x}", "mtu": 1500, "addresses": interfaces}


def address(host: str) -> str:
    return f"192.168.{HOSTS[host][1]}.{[*HOSTS].index(host) + 1}"


def leaf(name: str, other: str) -> Iterator[Device]:
    """A leaf with one bridge; tor1 has the gateways."""
    hosts = {host: vid for host, (at, vid) in HOSTS.items() if at == name}
    yield Port(**common(name, "core", f"{LEAVES[name]}/24"), peer=PortRef(other, "core"))
    yield from (Port(**{**common(name, host), "mac": None}, peer=PortRef(host, "eth0")) for host in hosts)
    ends: dict[str, Any] = {"local": ip_address(LEAVES[name]), "remote": ip_address(LEAVES[other])}
    yield from (Vxlan(**{**common(name, f"vni{vid}"), "mac": None}, vni=vid, **ends) for vid in VLANS)
    ports = {**hosts, **{f"vni{vid}": vid for vid in VLANS}}
    vlans = [*((port, vid, True, True) for port, vid in ports.items()), *(("br", vid, False, False) for vid in VLANS)]
    yield Bridge(**common(name, "br"), members=tuple(ports), filters=True, vlans=tuple(vlans))
    for vid in VLANS:
        gateway = [f"192.168.{vid}.254/24"] if name == "tor1" else []
        yield Subinterface(**common(name, f"vlan{vid}", *gateway), link="br", vid=vid)


def fabric(change: Change = lambda device: device) -> Fabric:
    """The live fabric, each device changed."""
    nodes = list[tuple[str, tuple[Device, ...], tuple[Route, ...]]]()
    for name, other in zip(LEAVES, reversed(LEAVES), strict=True):
        nodes.append((name, tuple(map(change, leaf(name, other))), ()))
    for host, (at, vid) in HOSTS.items():
        port = Port(**common(host, "eth0", f"{address(host)}/24"), peer=PortRef(at, host))
        gateway = Route(prefix=ip_network("0.0.0.0/0"), via=ip_address(f"192.168.{vid}.254"), dev="eth0")
        nodes.append((host, (change(port),), (gateway,)))
    links = [Link(PortRef("tor1", "core"), PortRef("tor2", "core"))]
    links += [Link(PortRef(host, "eth0"), PortRef(at, host)) for host, (at, _) in HOSTS.items()]
    made = tuple(
        Node(
            name=name,
            role="switch",
            devices=devices,
            routes=routes,
            forwarding=frozenset((4, device.name) for device in devices),
        )
        for name, devices, routes in nodes
    )
    return Fabric("vlans", made, tuple(links), pairs=())


def vlans(node: str, *gone: tuple[str, int], added: tuple[tuple[str, int, bool, bool], ...] = ()) -> Change:
    """Take VLANs from ports of a node's bridge, and add others."""

    def change(device: Device) -> Device:
        if not isinstance(device, Bridge) or device.node != node:
            return device
        return replace(device, vlans=(*(vlan for vlan in device.vlans if vlan[:2] not in gone), *added))

    return change


def unanswering(node: str, name: str) -> Change:
    return lambda device: replace(device, arp=False) if (device.node, device.name) == (node, name) else device


def down(node: str, name: str) -> Change:
    return lambda device: replace(device, up=False) if (device.node, device.name) == (node, name) else device


@pytest.mark.parametrize(
    ("tags", "out", "left"),
    [
        ((), "web1", ()),
        ((), "br", (100,)),
        ((100,), "web1", ()),
        ((0,), "br", (100,)),
        ((0, 7), "web1", (7,)),
        ((100, 7), "web1", (7,)),
    ],
)
def test_a_frame_leaves_with_the_tag_of_its_vlan(tags: Tags, out: str, left: Tags) -> None:
    """A frame without a tag, or with one of priority alone, is in the VLAN of the port that it came by."""
    node = fabric()["tor1"]
    bridge, frame = node["br"], UNTAGGED
    assert isinstance(bridge, Bridge)
    for vid in reversed(tags):
        frame = tagged(frame, vid)
    assert bridge.vlan_of(tags, "vni100") == 100
    assert tags_of(leaving(bridge, frame, node["vni100"], node[out])) == left


@pytest.mark.parametrize(
    ("source", "target", "change", "words"),
    [
        ("web1", "web2", lambda device: device, ""),
        ("web1", "db1", lambda device: device, ""),
        ("web2", "db1", lambda device: device, ""),
        # The VXLAN device of VLAN 100, which is first in the bridge, leads to the same MACs.
        ("db2", "db1", lambda device: device, ""),
        ("db2", "web1", lambda device: device, ""),
        ("db2", "db1", vlans("tor2", ("vni200", 200)), "tor2:vni200: vlan_filtering, no"),
        ("web1", "web2", vlans("tor2", ("vni100", 100)), "tor2:vni100: vlan_filtering, no pvid"),
        (
            "web1",
            "web2",
            vlans("tor2", ("web2", 100), added=(("web2", 200, True, True),)),
            "tor2:web2: vlan_filtering, not in VLAN 100",
        ),
        ("web1", "db1", vlans("tor1", ("br", 200)), "tor1:br: vlan_filtering, not in VLAN 200"),
        ("web1", "web2", unanswering("web2", "eth0"), "web2:eth0: answers for no address"),
        ("web1", "db1", down("tor1", "vlan200"), "tor1:vlan200: down"),
    ],
)
def test_vlans_and_their_gateways_are_followed(source: str, target: str, change: Change, words: str) -> None:
    """A healthy fabric carries all; a VLAN that a port or the bridge itself lacks is named there, and no other port."""
    probe = Probe(source, target, ip_address(address(source)), ip_address(address(target)))
    found = explained(fabric(change), probe)
    assert str(found or "").startswith(words)
    assert (found is None) == (not words)
