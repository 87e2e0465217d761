"""Bridges that learn nothing, or soon forget, send a frame to more ports: exactly there, in the model too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.checks.domains import judge_frame
from reports.judge.isolation import FrameSeen
from reports.judge.journey import judge_journey, without_copies
from tests.self.builders import expect, journey, seen_path, sighting
from topology.formats.lab import load_lab_text
from topology.isolation.domains import domains, transit, way
from topology.model import Fabric
from topology.plan import make_plan
from topology.refs import PortRef
from topology.state import declared_state

MAC = "02:00:00:00:00:02"
UNLEARNED = ", learning: false"
ENTRY = f", entries: {{'{MAC}': 10.0.0.2}}"


def lab(vxlan: str = "", bridge: str = "", first: str = "") -> Fabric:
    """Three leaves on one switch with a customer each, and what more is said of each VTEP, of each leaf's bridge, and
    of the first leaf's VTEP."""
    lines = ["lab: three", "nodes:", "  sw: {role: switch, bridges: {b: [p1, p2, p3]}}"]
    for n in (1, 2, 3):
        remotes = ", ".join(f"10.0.0.{m}" for m in (1, 2, 3) if m != n)
        more = vxlan + (first if n == 1 else "")
        lines.append(f"  l{n}: {{role: leaf, addresses: {{up: 10.0.0.{n}/24}}, bridges: {{br: [vx, down]}}{bridge},")
        lines.append(f"    vxlan: {{vx: {{vni: 7, local: 10.0.0.{n}, remotes: [{remotes}]{more}}}}}}}")
        mac = f"02:00:00:00:00:0{n}"
        lines.append(f"  c{n}: {{role: customer, addresses: {{e: 192.168.0.{n}/24}}, mac: {{e: '{mac}'}}}}")
    lines += ["links:", *(f"  - [sw:p{n}, l{n}:up]\n  - [l{n}:down, c{n}:e]" for n in (1, 2, 3))]
    return load_lab_text("\n".join(lines))


def places(fabric: Fabric, *, may: bool = False) -> frozenset[str]:
    """List where a known unicast from c1 to c2 is bare."""
    return frozenset(str(ref) for ref in way(fabric, PortRef("c1", "e"), PortRef("c2", "e"), may=may))


DIRECT = frozenset(("c1:e", "l1:down", "l1:vx", "l2:vx", "l2:down", "c2:e"))
TO_VTEPS = DIRECT | {"l3:vx"}
"""The third leaf gets a copy, but its bridge has learned that the owner is not behind it."""
TO_ENDS = TO_VTEPS | {"l3:down", "c3:e"}
CASES = {
    "learning": (lab(), DIRECT, DIRECT),
    "nothing learned": (lab(UNLEARNED), TO_VTEPS, TO_VTEPS),
    "an entry for the MAC": (lab(UNLEARNED, first=ENTRY), DIRECT, DIRECT),
    "long remembered": (lab(", ageing: 600"), DIRECT, DIRECT),
    "soon forgotten": (lab(", ageing: 5"), DIRECT, TO_VTEPS),
    "bridges that flood": (lab("", ", ageing: {br: 0}"), DIRECT, DIRECT),
    "both": (lab(UNLEARNED, ", ageing: {br: 0}"), TO_ENDS, TO_ENDS),
    "both soon forgotten": (lab(", ageing: 5", ", ageing: {br: 5}"), DIRECT, TO_ENDS),
}
"""A lab, where a frame must be seen, and where it may be besides."""


@pytest.mark.parametrize("name", CASES)
def test_frame_goes_where_nothing_has_learned_to_withhold_it(name: str) -> None:
    """A unicast is seen on its way, and at each place to which a device that does not learn floods it."""
    fabric, must, may = CASES[name]
    assert (places(fabric), places(fabric, may=True)) == (must, may)


@pytest.mark.parametrize("name", CASES)
def test_journey_has_the_copies_that_the_frame_has(name: str) -> None:
    """The copies of a customer's packet are at the places where its frame may be besides, and are no divergence."""
    fabric, must, may = CASES[name]
    expected = expect(fabric, "c1", "c2")
    bare = {
        str(hop.ref)
        for path in expected.copies
        for hop in path.hops
        if hop.layers[0][0] == "ether" and not any(layer == "vxlan" for layer, _ in hop.layers)
    }
    assert bare - must <= may - must
    assert (bare | must if bare else must) >= may
    whole = [*seen_path(fabric, expected.paths[0]), *(s for path in expected.copies for s in seen_path(fabric, path))]
    kept = without_copies(journey(expected, whole), expected)
    assert judge_journey(kept, expected).passed
    assert len(kept.sightings) == len(expected.paths[0].hops)


def test_copy_that_nothing_declares_is_a_divergence() -> None:
    """In a fabric that learns a copy at the third leaf is a divergence, and so is a second copy of a declared one."""
    learned, unlearned = lab(), lab(UNLEARNED)
    copy = expect(unlearned, "c1", "c2").copies[0]
    for fabric, times in ((learned, 1), (unlearned, 2)):
        expected = expect(fabric, "c1", "c2")
        whole = [*seen_path(fabric, expected.paths[0]), *(seen_path(unlearned, copy) * times)]
        assert not judge_journey(without_copies(journey(expected, whole), expected), expected).passed


def test_frame_at_an_uninvolved_leaf_is_judged_by_what_is_declared() -> None:
    """A frame that is missing where it must be flooded breaks the promise; where it may be flooded, both are right."""
    for vxlan, there, right in (
        (UNLEARNED, True, True),
        (UNLEARNED, False, False),
        ("", True, False),
        (", ageing: 5", True, True),
        (", ageing: 5", False, True),
    ):
        fabric = lab(vxlan)
        domain = next(d for d in domains(fabric) if str(d) == "VNI-7")
        refs = sorted(places(fabric) | {"l3:vx"} if there else places(fabric) - {"l3:vx"})
        hop = expect(fabric, "c1", "c2").paths[0].hops[0]
        seen = tuple(
            sighting(fabric, ref.split(":")[0], ref.split(":")[1], "in", hop.layers, n) for n, ref in enumerate(refs)
        )
        ends = PortRef("c1", "e"), PortRef("c2", "e")
        must, may = way(fabric, *ends), way(fabric, *ends, may=True)
        frame = FrameSeen(domain, ends[0], "unicast", must, transit(fabric, domain), seen, may)
        assert bool(judge_frame(frame)) is right, (vxlan, there)


def test_plan_and_state_say_what_is_declared() -> None:
    """Learning, ageing and entries are in the commands that build a node and in the state that it must have; defaults
    are in neither."""
    node = lab(f"{UNLEARNED}, ageing: 20", ", ageing: {br: 0}", ENTRY)["l1"]
    text = "\n".join(make_plan(lab(f"{UNLEARNED}, ageing: 20", ", ageing: {br: 0}", ENTRY)).commands)
    assert "dstport 4789 nolearning ageing 20" in text
    assert "name br address" in text
    assert "type bridge ageing_time 0" in text
    assert f"bridge -n l1 fdb append {MAC} dev vx dst 10.0.0.2" in text
    state = declared_state(node)
    assert {("learning", "off"), ("ageing", "20")} <= set(state.links["vx"].parameters)
    assert state.links["br"].parameters == (("ageing", "0"),)
    assert f"{MAC} dev vx dst 10.0.0.2 self permanent" in {entry.words for entry in state.entries}
    usual = lab()
    assert "learning" not in "\n".join(make_plan(usual).commands)
    assert declared_state(replace(usual["l1"])).links["br"].parameters == ()
