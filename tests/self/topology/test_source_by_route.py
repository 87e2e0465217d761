"""A VXLAN device without a local address sends with the source that the route to each remote gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.checks.replication import judge_replication
from reports.checks.underlay import tunnel_ends
from reports.judge.isolation import FrameSeen
from tests.self.builders import expect, seen_path
from topology.errors import LabError
from topology.formats.lab import load_lab_text
from topology.isolation.domains import domains, transit
from topology.isolation.forgery import forgeries, targets
from topology.model import Fabric
from topology.plan import make_plan
from topology.refs import PortRef
from topology.state import declared_state

TWO = """
lab: two-ways
nodes:
  m:
    role: leaf
    addresses: {u1: 10.1.0.1/30, u2: 10.2.0.1/30}
    vxlan: {vx: {vni: 7, remotes: [10.1.0.2, 10.2.0.2]}}
    bridges: {br: [vx, d]}
  p:
    role: leaf
    addresses: {u: 10.1.0.2/30}
    vxlan: {vx: {vni: 7, remote: 10.1.0.1}}
    bridges: {br: [vx, d]}
  q:
    role: leaf
    addresses: {u: 10.2.0.2/30}
    vxlan: {vx: {vni: 7, remote: 10.2.0.1, dev: u}}
    bridges: {br: [vx, d]}
  cm: {role: customer, addresses: {e: 192.168.0.1/24}}
  cp: {role: customer, addresses: {e: 192.168.0.2/24}}
  cq: {role: customer, addresses: {e: 192.168.0.3/24}}
links: [[m:u1, p:u], [m:u2, q:u], [m:d, cm:e], [p:d, cp:e], [q:d, cq:e]]
pairs: [{source: cm, target: cp, kind: l2-overlay}, {source: cm, target: cq, kind: l2-overlay}]
"""
LOOPBACKS = """
lab: loopbacks
nodes:
  l:
    role: leaf
    addresses: {lo: 10.255.0.1/32, u: 10.1.0.1/30}
    vxlan: {vx: {vni: 7, remote: 10.255.0.2}}
    bridges: {br: [vx, d]}
    routes: [10.255.0.2/32 via 10.1.0.2]
  r:
    role: leaf
    addresses: {lo: 10.255.0.2/32, u: 10.1.0.2/30}
    vxlan: {vx: {vni: 7, remote: 10.255.0.1}}
    bridges: {br: [vx, d]}
    routes: [10.255.0.1/32 via 10.1.0.1]
  a: {role: customer, addresses: {e: 192.168.0.1/24}}
  b: {role: customer, addresses: {e: 192.168.0.2/24}}
links: [[l:u, r:u], [l:d, a:e], [r:d, b:e]]
"""
SIX = TWO.replace("10.1.0.", "fd01::").replace("10.2.0.", "fd02::").replace("/30", "/64")


def outer(fabric: Fabric, source: str, target: str) -> tuple[str, str]:
    """Source and destination of the VXLAN packets on the way between two customers."""
    journey = expect(fabric, source, target)
    assert not journey.dropped
    headers = next(hop.layers for hop in journey.paths[0].hops if any(name == "vxlan" for name, _ in hop.layers))
    fields = next(fields for name, fields in headers if name in ("ipv4", "ipv6"))
    return str(fields["src"]), str(fields["dst"])


@pytest.mark.parametrize(("text", "one", "two"), [(TWO, "10.1.0.", "10.2.0."), (SIX, "fd01::", "fd02::")], ids="46")
def test_each_remote_has_the_source_of_its_route(text: str, one: str, two: str) -> None:
    """Packets to two remotes leave with two sources; the ends that are tried and judged are these."""
    fabric = load_lab_text(text)
    assert outer(fabric, "cm", "cp") == (f"{one}1", f"{one}2")
    assert outer(fabric, "cm", "cq") == (f"{two}1", f"{two}2")
    assert outer(fabric, "cq", "cm") == (f"{two}2", f"{two}1")
    assert {frozenset((str(end.src), str(end.dst))) for end in tunnel_ends(fabric)} == {
        frozenset((f"{net}1", f"{net}2")) for net in (one, two)
    }


def test_plan_and_state_say_no_local() -> None:
    """The device is made, and looked for, without a local address."""
    fabric = load_lab_text(TWO)
    made = [command for command in make_plan(fabric).commands if "type vxlan" in command]
    assert len(made) == 3
    assert not [command for command in made if " local " in command]
    assert ("local", "none") in declared_state(fabric["m"]).links["vx"].parameters


def test_source_that_no_route_gives_is_refused() -> None:
    """A remote to which no route leads, or two with different sources do, is refused at its place."""
    away = TWO.replace("remotes: [10.1.0.2, 10.2.0.2]", "remotes: [10.1.0.2, 10.2.0.2], dev: u1")
    with pytest.raises(LabError, match=r"no single source address is certain for packets from m to 10\.2\.0\.2"):
        load_lab_text(away)


def test_what_is_learned_is_the_source_that_is_used() -> None:
    """Between VTEPs that name loopbacks as remotes and send from their links, what is known goes to the links, and
    what is for all to the loopbacks."""
    fabric = load_lab_text(LOOPBACKS)
    assert outer(fabric, "a", "b") == ("10.1.0.1", "10.1.0.2")
    assert {(str(src), str(dst)) for src, dst in fabric.outer_ends(fabric["l"].vxlan)} == {
        ("10.1.0.1", "10.255.0.2"),
        ("10.1.0.1", "10.1.0.2"),
    }
    (domain,) = domains(fabric)
    assert {str(ref) for ref in transit(fabric, domain)} == {"l:u", "r:u"}
    unlearned = load_lab_text(LOOPBACKS.replace("vni: 7,", "vni: 7, learning: false,"))
    assert outer(unlearned, "a", "b") == ("10.1.0.1", "10.255.0.2")


def test_copies_to_each_remote_are_judged_by_its_source() -> None:
    """Head-end replication is held to the source of each remote's route."""
    fabric = load_lab_text(TWO)
    (domain,) = domains(fabric)
    ways = [seen_path(fabric, expect(fabric, "cm", end).paths[0]) for end in ("cp", "cq")]
    frame = FrameSeen(
        domain, PortRef("cm", "e"), "broadcast", domain.members, frozenset(), tuple(s for w in ways for s in w)
    )
    assert judge_replication(fabric, [frame], fabric["m"].vxlan)
    half = replace(frame, sightings=tuple(ways[0]))
    assert "expected one from 10.2.0.1 to 10.2.0.2" in judge_replication(fabric, [half], fabric["m"].vxlan).message


def test_spokes_of_one_vni_are_no_tenants_of_each_other() -> None:
    """Two VTEPs that only a third one joins, and which are in no bridge, have one VNI: no forgery has another's."""
    hub = TWO.replace("    bridges: {br: [vx, d]}\n", "").replace("pairs:", "# pairs:")
    for number in (1, 2, 3):
        hub = hub.replace(f"192.168.0.{number}/24", f"192.168.{number}.1/24")
    fabric = load_lab_text(hub)
    for target in targets(fabric):
        kinds = {forgery.kind for attack_path in target.attack_paths for forgery in forgeries(fabric, attack_path)}
        assert target.attack_paths
        assert "other-vni" not in kinds
