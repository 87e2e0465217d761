"""Labs whose pairs cannot reach each other as declared: each is refused at the pair's place, in words that help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest

from tests.self.builders import expect, probe, reference, reference_text, vxlan_lab
from topology.dataplane.frames import HOPS_MAX
from topology.errors import LabError, Problem
from topology.expected import check_pairs, expected_journey
from topology.formats.lab import load_lab_text
from topology.model import Device, Fabric, Gre, Vxlan
from topology.promises import Pair

DeviceT = TypeVar("DeviceT", bound=Device)
LOOP = """
lab: loop
nodes:
  a: {role: spine, addresses: {ab: 10.0.0.1/24, ax: 10.1.0.254/24}, routes: [10.2.0.0/24 via 10.0.0.2]}
  b: {role: spine, addresses: {ba: 10.0.0.2/24}, routes: [10.2.0.0/24 via 10.0.0.1, 10.1.0.0/24 via 10.0.0.1]}
  x: {role: customer, addresses: {xa: 10.1.0.1/24}, routes: [default via 10.1.0.254]}
  y: {role: customer, addresses: {loop: 10.2.0.1/24}, bridges: {loop: []}, routes: [default dev loop]}
links: [[a:ab, b:ba], [a:ax, x:xa]]
pairs: [{source: x, target: y, kind: routed}]
"""


@dataclass(frozen=True)
class Case:
    """A change of the lab's text, the pair that suffers, and words that its problem must have."""

    old: str
    new: str
    pair: tuple[str, str]
    words: tuple[str, ...]


CASES = {
    "wrong kind": Case(
        "target: cs5, kind: l2-overlay}",
        "target: cs5, kind: l3-overlay}",
        ("cs1", "cs5"),
        ("cs1 -> cs5 is declared l3-overlay but this fabric carries it as l2-overlay; kind: l2-overlay",),
    ),
    "hairpin taken for an overlay": Case(
        "{source: cs5, target: cs3, kind: hairpin}",
        "{source: cs5, target: cs3, kind: l3-overlay}",
        ("cs5", "cs3"),
        ("declared l3-overlay", "kind: hairpin"),
    ),
    "no route to the tunnel's end": Case(
        "      - 28.0.0.0/24 via 26.0.0.1 dev lc1_sc2\n",
        "",
        ("cs1", "cs5"),
        ("cs1 -> cs5 cannot arrive: lc1: no route to 28.0.0.2; a fabric in which cs1 reaches cs5",),
    ),
    "no default route": Case(
        "{cs1_br1: 20.0.0.1/24}, routes: [default via 20.0.0.254]",
        "{cs1_br1: 20.0.0.1/24}",
        ("cs1", "cs4"),
        ("cs1: no route to 30.0.0.2",),
    ),
    "no way back": Case(
        "      - 21.0.0.0/24 dev gretun-cont\n",
        "",
        ("cs1", "cs5"),
        ("cs5 -> cs1 cannot arrive: lc2: no route to 21.0.0.1",),
    ),
    "a switch that would have to route": Case(
        "  lc1:\n    role: leaf",
        "  lc1:\n    role: switch",
        ("cs1", "cs5"),
        ("lc1: a switch does not forward", "leaf", "spine"),
    ),
    "a next hop that nobody is": Case(
        "{cs1_br1: 20.0.0.1/24}, routes: [default via 20.0.0.254]",
        "{cs1_br1: 20.0.0.1/24}, routes: [default via 20.0.0.253]",
        ("cs1", "cs4"),
        ("cs1:cs1_br1: no device on its segment has the address 20.0.0.253",),
    ),
    "a tunnel through itself": Case(
        "      - 28.0.0.0/24 via 26.0.0.1 dev lc1_sc2\n",
        "      - 28.0.0.0/24 dev gretun-cont\n",
        ("cs1", "cs4"),
        ("lc1: encapsulates the packet again and again on its way to 28.0.0.2",),
    ),
    "two IP versions": Case(
        "{cs2_br1: 20.0.0.2/24}",
        '{cs2_br1: ["fd00::2/64", 20.0.0.2/24]}',
        ("cs1", "cs2"),
        ("20.0.0.1 and fd00::2 are of two IP versions", "one version"),
    ),
}


def problem_of(fabric: Fabric, pair: tuple[str, str]) -> Problem:
    """The first problem of a pair."""
    where = next(p.where for p in fabric.pairs if (p.source, p.target) == pair)
    return next(problem for problem in check_pairs(fabric) if problem.where == where)


