"""Geneve devices: what packets they make, where those come from, and which labs are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.judge.isolation import bare
from tests.self.builders import expect, known_lab, seen_path
from topology.errors import LabError
from topology.export.clab import to_clab
from topology.export.dot import to_dot
from topology.formats.clab import load_clab_text
from topology.formats.lab import LABS, load_lab_text
from topology.isolation.domains import domains, flooded, transit
from topology.model import Fabric, Geneve, Node
from topology.mtu import device_mtu
from topology.plan import make_plan
from topology.refs import PortRef
from topology.state import declared_state

LAB = known_lab("geneve")
TEXT = (LABS / "geneve.yaml").read_text()


def device(fabric: Fabric, node: str, name: str) -> Geneve:
    """A Geneve device."""
    found = fabric[node][name]
    assert isinstance(found, Geneve)
    return found


def refusal(*edits: tuple[str, str]) -> str:
    """Problems of the lab with each text replaced, everywhere."""
    text = TEXT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(LabError) as caught:
        load_lab_text(text, "mine.yaml")
    return str(caught.value)


def test_frame_crosses_the_spine_under_its_vni() -> None:
    """Between leaf and spine a frame is in Geneve, under the device's VNI and port, in the name of both uplinks."""
    (path,) = expect(LAB, "blue2", "blue3").paths
    (hop,) = (hop for hop in path.hops if (str(hop.ref), hop.direction) == ("s2:s2_l2", "in"))
    assert [name for name, _ in hop.layers[:5]] == ["ether", "ipv4", "udp", "geneve", "ether"]
    _, ip, udp, geneve, _ = (fields for _, fields in hop.layers[:5])
    assert (ip["src"], ip["dst"], ip["ttl"]) == ("10.2.2.2", "10.3.2.2", 64)
    assert (udp["dport"], geneve["vni"], geneve["proto"]) == (6082, 9, 0x6558)


def test_what_is_seen_of_a_journey_is_what_is_expected() -> None:
    """The bytes of each hop, decoded with the lab's ports, are the expected stack; only tunnelled ones are not bare."""
    (path,) = expect(LAB, "red2", "red3").paths
    seen = seen_path(LAB, path)
    assert all(hop.stack == one.headers for hop, one in zip(path.hops, seen, strict=True))
    inside = {PortRef(one.node, one.interface) for one in seen if "geneve" in one.layers}
    assert inside == {hop.ref for hop in path.hops} - bare(seen).keys()
    assert {str(ref) for ref in inside} >= {"l1:l1_s1", "s1:s1_l2"}


def test_frame_may_leave_one_tunnel_and_enter_the_next() -> None:
    """Leaf 1 bridges between its tunnels, so a frame of leaf 2's is flooded to leaf 3."""
    red, blue = domains(LAB)
    assert [str(red), str(blue)] == ["VNI-7", "VNI-9"]
    assert {str(station) for station in red.stations} == {"red1:eth0", "red2:eth0", "red3:eth0"}
    assert flooded(LAB, LAB["red2"]["eth0"]) == red.members
    assert {ref.node for ref in transit(LAB, blue)} == {"l2", "l3", "s2"}


def test_packet_of_an_outsider_reaches_no_device() -> None:
    """A far end that sends from another address than the one expected is dropped, as the kernel drops it."""
    moved = replace(device(LAB, "l2", "blue-l3"), local=device(LAB, "l2", "red-l1").local)
    node = replace(LAB["l2"], devices=tuple(moved if d.name == moved.name else d for d in LAB["l2"].devices))
    broken = replace(LAB, nodes=tuple(node if n.name == "l2" else n for n in LAB.nodes))
    dropped = expect(broken, "blue2", "blue3").dropped
    assert dropped.startswith(
        "l3: no Geneve device for VNI 9 from 10.2.1.2 on UDP port 6082: blue2:eth0 gets no answer"
    )


