"""Forged packets of each node, where their frames must be, and what is outside a fabric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address

import pytest

from tests.self.builders import known_lab, reference, reference_text, vxlan_lab
from tests.self.shapes import shape
from topology.errors import NotApplicable
from topology.expected import expected_journey
from topology.formats.lab import load_lab_text
from topology.isolation.domains import flooded_from
from topology.isolation.forgery import (
    AttackPath,
    Forgery,
    beside_another_tenant,
    bridged,
    control,
    forgeries,
    spread_over,
    targets,
)
from topology.isolation.outside import outside, probes_outwards
from topology.links.tunnel import VNI_MAX
from topology.model import Fabric, Geneve, Isolation, Node, Vxlan
from topology.refs import PortRef

TENANTS, GENEVE = known_lab("two-tenants"), known_lab("geneve")


def attack_paths(fabric: Fabric, vtep: str) -> Mapping[str, AttackPath]:
    """The forgers of a VTEP, by name."""
    target = next(target for target in targets(fabric) if str(target) == vtep)
    return {attack_path.node: attack_path for attack_path in target.attack_paths}


def forged(fabric: Fabric, vtep: str, node: str) -> dict[str | None, Forgery]:
    """What a node forges, by kind."""
    return {forgery.kind: forgery for forgery in forgeries(fabric, attack_paths(fabric, vtep)[node])}


@pytest.mark.parametrize(
    ("lab", "vtep", "forgers"),
    [
        (vxlan_lab(), "v1:vx", ["l1", "s1", "v2", "c3"]),
        (TENANTS, "l1:vx-red", ["l2", "s1"]),
        (reference(), "con_ns3:vxlan-cont", ["lc1", "sc2", "con_ns1", "cs1"]),
    ],
    ids=["routed customer", "bridged customers", "spine under a tunnel"],
)
def test_the_first_of_each_role_that_reaches_a_vtep_forges(lab: Fabric, vtep: str, forgers: list[str]) -> None:
    """Only a spine without a route to the VTEP goes through the tunnel that crosses it, as its other end."""
    found = attack_paths(lab, vtep)
    assert list(found) == forgers
    through = {name: attack_path.through for name, attack_path in found.items() if attack_path.through is not None}
    assert through == ({"sc2": lab["lc1"].gre} if lab == reference() else {})


def changed(fabric: Fabric, change: Callable[[Node], Node]) -> Fabric:
    """A fabric with other nodes."""
    return replace(fabric, nodes=tuple(change(node) for node in fabric.nodes))


def test_a_vtep_out_of_reach_is_a_target_without_forgers() -> None:
    """Without addresses on the spine and routes at the leaves there is no way to it, and it is not left out."""

    def cut(node: Node) -> Node:
        devices = tuple(replace(d, addresses=()) if node.role == "spine" else d for d in node.devices)
        return replace(node, devices=devices, routes=())

    found = list(targets(changed(TENANTS, cut)))
    assert [str(target) for target in found] == ["l1:vx-red", "l1:vx-blue", "l2:vx-red", "l2:vx-blue"]
    assert all(target.attack_paths == () for target in found)


def vni(forgery: Forgery) -> int | None:
    """The VNI that a packet says."""
    return dict(forgery.sent.identity)["vni"]


def test_each_forgery_is_wrong_in_one_thing() -> None:
    """VNI, source, I flag or a reserved bit; all else is the peer's."""
    made = forged(TENANTS, "l1:vx-red", "s1")
    peer, foreign = ip_address("10.2.0.2"), ip_address("10.1.0.1")
    assert {kind: (f.source, vni(f), f.odd) for kind, f in made.items()} == {
        "undeclared-vni": (peer, 101, ""),
        "foreign-source": (foreign, 100, ""),
        "clear-i-flag": (peer, 100, "clear-i-flag"),
        "reserved-bit": (peer, 100, "reserved-bit"),
        "other-vni": (foreign, 200, ""),
    }


def test_the_peer_itself_takes_an_address_outside() -> None:
    """The peer forges from an address that no node has; in a lab with one VNI there is no other tenant's."""
    assert str(forged(TENANTS, "l1:vx-red", "l2")["foreign-source"].source) == "198.51.100.1"
    assert "other-vni" not in forged(reference(), "con_ns1:vxlan-cont", "lc1")


