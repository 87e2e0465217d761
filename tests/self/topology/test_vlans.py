"""VLAN sub-interfaces: where frames have their tag, what a trunk carries, and which labs are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.self.builders import expect, known_lab, seen_hop, seen_path, with_field
from topology.errors import LabError
from topology.export.clab import to_clab
from topology.formats.clab import load_clab_text
from topology.formats.lab import LABS, load_lab_text
from topology.isolation.domains import domains, flooded, reached
from topology.limits import carried
from topology.model import Subinterface
from topology.mtu import device_mtu
from topology.plan import make_plan
from topology.refs import PortRef
from topology.state import declared_state

LAB = known_lab("vlan-trunk")
TEXT = (LABS / "vlan-trunk.yaml").read_text()
ON_A_HOST = """
lab: host
nodes:
  sw:
    role: switch
    vlan: {t.7: {dev: t, id: 7}}
    bridges: {br: [p, t.7]}
  c1: {role: customer, addresses: {eth0: 10.0.0.1/24}}
  c2: {role: customer, vlan: {eth0.7: {dev: eth0, id: 7}}, addresses: {eth0.7: 10.0.0.2/24}}
links: [[sw:p, c1:eth0], [sw:t, c2:eth0]]
pairs: [{source: c1, target: c2, kind: bridge}]
"""


def refusal(*edits: tuple[str, str]) -> str:
    """Problems of the lab with each text replaced, in the first place where it stands."""
    text = TEXT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(LabError) as caught:
        load_lab_text(text, "mine.yaml")
    return str(caught.value)


RED, BLUE = (("red1", "red2"), (10, 110), 10010), (("blue2", "blue1"), (120, 20), 10020)


@pytest.mark.parametrize(("ends", "vids", "vni"), [RED, BLUE])
def test_frame_has_its_tag_on_the_trunk_alone(ends: tuple[str, str], vids: tuple[int, int], vni: int) -> None:
    """Each trunk shows the frame under the VLAN that it has there, the underlay in its VNI and without a tag."""
    (path,) = expect(LAB, *ends).paths
    names = {(hop.ref, hop.direction): [name for name, _ in hop.layers] for hop in path.hops}
    assert {str(ref) for (ref, _), found in names.items() if "dot1q" in found} == {
        f"{node}:trunk" for node in ("sw1", "sw2", "l1", "l2")
    }
    tags = [fields["vlan"] for hop in path.hops for name, fields in hop.layers if name == "dot1q"]
    assert tags == [vids[0], vids[0], vids[1], vids[1]]
    vnis = {fields["vni"] for hop in path.hops for name, fields in hop.layers if name == "vxlan"}
    assert vnis == {vni}
    assert not [found for found in names.values() if {"vxlan", "dot1q"} <= set(found)]


def test_what_is_seen_of_a_trunk_is_what_is_expected() -> None:
    """A tag reads the same whether it is in the frame or beside it; another VLAN's is a mismatch."""
    (path,) = expect(LAB, "red1", "red2").paths
    assert all(hop.stack == seen.headers for hop, seen in zip(path.hops, seen_path(LAB, path), strict=True))
    hop = next(hop for hop in path.hops if str(hop.ref) == "sw1:trunk")
    other = seen_hop(LAB, hop, change=with_field("dot1q", vlan=20))
    assert "dot1q.vlan" in str(hop.stack.mismatch(other.headers))


def test_trunk_belongs_to_both_customers_domains() -> None:
    """A trunk's ports are members of each VLAN's domain, under its tag, and no stations."""
    red, blue = domains(LAB)
    trunks = {PortRef(node, "trunk") for node in ("l1", "l2", "sw1", "sw2")}
    assert red.members & blue.members == trunks
    assert {(str(ref), vid) for ref, vid in red.tags} == {
        ("l1:trunk", 10),
        ("sw1:trunk", 10),
        ("l2:trunk", 110),
        ("sw2:trunk", 110),
    }
    assert [station.node for station in (*red.stations, *blue.stations)] == ["red1", "red2", "red3", "blue1", "blue2"]
    assert flooded(LAB, LAB["red1"]["eth0"]) == red.members
    near = reached(LAB, red, "unicast", PortRef("red1", "eth0"), PortRef("red3", "eth0"))
    assert not near & trunks
    assert trunks < reached(LAB, red, "unicast", PortRef("red1", "eth0"), PortRef("red2", "eth0"))


def test_host_may_be_on_a_trunk_itself() -> None:
    """A customer with an address on a sub-interface is a station there, and its port is none."""
    fabric = load_lab_text(ON_A_HOST, "host.yaml")
    (domain,) = domains(fabric)
    assert {str(station) for station in domain.stations} == {"c1:eth0", "c2:eth0.7"}
    for ends in (("c1", "c2"), ("c2", "c1")):
        journey = expect(fabric, *ends)
        assert (journey.dropped, journey.kind) == ("", "bridge")
    assert "net/ipv4/conf/eth0.7/forwarding" in declared_state(fabric["c2"]).sysctls


