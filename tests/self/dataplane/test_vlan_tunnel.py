"""The walk over one VXLAN device for all VNIs, each a VLAN of its bridge: where a mistake ends it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reports.diagnosis.explain import explained
from reports.diagnosis.show import show_of
from reports.evidence import Cause
from tests.self.builders import reference
from tests.self.dataplane.changes import changed, shown
from tests.self.dataplane.test_endings import SEGMENT, Change, both, link
from topology.expected import expected_journey, probe_between
from topology.links.base import FLOOD_MAC
from topology.links.vxlan import VLAN_TUNNEL
from topology.state import NodeState

LEAVES = {
    "con_ns1": ("bridge1", "23.0.0.1", ("bridge1_lc1", "bridge1_cs1", "bridge1_cs2")),
    "con_ns3": ("bridge3", "21.0.0.1", ("bridge3_cs5",)),
}
"""Of the nodes with a VXLAN device its bridge, the other VTEP, and the bridge's other ports."""
VLANS = {101: 10101, 102: 10102}
"""The VLANs of the device with their VNIs; hosts are in the first."""


def entries(name: str, vlans: Mapping[int, int] = VLANS) -> list[tuple[str, str, str]]:
    """The entries that are the fabric, each with its tool and device."""
    _, remote, ports = LEAVES[name]
    own = [("bridge vlan", port, f"dev {port} vid 101 pvid untagged") for port in ports]
    for vid, vni in vlans.items():
        flood = f"{FLOOD_MAC} dev vxlan-cont dst {remote} src_vni {vni} self permanent"
        own += [("bridge vlan", "vxlan-cont", f"dev vxlan-cont vid {vid} tunnel_info id {vni}")]
        own += [("bridge fdb", "vxlan-cont", flood)]
    return own


def leaf(
    name: str,
    right: str = "",
    wrong: str = "",
    vlans: Mapping[int, int] = VLANS,
    vlan_tunnel: bool = True,
    kept: str = "permanent",
    **parameters: str,
) -> Change:
    """Give a node one such device; an entry with some words has others, or is not there without others."""
    known = entries(name, vlans)
    said = [(tool, device, words.replace(right, wrong)) for tool, device, words in known if wrong or right not in words]
    said = said if right else known
    assert (said != known) == bool(right)
    flag, external = (
        (VLAN_TUNNEL,) if vlan_tunnel else (),
        {"vni": "0", "remote": "none", "learning": "off", **parameters},
    )

    def change(state: NodeState) -> NodeState:
        bare = replace(state, entries=frozenset(one for one in state.entries if one.kind != "fdb"))
        filters = link(LEAVES[name][0], parameters={"vlan_filtering": "on"})
        device = link("vxlan-cont", external, port=flag)
        return both(filters, device, *(shown(tool, at, words.replace("permanent", kept)) for tool, at, words in said))(
            bare
        )

    return change