def test_what_is_accepted_has_its_places_what_is_refused_has_none() -> None:
    """By Linux's own doing foreign sources are accepted and reserved bits refused; a lab may declare the opposite."""
    there, other = (flooded_from(TENANTS, vtep) for vtep in TENANTS["l1"].all(Vxlan))
    made = forged(TENANTS, "l1:vx-red", "s1")
    assert made["foreign-source"].expected == there
    assert made["other-vni"].expected == other
    assert {kind for kind, forgery in made.items() if not forgery.expected} == {
        "undeclared-vni",
        "clear-i-flag",
        "reserved-bit",
    }
    opposite = replace(TENANTS, isolation=Isolation("refused", "accepted"))
    made = forged(opposite, "l1:vx-red", "s1")
    assert {kind for kind, forgery in made.items() if forgery.expected} == {"reserved-bit"}


def test_another_tenants_vni_at_a_vtep_without_it_is_refused() -> None:
    """A VTEP whose node lacks the other VNI has no device for the frame."""

    def without_blue(node: Node) -> Node:
        kept = [device for device in node.devices if (node.name, device.name) != ("l1", "vx-blue")]
        members = [replace(d, members=("l1_blue1",)) if d.ref == PortRef("l1", "br-blue") else d for d in kept]  # type: ignore[call-arg]
        return replace(node, devices=tuple(members))

    fabric = changed(TENANTS, without_blue)
    assert forged(fabric, "l1:vx-red", "s1")["other-vni"].expected == frozenset()
    assert forged(fabric, "l2:vx-red", "s1")["other-vni"].expected != frozenset()


def test_an_undeclared_vni_is_declared_nowhere() -> None:
    """The next one that is free, around the end of the range."""
    text = reference_text().replace("vni: 30", f"vni: {VNI_MAX}")
    assert vni(forged(load_lab_text(text), "con_ns1:vxlan-cont", "lc1")["undeclared-vni"]) == 1

    def renumbered(node: Node) -> Node:
        devices = (replace(d, vni=101) if isinstance(d, Vxlan) and d.vni == 200 else d for d in node.devices)
        return replace(node, devices=tuple(devices))

    assert vni(forged(changed(TENANTS, renumbered), "l1:vx-red", "s1")["undeclared-vni"]) == 102


def test_the_control_is_the_peers_own() -> None:
    """Nothing is wrong with it, and its frame is expected behind the VTEP."""
    for fabric, name in ((TENANTS, "l2:vx-blue"), (GENEVE, "l2:red-l1")):
        attack_path = attack_paths(fabric, name)["s1"]
        found, vtep = control(fabric, attack_path), attack_path.vtep
        assert (found.kind, found.source, found.sent, found.odd) == (None, vtep.remote, vtep, "")
        assert found.expected == flooded_from(fabric, vtep)


@pytest.mark.parametrize(("count", "most"), [(0, 3), (3, 3), (4, 3), (100, 8), (7, 1)])
def test_many_are_represented_by_some(count: int, most: int) -> None:
    """At most so many, the first among them, and all where they are few."""
    chosen = spread_over(range(count), most)
    assert len(chosen) <= most
    assert list(chosen[:1]) == list(range(count))[:1]
    assert count > most or list(chosen) == list(range(count))


def test_outside_is_where_the_fabric_is_not() -> None:
    """A documentation network that the lab does not use, of either version; none left is said."""
    assert str(outside(reference())) == "198.51.100.1"
    assert outside(reference(), 6).version == 6
    taken = reference_text().replace("27.0.0.", "198.51.100.")
    assert str(outside(load_lab_text(taken))) == "203.0.113.1"
    around = reference_text().replace("25.0.0.1/24", "192.0.0.1/2").replace("25.0.0.2/24", "192.0.0.2/2")
    around = around.replace("via 25.0.0.1", "via 192.0.0.1")
    with pytest.raises(NotApplicable, match="every address that documentation has in IPv4"):
        outside(load_lab_text(around))


def test_every_node_probes_outwards_in_each_version_that_it_has() -> None:
    """Also one without an address, which can only be refused."""
    text = reference_text().replace("cs1_br1: 20.0.0.1/24", "cs1_br1: [20.0.0.1/24, fd00::1/64]")
    fabric = load_lab_text(text)
    assert [probe.dst.version for probe in probes_outwards(fabric, fabric["cs1"])] == [4, 6]
    (nowhere,) = probes_outwards(fabric, fabric["con_ns2"])
    assert nowhere.src.is_unspecified


