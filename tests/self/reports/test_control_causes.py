"""Causes in the control plane that change one thing of answers recorded of a healthy fabric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reports.diagnosis.control import adopted_causes, control_causes, vteps_of
from tests.self.reports.test_control import L2, planes, recorded, state_of
from topology.control import ControlPlane, control_plane
from topology.formats.lab import load_lab
from topology.links.base import FLOOD_MAC
from topology.packet import Probe


def without_routes_to(known: Mapping[str, ControlPlane], vtep: str, *kinds: int) -> dict[str, ControlPlane]:
    """The planes, of which leaf1's has no routes of these types to a VTEP."""
    tables = known["leaf1"].evpn.items()
    left = {vni: frozenset(r for r in routes if r.vtep != vtep or r.kind not in kinds) for vni, routes in tables}
    return {**known, "leaf1": replace(known["leaf1"], evpn=left)}


def test_device_that_is_told_no_remote_is_named() -> None:
    """Whether BGP has no route of type 3 to a silent VTEP, or zebra made no entry of it: the near leaf is named, with
    the command that shows it; where a session is down, that alone explains it."""
    built, known = load_lab(L2), planes(L2, "healthy")
    probe = Probe("blue1", "blue2", built["blue1"].address, built["blue2"].address)
    states = {name: state_of(plane) for name, plane in known.items()}
    silent = without_routes_to(known, "10.0.0.12", 2, 3)
    (cause,) = control_causes(built, silent, probe, states)
    assert str(cause).startswith(
        "leaf1 - vni10100 - evpn route - expected type 3 to 10.0.0.12 - seen not there, so vni10100"
    )
    assert cause.show.endswith("'show bgp l2vpn evpn route vni 10100 type multicast'")
    down = (replace(known["leaf1"].sessions[0], state="Idle"), *known["leaf1"].sessions[1:])
    one_down = {**silent, "leaf1": replace(silent["leaf1"], sessions=down)}
    assert {found.kind for found in control_causes(built, one_down, probe, states)} == {"session"}
    untold = replace(
        states["leaf1"], entries=frozenset(e for e in states["leaf1"].entries if FLOOD_MAC not in str(e.read))
    )
    (cause,) = control_causes(built, known, probe, {**states, "leaf1": untold})
    assert str(cause).startswith(
        f"leaf1 - vni10100 - fdb - expected {FLOOD_MAC} dst 10.0.0.12, as BGP says - seen no entry"
    )
    assert cause.show == "ip netns exec leaf1 vtysh -N leaf1 -c 'show evpn vni 10100'"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("healthy", ""),
        ("evpn-not-advertised", "vni - expected advertise-all-vni - seen VNIs not advertised"),
        (
            "evpn-import-wrong",
            "route target - expected import of 65002:10100, exported by leaf2 - seen imports 64999",
        ),
        ("evpn-export-wrong", "route target - expected export of 65001:10100 - seen exports 64999:1"),
    ],
)
def test_daemons_of_others_explain_with_few_answers(fault: str, words: str) -> None:
    """Of an adopted fabric's VTEPs only EVPN's VNIs and the AS are read; commands have no path space of ours."""
    built, known = load_lab(L2), recorded()[L2][fault]
    planes = {}
    for node in ("leaf1", "leaf2"):
        vnis = [answer for answer in known[node] if "advertiseAllVnis" in answer]
        number = control_plane(node, known[node]).number
        planes[node] = control_plane(node, [{"routerId": "10.0.0.1", "as": number, "peers": {}}, *vnis])
    probe = Probe("blue1", "blue2", built["blue1"].address, built["blue2"].address)
    assert [one.node for one in vteps_of(built, probe)] == ["leaf1", "leaf2"]
    found = [*adopted_causes(built, planes, probe, {})]
    assert bool(found) is bool(words)
    assert all(words in str(cause) and cause.node == "leaf1" for cause in found), found
    show = "ip netns exec leaf1 vtysh -c 'show bgp l2vpn evpn vni'"
    assert {cause.show for cause in found} == ({show} if words else set())
    assert [*adopted_causes(built, {"leaf1": planes["leaf1"]}, probe, {})] == []
    silent = {name: replace(plane, advertises=False) for name, plane in planes.items()}
    assert [*adopted_causes(built, silent, probe, {})] == []
