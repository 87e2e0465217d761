"""VXLAN devices with several remotes: where their frames go, how they are made, what they look like."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address

import pytest

from reports.judge.state import differences
from tests.self.builders import VXLAN_LAB, expect, known_lab, vxlan_lab
from topology.export.clab import to_clab
from topology.formats.clab import load_clab_text
from topology.formats.lab import LABS, load_lab_text
from topology.isolation.domains import domains
from topology.model import Node, Vxlan
from topology.plan import make_plan
from topology.state import declared_state

LAB = known_lab("vxlan-only")
TEXT = (LABS / "vxlan-only.yaml").read_text()
FLOOD = "bridge -n l1 fdb append 00:00:00:00:00:00 dev vx100 dst 10.255.0."


def outer_ends(source: str, target: str) -> set[tuple[object, object]]:
    """The outer addresses on all ways of a probe."""
    hops = [hop for path in expect(LAB, source, target).paths for hop in path.hops]
    wrapped = [hop.layers for hop in hops if "vxlan" in (name for name, _ in hop.layers)]
    return {(layers[1][1]["src"], layers[1][1]["dst"]) for layers in wrapped}


@pytest.mark.parametrize(("target", "leaf"), [("c2", 2), ("c3", 3)])
def test_frame_to_a_known_mac_goes_to_one_remote(target: str, leaf: int) -> None:
    """A unicast takes the VTEP's remote that has its destination."""
    assert outer_ends("c1", target) == {("10.255.0.1", f"10.255.0.{leaf}")}


def test_domain_reaches_to_every_remote() -> None:
    """One Layer 2 domain has the stations of all leaves, whichever of them floods."""
    (domain,) = domains(LAB)
    assert [station.node for station in domain.stations] == ["c1", "c2", "c3", "c4"]
    assert {vxlan.node for vxlan in domain.vteps} == {"l1", "l2", "l3"}


def test_each_remote_is_an_entry_of_the_forwarding_database() -> None:
    """A device with several remotes is made without one, then gets each; its state has them all."""
    commands = make_plan(LAB).commands
    assert [command for command in commands if command.startswith(FLOOD)] == [f"{FLOOD}2", f"{FLOOD}3"]
    (made,) = (command for command in commands if command.startswith("ip -n l1 link add name vx100"))
    assert made.endswith("type vxlan id 100 local 10.255.0.1 dstport 4789")
    state = declared_state(LAB["l1"])
    assert dict(state.links["vx100"].parameters)["remote"] == "none"
    assert {entry.place.split()[4] for entry in state.entries if entry.kind == "fdb"} == {"10.255.0.2", "10.255.0.3"}


def test_entries_leave_by_the_device_that_is_named() -> None:
    """If the lab names the device by which packets leave, each entry names it too."""
    (vxlan,) = LAB["l1"].all(Vxlan)
    bound = replace(vxlan, dev="l1_s1")
    node = Node(name="l1", role="leaf", devices=tuple(bound if d is vxlan else d for d in LAB["l1"].devices))
    commands = make_plan(replace(LAB, nodes=(node, *LAB.nodes[3:], *LAB.nodes[:2]))).commands
    assert f"{FLOOD}3 via l1_s1" in commands
    assert any("dst 10.255.0.3 via l1_s1 self" in str(entry) for entry in declared_state(node).entries)


def test_entry_that_is_gone_is_a_difference_of_its_node() -> None:
    """A remote that a VTEP has lost is named, and the command that brings it back."""
    sound = declared_state(LAB["l1"])
    lost = next(entry for entry in sound.entries if "dst 10.255.0.3" in str(entry))
    (cause,) = differences(sound, replace(sound, entries=sound.entries - {lost}))
    assert (cause.kind, cause.node, cause.interface, cause.live) == ("fdb", "l1", "vx100", "missing")
    assert cause.fix == f"{FLOOD}3 self permanent"


def test_vtep_that_leaves_one_out_is_refused() -> None:
    """A leaf that does not name a leaf back which names it is reported, with its own remotes."""
    text = TEXT.replace("remotes: [10.255.0.1, 10.255.0.2]", "remote: 10.255.0.1")
    with pytest.raises(Exception, match=r"vx100 says local 10.255.0.2, its other end l3:vx100 remote 10.255.0.1"):
        load_lab_text(text, "mine.yaml")


def test_one_remote_in_a_list_is_the_remote() -> None:
    """``remotes`` with one VTEP is ``remote``."""
    text = VXLAN_LAB.read_text()
    listed = re.sub(r"remote: ([0-9.]+)", r"remotes: [\1]", text)
    assert listed != text
    assert load_lab_text(listed, "vxlan.yaml") == vxlan_lab()


@pytest.mark.parametrize("remote", ["10.255.0.2", "10.255.0.3"])
def test_containerlab_lines_add_remotes(remote: str) -> None:
    """The remote of a command and those of the forwarding database are the device's, each once."""
    text = to_clab(LAB)
    words = "type vxlan id 100 local 10.255.0.1 dstport"
    assert text.count(words) == 1
    found = load_clab_text(text.replace(words, f"type vxlan id 100 local 10.255.0.1 remote {remote} dstport"))
    remotes = found["l1"].vxlan.remotes
    assert remotes[0] == ip_address(remote)
    assert set(remotes) == set(LAB["l1"].vxlan.remotes)
    assert load_clab_text(text)["l1"] == LAB["l1"]