REASONS: dict[str, tuple[str, Change, str, str, str]] = {
    "another VNI": (
        "con_ns3",
        leaf("con_ns3", "10101", "10103"),
        "con_ns3:vxlan-cont: vid 101 tunnel_info id 10103; con_ns1:vxlan-cont: vid 101 tunnel_info id 10101",
        "vlan",
        "tunnelshow",
    ),
    "another VNI than the remote's": (
        "con_ns1",
        leaf("con_ns1", "tunnel_info id 10101", "tunnel_info id 10103"),
        "con_ns1:vxlan-cont: vid 101 tunnel_info id 10103: no remote for frames",
        "fdb",
        "fdb show dev vxlan-cont",
    ),
    "VNIs swapped": (
        "con_ns3",
        leaf("con_ns3", vlans={101: 10102, 102: 10101}),
        "con_ns3:bridge3_cs5: vlan_filtering, not in VLAN 102; con_ns3:vxlan-cont: vid 102 tunnel_info id 10101",
        "vlan",
        "vlan show",
    ),
    "no VNI for the VLAN": (
        "con_ns1",
        leaf("con_ns1", " tunnel_info id 10101", " "),
        "con_ns1:vxlan-cont: no tunnel_info for VLAN 101",
        "vlan",
        "tunnelshow",
    ),
    "device not in the VLAN": (
        "con_ns3",
        leaf("con_ns3", "vid 101 tunnel_info"),
        "con_ns3:vxlan-cont: no tunnel_info id 10101",
        "vlan",
        "tunnelshow",
    ),
    "VLAN untagged at the device": (
        "con_ns1",
        leaf("con_ns1", "vid 101 tunnel_info", "vid 101 untagged tunnel_info"),
        "con_ns1:vxlan-cont: lets frames out untagged",
        "vlan",
        "vlan show",
    ),
    "vlan_tunnel off": (
        "con_ns3",
        leaf("con_ns3", vlan_tunnel=False),
        "con_ns3:vxlan-cont: vlan_tunnel off",
        "bridge port",
        "link show",
    ),
    "no remote under the VNI": (
        "con_ns1",
        leaf("con_ns1", "src_vni 10101"),
        "con_ns1:vxlan-cont: vid 101 tunnel_info id 10101: no remote for frames",
        "fdb",
        "fdb show dev vxlan-cont",
    ),
    "remote under no VNI": (
        "con_ns1",
        leaf("con_ns1", " src_vni 10101", " "),
        "con_ns1:vxlan-cont: vid 101 tunnel_info id 10101: no remote for frames",
        "fdb",
        "fdb show dev vxlan-cont",
    ),
    "remote that nobody has": (
        "con_ns1",
        leaf("con_ns1", "dst 23.0.0.1 src_vni 10101", "dst 23.0.0.9 src_vni 10101"),
        "con_ns1:vxlan-cont: remote 23.0.0.9",
        "vxlan",
        "link show",
    ),
    "a host's port in another VLAN": (
        "con_ns3",
        leaf("con_ns3", "dev bridge3_cs5 vid 101", "dev bridge3_cs5 vid 102"),
        "con_ns3:bridge3_cs5: vlan_filtering, not in VLAN 101; con_ns3:vxlan-cont: vid 101 tunnel_info id 10101; "
        "con_ns1:bridge1_cs1: vlan_filtering, not in VLAN 102",
        "vlan",
        "vlan show",
    ),
}
"""The node with the mistake, what is there, where a probe is said to end, the kind, and a part of the command."""


@pytest.mark.parametrize("name", REASONS)
def test_mistake_of_one_device_for_all_vnis_is_named(name: str) -> None:
    """The place and what is there come first, and a command that shows it."""
    node, change, words, kind, command = REASONS[name]
    found = explained(
        changed({**{one: leaf(one) for one in LEAVES}, node: change}), probe_between(reference(), *SEGMENT)
    )
    assert str(found).startswith(words)
    assert found is not None
    assert found.kind == kind
    assert command in show_of(Cause(found.kind, found.node, found.interface, found.wanted, found.live, ""))


def test_one_device_for_all_vnis_carries_frames_as_one_each() -> None:
    """A probe takes the same way, the VNI that of its VLAN, and every header as of a device of its own."""
    lab, live = reference(), changed({name: leaf(name) for name in LEAVES})
    probe = probe_between(lab, *SEGMENT)
    assert explained(live, probe, "l2-overlay") is None
    seen, declared = (expected_journey(one, probe).paths[0].hops for one in (live, lab))
    assert [hop.ref for hop in seen] == [hop.ref for hop in declared]
    assert {str(hop.stack).replace("10101", "30") for hop in seen} == {str(hop.stack) for hop in declared}


@pytest.mark.parametrize("name", ["a filter of VNIs", "VNIs by another filter", "a daemon's remotes"])
def test_what_gives_packets_their_vni_otherwise_is_not_followed(name: str) -> None:
    """Nobody is blamed where a VNI may be filtered, or come from something else, or a daemon knows no remote."""
    ways = {
        "a filter of VNIs": leaf("con_ns3", "10101", "10103", vnifilter="on"),
        "VNIs by another filter": both(
            leaf("con_ns3", vlan_tunnel=False), shown("tc filter", "bridge3_cs5", "dev bridge3_cs5 ingress flower")
        ),
        "a daemon's remotes": leaf("con_ns3", "src_vni 10101", kept="extern_learn"),
    }
    live = changed({"con_ns1": leaf("con_ns1"), "con_ns3": ways[name]})
    assert explained(live, probe_between(reference(), *SEGMENT)) is None
