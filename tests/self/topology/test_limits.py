"""The largest whole packet, computed from a declaration alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.self.builders import expect, reference, reference_text, vxlan_lab
from tests.self.shapes import SHAPES, TEXTS, shape
from tests.self.topology.kind_labs import LABS, kind_lab
from topology.errors import LabError
from topology.formats import load
from topology.formats.lab import load_lab_text
from topology.limits import (
    NARROWER,
    Limit,
    bottlenecks,
    can_be_narrowed,
    carried,
    check_mtus,
    first_router,
    limits,
)
from topology.model import Fabric

SC2 = "[lc1:lc1_sc2, sc2:sc2_lc1]"
GRE1, GRE2 = "local: 26.0.0.2, remote: 28.0.0.2, ", "local: 28.0.0.2, remote: 26.0.0.2, "


def with_mtus(fabric: Fabric, node: str, mtus: Mapping[str, int]) -> Fabric:
    """The same fabric with other MTUs at some of a node's devices."""
    devices = tuple(replace(device, mtu=mtus.get(device.name, device.mtu)) for device in fabric[node].devices)
    changed = replace(fabric[node], devices=devices)
    return replace(fabric, nodes=tuple(changed if known.name == node else known for known in fabric.nodes))


def narrowest(fabric: Fabric, source: str, target: str) -> Limit:
    """List the narrowest points, where all legal paths are of one width."""
    (found,) = carried(fabric, expect(fabric, source, target))
    return found


def edited(*edits: tuple[str, str]) -> Fabric:
    """The reference lab with other text in places."""
    text = reference_text()
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return load_lab_text(text)


@pytest.mark.parametrize(
    ("lab", "ends", "largest", "where"),
    [
        (reference(), ("cs1", "cs2"), 1500, "cs1:cs1_br1 out"),
        (reference(), ("cs1", "cs5"), 1426, "lc1:gretun-cont out"),
        (reference(), ("cs5", "cs1"), 1426, "lc2:gretun-cont out"),
        (reference(), ("cs1", "cs4"), 1476, "lc1:gretun-cont out"),
        (vxlan_lab(), ("c1", "c5"), 1450, "v1:v1_l1 out carries 1500 less 50 of tunnel headers"),
        (vxlan_lab(), ("c3", "c4"), 1500, "c3:"),
    ],
    ids=["bridge", "vxlan in gre", "the way back", "gre", "vxlan", "bare"],
)
def test_labs_carry_what_was_measured(lab: Fabric, ends: tuple[str, str], largest: int, where: str) -> None:
    """1426 bytes in VXLAN in GRE, 1476 in GRE, 1450 in VXLAN, 1500 bare; the hop that decides is named."""
    found = narrowest(lab, *ends)
    assert found.largest == largest
    assert str(found).startswith(where)


def test_each_hop_has_its_own_limit() -> None:
    """Along the Layer 2 overlay: bridge ports pass a VLAN tag more, tunnel headers take what they take."""
    of = limits(reference(), expect(reference(), "cs1", "cs5"))
    found = {f"{one.node}:{one.interface} {one.direction}": one.largest for one in of}
    assert found == {
        "cs1:cs1_br1 out": 1500,
        "con_ns1:bridge1_cs1 in": 1504,
        "con_ns1:vxlan-cont out": 1454,
        "con_ns1:br1_lc1 out": 1450,
        "lc1:lc1_br1 in": 1454,
        "lc1:gretun-cont out": 1426,
        "lc1:lc1_sc2 out": 1426,
        "sc2:sc2_lc1 in": 1430,
        "sc2:sc2_lc2 out": 1426,
        "lc2:lc2_sc2 in": 1430,
        "lc2:lc2_br3 out": 1450,
        "con_ns3:br3_lc2 in": 1454,
        "con_ns3:bridge3_cs5 out": 1504,
        "cs5:cs5_br3 in": 1504,
    }


CHANGES: dict[str, tuple[tuple[tuple[str, str], ...], int, int, str]] = {
    "a narrower link": (((SC2, f"{{endpoints: {SC2}, mtu: 1400}}"),), 1326, 1376, "lc1:lc1_sc2 out"),
    "a narrower far end": (
        (("  sc2:\n    role: spine\n", "  sc2:\n    role: spine\n    mtu: {sc2_lc1: 1400}\n"),),
        1330,
        1380,
        "sc2:sc2_lc1 in",
    ),
    "a narrower tunnel": (((GRE1, f"{GRE1}mtu: 1400, "),), 1350, 1400, "lc1:gretun-cont out"),
    "a key": (((GRE1, f"{GRE1}key: 7, "), (GRE2, f"{GRE2}key: 7, ")), 1422, 1472, "lc1:gretun-cont out"),
    "a wider tunnel": (((GRE1, f"{GRE1}mtu: 2000, "),), 1426, 1476, "lc1:lc1_sc2 out"),
    "a narrower customer": (
        (("cs1: {role: customer,", "cs1: {role: customer, mtu: {cs1_br1: 1280},"),),
        1280,
        1280,
        "cs1:cs1_br1 out",
    ),
}