@pytest.mark.parametrize("name", CASES)
def test_broken_lab_is_refused_at_the_pair(name: str) -> None:
    """A pair that the fabric does not carry as declared is a problem on the pair's own line."""
    case = CASES[name]
    text = reference_text()
    assert text.count(case.old) >= 1
    text = text.replace(case.old, case.new, 1)
    problem = problem_of(load_lab_text(text, "my.yaml"), case.pair)
    source, target = case.pair
    line = text.splitlines()[problem.where.line - 1]
    assert line.strip().startswith(f"- {{source: {source}, target: {target},")
    assert str(problem).startswith(f"my.yaml:{problem.where.line}:5: ")
    for words in case.words:
        assert words in str(problem)


def test_sound_labs_have_no_problem() -> None:
    """The labs that come with hopcheck are carried as they say."""
    assert list(check_pairs(reference())) == []
    assert list(check_pairs(vxlan_lab())) == []


def test_loader_refuses_with_every_pair_at_once() -> None:
    """If the loader checks pairs, one missing route shows every pair it breaks."""
    case = CASES["no route to the tunnel's end"]
    with pytest.raises(LabError) as refused:
        load_lab_text(reference_text().replace(case.old, case.new), extra_checks=(check_pairs,))
    assert len({problem.where.line for problem in refused.value.problems}) == 8


def test_routing_loop_ends() -> None:
    """Two routers that point at each other pass a packet on until its TTL ends, and the lab is refused for it."""
    fabric = load_lab_text(LOOP)
    problem = problem_of(fabric, ("x", "y"))
    words = "{}: 10.2.0.0/24 via {}: a circle of b, a: the TTL expires"
    circle = "; ".join((words.format("b", "10.0.0.1"), words.format("a", "10.0.0.2")))
    assert problem.what == f"x -> y cannot arrive: {circle}"
    path = expect(fabric, "x", "y").paths[0]
    assert len(path.hops) == 2 * 64 <= HOPS_MAX
    lasting = expected_journey(fabric, replace(probe(fabric, "x", "y"), ttl=255))
    assert lasting.dropped == circle
    assert len(lasting.paths[0].hops) == HOPS_MAX + 1


def changed(fabric: Fabric, kind: type[DeviceT], node: str, change: Callable[[DeviceT], DeviceT | None]) -> Fabric:
    """The fabric with a node's devices of one class changed, or left out."""

    def devices(owner: str, present: tuple[Device, ...]) -> tuple[Device, ...]:
        made = (change(d) if owner == node and isinstance(d, kind) else d for d in present)
        return tuple(device for device in made if device is not None)

    return replace(fabric, nodes=tuple(replace(n, devices=devices(n.name, n.devices)) for n in fabric.nodes))


def other_vni(device: Vxlan) -> Vxlan:
    return replace(device, vni=31)


def other_port(device: Vxlan) -> Vxlan:
    return replace(device, port=4789)


def other_remote(device: Vxlan) -> Vxlan:
    return replace(device, remote=device.local)


def other_key(device: Gre) -> Gre:
    return replace(device, key=5)


def gone(device: Gre) -> None:
    return None


def test_vni_of_the_far_vtep_must_be_the_same() -> None:
    """A VTEP with another VNI, port or remote is not on the segment: the customer's address request ends before it."""
    for change in (other_vni, other_port, other_remote):
        fabric = changed(reference(), Vxlan, "con_ns3", change)
        problem = problem_of(fabric, ("cs1", "cs5"))
        assert "con_ns3: no VXLAN device for VNI" in problem.what or "has the address 23.0.0." in problem.what
        assert " gets no answer for 20.0.0." in problem.what


def test_tunnel_needs_its_peer() -> None:
    """A GRE packet that reaches a node without the tunnel, or with another key, ends there."""
    for change in (gone, other_key):
        fabric = changed(reference(), Gre, "lc2", change)
        fabric = replace(fabric, pairs=(Pair("cs1", "cs4", "l3-overlay"),))
        assert (
            next(check_pairs(fabric)).what
            == "cs1 -> cs4 cannot arrive: lc2: no GRE device for packets from 26.0.0.2 to 28.0.0.2"
        )


def test_packet_for_an_outsider_ends_where_it_ends() -> None:
    """A probe for an address of another node than its target has not arrived."""
    astray = replace(probe(reference(), "cs1", "cs2"), dst=reference()["cs5"].address)
    assert expected_journey(reference(), astray).dropped == "cs5: receives the packet in place of cs2"