def test_the_way_outwards_ends_inside() -> None:
    """The customer's default route ends at its leaf, which has no route; a node without one does not even send."""
    probes = [probe for name in ("cs5", "con_ns2") for probe in probes_outwards(reference(), reference()[name])]
    with_way, without = (expected_journey(reference(), probe) for probe in probes)
    assert with_way.dropped == "lc1: no route to 198.51.100.1"
    assert with_way.paths[0].hops[-1].ref == reference()["lc1"]["lc1-bridge1"].ref
    assert without.paths[0].hops == ()


def test_each_forgery_of_geneve_is_wrong_in_one_thing() -> None:
    """VNI, source, protocol type or an option; all else is the peer's, and all of it must be refused."""
    made = forged(GENEVE, "l2:red-l1", "s1")
    peer, foreign = ip_address("10.1.1.2"), ip_address("10.1.1.1")
    assert {kind: (f.source, *dict(f.sent.identity).values(), f.odd) for kind, f in made.items()} == {
        "undeclared-vni": (peer, 8, 6081, ""),
        "foreign-source": (foreign, 7, 6081, ""),
        "unknown-protocol": (peer, 7, 6081, "unknown-protocol"),
        "critical-option": (peer, 7, 6081, "critical-option"),
        "other-vni": (peer, 9, 6082, ""),
    }
    assert all(forgery.expected == frozenset() for forgery in made.values())
    words = {kind: str(forgery) for kind, forgery in made.items()}
    assert words["undeclared-vni"] == "Geneve from 10.1.1.2 with VNI 8"
    assert words["unknown-protocol"].endswith("with VNI 7 and protocol type 0x88b5")
    assert words["critical-option"].endswith("with VNI 7 and an unknown critical option")


def test_declared_foreign_sources_are_about_vxlan() -> None:
    """Under any setting, a Geneve tunnel takes packets of its far end alone."""
    fabric = replace(GENEVE, isolation=Isolation("accepted", "accepted"))
    assert not any(forgery.expected for forgery in forged(fabric, "l2:red-l1", "s1").values())


def test_the_peer_of_another_tunnel_with_that_vni_is_no_foreign_source() -> None:
    """Leaf 2 is leaf 1's peer under VNI 7, if not this tunnel's, so it says its other address."""
    assert str(forged(GENEVE, "l1:red-l3", "l2")["foreign-source"].source) == "10.2.2.2"


def test_a_peer_of_two_tenants_reaches_both() -> None:
    """A packet with the other tenant's VNI is that tenant's where its node has the same peer for both."""

    def both(node: Node) -> Node:
        extra = (replace(d, name="blue-l1", remote=ip_address("10.1.1.2")) for d in node.all(Geneve) if d.vni == 9)
        return replace(node, devices=(*node.devices, *extra)) if node.name == "l2" else node

    made = forged(changed(GENEVE, both), "l2:red-l1", "s1")
    assert PortRef("l2", "blue-l1") in made["other-vni"].expected


@pytest.mark.parametrize(
    ("lab", "vxlan", "geneve"),
    [
        ("three-on-one-switch", ["a:vx", "b:vx", "c:vx"], []),
        ("geneve-point-to-point", [], ["a:type", "b:type"]),
        ("routed-vxlan", [], []),
        ("documented", [], []),
    ],
)
def test_bridged_target_is_one_that_another_node_reaches(lab: str, vxlan: list[str], geneve: list[str]) -> None:
    """A tunnel device that is routed, or of another kind, is none."""
    assert [str(target) for target in bridged(shape(lab), Vxlan)] == vxlan
    assert [str(target) for target in bridged(shape(lab), Geneve)] == geneve


def test_target_beside_another_tenant_has_a_vni_to_be_confused_with() -> None:
    """Each VTEP of a lab with two tenants has one, and none in a lab with one tenant."""
    assert all(beside_another_tenant(TENANTS, target) for target in targets(TENANTS))
    assert not any(beside_another_tenant(reference(), target) for target in targets(reference()))
    assert not any(beside_another_tenant(shape("routed-vxlan"), target) for target in targets(shape("routed-vxlan")))