@pytest.mark.parametrize(("edits", "l2", "l3", "where"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_declaration_changes_what_it_carries(
    edits: tuple[tuple[str, str], ...], l2: int, l3: int, where: str
) -> None:
    """An MTU or a key that is declared otherwise moves the limit, at the interface where it is."""
    fabric = edited(*edits)
    assert narrowest(fabric, "cs1", "cs5").largest == l2
    assert narrowest(fabric, "cs1", "cs4").largest == l3
    assert str(narrowest(fabric, "cs1", "cs4")).startswith(where)


def refused(*edits: tuple[str, str]) -> list[str]:
    """Problems of the reference lab with other promises."""
    text = reference_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(LabError) as caught:
        load_lab_text(text, "my.yaml", extra_checks=(check_mtus,))
    lines = text.splitlines()
    assert all("custom" in lines[problem.where.line - 1] for problem in caught.value.problems)
    assert all(lines[p.where.line - 1][p.where.column - 1 :][:4].isdigit() for p in caught.value.problems)
    return [f"{problem.what}; {problem.right}" for problem in caught.value.problems]


def test_each_pairs_own_promise_is_refused_at_its_line() -> None:
    """A pair that promises more than its way carries is refused, beside errors with the lab's own promise."""
    pair, lab = refused(("customers: 1476", "customers: 1477"), ("customers: 1426", "customers: 1460"))
    assert pair.startswith("packets of 1477 bytes")
    assert "1476 or less" in pair
    assert lab.startswith("packets of 1460 bytes cannot cross whole from cs1 -> cs5: lc1:gretun-cont out carries 1476")
    assert "1426 or less" in lab


def test_what_is_not_promised_or_not_carried_is_not_refused() -> None:
    """Labs without a promise, and pairs without a target, have no sizes."""
    assert list(check_mtus(reference())) == []
    assert list(check_mtus(vxlan_lab())) == []
    gateway = ("{cs1_br1: 20.0.0.1/24}, routes: [default via 20.0.0.254]}", "{cs1_br1: 20.0.0.1/24}}")
    assert expect(edited(gateway), "cs1", "cs3").dropped
    assert list(check_mtus(edited(gateway))) == []


def test_each_legal_path_has_its_own_width() -> None:
    """Each path's narrowest point is reported, the narrowest first; one of equal width only once."""
    journey = expect(reference(), "cs1", "cs5")
    other = expect(edited((SC2, f"{{endpoints: {SC2}, mtu: 1400}}")), "cs1", "cs5")
    both = replace(journey, paths=(*journey.paths, *other.paths, *journey.paths))
    narrow = edited((SC2, f"{{endpoints: {SC2}, mtu: 1400}}"))
    assert [limit.largest for limit in carried(narrow, both)] == [1326]
    bridge = expect(reference(), "cs1", "cs2")
    mixed = replace(journey, paths=(*bridge.paths, *journey.paths))
    assert [limit.largest for limit in carried(reference(), mixed)] == [1426, 1500]
    assert carried(reference(), replace(journey, paths=())) == ()


@pytest.mark.parametrize(
    ("lab", "ends", "mtus"),
    [
        ("ece792", "cs1-cs5", ["lc1 {'lc1_sc2': 1400}", "lc1 {'gretun-cont': 1376}", "con_ns1 {'vxlan-cont': 1322}"]),
        ("documented", "c1-c2", ["leaf1 {'to-leaf2': 1400}", "leaf1 {'tunnel': 1376}"]),
        ("jumbo-underlay", "h1-h2", ["a {'up': 1374}", "a {'tun': 1350}"]),
        ("two-vteps-behind-one-leaf", "h1-h2", ["l1 {'w2': 1400}", "w1 {'vx': 1346}"]),
        ("geneve-point-to-point", "h1-h2", ["a {'dev': 1400}", "a {'type': 1346}"]),
        ("ecmp", "cs1-cs2", ["lc1 {'lc1_sc1': 1400, 'lc1_sc2': 1400}", "lc1 {'gre-lc2': 1376}"]),
        (
            "ecmp-gre-per-spine",
            "cs1-cs2",
            ["lc1 {'lc1_sc1': 1400, 'lc1_sc2': 1400}", "lc1 {'gre-sc1': 1376, 'gre-sc2': 1376}"],
        ),
        ("bare", "h1-h2", []),
    ],
)
def test_bottleneck_is_narrower_than_the_whole_way(lab: str, ends: str, mtus: list[str]) -> None:
    """However wide the underlay is, devices are given MTUs by which 100 bytes less than the way's limit cross."""
    fabric = shape(lab) if lab in SHAPES else load(lab)
    pair = next(pair for pair in fabric.pairs if f"{pair.source}-{pair.target}" == ends)
    found = list(bottlenecks(fabric, pair))
    assert [f"{one.node} {one.mtus(one.whole - NARROWER)}" for one in found] == mtus
    for one in found:
        assert can_be_narrowed(fabric, one)
        narrowed = with_mtus(fabric, one.node, one.mtus(one.whole - NARROWER))
        assert carried(narrowed, expect(narrowed, pair.source, pair.target))[0].largest == one.whole - NARROWER


@pytest.mark.parametrize(
    ("name", "router", "narrowed"),
    [
        ("routed GRE", ["l1:up"], ["l1:up", "l1:t"]),
        ("routed VXLAN", ["l2:c"], ["l1:up", "l1:t"]),
        ("routed Geneve", ["l2:c"], ["l1:up", "l1:t"]),
        ("bridged into VXLAN and routed behind it", ["l2:c"], ["l1:up", "l1:v"]),
        ("routed before VXLAN and bridged behind it", [], ["l1:up"]),
    ],
)
def test_overlay_that_is_routed_is_narrowed_where_its_limit_is_one(
    name: str, router: list[str], narrowed: list[str]
) -> None:
    """VXLAN is sent on in fragments, so no router reports an MTU there; a tunnel in a bridge that IP uses limits IP."""
    fabric = kind_lab(name, f"pairs: [{{source: c1, target: c2, kind: {LABS[name][1]}}}]")
    (pair,) = fabric.pairs
    assert [str(found) for found in first_router(fabric, pair)] == [f"{pair}-at-{place}" for place in router]
    assert [str(found) for found in bottlenecks(fabric, pair)] == [f"{pair}-at-{place}" for place in narrowed]


@pytest.mark.parametrize(
    ("lab", "ends", "places"),
    [
        ("ece792", "cs1-cs4", ["lc1:lc1_sc2"]),
        ("documented", "c1-c2", ["leaf1:to-leaf2"]),
        ("bare", "h1-h2", ["r:b"]),
        ("geneve-point-to-point", "h1-h2", []),
    ],
)
def test_first_router_reports_an_mtu_to_its_sender(lab: str, ends: str, places: list[str]) -> None:
    """The first node that routes the customer's own packet reports, be it leaf, spine or only router."""
    fabric = shape(lab) if lab in SHAPES else load(lab)
    pair = next(pair for pair in fabric.pairs if f"{pair.source}-{pair.target}" == ends)
    assert [str(found) for found in first_router(fabric, pair)] == [f"{pair}-at-{place}" for place in places]


def test_bridge_is_narrowed_where_its_mtu_is_declared() -> None:
    """A bridge's undeclared MTU is not compared with the live one, so no cause would be named."""
    text = TEXTS["three-on-one-switch"].replace("a: {role: leaf, addresses: {up:", "a: {role: leaf, addresses: {under:")
    text = text.replace("bridges: {br: [h, vx]}}\n  b", "bridges: {br: [h, vx], under: [up]}}\n  b")
    for mtu, places in (("", [("vx",)]), ("mtu: {under: 1550}, ", [("under",), ("vx",)])):
        fabric = load_lab_text(text.replace("a: {role: leaf, ", f"a: {{role: leaf, {mtu}"))
        assert [found.interfaces for found in bottlenecks(fabric, fabric.pairs[0])] == places


def test_device_that_would_lose_its_ipv6_address_is_not_narrowed() -> None:
    """Below 1280 bytes the kernel takes IPv6 from a device (RFC 8200, section 5)."""
    fabric = load_lab_text(
        TEXTS["ipv6-without-spines"].replace("[[a:up, b:up]", "[{endpoints: [a:up, b:up], mtu: 1350}")
    )
    found = list(bottlenecks(fabric, fabric.pairs[0]))
    assert [(one.interfaces, can_be_narrowed(fabric, one)) for one in found] == [(("up",), False), (("tun",), True)]