def test_narrow_trunk_passes_what_a_bridge_hands_it() -> None:
    """No MTU is looked at where a sub-interface's frames leave by its port: a bridged frame may have the tag's 4 bytes
    more than the trunk's MTU, a packet that is sent from the sub-interface itself may not."""
    fabric = load_lab_text(ON_A_HOST.replace("[sw:t, c2:eth0]", "{endpoints: [sw:t, c2:eth0], mtu: 1400}"))
    found = {ends: carried(fabric, expect(fabric, *ends)) for ends in (("c1", "c2"), ("c2", "c1"))}
    assert [str(limit) for limit in found["c1", "c2"]] == ["sw:t.7 out carries 1400 and 4 for a VLAN tag"]
    assert [str(limit) for limit in found["c2", "c1"]] == ["c2:eth0.7 out carries 1400"]


def test_vlan_that_the_far_end_has_not_ends_there() -> None:
    """No station is behind a trunk whose far end has another tag."""
    vlans = {d.name: replace(d, vid=d.vid + 1) for d in LAB["l1"].all(Subinterface)}
    devices = tuple(vlans.get(d.name, d) for d in LAB["l1"].devices)
    broken = replace(LAB, nodes=tuple(replace(n, devices=devices) if n.name == "l1" else n for n in LAB.nodes))
    assert (
        "l1:trunk: no sub-interface for VLAN 10: red1:eth0 gets no answer for" in expect(broken, "red1", "red2").dropped
    )


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("{dev: trunk, id: 10}", "{dev: trunk, id: 11}"), "no device takes the VLAN 11 of l1:trunk at sw1:trunk"),
        (("trunk.10: {dev: trunk,", "trunk.10: {dev: trunq,"), "'trunq' is no port of l1; did you mean 'trunk'?"),
        (("trunk.10: {dev: trunk,", "trunk.10: {dev: br-red,"), "'br-red' is no port of l1"),
        (("{dev: trunk, id: 20}", "{dev: trunk, id: 10}"), "trunk has the VLAN 10 already, on line"),
        (("[trunk.10, vx-red]", "[trunk.10, trunk, vx-red]"), "trunk is a member of br-red, which would take"),
        (("{dev: trunk, id: 10}", "{dev: trunk, id: 4095}"), "the VLAN 4095 is out of range; 1 to 4094"),
        (("{dev: trunk, id: 10}", "{dev: trunk}"), "'trunk.10' has no 'id'; id: NUMBER, the same at both ends"),
        (("{dev: trunk, id: 10}", "{id: 10}"), "'trunk.10' has no 'dev'; dev: the port"),
        (("192.168.10.2/24", "192.168.11.2/24"), "but its segment is"),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else value[:30],
)
def test_vlan_that_cannot_work_is_refused(edit: tuple[str, str], words: str) -> None:
    """A VLAN without a port, an other end or a number of its own is refused at its place, as is an odd subnet in it."""
    assert words in refusal(edit)


def test_plan_and_state_agree_on_the_kernels_settings() -> None:
    """The command has what ip-link(8) takes; the state is what the kernel tells back; the MTU is the port's."""
    commands = make_plan(LAB).commands
    (command,) = (c for c in commands if c.startswith("ip -n l2 link add name trunk.110 "))
    assert command.endswith(" link trunk type vlan id 110")
    assert commands.index("ip -n l2 link set dev trunk up") < commands.index(command)
    link = declared_state(LAB["l2"]).links["trunk.110"]
    assert (link.kind, link.mtu, link.master) == ("vlan", 1500, "br-red")
    assert dict(link.parameters) == {"id": "110", "dev": "trunk", "protocol": "802.1q"}
    assert LAB.needs == {"veth", "bridge", "vxlan", "vlan"}
    trunk = replace(LAB["l2"]["trunk"], mtu=9000)
    node = replace(LAB["l2"], devices=tuple(trunk if d.name == "trunk" else d for d in LAB["l2"].devices))
    assert device_mtu(node, node["trunk.110"]) == 9000


def test_containerlab_lines_make_vlans() -> None:
    """Lines for containerlab are read back; a VLAN without a link, or a link for another kind, is refused."""
    text = to_clab(LAB)
    assert load_clab_text(text).all(Subinterface) == LAB.all(Subinterface)
    for old, new, words in (
        (" link trunk type vlan id 110", " type vlan id 110", "names no link"),
        (" link trunk type vlan id 110", " link trunk type vlan id 110 protocol 802.1ad", "protocol 802.1ad"),
        ("type vxlan id 10010", "link trunk type vxlan id 10010", "puts a device on another"),
    ):
        with pytest.raises(LabError, match=words):
            load_clab_text(text.replace(old, new, 1))