def test_local_address_is_the_one_that_the_route_gives() -> None:
    """Said or not, a device's local address is that of the way to its far end; another one is refused at its place."""
    assert str(device(LAB, "l1", "red-l2").local) == "10.1.1.2"
    unsaid = load_lab_text(TEXT.replace("local: 10.2.2.2, ", "").replace("local: 10.3.2.2, ", ""), LAB.file)
    assert unsaid == LAB
    words = "packets to 10.3.2.2 leave l2 with the source 10.2.2.2, not 10.2.1.2; 10.2.2.2 or none, or another route"
    line = next(n for n, text in enumerate(TEXT.splitlines(), 1) if "local: 10.2.2.2" in text)
    assert f"mine.yaml:{line}:32: {words}" in refusal(("local: 10.2.2.2", "local: 10.2.1.2"))


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        (
            (("[10.1.1.0/30 via 10.2.1.1, ", "["),),
            "no single source address is certain for packets from l2 to 10.1.1.2",
        ),
        ((("vni: 9, local: 10.3.2.2", "vni: 8, local: 10.3.2.2"),), "says vni 8, its other end l2:blue-l3 vni 9"),
        ((("10.3.2.2, remote: 10.2.2.2, port: 6082", "10.3.2.2, remote: 10.2.2.2"),), "port 6081"),
        ((("remote: 10.3.2.2", "remote: 10.3.2.9"),), "unknown remote 10.3.2.9: no Geneve device"),
        ((("10.2.1.0/30 via 10.1.1.1", "10.2.1.0/30 dev nowhere"),), "the route's dev 'nowhere' is no device of l1"),
        ((("vni: 9", "vni: 0"),), "the VNI 0 means to the kernel that none is given"),
        ((("remote: 10.3.1.2", "remote: 10.2.1.2"),), "the kernel cannot tell red-l3 from red-l2"),
        ((("remote: 10.1.1.2", "remot: 10.1.1.2"),), "unknown key 'remot'; did you mean 'remote'?"),
        ((("red-l2: {vni: 7, remote: 10.2.1.2", "red-l2: {vni: 7"),), "'red-l2' has no 'remote'"),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else value[:30],
)
def test_tunnel_that_cannot_work_is_refused(edits: tuple[tuple[str, str], ...], words: str) -> None:
    """Ends that disagree, have no way or are ambiguous are refused before anything is built."""
    assert words in refusal(*edits)


def test_two_kinds_of_tunnel_cannot_share_a_port() -> None:
    """A UDP port that carries VXLAN carries no Geneve: neither a kernel nor a reader could tell them apart."""
    one, other = ({"local": a, "remote": b} for a, b in (("10.1.1.2", "10.2.1.2"), ("10.2.1.2", "10.1.1.2")))
    vxlan = "    vxlan: {{vx: {{vni: 3, local: {local}, remote: {remote}, port: 6081}}}}\n    geneve:\n      "
    edits = [
        (f"    geneve:\n      {name}", vxlan.format(**ends) + name)
        for name, ends in (("red-l2", one), ("red-l1: {vni: 7, remote: 10.1.1.2, mtu: 1450}\n      blue-l3", other))
    ]
    assert refusal(*edits).count("the UDP port 6081 carries VXLAN on line ") == 4


def test_plan_and_state_agree_on_the_kernels_settings() -> None:
    """The command has what ip-link(8) takes, and no local address; the state is what the kernel tells back."""
    (command,) = (c for c in make_plan(LAB).commands if "add name blue-l3" in c)
    assert command.endswith(" mtu 1450 type geneve id 9 remote 10.3.2.2 dstport 6082")
    link = declared_state(LAB["l2"]).links["blue-l3"]
    parameters = {"vni": "9", "remote": "10.3.2.2", "dstport": "6082", "ttl": "auto", "tos": "0"}
    assert (link.kind, dict(link.parameters)) == ("geneve", parameters)
    assert LAB.needs == {"veth", "bridge", "geneve"}


def test_mtu_is_what_the_way_to_the_far_end_leaves() -> None:
    """Without an MTU of its own a device takes the far end's subnet's less 50 bytes, else Ethernet's."""
    far = replace(device(LAB, "l1", "red-l2"), mtu=None)
    assert device_mtu(LAB["l1"], far) == 1500
    node = Node(name="l1", role="leaf", devices=(LAB["l1"]["l1_s1"], replace(far, remote=LAB["s1"].address)))
    assert device_mtu(node, node["red-l2"]) == 1450


def test_geneve_is_written_and_drawn() -> None:
    """containerlab's lines give the same devices, local addresses included; the picture has each tunnel once."""
    again = load_clab_text(to_clab(LAB))
    assert again.all(Geneve) == LAB.all(Geneve)
    drawn = to_dot(LAB)
    assert (drawn.count("Geneve VNI 7"), drawn.count("Geneve VNI 9")) == (2, 1)
