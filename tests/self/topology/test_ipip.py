"""IP in IP: its lab keys, its packets, its sizes, and what is read of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.self.builders import known_lab
from topology.dataplane.live import live_fabric
from topology.errors import LabError
from topology.expected import ExpectedJourney, expected_journey, probe_between
from topology.export.clab import to_clab
from topology.export.dot import to_dot
from topology.formats.clab import load_clab_text
from topology.formats.lab import LABS, load_lab_text
from topology.links import Ipip
from topology.model import Fabric
from topology.mtu import device_mtu
from topology.packet import Probe
from topology.plan import make_plan
from topology.state import declared_state

LAB = known_lab("ipip")
TEXT = (LABS / "ipip.yaml").read_text(encoding="utf-8")


def journey(source: str, target: str, lab: Fabric = LAB) -> ExpectedJourney:
    return expected_journey(lab, probe_between(lab, source, target))


@pytest.mark.parametrize(("ends", "ttl"), [(("cs1", "cs2"), 64), (("cs1", "cs3"), 63)])
def test_packet_crosses_the_spine_behind_another_ip_header(ends: tuple[str, str], ttl: int) -> None:
    """Nothing is between the two headers; the outer TTL is the tunnel's own, or the packet's."""
    found = journey(*ends)
    (path,) = found.paths
    spine = next(hop for hop in path.hops if hop.node.startswith("sc"))
    assert (found.dropped, found.kind) == ("", "l3-overlay")
    assert [name for name, _ in spine.layers] == ["ether", "ipv4", "ipip", "ipv4", "icmp", "payload"]
    assert (spine.layers[1][1]["ttl"], spine.layers[1][1]["proto"]) == (ttl, 4)


def test_a_second_tunnel_of_the_same_ends_is_refused() -> None:
    """Without a key the kernel cannot tell them apart."""
    line = "      ipip-lc2: {local: 10.255.0.1, remote: 10.255.0.2, ttl: 64}\n"
    with pytest.raises(LabError, match=r"cannot tell twin from ipip-lc2 .*other ends"):
        load_lab_text(TEXT.replace(line, line + line.replace("ipip-lc2", "twin")))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("local: 10.255.0.1, remote: 10.255.0.2", "local: fd00::1, remote: fd00::2"), "carries no IPIP"),
        (("ttl: 64}", "ttl: 64, key: 7}"), "unknown key 'key'"),
    ],
)
def test_what_the_kernel_has_not_is_refused(edit: tuple[str, str], words: str) -> None:
    """IPv6 has another kind for it, and there is no key."""
    with pytest.raises(LabError, match=words):
        load_lab_text(TEXT.replace(*edit, 1))


TWO = """
lab: two
nodes:
  a: {role: leaf, addresses: {eth1: 10.0.0.1/24, t: INSIDE1}, ipip: {t: {local: 10.0.0.1, remote: 10.0.0.2}}}
  b: {role: leaf, addresses: {eth1: 10.0.0.2/24, t: INSIDE2}, ipip: {t: {local: 10.0.0.2, remote: 10.0.0.1}}}
links: [[a:eth1, b:eth1]]
"""


def test_ipv6_packet_ends_at_the_device() -> None:
    """It carries IPv4 alone (ipip_tunnel_xmit, net/ipv4/ipip.c)."""
    lab = load_lab_text(TWO.replace("INSIDE1", "'fd00::1/64'").replace("INSIDE2", "'fd00::2/64'"))
    source, target = (lab[name]["t"].addresses[0].ip for name in ("a", "b"))
    dropped = expected_journey(lab, Probe("a", "b", source, target)).dropped
    assert dropped == "a:t: IPIP carries no ipv6"


def test_mtu_is_what_the_way_to_the_far_end_leaves() -> None:
    """Less the outer IP header."""
    lab = load_lab_text(TWO.replace("INSIDE1", "10.9.0.1/30").replace("INSIDE2", "10.9.0.2/30"))
    assert device_mtu(lab["a"], lab["a"]["t"]) == 1480


def test_plan_and_state_agree_on_the_kernels_settings() -> None:
    """The declared parameters are those that the kernel is asked for."""
    made = [op.arguments for phase in make_plan(LAB).phases for op in phase if op.arguments.get("kind") == "ipip"]
    assert made[0]["ipip_remote"] == "10.255.0.2"
    parameters = dict(declared_state(LAB["lc1"]).links["ipip-lc2"].parameters)
    assert parameters == {"local": "10.255.0.1", "remote": "10.255.0.2", "ttl": "64", "tos": "0"}


def test_live_state_says_where_a_packet_ends() -> None:
    """A device that was given another far end takes no packets of this one."""
    states = {node.name: declared_state(node) for node in LAB.nodes}
    assert not journey("cs1", "cs2", live_fabric("live", states, LAB.links)).dropped
    links = states["lc2"].links
    parameters = {**dict(links["ipip-lc1"].parameters), "remote": "10.255.0.9"}
    other = replace(links["ipip-lc1"], parameters=tuple(parameters.items()))
    states["lc2"] = replace(states["lc2"], links={**links, "ipip-lc1": other})
    ends = journey("cs1", "cs2", live_fabric("live", states, LAB.links)).dropped
    assert ends == "lc2:ipip-lc1: remote 10.255.0.9"


def test_missing_device_is_its_nodes_fault_though_another_one_is_there() -> None:
    """The sender is not blamed: the device that is left takes the packets of a third end, which sends to it."""
    states = {node.name: declared_state(node) for node in LAB.nodes}
    left = {name: link for name, link in states["lc1"].links.items() if name != "ipip-lc2"}
    states["lc1"] = replace(states["lc1"], links=left)
    ends = journey("cs2", "cs1", live_fabric("live", states, LAB.links)).dropped
    assert ends == "lc1: no IPIP device for packets from 10.255.0.2 to 10.255.0.1"


def test_it_is_written_for_containerlab_read_back_and_drawn() -> None:
    """The words of ip-link(8) are enough; each tunnel is a dashed line."""
    again = load_clab_text(to_clab(LAB))
    assert again.all(Ipip) == LAB.all(Ipip)
    assert to_dot(LAB).count('label="IPIP') == 3
